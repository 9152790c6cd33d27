//! `access()` and `post_messages()` judge alike: every combination of roles, states and kinds of rooms, through both.

use chrono::TimeDelta;
use rialto::domain::communities::{PostRefusal, RoomFacts, RoomKind, access, load_grants, load_room};
use rialto::kernel::{CommunityId, CommunityRole, MessageId, RoomId, TenantRole, UserId};
use sqlx::Row;
use uuid::Uuid;

use crate::world::{World, now};

struct Author {
    id: UserId,
    active: bool,
}

/// Every standing that a person can have: role × state × membership × mute × put into the rooms or not.
async fn make_authors(world: &World, community: CommunityId, rooms: &[RoomFacts]) -> Vec<Author> {
    let mut memberships = vec![None, Some(("member", "banned", None))];
    for role in CommunityRole::ALL {
        for mute in [None, Some(-1), Some(1)] {
            memberships.push(Some((role.as_str(), "active", mute)));
        }
    }
    let (mut authors, mut sql, tenant) = (Vec::new(), String::new(), world.tenant);
    for role in TenantRole::ALL {
        for active in [true, false] {
            for membership in &memberships {
                for in_rooms in [true, false] {
                    let id = UserId::generate();
                    let (n, role) = (authors.len(), role.as_str());
                    let state = if active { "active" } else { "suspended" };
                    sql += &format!(
                        "INSERT INTO users (tenant_id, id, email, handle, display_name, role, state, tokens_valid_from, created_at, updated_at)
                         VALUES ('{tenant}', '{id}', '{n}@x', 'p{n}', 'P', '{role}', '{state}', now(), now(), now());"
                    );
                    if let Some((role, state, mute)) = membership {
                        let until = mute.map(|seconds| (now() + TimeDelta::milliseconds(seconds)).to_rfc3339());
                        let until = until.map_or("NULL".into(), |until| format!("'{until}'"));
                        sql += &format!(
                            "INSERT INTO community_members (tenant_id, community_id, user_id, role, state, muted_until, joined_at)
                             VALUES ('{tenant}', '{community}', '{id}', '{role}', '{state}', {until}, now());"
                        );
                    }
                    for room in rooms.iter().filter(|_| in_rooms) {
                        sql += &format!("INSERT INTO room_members VALUES ('{tenant}', '{}', '{id}', now());", room.id);
                    }
                    authors.push(Author { id, active });
                }
            }
        }
    }
    world.sql(&sql).await;
    authors
}

/// Every kind of room, archived and not.
async fn make_rooms(world: &World, community: CommunityId, creator: UserId) -> Vec<RoomFacts> {
    let mut rooms = Vec::new();
    for kind in RoomKind::ALL {
        for archived in ["NULL", "now()"] {
            let id = RoomId::generate();
            let of = if matches!(kind, RoomKind::Direct | RoomKind::Group) {
                "NULL".into()
            } else {
                format!("'{community}'")
            };
            world
                .sql(&format!(
                    "INSERT INTO rooms (tenant_id, id, community_id, kind, name, archived_at, created_by, created_at, updated_at)
                     VALUES ('{0}', '{id}', {of}, '{1}', '{id}', {archived}, '{creator}', now(), now());
                     INSERT INTO streams (tenant_id, id, kind, epoch) VALUES ('{0}', '{id}', 'room', 'e')",
                    world.tenant,
                    kind.as_str()
                ))
                .await;
            rooms.push(load_room(&world.pg, world.tenant, id).await.unwrap().unwrap());
        }
    }
    rooms
}

/// Posts one message of each author to the room; the refusal of each.
async fn post(world: &World, room: RoomId, authors: &[Author]) -> Vec<Option<String>> {
    let many = |make: &dyn Fn() -> Uuid| authors.iter().map(|_| make()).collect::<Vec<_>>();
    let texts = |text: &str| vec![text.to_owned(); authors.len()];
    let mut tx = world.tx().await;
    let row = sqlx::query(
        "SELECT coalesce(refusals, array_fill(NULL::text, ARRAY[cardinality(offsets)])) AS refusals
                             FROM post_messages($1, $2, false, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(world.tenant)
    .bind(now())
    .bind(many(&|| MessageId::generate().uuid()))
    .bind(many(&|| room.uuid()))
    .bind(authors.iter().map(|author| author.id.uuid()).collect::<Vec<_>>())
    .bind(many(&Uuid::new_v4))
    .bind(texts("hi"))
    .bind(texts(r#"{"message":{"text":"hi""#))
    .bind(vec![None::<Uuid>; authors.len()])
    .bind(texts(""))
    .bind(texts(""))
    .fetch_one(tx.conn())
    .await
    .unwrap();
    row.get("refusals")
}

#[tokio::test]
async fn the_rule_in_rust_and_the_one_in_sql_agree_on_every_standing_and_room() {
    let world = World::new().await;
    let owner = world.member("owner").await;
    let community = world.community(&owner, rialto::domain::communities::views::JoinPolicy::Open, "").await.id;
    let rooms = make_rooms(&world, community, owner.user).await;
    let authors = make_authors(&world, community, &rooms).await;
    assert_eq!((authors.len(), rooms.len()), (7 * 2 * 14 * 2, 10));

    let mut grants = Vec::new();
    for author in &authors {
        grants.push(load_grants(&world.pg, world.tenant, author.id).await.unwrap().unwrap());
    }
    for room in &rooms {
        let refusals = post(&world, room.id, &authors).await;
        assert_eq!(refusals.len(), authors.len());
        for ((author, grants), decided) in authors.iter().zip(&grants).zip(refusals) {
            let judged = access(room, grants, now());
            let expected = match judged.post {
                _ if !author.active => Some("banned"),
                _ if !judged.read => Some("not_found"),
                Ok(()) => None,
                Err(PostRefusal::Archived) => Some("archived"),
                Err(PostRefusal::Muted { .. }) => Some("muted"),
                Err(PostRefusal::ReadOnly) => Some("read_only"),
            };
            assert_eq!(decided.as_deref(), expected, "{room:?} {grants:?}");
        }
    }
}

#[tokio::test]
async fn grants_of_somebody_unknown_or_of_another_tenant_are_none() {
    let (here, elsewhere) = (World::new().await, World::new().await);
    let stranger = elsewhere.member("stranger").await;
    assert!(load_grants(&here.pg, here.tenant, stranger.user).await.unwrap().is_none());
    let community = elsewhere.community(&stranger, rialto::domain::communities::views::JoinPolicy::Open, "").await.id;
    let hall = elsewhere.hall(&stranger, community).await;
    assert!(load_room(&here.pg, here.tenant, hall).await.unwrap().is_none());
    assert!(load_room(&here.pg, elsewhere.tenant, hall).await.unwrap().is_some());
}
