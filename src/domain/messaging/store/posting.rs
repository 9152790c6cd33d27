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

/// What became of one post of a batch.
pub(in crate::domain::messaging) enum PostAnswer {
    /// `calls`: the groups that the text names are called; only moderators may.
    Stored {
        posted: Posted,
        tail: Option<String>,
        calls: bool,
    },
    Refused {
        code: String,
        retry_after_s: Option<i32>,
    },
}

/// An event that a batch put into the stream of somebody who was called or written to.
pub(in crate::domain::messaging) struct PersonalEvent {
    pub recipient: UserId,
    pub offset: u64,
    pub kind: String,
    pub body: String,
}

/// Stores and commits a batch: the statement is its own transaction and names its tenant itself. An answer per post, in order.
///
/// Without `look_up` a batch with a post that had been stored before fails as a whole; see [`is_repeated`].
pub(in crate::domain::messaging) async fn post_messages(
    conn: &mut PgConnection,
    tenant: TenantId,
    at: DateTime<Utc>,
    look_up: bool,
    columns: &PostColumns,
) -> Result<(Vec<PostAnswer>, Vec<PersonalEvent>), PgError> {
    let row = sqlx::query!(
        r#"SELECT offsets AS "offsets!: Vec<Option<i64>>", refusals AS "refusals: Vec<Option<String>>",
                  retry_after_s AS "retry_after_s: Vec<Option<i32>>", stored_ids AS "stored_ids: Vec<Option<Uuid>>",
                  tails AS "tails: Vec<Option<String>>", calls AS "calls: Vec<Option<bool>>",
                  recipients, personal_offsets, personal_kinds, personal_bodies
             FROM post_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"#,
        tenant.uuid(),
        at,
        look_up,
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
    .fetch_one(conn)
    .await?;

    let (mut refusals, mut retries) = (row.refusals.unwrap_or_default(), row.retry_after_s.unwrap_or_default());
    let (stored_ids, mut tails) = (row.stored_ids.unwrap_or_default(), row.tails.unwrap_or_default());
    let calls = row.calls.unwrap_or_default();
    let answers = columns.ids.iter().zip(row.offsets).enumerate().map(|(post, (id, offset))| match offset {
        Some(offset) => {
            let stored = stored_ids.get(post).copied().flatten();
            let posted = Posted {
                id: stored.unwrap_or(*id).into(),
                offset: offset.cast_unsigned(),
                duplicate: stored.is_some(),
            };
            let calls = calls.get(post).copied().flatten().unwrap_or_default();
            PostAnswer::Stored { posted, tail: taken(&mut tails, post), calls }
        }
        None => PostAnswer::Refused {
            code: taken(&mut refusals, post).unwrap_or_else(|| "not_found".to_owned()),
            retry_after_s: taken(&mut retries, post),
        },
    });
    let personal = row
        .recipients
        .unwrap_or_default()
        .into_iter()
        .zip(row.personal_offsets.unwrap_or_default())
        .zip(row.personal_kinds.unwrap_or_default())
        .zip(row.personal_bodies.unwrap_or_default())
        .map(|(((recipient, offset), kind), body)| PersonalEvent {
            recipient: recipient.into(),
            offset: offset.cast_unsigned(),
            kind,
            body,
        });
    Ok((answers.collect(), personal.collect()))
}

/// Whether a batch failed because one of its posts had been stored before.
pub(in crate::domain::messaging) fn is_repeated(error: &PgError) -> bool {
    error.constraint() == Some("messages_client_id_key")
}

fn taken<T>(values: &mut [Option<T>], index: usize) -> Option<T> {
    values.get_mut(index).and_then(Option::take)
}
