//! Ids of another tenant are "not found" like any other unknown id; here such an attempt is also written to the caller's audit log (R5).

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use serde_json::json;
use uuid::Uuid;

use super::Edge;
use super::auth::SignedIn;
use crate::domain::tenancy::{TenancyError, audit, lookup};
use crate::kernel::{TenantId, UserId};

/// After a 404 to somebody signed in, looks whether an id in the path is another tenant's.
pub(super) async fn watch(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let response = next.call(req).await?;
    if response.status() == StatusCode::NOT_FOUND {
        let req = response.request();
        let caller = req.extensions().get::<SignedIn>().map(|caller| caller.person.scope.clone());
        let ids: Vec<Uuid> = req.match_info().iter().filter_map(|(_, value)| value.parse().ok()).collect();
        if let (Some(caller), Some(edge)) = (caller, req.app_data::<Data<Edge>>().cloned()) {
            for id in ids {
                if is_foreign(&edge, caller.tenant, id).await {
                    note(&edge, caller.tenant, caller.user, format!("id:{id}")).await;
                }
            }
        }
    }
    Ok(response)
}

async fn is_foreign(edge: &Edge, tenant: TenantId, id: Uuid) -> bool {
    let pg = edge.db.pg().clone();
    let owner = edge.db.run(async move { lookup::tenant_of(&pg, id).await }).await;
    matches!(owner, Ok(Some(owner)) if owner != tenant)
}

/// Writes the audit row. Failing to is logged and does not change the answer.
pub(super) async fn note(edge: &Edge, tenant: TenantId, user: UserId, target: String) {
    let (pg, now) = (edge.db.pg().clone(), edge.clock.now());
    let entry = audit::Entry { actor: Some(user), action: "access.cross_tenant", target, detail: json!({}) };
    let written = edge.db.run(async move {
        let mut tx = pg.tenant(tenant).await?;
        audit::record(&mut tx, now, entry).await?;
        tx.commit().await?;
        Ok::<_, TenancyError>(())
    });
    if let Err(error) = written.await {
        tracing::warn!(%error, tenant.id = %tenant, "an attempt to reach another tenant could not be written down");
    }
}
