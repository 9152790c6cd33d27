//! SQL of outgoing mail.

use chrono::{DateTime, Utc};

use crate::domain::identity::mail::Mail;
use crate::infra::pg::{PgError, PlatformTx, TenantTx};
use crate::kernel::TenantId;
use crate::kernel::ids::MailId;

/// Stores mail in the transaction of its cause.
pub async fn insert(tx: &mut TenantTx, mail: &Mail, at: DateTime<Utc>) -> Result<MailId, PgError> {
    let id = MailId::generate();
    sqlx::query!(
        "INSERT INTO mails (tenant_id, id, recipient, subject, body, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
        tx.tenant().uuid(),
        id.uuid(),
        mail.recipient,
        mail.subject,
        mail.body,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Mail that waits, as the platform role may see it: that it is there, never what it says.
pub struct Waiting {
    pub tenant: TenantId,
    pub id: MailId,
    pub attempts: i32,
}

/// Mail whose next attempt is due, the longest due first; what had `attempts_max` is given up.
pub async fn list_due(
    tx: &mut PlatformTx,
    now: DateTime<Utc>,
    attempts_max: i32,
    limit: i64,
) -> Result<Vec<Waiting>, PgError> {
    Ok(sqlx::query_as!(
        Waiting,
        r#"SELECT tenant_id AS "tenant: TenantId", id AS "id: MailId", attempts FROM mails
            WHERE sent_at IS NULL AND due_at <= $1 AND attempts < $2 ORDER BY due_at LIMIT $3"#,
        now,
        attempts_max,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Takes a mail for one attempt; `None` when another node was faster. Without `next_at` this is the last one.
pub async fn claim(
    tx: &mut TenantTx,
    id: MailId,
    attempts: i32,
    next_at: Option<DateTime<Utc>>,
) -> Result<Option<Mail>, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_as!(
        Mail,
        "UPDATE mails SET attempts = attempts + 1, due_at = coalesce($4::timestamptz, 'infinity')
          WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND sent_at IS NULL
         RETURNING recipient, subject, body",
        tenant,
        id.uuid(),
        attempts,
        next_at as Option<DateTime<Utc>>,
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Notes that it was sent. The text of really sent mail is removed: it holds links that open accounts.
pub async fn set_sent(tx: &mut TenantTx, id: MailId, at: DateTime<Utc>, keep_text: bool) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE mails SET sent_at = $3, last_error = NULL, body = CASE WHEN $4 THEN body ELSE '' END WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        at,
        keep_text,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes why it was not sent; `for_good` when no other attempt is to be made.
pub async fn set_failed(tx: &mut TenantTx, id: MailId, error: &str, for_good: bool) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE mails SET last_error = $3, due_at = CASE WHEN $4 THEN 'infinity' ELSE due_at END WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        id.uuid(),
        error,
        for_good,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A mail on the development page.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Shown {
    pub id: MailId,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    #[serde(serialize_with = "crate::kernel::clock::rfc3339")]
    pub created_at: DateTime<Utc>,
}

/// The newest mail first.
pub async fn list(tx: &mut TenantTx, limit: i64) -> Result<Vec<Shown>, PgError> {
    let tenant = tx.tenant().uuid();
    Ok(sqlx::query_as!(
        Shown,
        r#"SELECT id AS "id: MailId", recipient, subject, body, created_at FROM mails
            WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2"#,
        tenant,
        limit,
    )
    .fetch_all(tx.conn())
    .await?)
}
