//! Profiles, and what moderators and admins do with accounts.

use serde_json::json;

use super::accounts::{Accounts, void_before};
use super::rules;
use super::store::{accounts, tokens};
use super::words::{Bio, DisplayName, Handle};
use super::{Account, IdentityError, State};
use crate::config::Quota;
use crate::domain::tenancy::{Tenant, audit, verbs};
use crate::infra::bus::{News, Sessions};
use crate::infra::pg::TenantTx;
use crate::kernel::page::Page;
use crate::kernel::{Scope, TenantRole, UserId};

/// What of a profile is to change.
#[derive(Debug, Default)]
pub struct ProfileChange {
    pub display_name: Option<DisplayName>,
    pub handle: Option<Handle>,
    pub bio: Option<Bio>,
}

impl Accounts {
    /// Somebody's account.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`], and those of the database.
    pub async fn get(&self, scope: &Scope, user: UserId) -> Result<Account, IdentityError> {
        let mut tx = self.pg.tenant(scope.tenant).await?;
        let account = accounts::find(&mut tx, user).await?.ok_or(IdentityError::NotFound)?;
        tx.commit().await?;
        Ok(account)
    }

    /// People whose handle or name begins with `prefix`, by handle; the cursor is a handle.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(
        &self,
        scope: &Scope,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Page<Account>, IdentityError> {
        let prefix = prefix.trim().trim_start_matches('@').to_lowercase().replace('\0', "");
        let mut tx = self.pg.tenant(scope.tenant).await?;
        let items = accounts::list(&mut tx, &prefix, &after.replace('\0', ""), limit + 1).await?;
        tx.commit().await?;
        Ok(Page::cut(items, limit, |account| account.handle.clone()))
    }

    /// Changes the caller's own profile.
    ///
    /// # Errors
    /// [`IdentityError::HandleTaken`], and those of the database.
    pub async fn change_profile(&self, scope: &Scope, change: &ProfileChange) -> Result<Account, IdentityError> {
        let mut tx = self.pg.tenant(scope.tenant).await?;
        let given = (change.display_name.as_ref(), change.handle.as_ref(), change.bio.as_ref());
        accounts::update_profile(&mut tx, scope.user, given, self.clock.now()).await?;
        let account = accounts::find(&mut tx, scope.user).await?.ok_or(IdentityError::NotFound)?;
        tx.announce(News::GrantsChanged { tenant: scope.tenant, user: scope.user });
        tx.commit().await?;
        Ok(account)
    }

    /// Gives somebody another role.
    ///
    /// # Errors
    /// [`IdentityError::Forbidden`], [`IdentityError::NotFound`], [`IdentityError::LastAdmin`], [`IdentityError::NoSeat`], and those of
    /// the database.
    pub async fn set_role(
        &self,
        scope: &Scope,
        tenant: &Tenant,
        user: UserId,
        role: TenantRole,
    ) -> Result<Account, IdentityError> {
        let mut tx = self.pg.tenant(scope.tenant).await?;
        // Before any person's row is locked: those who wait for their turn may hold one.
        if role > TenantRole::Member && self.quota(tenant, role) != Quota::Unlimited {
            verbs::take_turn(&mut tx).await?;
        }
        let admins = accounts::lock_admins(&mut tx).await?;
        let account = accounts::find(&mut tx, user).await?.ok_or(IdentityError::NotFound)?;
        rules::may_set_role(scope.role, account.role, role)?;
        if role != TenantRole::TenantAdmin && admins == [user] {
            return Err(IdentityError::LastAdmin);
        }
        if role > TenantRole::Member && account.role <= TenantRole::Member {
            self.check_seats(&mut tx, tenant, role).await?;
        }
        let now = self.clock.now();
        accounts::set_role(&mut tx, user, role, now).await?;
        let detail = json!({ "from": account.role, "to": role });
        let target = format!("user:{user}");
        let entry = audit::Entry { actor: Some(scope.user), action: "user.role_changed", target, detail };
        audit::record(&mut tx, now, entry).await?;
        tx.announce(News::GrantsChanged { tenant: scope.tenant, user });
        tx.commit().await?;
        Ok(Account { role, ..account })
    }

    /// Keeps somebody out of the tenant; their sockets close within a second.
    ///
    /// # Errors
    /// [`IdentityError::Forbidden`] against an equal or higher role, [`IdentityError::Oneself`], [`IdentityError::NotFound`], and those
    /// of the database.
    pub async fn suspend(&self, scope: &Scope, user: UserId, reason: Option<&str>) -> Result<Account, IdentityError> {
        let mut tx = self.pg.tenant(scope.tenant).await?;
        tokens::take_turn(&mut tx, user).await?;
        let account = self.set_state(&mut tx, scope, user, (State::Suspended, reason)).await?;
        tokens::revoke_user(&mut tx, user, None, self.clock.now()).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// Lets somebody in again; they sign in anew.
    ///
    /// # Errors
    /// As [`Accounts::suspend`].
    pub async fn resume(&self, scope: &Scope, user: UserId) -> Result<Account, IdentityError> {
        let mut tx = self.pg.tenant(scope.tenant).await?;
        let account = self.set_state(&mut tx, scope, user, (State::Active, None)).await?;
        tx.commit().await?;
        Ok(account)
    }

    async fn set_state(
        &self,
        tx: &mut TenantTx,
        scope: &Scope,
        user: UserId,
        (state, reason): (State, Option<&str>),
    ) -> Result<Account, IdentityError> {
        if user == scope.user {
            return Err(IdentityError::Oneself);
        }
        let account = accounts::find(tx, user).await?.ok_or(IdentityError::NotFound)?;
        rules::may_act_on(scope.role, account.role)?;
        let now = self.clock.now();
        let tokens_valid_from = void_before(now);
        accounts::set_state(tx, user, state, reason, tokens_valid_from).await?;
        let banned = state == State::Suspended;
        let action = if banned { "user.suspended" } else { "user.resumed" };
        let target = format!("user:{user}");
        let entry = audit::Entry { actor: Some(scope.user), action, target, detail: json!({ "reason": reason }) };
        audit::record(tx, now, entry).await?;
        let which = if banned { Sessions::All } else { Sessions::IssuedBefore(tokens_valid_from) };
        tx.announce(News::SessionsRevoked { tenant: scope.tenant, user, which });
        Ok(Account { state, ..account })
    }
}
