//! The verbs on stored messages: edit, remove, react, pin, read, mute. Each is one transaction under the room's lock.
//!
//! Callers pass the [`Access`] that the person has to the room now; what concerns the message itself is checked here.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{Emoji, Error, MessageText, mentions, store};
use crate::domain::communities::{Access, PostRefusal};
use crate::domain::events::{self, NewEvent};
use crate::infra::bus::{News, StreamId};
use crate::infra::pg::{Pg, TenantTx};
use crate::kernel::{MessageId, RoomId, Scope, TenantId};

/// Different emoji that one message may carry.
const EMOJI_MAX: i64 = 50;

impl From<PostRefusal> for Error {
    fn from(refusal: PostRefusal) -> Self {
        match refusal {
            PostRefusal::Archived => Self::Archived,
            PostRefusal::Muted { .. } => Self::Muted,
            PostRefusal::ReadOnly => Self::ReadOnly,
        }
    }
}

/// A person acting on a message, who may read its room.
pub struct Acting<'a> {
    pub scope: &'a Scope,
    pub access: &'a Access,
    pub room: RoomId,
    pub message: MessageId,
    pub at: DateTime<Utc>,
}

impl Acting<'_> {
    /// Opens the transaction, takes the room's lock and reads the message.
    async fn begin(&self, pg: &Pg) -> Result<(TenantTx, store::Stored), Error> {
        let mut tx = pg.tenant(self.scope.tenant).await?;
        store::lock_stream(&mut tx, StreamId::Room(self.room)).await?.ok_or(Error::NotFound)?;
        let message = store::find_message(&mut tx, self.room, self.message).await?.ok_or(Error::NotFound)?;
        Ok((tx, message))
    }

    /// Appends the event of a verb; `extra` joins payload v1's common fields.
    async fn append(&self, tx: &mut TenantTx, kind: &'static str, extra: serde_json::Value) -> Result<u64, Error> {
        let mut body = json!({
            "v": 1,
            "type": kind,
            "room_id": self.room,
            "at": self.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "actor": {"id": self.scope.user, "handle": &*self.scope.handle, "display_name": &*self.scope.display_name},
            "message": {"id": self.message},
        });
        if let (Some(body), serde_json::Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        let event = NewEvent { kind, actor: Some(self.scope.user), message: Some(self.message), at: self.at, body };
        events::append(tx, StreamId::Room(self.room), event).await?.ok_or(Error::NotFound)
    }
}

/// Replaces a message's text; the one before stays readable in its history. Returns the event's offset.
///
/// # Errors
/// [`Error::NotAuthor`], [`Error::Removed`], and what keeps the person from posting at all.
pub async fn edit(pg: &Pg, acting: Acting<'_>, text: MessageText) -> Result<u64, Error> {
    acting.access.post?;
    let (mut tx, message) = acting.begin(pg).await?;
    if message.removed {
        return Err(Error::Removed);
    }
    if message.author != acting.scope.user {
        return Err(Error::NotAuthor);
    }
    let called = store::find_callable(&mut tx, acting.room, &mentions::find(text.as_str()).handles).await?;
    store::replace_text(&mut tx, acting.message, &message, text.as_str(), &called, acting.at).await?;
    let edited_at = acting.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let extra =
        json!({"message": {"id": acting.message, "text": text.as_str(), "edited_at": edited_at, "mentions": called}});
    let offset = acting.append(&mut tx, "message.edited", extra).await?;
    tx.commit().await?;
    Ok(offset)
}

/// Removes a message: its author may, and moderators. Doing it again changes nothing. Returns the event's offset, 0 when it was gone.
///
/// # Errors
/// [`Error::NotAuthor`] for anybody else.
pub async fn remove(pg: &Pg, acting: Acting<'_>, reason: Option<&str>) -> Result<u64, Error> {
    let (mut tx, message) = acting.begin(pg).await?;
    let by_moderator = message.author != acting.scope.user;
    if by_moderator && !acting.access.moderate {
        return Err(Error::NotAuthor);
    }
    if message.removed {
        return Ok(0);
    }
    let blanked = store::blank(&mut tx, acting.room, acting.message, acting.scope.user, reason, acting.at).await?;
    let events = blanked.into_iter().map(|(offset, body)| (offset, body.into())).collect();
    tx.announce(News::Blanked { tenant: acting.scope.tenant, stream: StreamId::Room(acting.room), events });
    let offset =
        acting.append(&mut tx, "message.deleted", json!({"by_moderator": by_moderator, "reason": reason})).await?;
    tx.commit().await?;
    Ok(offset)
}

/// Adds or takes back a reaction. Doing it again changes nothing.
///
/// # Errors
/// [`Error::Removed`], [`Error::TooManyReactions`], and what keeps the person from posting at all.
pub async fn react(pg: &Pg, acting: Acting<'_>, emoji: &Emoji, add: bool) -> Result<(), Error> {
    acting.access.post?;
    let (mut tx, message) = acting.begin(pg).await?;
    if message.removed {
        return Err(Error::Removed);
    }
    let changed = if add {
        if store::count_other_emoji(&mut tx, acting.message, emoji.as_str()).await? >= EMOJI_MAX {
            return Err(Error::TooManyReactions { max: EMOJI_MAX });
        }
        store::add_reaction(&mut tx, acting.message, emoji.as_str(), acting.scope.user, acting.at).await?
    } else {
        store::remove_reaction(&mut tx, acting.message, emoji.as_str(), acting.scope.user).await?
    };
    if changed {
        let kind = if add { "reaction.added" } else { "reaction.removed" };
        acting.append(&mut tx, kind, json!({"emoji": emoji.as_str()})).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Pins or unpins a message: moderators, and anybody in direct and group rooms. Doing it again changes nothing.
///
/// # Errors
/// [`Error::NotModerator`], [`Error::Removed`].
pub async fn pin(pg: &Pg, acting: Acting<'_>, pinned: bool) -> Result<(), Error> {
    if !acting.access.moderate {
        return Err(Error::NotModerator);
    }
    let (mut tx, message) = acting.begin(pg).await?;
    if message.removed {
        return Err(Error::Removed);
    }
    if message.pinned != pinned {
        store::set_pin(&mut tx, acting.message, pinned.then_some((acting.scope.user, acting.at))).await?;
        acting.append(&mut tx, if pinned { "message.pinned" } else { "message.unpinned" }, json!({})).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Moves the reader's watermark up to `offset`; never back, never past the room's last event.
///
/// # Errors
/// Those of the database.
pub async fn mark_read(pg: &Pg, scope: &Scope, room: RoomId, offset: u64, at: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = pg.tenant(scope.tenant).await?;
    store::move_read(&mut tx, room, scope.user, offset, at).await?;
    announce_read(&mut tx, scope, room);
    tx.commit().await?;
    Ok(())
}

/// Mutes a room for the caller, or hears it again.
///
/// # Errors
/// Those of the database.
pub async fn set_muted(pg: &Pg, scope: &Scope, room: RoomId, muted: bool, at: DateTime<Utc>) -> Result<(), Error> {
    let mut tx = pg.tenant(scope.tenant).await?;
    store::set_muted(&mut tx, room, scope.user, muted, at).await?;
    announce_read(&mut tx, scope, room);
    tx.commit().await?;
    Ok(())
}

fn announce_read(tx: &mut TenantTx, scope: &Scope, room: RoomId) {
    let tenant: TenantId = scope.tenant;
    tx.announce(News::ReadMoved { tenant, user: scope.user, room });
}
