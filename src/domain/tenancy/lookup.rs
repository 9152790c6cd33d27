//! From a host or slug to its tenant, and from an id to the tenant as it is now; both from memory nearly always.
//!
//! R6: three bounded caches. R9: [`Tenants::forget`] is called with `News::TenantChanged`; without news an entry lives 30 s.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use super::{TenancyError, Tenant, store};
use crate::infra::pg::Pg;
use crate::kernel::TenantId;

/// How a tenant is named from outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    Slug(Arc<str>),
    /// Lower case, without a port.
    Host(Arc<str>),
}

/// Tenants kept in memory; more than one process is meant to hold.
const TENANTS_MAX: u64 = 20_000;
/// Names kept for tenants, and names known to mean nothing.
const NAMES_MAX: u64 = 40_000;
/// The longest that a missed piece of news goes unnoticed.
const FRESH_FOR: Duration = Duration::from_secs(30);
/// How long "there is no such tenant" is believed; short, since one may be made at any time.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);

/// The caches. Cheap to clone.
#[derive(Clone)]
pub struct Tenants {
    ids: Cache<Name, TenantId>,
    unknown: Cache<Name, ()>,
    tenants: Cache<TenantId, Arc<Tenant>>,
    /// Counts `forget`s, so that a read that began before one is not kept after it.
    forgotten: Arc<AtomicU64>,
}

impl Default for Tenants {
    fn default() -> Self {
        Self {
            ids: Cache::builder().max_capacity(NAMES_MAX).time_to_live(FRESH_FOR).build(),
            unknown: Cache::builder().max_capacity(NAMES_MAX).time_to_live(UNKNOWN_FOR).build(),
            tenants: Cache::builder().max_capacity(TENANTS_MAX).time_to_live(FRESH_FOR).build(),
            forgotten: Arc::default(),
        }
    }
}

impl Tenants {
    /// The tenant of a name, from memory; `Err(())` when the store has to be asked.
    #[must_use]
    pub fn recall(&self, name: &Name) -> Option<Arc<Tenant>> {
        self.tenants.get(&self.ids.get(name)?)
    }

    /// The tenant of a name, whatever its state. Runs on the database runtime.
    ///
    /// # Errors
    /// [`TenancyError::NotFound`], and those of the database.
    pub async fn find(&self, pg: &Pg, name: Name) -> Result<Arc<Tenant>, TenancyError> {
        if self.unknown.contains_key(&name) {
            return Err(TenancyError::NotFound);
        }
        let id = match self.ids.get(&name) {
            Some(id) => id,
            None => self.ask(pg, name).await?,
        };
        self.get(pg, id).await
    }

    async fn ask(&self, pg: &Pg, name: Name) -> Result<TenantId, TenancyError> {
        let mut tx = pg.platform().await?;
        let found = match &name {
            Name::Slug(slug) => store::find_by_slug(&mut tx, slug).await?,
            Name::Host(host) => store::find_by_host(&mut tx, host).await?,
        };
        tx.commit().await?;
        match found {
            Some(id) => {
                self.ids.insert(name, id);
                Ok(id)
            }
            None => {
                self.unknown.insert(name, ());
                Err(TenancyError::NotFound)
            }
        }
    }

    /// The tenant of an id, as it is now. Runs on the database runtime.
    ///
    /// # Errors
    /// [`TenancyError::NotFound`], and those of the database.
    pub async fn get(&self, pg: &Pg, id: TenantId) -> Result<Arc<Tenant>, TenancyError> {
        if let Some(tenant) = self.tenants.get(&id) {
            return Ok(tenant);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let mut tx = pg.platform().await?;
        let tenant = Arc::new(store::find(&mut tx, id).await?.ok_or(TenancyError::NotFound)?);
        tx.commit().await?;
        self.tenants.insert(id, Arc::clone(&tenant));
        if self.forgotten.load(Ordering::Acquire) != before {
            self.tenants.invalidate(&id);
        }
        Ok(tenant)
    }

    /// Drops what is known of a tenant; the next look asks the store.
    pub fn forget(&self, id: TenantId) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.tenants.invalidate(&id);
        self.unknown.invalidate_all();
    }
}

/// Whose room, person or community this id is, whichever tenant it is of. For telling, on the way to a 404, a foreign id from one that never was.
///
/// # Errors
/// Those of the database.
pub async fn tenant_of(pg: &Pg, id: uuid::Uuid) -> Result<Option<TenantId>, TenancyError> {
    let mut tx = pg.platform().await?;
    let owner = store::tenant_of(&mut tx, id).await?;
    tx.commit().await?;
    Ok(owner)
}
