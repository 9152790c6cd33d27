//! How a field of a protocol message looks in JSON.
//!
//! One struct serves both formats, so the differences live here: an absent or `null` field is its default (official SDKs write
//! `"epoch": null`), a default is left out, and a payload is embedded JSON while Protobuf carries it as bytes.
//!
//! Keeps the invariant that an encoded message is one line: whatever a client sent is validated and compacted on its way in, and
//! looked at again on its way out, because a raw newline inside a reply would split the frame for its reader.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Declares protocol messages: each is a Protobuf message and a JSON object with the same field names.
///
/// The two attribute lists that every field needs would drown what matters, the name, the type and the number.
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $(#[$field_meta:meta])* [$($wire:tt)+] $field:ident: $ty:ty, )* }
    )+) => { $(
        #[derive(Clone, PartialEq, ::prost::Message, ::serde::Serialize, ::serde::Deserialize)]
        $(#[$meta])*
        #[serde(default)]
        pub struct $name { $(
            $(#[$field_meta])*
            #[prost($($wire)+)]
            #[serde(with = "crate::protocol::json::field", skip_serializing_if = "crate::protocol::json::is_default")]
            pub $field: $ty,
        )* }
    )+ };
}
pub(super) use messages;

/// Whether a field may be left out.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A type that can be a field of a message.
pub(super) trait Field: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// The functions that `#[serde(with = …)]` looks for.
pub(super) mod field {
    use super::Field;
    use serde::{Deserializer, Serializer};

    pub(in crate::protocol) fn serialize<T: Field, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.write(serializer)
    }

    pub(in crate::protocol) fn deserialize<'de, T: Field, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

macro_rules! plain_field {
    ($( [$($generics:tt)*] $ty:ty ),+ $(,)?) => { $(
        impl $($generics)* Field for $ty {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Option::<Self>::deserialize(deserializer)?.unwrap_or_default())
            }
        }
    )+ };
}

plain_field!(
    [] bool, [] u32, [] u64, [] i32, [] i64, [] String,
    [<T: Serialize + DeserializeOwned>] Vec<T>,
    [<T: Serialize + DeserializeOwned>] BTreeMap<String, T>,
);

/// A message inside a message.
impl<T: Serialize + DeserializeOwned> Field for Option<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectOrNull(PhantomData))
    }
}

/// Derived code would also take an array for a struct, field by field; the protocol has no such thing.
struct ObjectOrNull<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for ObjectOrNull<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

/// Reads one message, which is an object.
pub(super) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let message = deserializer.deserialize_any(ObjectOrNull(PhantomData))?;
    deserializer.end()?;
    message.ok_or_else(|| serde::de::Error::custom("null is no message"))
}

/// A payload: JSON text here, opaque bytes in Protobuf; empty means absent.
impl Field for Bytes {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_slice::<&RawValue>(self) {
            Ok(raw) if !raw.get().contains(['\n', '\r']) => raw.serialize(serializer),
            Ok(raw) => {
                RawValue::from_string(compact(raw.get())).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
            // Bytes of a Protobuf client that are not JSON: a JSON reader gets them as text, rather than no reply at all.
            Err(_) => serializer.serialize_str(&String::from_utf8_lossy(self)),
        }
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Option::<&RawValue>::deserialize(deserializer)?;
        Ok(raw.map_or_else(Self::new, |raw| compact(raw.get()).into()))
    }
}

/// Drops the whitespace between tokens of valid JSON; what is inside strings stays.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            if !in_string {
                in_string = c == '"';
                return !matches!(c, ' ' | '\t' | '\n' | '\r');
            }
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == '"' {
                in_string = false;
            }
            true
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn compacting_drops_whitespace_between_tokens_only() {
        assert_eq!(compact("{ \"a b\" :\n[ 1 ,\t\"x\\\" \\\\\" , 2 ]\r\n}"), "{\"a b\":[1,\"x\\\" \\\\\",2]}");
    }
}
