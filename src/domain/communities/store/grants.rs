//! SQL behind the rules' inputs: what a person may do, what a room is.

use std::sync::Arc;

use super::super::rules::{CommunityGrant, Grants, RoomFacts, RoomKind};
use crate::infra::pg::{PgError, TenantTx};
use crate::kernel::{CommunityId, CommunityRole, RoomId, TenantRole, UserId};

/// One statement, so that all parts are of one moment.
pub async fn load_grants(tx: &mut TenantTx, user: UserId) -> Result<Option<Grants>, PgError> {
    let row = sqlx::query!(
        r#"SELECT u.role, u.state, u.handle, u.display_name,
                  m.communities AS "communities: Vec<CommunityId>", m.roles AS "roles: Vec<String>",
                  m.mutes AS "mutes: Vec<Option<chrono::DateTime<chrono::Utc>>>",
                  ARRAY(SELECT x.room_id FROM room_members x WHERE x.tenant_id = $1 AND x.user_id = $2)
                      AS "rooms!: Vec<RoomId>"
             FROM users u
             LEFT JOIN LATERAL (
                  SELECT array_agg(c.community_id ORDER BY c.community_id) AS communities,
                         array_agg(c.role ORDER BY c.community_id) AS roles,
                         array_agg(c.muted_until ORDER BY c.community_id) AS mutes
                    FROM community_members c
                   WHERE c.tenant_id = $1 AND c.user_id = $2 AND c.state = 'active') m ON true
            WHERE u.tenant_id = $1 AND u.id = $2"#,
        tx.tenant().uuid(),
        user.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| {
        let memberships = row.communities.unwrap_or_default().into_iter();
        let details = row.roles.unwrap_or_default().into_iter().zip(row.mutes.unwrap_or_default());
        Grants {
            // A word that this version does not know grants nothing.
            role: TenantRole::parse(&row.role).unwrap_or(TenantRole::Guest),
            active: row.state == "active",
            handle: Arc::from(row.handle),
            display_name: Arc::from(row.display_name),
            communities: memberships
                .zip(details)
                .filter_map(|(id, (role, muted_until))| {
                    Some((id, CommunityGrant { role: CommunityRole::parse(&role)?, muted_until }))
                })
                .collect(),
            rooms: row.rooms.into_iter().collect(),
        }
    }))
}

/// What is known of one room.
pub async fn load_room(tx: &mut TenantTx, room: RoomId) -> Result<Option<RoomFacts>, PgError> {
    let row = sqlx::query!(
        r#"SELECT community_id AS "community_id: CommunityId", kind, name, topic, slow_mode_s, archived_at IS NOT NULL AS "archived!"
             FROM rooms WHERE tenant_id = $1 AND id = $2"#,
        tx.tenant().uuid(),
        room.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.and_then(|row| {
        Some(RoomFacts {
            id: room,
            community: row.community_id,
            kind: RoomKind::parse(&row.kind)?,
            name: Arc::from(row.name),
            topic: Arc::from(row.topic),
            slow_mode_s: row.slow_mode_s.cast_unsigned(),
            archived: row.archived,
        })
    }))
}
