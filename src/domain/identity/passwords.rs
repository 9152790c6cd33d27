//! Forgotten and changed passwords, and the proof of an address: what one-time links are for.

use std::sync::Arc;

use serde_json::json;

use super::accounts::{Accounts, hash_of, void_before};
use super::store::{accounts, tokens};
use super::tokens::Verified;
use super::words::{Email, Password};
use super::{IdentityError, State, mail};
use crate::domain::tenancy::{Tenant, audit};
use crate::infra::bus::{News, Sessions};
use crate::infra::pg::TenantTx;
use crate::kernel::ids::TokenId;
use crate::kernel::{Scope, UserId};

use tokens::Purpose;

impl Accounts {
    /// Mails a link for a new password, if there is such an account. Answers the same either way; run it after the answer has been
    /// given, so that time tells nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forgot(&self, tenant: &Arc<Tenant>, email: &Email) -> Result<(), IdentityError> {
        let now = self.clock.now();
        if self.mails.take(&format!("{} {}", tenant.id, email.as_str()), now).is_err() {
            return Ok(());
        }
        let mut tx = self.pg.tenant(tenant.id).await?;
        let found = accounts::find_by_email(&mut tx, email).await?;
        if let Some((account, _)) = found.filter(|(account, _)| account.state == State::Active) {
            let token = self.make_link(&mut tx, account.id, Purpose::ResetPassword).await?;
            let place = mail::Place::of_tenant(&self.config, tenant);
            mail::queue(&mut tx, &mail::reset(&place, email, &token), now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Counts a request for mail from this address.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`].
    pub fn admit_mail_request(&self, address: &str) -> Result<(), IdentityError> {
        self.logins_per_address.take(address, self.clock.now())
    }

    /// Sets a new password by a mailed link. All sessions end; the address is proven by the way.
    ///
    /// # Errors
    /// [`IdentityError::BadLink`], [`IdentityError::HashesBusy`], and those of the database.
    pub async fn reset(&self, tenant: &Tenant, token: &str, password: &Password) -> Result<(), IdentityError> {
        let (now, hash) = (self.clock.now(), hash_of(token));
        let mut tx = self.pg.tenant(tenant.id).await?;
        tokens::find_link(&mut tx, Purpose::ResetPassword, &hash, now).await?.ok_or(IdentityError::BadLink)?;
        tx.commit().await?;
        let stored = self.hasher.hash(password.expose()).await?;
        let mut tx = self.pg.tenant(tenant.id).await?;
        let spent = tokens::spend_link(&mut tx, Purpose::ResetPassword, &hash, now).await?;
        let user = spent.ok_or(IdentityError::BadLink)?;
        self.replace_password(&mut tx, user, &stored, None).await?;
        accounts::set_verified(&mut tx, user, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sets a new password for somebody who knows the current one. Their other sessions end.
    ///
    /// # Errors
    /// [`IdentityError::WrongCredentials`], [`IdentityError::TooMany`], [`IdentityError::HashesBusy`], and those of the database.
    pub async fn change_password(
        &self,
        token: &Verified,
        current: &Password,
        new: &Password,
    ) -> Result<(), IdentityError> {
        let key = format!("{} {}", token.tenant, token.user);
        self.logins_per_account.take(&key, self.clock.now())?;
        let mut tx = self.pg.tenant(token.tenant).await?;
        let stored = accounts::find_password(&mut tx, token.user).await?;
        tx.commit().await?;
        if !self.hasher.verify(current.expose(), stored.as_deref()).await? {
            return Err(IdentityError::Invalid("current_password", "this is not the current password".into()));
        }
        self.logins_per_account.give_back(&key);
        let stored = self.hasher.hash(new.expose()).await?;
        let mut tx = self.pg.tenant(token.tenant).await?;
        self.replace_password(&mut tx, token.user, &stored, Some(token.session)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn replace_password(
        &self,
        tx: &mut TenantTx,
        user: UserId,
        stored: &str,
        but: Option<TokenId>,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let tokens_valid_from = void_before(now);
        tokens::take_turn(tx, user).await?;
        accounts::set_password(tx, user, stored, tokens_valid_from).await?;
        tokens::revoke_user(tx, user, but, now).await?;
        let tenant = tx.tenant();
        tx.announce(News::SessionsRevoked { tenant, user, which: Sessions::IssuedBefore(tokens_valid_from) });
        let target = format!("user:{user}");
        let entry = audit::Entry { actor: Some(user), action: "user.password_changed", target, detail: json!({}) };
        audit::record(tx, now, entry).await?;
        Ok(())
    }

    /// Proves an address by a mailed link.
    ///
    /// # Errors
    /// [`IdentityError::BadLink`], and those of the database.
    pub async fn verify_email(&self, tenant: &Tenant, token: &str) -> Result<(), IdentityError> {
        let now = self.clock.now();
        let mut tx = self.pg.tenant(tenant.id).await?;
        let spent = tokens::spend_link(&mut tx, Purpose::VerifyEmail, &hash_of(token), now).await?;
        let user = spent.ok_or(IdentityError::BadLink)?;
        accounts::set_verified(&mut tx, user, now).await?;
        tx.announce(News::GrantsChanged { tenant: tenant.id, user });
        tx.commit().await?;
        Ok(())
    }

    /// Mails the proof of address again; nothing happens when it is proven.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`] mails, and those of the database.
    pub async fn resend_verification(&self, tenant: &Tenant, scope: &Scope) -> Result<(), IdentityError> {
        let mut tx = self.pg.tenant(tenant.id).await?;
        let account = accounts::find(&mut tx, scope.user).await?.ok_or(IdentityError::NotFound)?;
        if !account.email_verified {
            self.mails.take(&format!("{} {}", tenant.id, account.email), self.clock.now())?;
            self.send_verification(&mut tx, tenant, &account).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
