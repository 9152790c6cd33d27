//! Plans: what a tenant pays, which features it has and where its limits are.
//!
//! The three of the seed (basic, pro, enterprise) are the defaults; an installation may write its own list instead.

use std::collections::BTreeMap;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use super::units::ByteSize;

/// What a plan can switch on. The names are those of the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    BasicAnalytics,
    AdvancedAnalytics,
    EnterpriseAnalytics,
    EmailSupport,
    PrioritySupport,
    #[serde(rename = "24_7_support")]
    AroundTheClockSupport,
    ApiAccess,
    CustomDomain,
    SsoIntegration,
    SlaGuarantee,
}

/// A count with or without an end; `unlimited` in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    Upto(u64),
    Unlimited,
}

/// Requests with API keys; people are limited by `limits.posting` and `limits.admission`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiRate {
    pub per_hour: u32,
    /// At most this many within a minute.
    pub burst_per_minute: u32,
}

/// One plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// As people see it.
    pub name: String,
    /// Price of a month in minor units of `currency`.
    pub price_minor: u64,
    /// ISO 4217.
    pub currency: String,
    pub features: Vec<Feature>,
    /// Staff seats: everybody with a role above member.
    pub users: Quota,
    /// Members of the tenant's communities.
    pub members: Quota,
    pub storage: ByteSize,
    pub api: ApiRate,
}

/// All plans by their key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plans(BTreeMap<String, Plan>);

impl Quota {
    /// Whether one more fits when there are `count` already.
    pub fn admits(self, count: u64) -> bool {
        match self {
            Self::Upto(limit) => count < limit,
            Self::Unlimited => true,
        }
    }
}

impl Plan {
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The plan in one list as a price table shows it: `5_users`, `10gb_storage`, then the features.
    pub fn feature_list(&self) -> Vec<String> {
        let users = match self.users {
            Quota::Upto(count) => format!("{count}_users"),
            Quota::Unlimited => "unlimited_users".into(),
        };
        let names = self.features.iter().filter_map(|feature| serde_json::to_value(feature).ok());
        let names = names.filter_map(|name| name.as_str().map(str::to_owned));
        [users, format!("{}_storage", self.storage)].into_iter().chain(names).collect()
    }
}

impl Plans {
    pub fn find(&self, key: &str) -> Option<&Plan> {
        self.0.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Plan)> {
        self.0.iter().map(|(key, plan)| (key.as_str(), plan))
    }

    fn keys(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn check(&self, default_plan: &str, refusals: &mut Vec<String>) {
        if self.find(default_plan).is_none() {
            refusals.push(format!("tenancy.default_plan: `{default_plan}` is not among the plans ({})", self.keys()));
        }
        for (key, plan) in self.iter() {
            plan.check(key, refusals);
        }
    }
}

impl Plan {
    fn check(&self, key: &str, refusals: &mut Vec<String>) {
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            refusals.push(format!("plans.{key}.currency: `{}` is not a code such as `USD`", self.currency));
        }
        for (at, feature) in self.features.iter().enumerate() {
            if self.features.iter().take(at).any(|earlier| earlier == feature) {
                refusals.push(format!("plans.{key}.features: {feature:?} is listed twice"));
            }
        }
        if self.users == Quota::Upto(0) {
            refusals.push(format!("plans.{key}.users: a tenant needs at least the seat of its admin"));
        }
        if self.api.per_hour < self.api.burst_per_minute {
            refusals.push(format!(
                "plans.{key}.api: burst_per_minute ({}) is more than per_hour ({})",
                self.api.burst_per_minute, self.api.per_hour
            ));
        }
    }
}

impl Default for Plans {
    fn default() -> Self {
        use Feature::*;
        let plan = |name: &str, price_minor, users, members, storage, features: &[Feature]| Plan {
            name: name.into(),
            price_minor,
            currency: "USD".into(),
            features: features.to_vec(),
            users,
            members,
            storage,
            api: ApiRate { per_hour: 1_000, burst_per_minute: 100 },
        };
        let basic =
            plan("Basic", 2_900, Quota::Upto(5), Quota::Upto(1_000), ByteSize::gb(10), &[BasicAnalytics, EmailSupport]);
        let pro = plan(
            "Pro",
            9_900,
            Quota::Upto(25),
            Quota::Upto(25_000),
            ByteSize::gb(100),
            &[AdvancedAnalytics, PrioritySupport, ApiAccess, CustomDomain],
        );
        let enterprise = plan(
            "Enterprise",
            29_900,
            Quota::Unlimited,
            Quota::Unlimited,
            ByteSize::gb(1_000),
            &[EnterpriseAnalytics, AroundTheClockSupport, ApiAccess, CustomDomain, SsoIntegration, SlaGuarantee],
        );
        Self(
            [("basic", basic), ("pro", pro), ("enterprise", enterprise)]
                .map(|(key, plan)| (key.to_owned(), plan))
                .into(),
        )
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Count(u64),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Count(count)) => Ok(Self::Upto(count)),
            Ok(Written::Word(word)) if word == "unlimited" => Ok(Self::Unlimited),
            _ => Err(de::Error::custom("expected a whole number or `unlimited`")),
        }
    }
}

impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Upto(count) => serializer.serialize_u64(*count),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_plans_read_as_in_the_price_table() {
        let plans = Plans::default();
        let list = |key: &str| plans.find(key).map(Plan::feature_list).unwrap_or_default().join(" ");
        assert_eq!(list("basic"), "5_users 10gb_storage basic_analytics email_support");
        assert_eq!(list("pro"), "25_users 100gb_storage advanced_analytics priority_support api_access custom_domain");
        assert_eq!(
            list("enterprise"),
            "unlimited_users 1tb_storage enterprise_analytics 24_7_support api_access custom_domain sso_integration sla_guarantee"
        );
    }
}
