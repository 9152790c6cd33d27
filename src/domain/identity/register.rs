//! Making an account.

use std::sync::Arc;

use super::accounts::{Accounts, Origin};
use super::store::accounts as store;
use super::words::{DisplayName, Email, Handle, Password};
use super::{Account, IdentityError, Session, State};
use crate::config::Quota;
use crate::domain::events;
use crate::domain::tenancy::{Tenant, verbs};
use crate::infra::bus::StreamId;
use crate::infra::pg::TenantTx;
use crate::kernel::{TenantRole, UserId};

/// Tries at a handle with random digits behind it.
const HANDLE_TRIES: usize = 8;

/// Somebody who wants an account.
#[derive(Debug)]
pub struct NewAccount {
    pub email: Email,
    /// None: the account is opened by a link.
    pub password: Option<Password>,
    pub display_name: Option<DisplayName>,
    pub handle: Option<Handle>,
}

impl Accounts {
    /// Makes an account for somebody who came by themselves, and signs them in.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] from this address, [`IdentityError::EmailTaken`], [`IdentityError::HandleTaken`],
    /// [`IdentityError::NoSeat`] when the plan is full, [`IdentityError::HashesBusy`], and those of the database.
    pub async fn register(
        &self,
        tenant: &Arc<Tenant>,
        new: NewAccount,
        origin: &Origin,
    ) -> Result<Session, IdentityError> {
        self.registrations.take(&origin.address, self.clock.now())?;
        let hash = match &new.password {
            Some(password) => Some(self.hasher.hash(password.expose()).await?),
            None => None,
        };
        let mut tx = self.pg.tenant(tenant.id).await?;
        self.check_seats(&mut tx, tenant, TenantRole::Member).await?;
        let account = self.insert(&mut tx, &new, hash.as_deref(), TenantRole::Member).await?;
        self.send_verification(&mut tx, tenant, &account).await?;
        let session = self.open_session(&mut tx, tenant, account, origin).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Writes the account and opens its personal stream, in the caller's transaction.
    pub(super) async fn insert(
        &self,
        tx: &mut TenantTx,
        new: &NewAccount,
        password_hash: Option<&str>,
        role: TenantRole,
    ) -> Result<Account, IdentityError> {
        let display_name = new.display_name.clone().unwrap_or_else(|| DisplayName::derive(&new.email));
        let wanted = new.handle.clone().unwrap_or_else(|| Handle::derive(display_name.as_str(), &new.email));
        let (id, at) = (UserId::generate(), self.clock.now());
        let mut handle = wanted.clone();
        let mut tries = 0;
        loop {
            let row = store::New {
                id,
                email: &new.email,
                handle: &handle,
                display_name: &display_name,
                password_hash,
                role,
                verified_at: None,
                at,
            };
            if store::insert(tx, &row).await? {
                break;
            }
            tries += 1;
            if new.handle.is_some() || tries > HANDLE_TRIES {
                return Err(IdentityError::HandleTaken);
            }
            handle = wanted.with_suffix();
        }
        events::store::open(tx, StreamId::User(id)).await?;
        Ok(Account {
            id,
            handle: handle.as_str().to_owned(),
            display_name: display_name.as_str().to_owned(),
            bio: String::new(),
            email: new.email.as_str().to_owned(),
            email_verified: false,
            role,
            state: State::Active,
            created_at: at,
        })
    }

    /// Whether the plan admits one more person of this role; exact, for whoever asks keeps the tenant's turn until the transaction ends.
    pub(super) async fn check_seats(
        &self,
        tx: &mut TenantTx,
        tenant: &Tenant,
        role: TenantRole,
    ) -> Result<(), IdentityError> {
        let quota = self.quota(tenant, role);
        if quota == Quota::Unlimited {
            return Ok(());
        }
        verbs::take_turn(tx).await?;
        let staff = role > TenantRole::Member;
        if quota.admits(store::count(tx, staff).await?) { Ok(()) } else { Err(IdentityError::NoSeat) }
    }

    /// How many people of this kind of role the tenant's plan admits.
    pub(super) fn quota(&self, tenant: &Tenant, role: TenantRole) -> Quota {
        let plan = self.config.plans.find(&tenant.plan);
        plan.map_or(Quota::Unlimited, |plan| if role > TenantRole::Member { plan.users } else { plan.members })
    }
}
