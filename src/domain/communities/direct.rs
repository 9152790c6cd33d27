//! Direct and group rooms: the same people find the same room.

use chrono::{DateTime, Utc};

use super::entry::{enter_room, refuse_guests};
use super::rules::RoomKind;
use super::store::{self, rooms::NewRoom};
use super::views::RoomView;
use super::{Error, told};
use crate::domain::events;
use crate::infra::bus::{News, StreamId};
use crate::infra::pg::TenantTx;
use crate::kernel::{RoomId, Scope, UserId};

/// People in one group, who made it included.
pub const PEOPLE_MAX: u32 = 10;

/// Who is to be in the room: the caller and 1 to 9 others, each once, in id order.
#[derive(Debug, Clone)]
pub struct People(Vec<UserId>);

impl People {
    /// Joins the caller to those asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] for nobody else or too many.
    pub fn parse(caller: UserId, mut others: Vec<UserId>) -> Result<Self, Error> {
        others.push(caller);
        others.sort_unstable();
        others.dedup();
        if !(2..=PEOPLE_MAX as usize).contains(&others.len()) {
            return Err(Error::invalid("user_ids", format!("one to {} other people", PEOPLE_MAX - 1)));
        }
        Ok(Self(others))
    }

    fn key(&self) -> String {
        self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    fn kind(&self) -> RoomKind {
        if self.0.len() == 2 { RoomKind::Direct } else { RoomKind::Group }
    }
}

/// A room, and whether it is new.
#[derive(Debug, Clone)]
pub struct Opened {
    pub room: RoomView,
    pub created: bool,
}

/// Finds the room of these people or makes it. Two who do so at once get the same room: the database decides.
///
/// # Errors
/// [`Error::NotFound`] when one of them is not there, [`Error::Forbidden`] for guests.
pub async fn open(tx: &mut TenantTx, scope: &Scope, now: DateTime<Utc>, people: &People) -> Result<Opened, Error> {
    let key = people.key();
    if let Some(room) = store::rooms::find_by_people(tx, &key).await? {
        return Ok(Opened { room: enter_room(tx, scope, room, now).await?.seen.view, created: false });
    }
    refuse_guests(scope)?;
    if store::room_members::count_active(tx, &people.0).await? != people.0.len() {
        return Err(Error::NotFound);
    }
    let id = RoomId::generate();
    let room = NewRoom { id, community: None, kind: people.kind(), name: "", topic: "", people_key: Some(&key) };
    if !store::rooms::insert(tx, scope.user, &room, now).await? {
        let room = store::rooms::find_by_people(tx, &key).await?.ok_or(Error::NotFound)?;
        return Ok(Opened { room: enter_room(tx, scope, room, now).await?.seen.view, created: false });
    }
    events::store::open(tx, StreamId::Room(id)).await?;
    store::room_members::insert(tx, id, &people.0, now).await?;
    let seen = enter_room(tx, scope, id, now).await?.seen;
    for user in &people.0 {
        told::person(tx, scope, now, (*user, "room.added"), told::room_notice(&seen, *user)).await?;
        tx.announce(News::GrantsChanged { tenant: scope.tenant, user: *user });
    }
    tx.announce(News::RoomChanged { tenant: scope.tenant, room: id });
    Ok(Opened { room: seen.view, created: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_people_have_one_key_whoever_asks() {
        let (a, b, c) = (UserId::generate(), UserId::generate(), UserId::generate());
        let one = People::parse(a, vec![b, c, b]).unwrap();
        let two = People::parse(c, vec![b, a, c]).unwrap();
        assert_eq!(one.key(), two.key());
        assert_eq!(one.kind(), RoomKind::Group);
        assert_eq!(People::parse(a, vec![b, a]).unwrap().kind(), RoomKind::Direct);
    }

    #[test]
    fn a_room_is_for_two_to_ten() {
        let me = UserId::generate();
        assert!(People::parse(me, vec![me]).is_err());
        let others = |count: usize| (0..count).map(|_| UserId::generate()).collect::<Vec<_>>();
        assert!(People::parse(me, others(9)).is_ok());
        assert!(People::parse(me, others(10)).is_err());
    }
}
