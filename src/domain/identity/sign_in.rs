//! Signing in, staying signed in, signing out.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;

use super::accounts::{Accounts, Origin, hash_of, void_before};
use super::store::{accounts, tokens};
use super::words::{Email, Password};
use super::{IdentityError, Session, State, Verified};
use crate::domain::tenancy::{Tenant, audit};
use crate::infra::bus::{News, Sessions};
use crate::infra::pg::TenantTx;
use crate::kernel::ids::TokenId;
use crate::kernel::{TenantId, UserId};

/// A spent refresh token is taken once more within this time, while what it was exchanged for has not been used.
const RETRY_WITHIN: TimeDelta = TimeDelta::seconds(30);

/// Sessions of one person that are remembered to have ended (R6): each of their requests looks through them. Beyond it all their access
/// tokens are void, and the sessions that live refresh theirs.
const ENDED_MAX: i64 = 100;

impl Accounts {
    /// Checks a password and begins a session. Whether the address is known shows neither in the answer nor in the work done.
    ///
    /// # Errors
    /// [`IdentityError::WrongCredentials`], [`IdentityError::TooMany`] failures from this address or on this account,
    /// [`IdentityError::Banned`] (to who knows the password), [`IdentityError::HashesBusy`], and those of the database.
    pub async fn login(
        &self,
        tenant: &Arc<Tenant>,
        email: &Email,
        password: &Password,
        origin: &Origin,
    ) -> Result<Session, IdentityError> {
        let (now, key) = (self.clock.now(), format!("{} {}", tenant.id, email.as_str()));
        self.logins_per_address.take(&origin.address, now)?;
        self.logins_per_account.take(&key, now)?;
        let mut tx = self.pg.tenant(tenant.id).await?;
        let found = accounts::find_by_email(&mut tx, email).await?;
        tx.commit().await?;
        let stored = found.as_ref().and_then(|(_, hash)| hash.as_deref());
        if !self.hasher.verify(password.expose(), stored).await? {
            return Err(IdentityError::WrongCredentials);
        }
        let (account, _) = found.ok_or(IdentityError::WrongCredentials)?;
        // Only failures count: an office shares an address, and people have many devices.
        self.logins_per_address.give_back(&origin.address);
        self.logins_per_account.give_back(&key);
        if account.state != State::Active {
            return Err(IdentityError::Banned);
        }
        let mut tx = self.pg.tenant(tenant.id).await?;
        let session = self.open_session(&mut tx, tenant, account, origin).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Exchanges a refresh token for the next pair. One that was exchanged before has been stolen, now or then: its session ends.
    ///
    /// # Errors
    /// [`IdentityError::Unauthorized`], [`IdentityError::Banned`], and those of the database.
    pub async fn refresh(&self, tenant: &Arc<Tenant>, token: &str, origin: &Origin) -> Result<Session, IdentityError> {
        let now = self.clock.now();
        let mut tx = self.pg.tenant(tenant.id).await?;
        let known = tokens::lock_refresh(&mut tx, &hash_of(token)).await?.ok_or(IdentityError::Unauthorized)?;
        if known.revoked_at.is_some() || known.expires_at <= now {
            return Err(IdentityError::Unauthorized);
        }
        if let Some(used_at) = known.used_at {
            // The answer may have been lost on the way, or two tabs asked at one moment: then nothing newer has been used yet.
            let is_retry =
                now - used_at <= RETRY_WITHIN && !tokens::successor_was_used(&mut tx, known.family, used_at).await?;
            if !is_retry {
                self.end_stolen_session(tx, known.user, known.family).await?;
                return Err(IdentityError::Unauthorized);
            }
        }
        let account = accounts::find(&mut tx, known.user).await?.ok_or(IdentityError::Unauthorized)?;
        if account.state != State::Active {
            return Err(IdentityError::Banned);
        }
        tokens::spend_refresh(&mut tx, known.id, now).await?;
        let session = self.continue_session(&mut tx, tenant, account, known.family, origin).await?;
        tx.commit().await?;
        Ok(session)
    }

    async fn end_stolen_session(&self, mut tx: TenantTx, user: UserId, family: TokenId) -> Result<(), IdentityError> {
        // The thief may hold an access token too.
        self.end_session(&mut tx, user, family).await?;
        let target = format!("session:{family}");
        let entry = audit::Entry { actor: Some(user), action: "session.reuse_detected", target, detail: json!({}) };
        audit::record(&mut tx, self.clock.now(), entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends the session that a refresh token belongs to; with `everywhere` all of that person's. An unknown token ends nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn logout_by_refresh(
        &self,
        tenant: TenantId,
        token: &str,
        everywhere: bool,
    ) -> Result<(), IdentityError> {
        let mut tx = self.pg.tenant(tenant).await?;
        if let Some(known) = tokens::lock_refresh(&mut tx, &hash_of(token)).await? {
            self.end(&mut tx, known.user, known.family, everywhere).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends the session that an access token belongs to; with `everywhere` all of that person's.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn logout_by_access(&self, token: &Verified, everywhere: bool) -> Result<(), IdentityError> {
        let mut tx = self.pg.tenant(token.tenant).await?;
        tokens::take_turn(&mut tx, token.user).await?;
        self.end(&mut tx, token.user, token.session, everywhere).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn end(
        &self,
        tx: &mut TenantTx,
        user: UserId,
        family: TokenId,
        everywhere: bool,
    ) -> Result<(), IdentityError> {
        if !everywhere {
            return self.end_session(tx, user, family).await;
        }
        let now = self.clock.now();
        tokens::revoke_user(tx, user, None, now).await?;
        self.void_access(tx, user).await?;
        let entry = audit::Entry {
            actor: Some(user),
            action: "session.ended_everywhere",
            target: format!("user:{user}"),
            detail: json!({}),
        };
        audit::record(tx, now, entry).await?;
        Ok(())
    }

    /// Ends one session: what it was given is void, and its sockets close.
    async fn end_session(&self, tx: &mut TenantTx, user: UserId, session: TokenId) -> Result<(), IdentityError> {
        let (now, tenant) = (self.clock.now(), tx.tenant());
        tokens::revoke_family(tx, session, now).await?;
        if tokens::insert_ended(tx, user, session, (now, now + self.keys.lifetime())).await? > ENDED_MAX {
            return self.void_access(tx, user).await;
        }
        tx.announce(News::SessionsRevoked { tenant, user, which: Sessions::One(session) });
        Ok(())
    }

    /// Makes all access tokens of somebody void, and closes the sockets that were opened with them.
    async fn void_access(&self, tx: &mut TenantTx, user: UserId) -> Result<(), IdentityError> {
        let (tenant, valid_from) = (tx.tenant(), void_before(self.clock.now()));
        accounts::set_tokens_valid_from(tx, user, valid_from).await?;
        tokens::delete_ended(tx, user).await?;
        tx.announce(News::SessionsRevoked { tenant, user, which: Sessions::IssuedBefore(valid_from) });
        Ok(())
    }
}
