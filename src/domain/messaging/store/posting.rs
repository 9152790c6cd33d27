//! SQL of new messages: one call for a batch.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::messaging::{Draft, Posted};
use crate::infra::pg::PgError;
use crate::kernel::{MessageId, TenantId, UserId};

/// What `post_messages()` appends to a head when nobody is called and nothing answered.
pub(in crate::domain::messaging) const EMPTY_TAIL: &str = r#","mentions":[],"reply_to":null}}"#;

/// A batch of drafts as the columns that the function takes.
#[derive(Default)]
pub(in crate::domain::messaging) struct PostColumns {
    ids: Vec<Uuid>,
    rooms: Vec<Uuid>,
    authors: Vec<Uuid>,
    client_ids: Vec<Uuid>,
    texts: Vec<String>,
    heads: Vec<String>,
    reply_tos: Vec<Option<Uuid>>,
    handles: Vec<String>,
    groups: Vec<String>,
}

impl PostColumns {
    pub(in crate::domain::messaging) fn with_capacity(rows: usize) -> Self {
        Self {
            ids: Vec::with_capacity(rows),
            texts: Vec::with_capacity(rows),
            heads: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    pub(in crate::domain::messaging) fn push(
        &mut self,
        id: MessageId,
        draft: &Draft,
        head: String,
        handles: String,
        groups: String,
    ) {
        self.ids.push(id.uuid());
        self.rooms.push(draft.room.uuid());
        self.authors.push(draft.author.uuid());
        self.client_ids.push(draft.client_id);
        self.texts.push(draft.text.as_str().to_owned());
        self.heads.push(head);
        self.reply_tos.push(draft.reply_to.map(MessageId::uuid));
        self.handles.push(handles);
        self.groups.push(groups);
    }

    pub(in crate::domain::messaging) fn head(&self, row: usize) -> &str {
        &self.heads[row]
    }

    pub(in crate::domain::messaging) fn groups(&self, row: usize) -> &str {
        &self.groups[row]
    }
}

/// One row of `post_messages()`.
pub(in crate::domain::messaging) enum PostRow {
    Stored { ord: usize, posted: Posted, tail: Option<String> },
    Refused { code: String, retry_after_s: Option<i32> },
    Personal { recipient: UserId, offset: u64, kind: String, body: String },
}

/// Stores and commits a batch: the statement is its own transaction and names its tenant itself.
pub(in crate::domain::messaging) async fn post_messages(
    conn: &mut PgConnection,
    tenant: TenantId,
    at: DateTime<Utc>,
    columns: &PostColumns,
) -> Result<Vec<PostRow>, PgError> {
    let rows = sqlx::query!(
        r#"SELECT ord AS "ord!", refusal, retry_after_s, message_id, event_offset, duplicate, tail, recipient, body
             FROM post_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        tenant.uuid(),
        at,
        &columns.ids,
        &columns.rooms,
        &columns.authors,
        &columns.client_ids,
        &columns.texts,
        &columns.heads,
        &columns.reply_tos as &[Option<Uuid>],
        &columns.handles,
        &columns.groups,
    )
    .fetch_all(conn)
    .await?;
    let offset = |offset: Option<i64>| offset.unwrap_or_default().cast_unsigned();
    Ok(rows
        .into_iter()
        .map(|row| match (row.recipient, row.refusal, row.message_id) {
            (Some(recipient), _, _) => PostRow::Personal {
                recipient: recipient.into(),
                offset: offset(row.event_offset),
                kind: row.tail.unwrap_or_default(),
                body: row.body.unwrap_or_default(),
            },
            (None, None, Some(id)) => PostRow::Stored {
                ord: usize::try_from(row.ord - 1).unwrap_or_default(),
                posted: Posted {
                    id: id.into(),
                    offset: offset(row.event_offset),
                    duplicate: row.duplicate.unwrap_or_default(),
                },
                tail: row.tail,
            },
            (None, refusal, _) => PostRow::Refused {
                code: refusal.unwrap_or_else(|| "not_found".to_owned()),
                retry_after_s: row.retry_after_s,
            },
        })
        .collect())
}
