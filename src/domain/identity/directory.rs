//! Who somebody is right now: role, state, name, and since when their tokens count. From memory nearly always; every request and every
//! socket asks.
//!
//! R9: [`Directory::forget`] is called with `News::GrantsChanged` and `News::SessionsRevoked`; without news an entry lives 30 s.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;

use super::{IdentityError, Verified, store};
use crate::infra::pg::{Db, Pg};
use crate::kernel::ids::TokenId;
use crate::kernel::{Scope, TenantId, UserId};

/// People kept in memory (some 300 bytes each).
const PEOPLE_MAX: u64 = 100_000;
/// The longest that a missed piece of news goes unnoticed.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// Whether somebody may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Active,
    Suspended,
    Deleted,
}

impl State {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "deleted" => Self::Deleted,
            _ => Self::Suspended,
        }
    }
}

/// Somebody as of now.
#[derive(Debug, Clone)]
pub struct Person {
    pub scope: Scope,
    pub state: State,
    pub tokens_valid_from: DateTime<Utc>,
    /// Sessions that ended while tokens of theirs may still be about.
    pub ended_sessions: Vec<TokenId>,
    pub email_verified: bool,
}

impl Person {
    /// Whether a token of theirs still counts.
    ///
    /// # Errors
    /// [`IdentityError::Banned`] for the suspended, [`IdentityError::Unauthorized`] for a token of a session that they signed out of.
    fn admit(&self, token: &Verified) -> Result<(), IdentityError> {
        match self.state {
            State::Suspended => Err(IdentityError::Banned),
            State::Deleted => Err(IdentityError::Unauthorized),
            State::Active if token.issued_at < self.tokens_valid_from => Err(IdentityError::Unauthorized),
            State::Active if self.ended_sessions.contains(&token.session) => Err(IdentityError::Unauthorized),
            State::Active => Ok(()),
        }
    }
}

/// The cache. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    people: Cache<(TenantId, UserId), Arc<Person>>,
    /// Counts `forget`s, so that a read that began before one is not kept after it.
    forgotten: Arc<AtomicU64>,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            people: Cache::builder().max_capacity(PEOPLE_MAX).time_to_live(FRESH_FOR).build(),
            forgotten: Arc::default(),
        }
    }
}

impl Directory {
    /// Whose token this is, if it still counts: the one door for HTTP and sockets. From memory nearly always.
    ///
    /// # Errors
    /// [`IdentityError::Banned`], [`IdentityError::Unauthorized`] (also for somebody who is not there any more), and those of the database.
    pub async fn admit(&self, db: &Db, token: &Verified) -> Result<Arc<Person>, IdentityError> {
        let (tenant, user) = (token.tenant, token.user);
        let person = match self.people.get(&(tenant, user)) {
            Some(person) => person,
            None => {
                let (directory, pg, at) = (self.clone(), db.pg().clone(), token.issued_at);
                db.run(async move { directory.read(&pg, tenant, (user, at)).await }).await?
            }
        };
        person.admit(token)?;
        Ok(person)
    }

    async fn read(
        &self,
        pg: &Pg,
        tenant: TenantId,
        (user, at): (UserId, DateTime<Utc>),
    ) -> Result<Arc<Person>, IdentityError> {
        let before = self.forgotten.load(Ordering::Acquire);
        let mut tx = pg.tenant(tenant).await?;
        let person = Arc::new(store::find_person(&mut tx, user, at).await?.ok_or(IdentityError::Unauthorized)?);
        tx.commit().await?;
        self.people.insert((tenant, user), Arc::clone(&person));
        if self.forgotten.load(Ordering::Acquire) != before {
            self.people.invalidate(&(tenant, user));
        }
        Ok(person)
    }

    /// Drops what is known of somebody; the next look asks the store.
    pub fn forget(&self, tenant: TenantId, user: UserId) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.people.invalidate(&(tenant, user));
    }

    /// Drops what is known of everybody.
    pub fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.people.invalidate_all();
    }
}
