//! Making a tenant whole: a saga of steps, each idempotent and each one transaction that also notes that it is done. A provisioning that
//! was cut off goes on behind its last step when it is asked for again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::accounts::Accounts;
use super::register::NewAccount;
use super::store::accounts as store;
use super::store::tokens::Purpose;
use super::words::{DisplayName, Email, Password};
use super::{Account, IdentityError, mail};
use crate::config::Feature;
use crate::domain::tenancy::verbs::{self, By, NewTenant};
use crate::domain::tenancy::{Slug, State, TenancyError, Tenant};
use crate::infra::pg::TenantTx;
use crate::kernel::{TenantId, TenantRole};

/// What is asked for: flags, a YAML file, or a request's body.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    pub name: String,
    /// Made of the name when not given.
    pub slug: Option<String>,
    /// `tenancy.default_plan` when not given.
    pub plan: Option<String>,
    pub admin_email: String,
    /// The admin's name as others see it; made of the address when not given.
    pub admin_name: Option<String>,
    /// Not given: the admin gets a mail with a link to choose one.
    pub admin_password: Option<String>,
    /// Custom domain.
    pub host: Option<String>,
    /// Must be among the plan's.
    #[schema(value_type = Vec<String>)]
    pub features: Vec<Feature>,
    #[schema(value_type = Object)]
    pub settings: serde_json::Map<String, Value>,
}

/// The outcome.
#[derive(Debug, Serialize)]
pub struct Provisioned {
    pub tenant: Tenant,
    /// Whether an unfinished one of this slug was finished.
    pub resumed: bool,
}

/// The steps in their order; the names stand in `tenants.provisioned_step`.
const STEPS: [Step; 3] = [Step::Host, Step::Admin, Step::Active];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Host,
    Admin,
    Active,
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Admin => "admin",
            Self::Active => "active",
        }
    }
}

/// What is wanted, checked.
struct Plan {
    new: NewTenant,
    email: Email,
    display_name: Option<DisplayName>,
    password: Option<Password>,
    hosts: Vec<String>,
}

impl Accounts {
    /// Makes a tenant, or finishes one that was left half made.
    ///
    /// # Errors
    /// [`TenancyError::SlugTaken`] by a finished tenant or one of another admin, those of bad input, and those of the database.
    pub async fn provision(&self, wanted: &Wanted, by: By) -> Result<Provisioned, IdentityError> {
        let plan = self.check(wanted)?;
        let max = self.config.tenancy.max_tenants;
        let (id, done, resumed) = match verbs::create(&self.pg, &plan.new, max, by).await {
            Ok(id) => (id, String::new(), false),
            Err(TenancyError::SlugTaken) => {
                let (id, done) = self.find_unfinished(&plan).await?;
                (id, done, true)
            }
            Err(error) => return Err(error.into()),
        };
        let first = STEPS.iter().position(|step| step.as_str() == done).map_or(0, |at| at + 1);
        for step in &STEPS[first..] {
            self.take_step(id, *step, &plan, by).await?;
        }
        let tenant = verbs::get(&self.pg, &id.to_string()).await?;
        Ok(Provisioned { tenant, resumed })
    }

    async fn find_unfinished(&self, plan: &Plan) -> Result<(TenantId, String), IdentityError> {
        let tenant = verbs::get(&self.pg, plan.new.slug.as_str()).await?;
        if tenant.state != State::Provisioning || *tenant.admin_email != plan.new.admin_email {
            return Err(TenancyError::SlugTaken.into());
        }
        let mut tx = self.pg.tenant(tenant.id).await?;
        let (_, done) = verbs::lock(&mut tx).await?;
        tx.commit().await?;
        Ok((tenant.id, done))
    }

    async fn take_step(&self, id: TenantId, step: Step, plan: &Plan, by: By) -> Result<(), IdentityError> {
        if step == Step::Active {
            return Ok(verbs::change_state(&self.pg, id, State::Active, None, by).await?);
        }
        // Hashed before the transaction begins: a connection must not wait for a CPU.
        let hash = match &plan.password {
            Some(password) if step == Step::Admin => Some(self.hasher.hash(password.expose()).await?),
            _ => None,
        };
        let mut tx = self.pg.tenant(id).await?;
        verbs::lock(&mut tx).await?;
        match step {
            Step::Host => {
                for host in &plan.hosts {
                    verbs::add_host(&mut tx, host).await?;
                }
            }
            Step::Admin => self.make_admin(&mut tx, plan, hash.as_deref()).await?,
            Step::Active => {}
        }
        verbs::finish_step(&mut tx, step.as_str(), by.at).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn make_admin(&self, tx: &mut TenantTx, plan: &Plan, hash: Option<&str>) -> Result<(), IdentityError> {
        if store::find_by_email(tx, &plan.email).await?.is_some() {
            return Ok(());
        }
        let new = NewAccount {
            email: plan.email.clone(),
            password: None,
            display_name: plan.display_name.clone(),
            handle: None,
        };
        let account = self.insert(tx, &new, hash, TenantRole::TenantAdmin).await?;
        if hash.is_none() {
            let token = self.make_link(tx, account.id, Purpose::ResetPassword).await?;
            let origin = mail::Place::of(&self.config, plan.new.slug.as_str(), plan.hosts.first(), &plan.new.name);
            mail::queue(tx, &mail::invitation_of_admin(&origin, &plan.email, &token), self.clock.now()).await?;
        }
        Ok(())
    }

    fn check(&self, wanted: &Wanted) -> Result<Plan, IdentityError> {
        let name = verbs::parse_name(&wanted.name)?;
        let slug = wanted.slug.as_deref().map_or_else(|| Slug::from_name(&name), Slug::parse);
        let slug = slug.ok_or(TenancyError::BadSlug)?;
        let key = wanted.plan.as_deref().unwrap_or(&self.config.tenancy.default_plan);
        let plan = self.config.plans.find(key).ok_or(TenancyError::UnknownPlan)?;
        if let Some(feature) = wanted.features.iter().find(|feature| !plan.has(**feature)) {
            return Err(IdentityError::Invalid("features", format!("the plan {key} does not have {feature:?}")));
        }
        let host = wanted.host.as_deref().map(parse_host).transpose()?;
        if host.is_some() && !plan.has(Feature::CustomDomain) {
            return Err(IdentityError::Invalid("host", format!("the plan {key} has no custom domain")));
        }
        let email = Email::parse(&wanted.admin_email)
            .map_err(|error| IdentityError::Invalid("admin_email", error.to_string()))?;
        let display_name = wanted.admin_name.as_deref().map(DisplayName::parse).transpose()?;
        let chars_min = self.config.auth.password_min_chars;
        let password = wanted.admin_password.as_deref();
        let password = password.map(|text| Password::parse("admin_password", text, chars_min)).transpose()?;
        let admin_email = email.as_str().to_owned();
        let settings = json!({ "features": wanted.features, "settings": wanted.settings });
        let new = NewTenant { slug, name, plan: key.to_owned(), admin_email, settings };
        Ok(Plan { new, email, display_name, password, hosts: host.into_iter().collect() })
    }

    /// Makes an account with a role, verified, or finds the one of this address. For seeds.
    ///
    /// # Errors
    /// Those of bad input and of the database.
    pub async fn ensure_account(
        &self,
        tenant: TenantId,
        new: &NewAccount,
        role: TenantRole,
    ) -> Result<Account, IdentityError> {
        let mut tx = self.pg.tenant(tenant).await?;
        if let Some((account, _)) = store::find_by_email(&mut tx, &new.email).await? {
            return Ok(account);
        }
        drop(tx);
        let hash = match &new.password {
            Some(password) => Some(self.hasher.hash(password.expose()).await?),
            None => None,
        };
        let mut tx = self.pg.tenant(tenant).await?;
        let account = self.insert(&mut tx, new, hash.as_deref(), role).await?;
        store::set_verified(&mut tx, account.id, self.clock.now()).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// Makes somebody a platform admin, or gives one a new password. For the operator's command alone.
    ///
    /// # Errors
    /// Those of bad input and of the database.
    pub async fn make_platform_admin(&self, email: &Email, password: &Password) -> Result<(), IdentityError> {
        let hash = self.hasher.hash(password.expose()).await?;
        let now = self.clock.now();
        verbs::ensure_platform(&self.pg, now).await?;
        let mut tx = self.pg.tenant(TenantId::PLATFORM).await?;
        match store::find_by_email(&mut tx, email).await? {
            Some((account, _)) => store::set_password(&mut tx, account.id, &hash, now).await?,
            None => {
                let new = NewAccount { email: email.clone(), password: None, display_name: None, handle: None };
                self.insert(&mut tx, &new, Some(&hash), TenantRole::PlatformAdmin).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// A host name of at least two labels, lower case.
fn parse_host(text: &str) -> Result<String, IdentityError> {
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_one = host.len() <= 253 && host.contains('.') && host.split('.').all(label);
    let is_number = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if is_one && !is_number { Ok(host) } else { Err(IdentityError::Invalid("host", "this is not a host name".into())) }
}
