//! SQL of rooms.

use chrono::{DateTime, Utc};

use super::super::rules::{Access, CommunityGrant, RoomKind, Standing, judge};
use super::super::views::{Person, RoomView};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, CommunityRole, RoomId, Scope, UserId};

/// A room as one person meets it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub view: RoomView,
    pub standing: Standing,
    pub access: Access,
    pub created_by: UserId,
    /// As it was given; empty for a direct room and a group that nobody named.
    pub given_name: String,
}

impl Seen {
    /// The room's name for one of its people: a room that nobody named is called after whom one meets there.
    pub fn name_for(&self, reader: UserId) -> String {
        name_for(&self.given_name, &self.view.members, reader)
    }
}

/// The columns of `rooms_by_id.sql` and `my_rooms.sql`.
pub(super) struct Row {
    pub id: RoomId,
    pub community_id: Option<CommunityId>,
    pub kind: String,
    pub name: String,
    pub topic: String,
    pub slow_mode_s: i32,
    pub archived: bool,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
    pub epoch: String,
    pub last_offset: i64,
    pub member_role: Option<String>,
    pub muted_until: Option<DateTime<Utc>>,
    pub in_room: bool,
    pub people_ids: Option<Vec<UserId>>,
    pub people_handles: Option<Vec<String>>,
    pub people_names: Option<Vec<String>>,
}

impl Row {
    fn people(&mut self) -> Vec<Person> {
        let names = self.people_names.take().unwrap_or_default();
        let handles = self.people_handles.take().unwrap_or_default().into_iter().zip(names);
        let ids = self.people_ids.take().unwrap_or_default().into_iter();
        ids.zip(handles).map(|(id, (handle, display_name))| Person { id, handle, display_name }).collect()
    }

    /// What `scope`'s person makes of the row; `None` for a kind that this version does not know.
    pub(super) fn seen_by(mut self, scope: &Scope, now: DateTime<Utc>) -> Option<Seen> {
        let kind = RoomKind::parse(&self.kind)?;
        let role = self.member_role.as_deref().and_then(CommunityRole::parse);
        let membership = role.map(|role| CommunityGrant { role, muted_until: self.muted_until });
        let standing = Standing { role: scope.role, active: true, membership, in_room: self.in_room };
        let access = judge(kind, self.archived, &standing, now);
        let people = self.people();
        let view = RoomView {
            id: self.id,
            community_id: self.community_id,
            name: name_for(&self.name, &people, scope.user),
            kind,
            topic: self.topic,
            slow_mode_s: self.slow_mode_s,
            archived: self.archived,
            channel: format!("room:{}", self.id),
            epoch: self.epoch,
            last_offset: self.last_offset,
            created_at: self.created_at,
            can_post: access.post.is_ok(),
            can_moderate: access.moderate,
            members: people,
        };
        Some(Seen { view, standing, access, created_by: self.created_by, given_name: self.name })
    }
}

fn name_for(given: &str, people: &[Person], reader: UserId) -> String {
    if !given.is_empty() {
        return given.to_owned();
    }
    let names: Vec<&str> = people.iter().filter(|p| p.id != reader).map(|p| p.display_name.as_str()).collect();
    names.join(", ")
}

/// These rooms as `scope`'s person meets them, in the order of their ids; those that are not there are left out.
pub async fn find_many(
    tx: &mut TenantTx,
    scope: &Scope,
    rooms: &[RoomId],
    now: DateTime<Utc>,
) -> Result<Vec<Seen>, PgError> {
    let ids: Vec<uuid::Uuid> = rooms.iter().map(|room| room.uuid()).collect();
    let rows = sqlx::query_file_as!(
        Row,
        "src/domain/communities/store/rooms_by_id.sql",
        tx.tenant().uuid(),
        scope.user.uuid(),
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().filter_map(|row| row.seen_by(scope, now)).collect())
}

/// Ids of a community's rooms that `user` reads, or of all for its `admin`s. One more than `limit`.
pub async fn list_ids(
    tx: &mut TenantTx,
    community: CommunityId,
    user: UserId,
    admin: bool,
    after: Option<RoomId>,
    limit: u32,
) -> Result<Vec<RoomId>, PgError> {
    sqlx::query_scalar!(
        r#"SELECT r.id AS "id: RoomId" FROM rooms r
            WHERE r.tenant_id = $1 AND r.community_id = $2 AND ($5::uuid IS NULL OR r.id > $5)
              AND ($4 OR (EXISTS (SELECT 1 FROM community_members m
                                   WHERE m.tenant_id = $1 AND m.community_id = $2 AND m.user_id = $3 AND m.state = 'active')
                          AND (r.kind <> 'private' OR EXISTS (SELECT 1 FROM room_members x
                                   WHERE x.tenant_id = $1 AND x.room_id = r.id AND x.user_id = $3))))
            ORDER BY r.id LIMIT $6"#,
        tx.tenant().uuid(),
        community.uuid(),
        user.uuid(),
        admin,
        after.map(RoomId::uuid),
        i64::from(limit) + 1,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(PgError::from)
}

/// A room about to be written.
#[derive(Debug, Clone)]
pub struct NewRoom<'a> {
    pub id: RoomId,
    pub community: Option<CommunityId>,
    pub kind: RoomKind,
    pub name: &'a str,
    pub topic: &'a str,
    /// Of direct and group rooms.
    pub people_key: Option<&'a str>,
}

/// False when a room of the same people is there already.
pub async fn insert(
    tx: &mut TenantTx,
    creator: UserId,
    room: &NewRoom<'_>,
    now: DateTime<Utc>,
) -> Result<bool, PgError> {
    let done = sqlx::query!(
        "INSERT INTO rooms (tenant_id, id, community_id, kind, name, topic, people_key, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT ON CONSTRAINT rooms_people_key DO NOTHING",
        tx.tenant().uuid(),
        room.id.uuid(),
        room.community.map(CommunityId::uuid),
        room.kind.as_str(),
        room.name,
        room.topic,
        room.people_key,
        creator.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn find_by_people(tx: &mut TenantTx, people_key: &str) -> Result<Option<RoomId>, PgError> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: RoomId" FROM rooms WHERE tenant_id = $1 AND people_key = $2"#,
        tx.tenant().uuid(),
        people_key,
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(PgError::from)
}

/// What changes in a room; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Changes<'a> {
    pub name: Option<&'a str>,
    pub topic: Option<&'a str>,
    pub archived: Option<bool>,
    pub slow_mode_s: Option<i32>,
}

pub async fn update(tx: &mut TenantTx, room: RoomId, changes: &Changes<'_>, now: DateTime<Utc>) -> Result<(), PgError> {
    sqlx::query!(
        "UPDATE rooms SET name = coalesce($3, name), topic = coalesce($4, topic), slow_mode_s = coalesce($5, slow_mode_s),
                archived_at = CASE WHEN $6::boolean IS NULL THEN archived_at WHEN $6 THEN coalesce(archived_at, $7) END,
                updated_at = $7
          WHERE tenant_id = $1 AND id = $2",
        tx.tenant().uuid(),
        room.uuid(),
        changes.name,
        changes.topic,
        changes.slow_mode_s,
        changes.archived,
        now,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn count(tx: &mut TenantTx, community: CommunityId) -> Result<u64, PgError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM rooms WHERE tenant_id = $1 AND community_id = $2"#,
        tx.tenant().uuid(),
        community.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count.cast_unsigned())
}

/// The room where a community's comings and goings are told: its first public one.
pub async fn find_default(tx: &mut TenantTx, community: CommunityId) -> Result<Option<RoomId>, PgError> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: RoomId" FROM rooms
            WHERE tenant_id = $1 AND community_id = $2 AND kind = 'public' AND archived_at IS NULL
            ORDER BY created_at, id LIMIT 1"#,
        tx.tenant().uuid(),
        community.uuid(),
    )
    .fetch_optional(tx.conn())
    .await
    .map_err(PgError::from)
}

/// The rooms that every member of the community reads.
pub async fn list_open(tx: &mut TenantTx, community: CommunityId) -> Result<Vec<RoomId>, PgError> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: RoomId" FROM rooms WHERE tenant_id = $1 AND community_id = $2 AND kind IN ('public', 'announcement')"#,
        tx.tenant().uuid(),
        community.uuid(),
    )
    .fetch_all(tx.conn())
    .await
    .map_err(PgError::from)
}

/// Takes a direct or group room's lock, behind which its people change. (A community's rooms change behind the community's.)
pub async fn lock(tx: &mut TenantTx, room: RoomId) -> Result<bool, PgError> {
    let found = sqlx::query_scalar!(
        "SELECT 1 FROM rooms WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tx.tenant().uuid(),
        room.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}
