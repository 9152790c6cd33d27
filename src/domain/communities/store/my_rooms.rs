//! SQL of a person's rooms and what waits there.

use chrono::{DateTime, Utc};

use super::super::views::MyRoom;
use super::rooms::Row;
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, RoomId, Scope, UserId};

/// Unread messages are counted up to here: more is shown as "100+" and costs no more to count.
const COUNTED_MAX: i64 = 100;

struct Waiting {
    id: RoomId,
    community_id: Option<CommunityId>,
    kind: String,
    name: String,
    topic: String,
    slow_mode_s: i32,
    archived: bool,
    created_by: UserId,
    created_at: DateTime<Utc>,
    epoch: String,
    last_offset: i64,
    member_role: Option<String>,
    muted_until: Option<DateTime<Utc>>,
    in_room: bool,
    people_ids: Option<Vec<UserId>>,
    people_handles: Option<Vec<String>>,
    people_names: Option<Vec<String>>,
    read_offset: i64,
    muted: bool,
    unread: i64,
    mentions: i64,
}

impl Waiting {
    fn seen_by(self, scope: &Scope, now: DateTime<Utc>) -> Option<MyRoom> {
        let row = Row {
            id: self.id,
            community_id: self.community_id,
            kind: self.kind,
            name: self.name,
            topic: self.topic,
            slow_mode_s: self.slow_mode_s,
            archived: self.archived,
            created_by: self.created_by,
            created_at: self.created_at,
            epoch: self.epoch,
            last_offset: self.last_offset,
            member_role: self.member_role,
            muted_until: self.muted_until,
            in_room: self.in_room,
            people_ids: self.people_ids,
            people_handles: self.people_handles,
            people_names: self.people_names,
        };
        let room = row.seen_by(scope, now)?.view;
        let (unread, mentions) = (self.unread, self.mentions);
        Some(MyRoom { room, unread, mentions, read_offset: self.read_offset, muted: self.muted })
    }
}

/// Every room that the person reads, by age; one statement for all.
pub async fn list(
    tx: &mut TenantTx,
    scope: &Scope,
    rooms_max: u32,
    now: DateTime<Utc>,
) -> Result<Vec<MyRoom>, PgError> {
    let called = [format!("user:{}", scope.user), "here".to_owned(), format!("role:{}", scope.role.as_str())];
    let rows = sqlx::query_file_as!(
        Waiting,
        "src/domain/communities/store/my_rooms.sql",
        tx.tenant().uuid(),
        scope.user.uuid(),
        &called,
        COUNTED_MAX,
        i64::from(rooms_max),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().filter_map(|row| row.seen_by(scope, now)).collect())
}
