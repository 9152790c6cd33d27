//! Invites: links that let people in, for a time and a number of uses.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::entry::{enter, enter_as};
use super::names::Code;
use super::rules::Rank;
use super::store::{self, invites::NewInvite};
use super::views::{InvitePreview, InviteView};
use super::{Error, trail};
use crate::infra::pg::TenantTx;
use crate::kernel::{CommunityId, InviteId, Scope, UserId, rng};

/// Invites of one community that can be used at a time.
const LIVE_MAX: u32 = 100;
/// The longest time that an invite is given: a year.
const EXPIRES_IN_S_MAX: u32 = 366 * 24 * 3_600;
/// The most uses that can be asked for; without a number there is no end.
const USES_MAX: u32 = 1_000_000;

impl InviteView {
    /// The page that shows an invite, on the tenant's own host.
    #[must_use]
    pub fn url_of(code: &str) -> String {
        format!("/invite/{code}")
    }
}

/// How long and how often an invite works; `None` is without end.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    expires_in_s: Option<u32>,
    max_uses: Option<i32>,
}

impl Terms {
    /// Accepts terms within bounds.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field.
    pub fn parse(expires_in_s: Option<u32>, max_uses: Option<u32>) -> Result<Self, Error> {
        if expires_in_s.is_some_and(|seconds| !(1..=EXPIRES_IN_S_MAX).contains(&seconds)) {
            return Err(Error::invalid("expires_in_s", format!("it is from 1 to {EXPIRES_IN_S_MAX} seconds")));
        }
        if max_uses.is_some_and(|uses| !(1..=USES_MAX).contains(&uses)) {
            return Err(Error::invalid("max_uses", format!("it is from 1 to {USES_MAX}")));
        }
        Ok(Self { expires_in_s, max_uses: max_uses.map(u32::cast_signed) })
    }
}

/// Makes an invite; moderators do.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::TooMany`].
pub async fn create(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    terms: Terms,
) -> Result<InviteView, Error> {
    enter_as(tx, scope, community, (Rank::Moderator, "only moderators invite")).await?;
    if store::invites::list(tx, community, now).await?.len() >= LIVE_MAX as usize {
        return Err(Error::TooMany { what: "invites at a time", max: LIVE_MAX });
    }
    let invite = NewInvite {
        id: InviteId::generate(),
        // 96 random bits: nobody guesses one.
        code: rng::token::<12>(),
        expires_at: terms.expires_in_s.map(|seconds| now + TimeDelta::seconds(i64::from(seconds))),
        max_uses: terms.max_uses,
    };
    store::invites::insert(tx, community, scope.user, &invite, now).await?;
    let detail = json!({"invite": invite.id});
    trail::record(tx, scope, now, ("invite.created", format!("community:{community}")), detail).await?;
    Ok(InviteView {
        id: invite.id,
        url: InviteView::url_of(&invite.code),
        code: invite.code,
        expires_at: invite.expires_at,
        max_uses: invite.max_uses,
        uses: 0,
        created_at: now,
    })
}

/// Invites that still work, newest first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn list(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
) -> Result<Vec<InviteView>, Error> {
    enter(tx, scope, community).await?.require(Rank::Moderator, "only moderators see the invites")?;
    Ok(store::invites::list(tx, community, now).await?)
}

/// Makes an invite useless.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`].
pub async fn revoke(
    tx: &mut TenantTx,
    scope: &Scope,
    now: DateTime<Utc>,
    community: CommunityId,
    invite: InviteId,
) -> Result<(), Error> {
    enter_as(tx, scope, community, (Rank::Moderator, "only moderators revoke invites")).await?;
    if !store::invites::revoke(tx, community, invite, now).await? {
        return Err(Error::NotFound);
    }
    let detail = json!({"invite": invite});
    trail::record(tx, scope, now, ("invite.revoked", format!("community:{community}")), detail).await
}

/// What the holder of a code may know, signed in or not.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn preview(
    tx: &mut TenantTx,
    reader: Option<UserId>,
    now: DateTime<Utc>,
    code: &Code,
) -> Result<InvitePreview, Error> {
    store::invites::find_preview(tx, code.as_str(), reader, now).await?.ok_or(Error::NotFound)
}
