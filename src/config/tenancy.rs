//! Tenants: how they are kept apart, how many there may be, and which one an unnamed host means.

use serde::{Deserialize, Serialize};

/// How a tenant's rows are kept apart from the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// One schema, row-level security on every table.
    SharedSchema,
    SharedDatabase,
    SeparateSchema,
    SeparateDatabase,
}

/// Tenancy of the whole installation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenancy {
    pub isolation_strategy: Isolation,
    /// Provisioning refuses beyond it.
    pub max_tenants: u32,
    /// Plan of a tenant provisioned without one.
    pub default_plan: String,
    /// Slug of the tenant that a host without a name means; empty: none, and with `--demo` on loopback the demo's.
    pub default_tenant: Option<String>,
}

impl Default for Tenancy {
    fn default() -> Self {
        Self {
            isolation_strategy: Isolation::SharedSchema,
            max_tenants: 10_000,
            default_plan: "basic".into(),
            default_tenant: None,
        }
    }
}

impl Tenancy {
    pub(super) fn check(&self, refusals: &mut Vec<String>) {
        if self.isolation_strategy != Isolation::SharedSchema {
            refusals.push("tenancy.isolation_strategy: only `shared_schema` is supported yet".into());
        }
        if self.max_tenants == 0 {
            refusals.push("tenancy.max_tenants: at least 1".into());
        }
    }
}
