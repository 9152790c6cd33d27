//! Reading what clients send: bodies, paths and queries whose mistakes are problems that name the field.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use serde::de::value::{Error as ValueError, MapDeserializer};

use super::{Edge, Problem};

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// The path's parameters.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The query's parameters; unknown ones are ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let max = req.app_data::<Data<Edge>>().map_or(0, |edge| edge.config.limits.admission.body.as_usize());
        let is_json = req.headers().get(CONTENT_TYPE).is_none_or(is_json);
        let payload = payload.take();
        async move {
            let body = read(payload, max).await?;
            // Nothing sent and no type named is an empty object: some bodies are optional as a whole.
            let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
            if !is_json {
                return Err(Problem::new("media_type", "send the body as application/json"));
            }
            parse(&body).map(Json)
        }
        .boxed_local()
    }
}

fn is_json(value: &actix_web::http::header::HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

async fn read(mut payload: Payload, max: usize) -> Result<Bytes, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new("malformed", "the body broke off"))?;
        if body.len() + chunk.len() > max {
            return Err(Problem::new("too_large", format!("a body is at most {max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            refuse(&path, &without_position(&inner.to_string()))
        } else {
            Problem::new("malformed", format!("the body is not JSON: {inner}"))
        }
    })?;
    json.end().map_err(|error| Problem::new("malformed", format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Serde names a missing or unknown field in its message only, not in the path.
fn refuse(path: &str, message: &str) -> Problem {
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next())
        .unwrap_or_default();
    let parent = if path == "." { "" } else { path };
    let field = match (parent, named) {
        ("", named) => named.to_owned(),
        (parent, "") => parent.to_owned(),
        (parent, named) if parent.ends_with(named) => parent.to_owned(),
        (parent, named) => format!("{parent}.{named}"),
    };
    Problem::invalid(field, message)
}

fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(req.query_string());
        let Ok(pairs) = pairs else { return ready(Err(Problem::new("malformed", "the query can not be read"))) };
        ready(from_pairs(pairs.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))).map(Query))
    }
}

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // What can not be an id names nothing: 404, as for an id that nobody has.
        let path = actix_web::web::Path::<T>::from_request(req, payload).into_inner();
        ready(path.map(|path| Path(path.into_inner())).map_err(|_| Problem::not_found()))
    }
}

fn from_pairs<'a, T: DeserializeOwned>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<T, Problem> {
    let texts = pairs.map(|(key, value)| (key, Text(value)));
    let map = MapDeserializer::<_, ValueError>::new(texts);
    serde_path_to_error::deserialize(map).map_err(|error| {
        let path = error.path().to_string();
        refuse(&path, &error.into_inner().to_string())
    })
}

/// A query value: text that reads as whatever the field wants.
struct Text<'a>(&'a str);

impl<'de> serde::de::IntoDeserializer<'de, ValueError> for Text<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! read_as {
    ($($method:ident $visit:ident $type:ty),+) => {$(
        fn $method<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::invalid_value(serde::de::Unexpected::Str(self.0), &visitor)),
            }
        }
    )+};
}

impl<'de> serde::Deserializer<'de> for Text<'de> {
    type Error = ValueError;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_borrowed_str(self.0)
    }

    read_as!(
        deserialize_bool visit_bool bool, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64
    );

    /// `?cursor=` means that there is none.
    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        if self.0.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        serde::de::value::BorrowedStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::kernel::RoomId;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Ask {
        limit: Option<u32>,
        room: Option<RoomId>,
        name: String,
    }

    fn field_of<T: std::fmt::Debug>(answer: Result<T, Problem>) -> String {
        let sent = serde_json::to_value(answer.unwrap_err()).unwrap();
        assert_eq!(sent["status"], 422, "{sent}");
        sent["field"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_mistake_in_a_body_names_its_field() {
        assert_eq!(field_of(parse::<Ask>(br#"{"limit": "x", "name": ""}"#)), "limit");
        assert_eq!(field_of(parse::<Ask>(br#"{"limit": 1}"#)), "name");
        assert_eq!(field_of(parse::<Ask>(br#"{"room": "no", "name": ""}"#)), "room");
        assert_eq!(field_of(parse::<Ask>(b"[]").inspect_err(|p| assert!(p.code() == "invalid"))), "");
        assert_eq!(parse::<Ask>(b"{").unwrap_err().code(), "malformed");
        assert_eq!(parse::<Ask>(br#"{"name": ""} x"#).unwrap_err().code(), "malformed");
    }

    #[test]
    fn a_query_reads_numbers_ids_and_nothing() {
        let room = RoomId::generate();
        let text = room.to_string();
        let ask: Ask = from_pairs([("limit", "7"), ("room", text.as_str()), ("name", "n")].into_iter()).unwrap();
        assert_eq!(ask, Ask { limit: Some(7), room: Some(room), name: "n".into() });
        assert_eq!(from_pairs::<Ask>([("limit", ""), ("name", "")].into_iter()).unwrap().limit, None);
        assert_eq!(field_of(from_pairs::<Ask>([("limit", "x"), ("name", "")].into_iter())), "limit");
        assert_eq!(field_of(from_pairs::<Ask>([("limit", "1")].into_iter())), "name");
    }
}
