//! Who is here: the people with a live subscription to a room, on this node.
//!
//! Presence is the costliest part of every chat server, because it grows with the square of a room. So it is kept per person, not per
//! connection; changes are encoded and sent only while somebody looks (a `presence:` map subscription), and a person who only
//! reconnects does not flicker: they leave [`LINGER`] after their last connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::feed::{Feed, FeedKey};
use super::hub::Delivery;
use super::live::Live;
use super::session::Identity;
use crate::kernel::{RoomId, TenantId, UserId};
use crate::protocol::{Channel, ClientInfo, Format, Join, Leave, Push, Reply, encode_reply};

/// How long a person stays shown after their last connection closed.
const LINGER: Duration = Duration::from_secs(4);
/// Join and leave pushes stop in rooms with more connections than this: each costs one frame per reader.
const ANNOUNCE_MAX: usize = 200;
/// Connections that one presence answer lists.
const CLIENTS_MAX: usize = 1_000;

/// What a person says of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Online,
    Away,
}

struct Who {
    handle: Arc<str>,
    display_name: Arc<str>,
}

#[derive(Default)]
struct Here {
    clients: HashMap<Uuid, UserId>,
    people: HashMap<UserId, (Who, usize)>,
    /// Somebody looks: changes are told.
    watched: bool,
}

#[derive(Default)]
struct State {
    rooms: HashMap<(TenantId, RoomId), Here>,
    /// Only those who are away; everybody else is online.
    away: HashMap<(TenantId, UserId), Vec<Uuid>>,
}

/// Presence of this node.
#[derive(Default)]
pub struct Presence {
    state: Mutex<State>,
}

/// One person in a room.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Present {
    pub id: UserId,
    pub handle: String,
    pub display_name: String,
    pub status: Status,
}

impl State {
    /// A person is away when no connection of theirs says otherwise; connections that have said nothing are online, so one `away`
    /// from the connection that spoke last is believed.
    fn status(&self, tenant: TenantId, user: UserId) -> Status {
        if self.away.contains_key(&(tenant, user)) { Status::Away } else { Status::Online }
    }

    fn card(&self, tenant: TenantId, user: UserId, who: &Who) -> Arc<str> {
        let status = self.status(tenant, user);
        json!({"id": user, "handle": &*who.handle, "display_name": &*who.display_name, "status": status})
            .to_string()
            .into()
    }
}

impl Presence {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has a live subscription to the room.
    pub fn join(&self, live: &Arc<Live>, identity: &Identity, room: RoomId, client: Uuid) {
        let (tenant, user) = (identity.tenant, identity.user);
        let mut state = self.lock();
        let here = state.rooms.entry((tenant, room)).or_default();
        here.clients.insert(client, user);
        let who = || Who { handle: Arc::clone(&identity.handle), display_name: Arc::clone(&identity.display_name) };
        let (_, connections) = here.people.entry(user).or_insert_with(|| (who(), 0));
        *connections += 1;
        let (first, announce) = (*connections == 1, here.clients.len() <= ANNOUNCE_MAX);
        if first && here.watched {
            let card = state.card(tenant, user, &who());
            drop(state);
            self.tell(live, tenant, room, user, Some(card));
        } else {
            drop(state);
        }
        if announce {
            let info = ClientInfo { user: user.to_string(), client: client.to_string(), ..ClientInfo::default() };
            announce_join_leave(live, tenant, room, Push { join: Some(Join { info: Some(info) }), ..Push::default() });
        }
    }

    /// The subscription is over.
    pub fn leave(&self, live: &Arc<Live>, tenant: TenantId, room: RoomId, user: UserId, client: Uuid) {
        let mut state = self.lock();
        let Some(here) = state.rooms.get_mut(&(tenant, room)) else { return };
        here.clients.remove(&client);
        let announce = here.clients.len() <= ANNOUNCE_MAX;
        let last = here.people.get_mut(&user).is_some_and(|(_, connections)| {
            *connections = connections.saturating_sub(1);
            *connections == 0
        });
        let watched = here.watched;
        if last && !watched {
            here.people.remove(&user);
        }
        if here.people.is_empty() {
            state.rooms.remove(&(tenant, room));
        }
        drop(state);
        if last && watched {
            let patient = Arc::clone(live);
            live.db.runtime().spawn(async move {
                tokio::time::sleep(LINGER).await;
                patient.presence.gone(&patient, tenant, room, user);
            });
        }
        if announce {
            let info = ClientInfo { user: user.to_string(), client: client.to_string(), ..ClientInfo::default() };
            announce_join_leave(
                live,
                tenant,
                room,
                Push { leave: Some(Leave { info: Some(info) }), ..Push::default() },
            );
        }
    }

    /// Removes a person who has not come back.
    fn gone(&self, live: &Live, tenant: TenantId, room: RoomId, user: UserId) {
        let mut state = self.lock();
        let Some(here) = state.rooms.get_mut(&(tenant, room)) else { return };
        if here.people.get(&user).is_none_or(|(_, connections)| *connections > 0) {
            return;
        }
        here.people.remove(&user);
        if here.people.is_empty() {
            state.rooms.remove(&(tenant, room));
        }
        drop(state);
        self.tell(live, tenant, room, user, None);
    }

    /// A connection is over: what it said of its person is not believed any more.
    pub fn disconnect(&self, tenant: TenantId, user: UserId, client: Uuid) {
        let mut state = self.lock();
        if let Some(clients) = state.away.get_mut(&(tenant, user)) {
            clients.retain(|known| *known != client);
            if clients.is_empty() {
                state.away.remove(&(tenant, user));
            }
        }
    }

    /// A person is away, or back.
    pub fn set_status(&self, live: &Live, tenant: TenantId, user: UserId, client: Uuid, status: Status) {
        let mut state = self.lock();
        let before = state.status(tenant, user);
        match status {
            Status::Away => {
                let clients = state.away.entry((tenant, user)).or_default();
                if !clients.contains(&client) {
                    clients.push(client);
                }
            }
            Status::Online => {
                state.away.remove(&(tenant, user));
            }
        }
        if state.status(tenant, user) == before {
            return;
        }
        let watched: Vec<(RoomId, Arc<str>)> = state
            .rooms
            .iter()
            .filter(|((of, _), here)| *of == tenant && here.watched)
            .filter_map(|((_, room), here)| {
                here.people.get(&user).map(|(who, _)| (*room, state.card(tenant, user, who)))
            })
            .collect();
        drop(state);
        for (room, card) in watched {
            self.tell(live, tenant, room, user, Some(card));
        }
    }

    fn tell(&self, live: &Live, tenant: TenantId, room: RoomId, user: UserId, card: Option<Arc<str>>) {
        let feed = live.feeds.find(&FeedKey { tenant, channel: Channel::Presence(room.uuid()) });
        match feed.filter(|feed| feed.is_heard()) {
            Some(feed) => feed.set(&user.to_string(), card),
            // Nobody looks any more: whoever does next finds the map brought up to date first.
            None => {
                if let Some(here) = self.lock().rooms.get_mut(&(tenant, room)) {
                    here.watched = false;
                    here.people.retain(|_, (_, connections)| *connections > 0);
                }
            }
        }
    }

    /// Brings the map up to date, since somebody is about to look.
    pub(super) fn fill(&self, feed: &Arc<Feed>, room: RoomId) {
        let tenant = feed.key.tenant;
        let mut state = self.lock();
        let known: Vec<(String, Arc<str>)> = match state.rooms.get_mut(&(tenant, room)) {
            Some(here) if here.watched && feed.is_heard() && !feed.keys().is_empty() => return,
            Some(here) => {
                here.watched = true;
                let here = &state.rooms[&(tenant, room)];
                here.people.iter().map(|(user, (who, _))| (user.to_string(), state.card(tenant, *user, who))).collect()
            }
            None => Vec::new(),
        };
        // Under the lock, so that no change slips in between the reading and the setting.
        for gone in feed.keys().iter().filter(|key| !known.iter().any(|(user, _)| **user == ***key)) {
            feed.set(gone, None);
        }
        for (user, card) in known {
            feed.set(&user, Some(card));
        }
    }

    /// The connections in a room, by id.
    #[must_use]
    pub fn clients(&self, tenant: TenantId, room: RoomId) -> BTreeMap<String, ClientInfo> {
        let state = self.lock();
        let Some(here) = state.rooms.get(&(tenant, room)) else { return BTreeMap::new() };
        here.clients
            .iter()
            .take(CLIENTS_MAX)
            .map(|(client, user)| {
                let info = ClientInfo { user: user.to_string(), client: client.to_string(), ..ClientInfo::default() };
                (client.to_string(), info)
            })
            .collect()
    }

    /// Connections and people in a room.
    #[must_use]
    pub fn counts(&self, tenant: TenantId, room: RoomId) -> (u32, u32) {
        let state = self.lock();
        state.rooms.get(&(tenant, room)).map_or((0, 0), |here| {
            let people = here.people.values().filter(|(_, connections)| *connections > 0).count();
            (u32::try_from(here.clients.len()).unwrap_or(u32::MAX), u32::try_from(people).unwrap_or(u32::MAX))
        })
    }

    /// The people in a room.
    #[must_use]
    pub fn people(&self, tenant: TenantId, room: RoomId) -> Vec<Present> {
        let state = self.lock();
        let Some(here) = state.rooms.get(&(tenant, room)) else { return Vec::new() };
        here.people
            .iter()
            .take(CLIENTS_MAX)
            .map(|(user, (who, _))| Present {
                id: *user,
                handle: who.handle.to_string(),
                display_name: who.display_name.to_string(),
                status: state.status(tenant, *user),
            })
            .collect()
    }
}

/// Tells subscribers who asked for it that a connection came or went.
fn announce_join_leave(live: &Live, tenant: TenantId, room: RoomId, mut push: Push) {
    let Some(feed) = live.feeds.find(&FeedKey { tenant, channel: Channel::Room(room.uuid()) }) else { return };
    if !feed.is_heard() || !feed.announces() {
        return;
    }
    push.channel.clone_from(&feed.channel);
    let reply = Reply::push(push);
    let (json, protobuf) = (encode_reply(Format::Json, &reply), encode_reply(Format::Protobuf, &reply));
    live.tell(|| Delivery::JoinLeave { feed: Arc::clone(&feed), json: json.clone(), protobuf: protobuf.clone() });
}
