//! The verbs of accounts and what they share. One file per occasion: [`register`], [`sign_in`], [`passwords`], [`people`].
//!
//! No verb holds a transaction while a password is hashed: a connection must not wait for a CPU.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ring::digest::{SHA256, digest};

use super::attempts::Attempts;
use super::store::tokens::{self, NewRefresh, Purpose};
use super::{Account, Hasher, IdentityError, Keys, Session, mail};
use crate::config::Config;
use crate::domain::tenancy::Tenant;
use crate::infra::pg::{Pg, TenantTx};
use crate::kernel::ids::TokenId;
use crate::kernel::{Clock, UserId, rng};

/// Sessions (devices) that one person has at most; beyond it the oldest ends.
const SESSIONS_MAX: i64 = 50;
/// Kept of what a browser says of itself.
const USER_AGENT_CHARS_MAX: usize = 200;

/// What the verbs work with. Cheap to clone, to move into `Db::run`.
#[derive(Clone)]
pub struct Accounts {
    pub(super) pg: Pg,
    pub(super) clock: Clock,
    pub(super) config: Arc<Config>,
    pub(super) hasher: Hasher,
    pub(super) keys: Arc<Keys>,
    pub(super) logins_per_address: Attempts,
    pub(super) logins_per_account: Attempts,
    pub(super) registrations: Attempts,
    pub(super) mails: Attempts,
}

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub address: String,
    pub user_agent: String,
}

impl Accounts {
    #[must_use]
    pub fn new(pg: Pg, clock: Clock, config: Arc<Config>, hasher: Hasher, keys: Arc<Keys>) -> Self {
        let limits = &config.limits.signing_in;
        Self {
            logins_per_address: Attempts::new(&limits.login_per_address),
            logins_per_account: Attempts::new(&limits.login_per_account),
            registrations: Attempts::new(&limits.register_per_address),
            mails: Attempts::new(&limits.mail_per_account),
            pg,
            clock,
            config,
            hasher,
            keys,
        }
    }

    /// The keys that sign its tokens.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys)
    }

    /// What hashes its passwords.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        self.hasher.clone()
    }

    /// Begins a session in the caller's transaction.
    pub(super) async fn open_session(
        &self,
        tx: &mut TenantTx,
        tenant: &Arc<Tenant>,
        account: Account,
        origin: &Origin,
    ) -> Result<Session, IdentityError> {
        tokens::prune_refresh(tx, account.id, SESSIONS_MAX - 1, self.clock.now()).await?;
        self.continue_session(tx, tenant, account, TokenId::generate(), origin).await
    }

    /// Gives a session its next pair of tokens.
    pub(super) async fn continue_session(
        &self,
        tx: &mut TenantTx,
        tenant: &Arc<Tenant>,
        account: Account,
        family: TokenId,
        origin: &Origin,
    ) -> Result<Session, IdentityError> {
        let now = self.clock.now();
        let refresh_token = rng::token::<32>();
        let refresh_expires_in = self.config.auth.refresh_token.duration();
        let new = NewRefresh {
            user: account.id,
            family,
            hash: &hash_of(&refresh_token),
            user_agent: &origin.user_agent.chars().take(USER_AGENT_CHARS_MAX).collect::<String>(),
            at: now,
            expires_at: now + refresh_expires_in,
        };
        tokens::insert_refresh(tx, &new).await?;
        Ok(Session {
            access_token: self.keys.issue(tenant.id, account.id, family, now)?,
            expires_in: self.keys.lifetime(),
            refresh_token,
            refresh_expires_in,
            account,
            tenant: Arc::clone(tenant),
        })
    }

    /// Makes a link and its token, in the caller's transaction.
    pub(super) async fn make_link(
        &self,
        tx: &mut TenantTx,
        user: UserId,
        purpose: Purpose,
    ) -> Result<String, IdentityError> {
        let now = self.clock.now();
        let auth = &self.config.auth;
        let lives = match purpose {
            Purpose::VerifyEmail => auth.verify_link,
            Purpose::ResetPassword => auth.reset_link,
        };
        let token = rng::token::<32>();
        tokens::insert_link(tx, user, purpose, &hash_of(&token), (now, now + lives.duration())).await?;
        Ok(token)
    }

    /// Sends the link that proves an address, in the caller's transaction.
    pub(super) async fn send_verification(
        &self,
        tx: &mut TenantTx,
        tenant: &Tenant,
        account: &Account,
    ) -> Result<(), IdentityError> {
        let token = self.make_link(tx, account.id, Purpose::VerifyEmail).await?;
        let to = super::Email::parse(&account.email)?;
        let place = mail::Place::of_tenant(&self.config, tenant);
        mail::queue(tx, &mail::verification(&place, &to, &token), self.clock.now()).await?;
        Ok(())
    }
}

/// What is stored of a token: with it alone nobody signs in. Tokens are random, so one pass of SHA-256 is enough.
pub(super) fn hash_of(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// From when tokens count again: the next millisecond, so that one issued in this very one does not.
pub(super) fn void_before(now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::milliseconds(1)
}
