//! One transaction for one request, and `Idempotency-Key` for those that may be sent twice.
//!
//! Handlers hand in what is to happen; here it gets its transaction, is committed, and becomes an answer. With a key, the answer is kept
//! in that same transaction and given again (with `Idempotent-Replayed: true`) to whoever sends the same again.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::{Edge, Problem};
use crate::domain::events::idempotency::{self, Begun, Intent, Kept, Key};
use crate::infra::pg::{Pg, PgError, TenantTx};
use crate::kernel::{Coded, Scope};

/// The header that names an intent.
pub const HEADER: &str = "Idempotency-Key";
/// Set on an answer that was kept from the first time.
pub const REPLAYED: &str = "Idempotent-Replayed";

/// Runs a verb in a transaction of the caller's tenant and commits it.
///
/// # Errors
/// The verb's own refusal, or that of the database.
pub async fn within<T, E, F>(edge: &Data<Edge>, scope: Scope, work: F) -> Result<T, Problem>
where
    F: for<'a> FnOnce(&'a mut TenantTx, &'a Scope, DateTime<Utc>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Coded + From<PgError> + Send + 'static,
{
    let (pg, now) = (edge.db.pg().clone(), edge.clock.now());
    let done = edge.db.run(async move {
        let mut tx = pg.tenant(scope.tenant).await?;
        let answer = work(&mut tx, &scope, now).await?;
        tx.commit().await?;
        Ok::<T, E>(answer)
    });
    Ok(done.await?)
}

/// A write that its sender may repeat. What is asked for is told apart by method, path and body.
#[derive(Debug)]
pub struct Once {
    key: Option<Key>,
    /// Method and path.
    place: String,
}

impl FromRequest for Once {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sent = req.headers().get(HEADER).map(|value| value.to_str().ok().and_then(Key::parse));
        let place = format!("{} {}", req.method(), req.path());
        ready(match sent {
            Some(None) => Err(Problem::invalid(HEADER, "it is 1 to 255 visible ASCII characters")),
            Some(Some(key)) => Ok(Self { key: Some(key), place }),
            None => Ok(Self { key: None, place }),
        })
    }
}

impl Once {
    /// Runs a verb in a transaction of the caller's tenant, once per key. `body` is what was read of the request's body, so that the
    /// same meaning in other white space is the same request. A unit answer has no body.
    ///
    /// # Errors
    /// The verb's own refusal (not kept: the key is free again), `idempotency_key_reused`, or that of the database.
    pub async fn run<T, E, F>(
        self,
        edge: &Data<Edge>,
        scope: Scope,
        body: &(impl Serialize + ?Sized),
        work: F,
    ) -> Result<HttpResponse, Problem>
    where
        F: for<'a> FnOnce(&'a mut TenantTx, &'a Scope, DateTime<Utc>) -> BoxFuture<'a, Result<(StatusCode, T), E>>
            + Send
            + 'static,
        T: Serialize + Send + 'static,
        E: Coded + From<PgError> + Send + 'static,
    {
        let (pg, now) = (edge.db.pg().clone(), edge.clock.now());
        let intent = self.intent(&scope, body);
        let done = edge.db.run(async move { perform(&pg, &scope, now, intent, work).await });
        match done.await {
            Ok((kept, replayed)) => Ok(answer(&kept, replayed)),
            Err(Failed::Verb(error)) => Err(error.into()),
            Err(Failed::Reused) => {
                let detail = "this key came with another request before";
                Err(Problem::new("idempotency_key_reused", detail).with_field(HEADER))
            }
            Err(Failed::Pg(error)) => Err(error.into()),
        }
    }

    fn intent(self, scope: &Scope, body: &(impl Serialize + ?Sized)) -> Option<Intent> {
        let key = self.key?;
        let mut digest = Context::new(&SHA256);
        digest.update(self.place.as_bytes());
        digest.update(&[0]);
        digest.update(&serde_json::to_vec(body).unwrap_or_default());
        Some(Intent { user: scope.user, key, digest: digest.finish().as_ref().to_vec() })
    }
}

enum Failed<E> {
    Verb(E),
    Reused,
    Pg(PgError),
}

impl<E> From<PgError> for Failed<E> {
    fn from(error: PgError) -> Self {
        Self::Pg(error)
    }
}

async fn perform<T, E, F>(
    pg: &Pg,
    scope: &Scope,
    now: DateTime<Utc>,
    intent: Option<Intent>,
    work: F,
) -> Result<(Kept, bool), Failed<E>>
where
    F: for<'a> FnOnce(&'a mut TenantTx, &'a Scope, DateTime<Utc>) -> BoxFuture<'a, Result<(StatusCode, T), E>>,
    T: Serialize,
{
    let mut tx = pg.tenant(scope.tenant).await?;
    if let Some(intent) = &intent {
        match idempotency::begin(&mut tx, intent, now).await? {
            Begun::Fresh => {}
            Begun::Done(kept) => return Ok((kept, true)),
            Begun::Reused => return Err(Failed::Reused),
        }
    }
    let (status, value) = work(&mut tx, scope, now).await.map_err(Failed::Verb)?;
    let kept = Kept { status: status.as_u16(), answer: serde_json::to_value(value).unwrap_or_default() };
    if let Some(intent) = &intent {
        idempotency::keep(&mut tx, intent, &kept).await?;
    }
    tx.commit().await?;
    Ok((kept, false))
}

fn answer(kept: &Kept, replayed: bool) -> HttpResponse {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    if kept.answer.is_null() { response.finish() } else { response.json(&kept.answer) }
}
