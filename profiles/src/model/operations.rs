//! How a deployment is run, and what it costs.

use serde::{Deserialize, Serialize};

/// What the promise lists with a tick and with a cross.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Included.
    pub included: Vec<String>,
    /// Not included.
    pub excluded: Vec<String>,
}

/// Monitoring and alerting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observability {
    /// Parts of the observability stack.
    pub stack: Vec<String>,
    /// Somebody watches, day and night.
    #[serde(default)]
    pub around_the_clock: bool,
    /// Where alerts go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alert_routes: Vec<String>,
}

/// Backups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Promised.
    pub enabled: bool,
    /// When, as a cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Days that a backup is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Kept in another region too.
    #[serde(default)]
    pub cross_region: bool,
    /// A second cluster stands ready.
    #[serde(default)]
    pub disaster_recovery: bool,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostItem {
    /// What.
    pub item: String,
    /// US dollars a month.
    pub usd: u32,
}

/// Monthly cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Stated total, in US dollars a month. The promise marks all of them as estimates.
    pub total_usd: u32,
    /// The total is a lower bound (`~$15,000+`).
    #[serde(default)]
    pub at_least: bool,
    /// The bill, where the promise has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakdown: Vec<CostItem>,
}

impl Cost {
    /// Sum of the bill, in US dollars a month; absent where there is no bill.
    pub fn breakdown_sum(&self) -> Option<u64> {
        (!self.breakdown.is_empty()).then(|| self.breakdown.iter().map(|i| u64::from(i.usd)).sum())
    }

    /// Sum of the bill − stated total, in US dollars a month; absent where there is no bill.
    pub fn unexplained_usd(&self) -> Option<i64> {
        let sum = i64::try_from(self.breakdown_sum()?).unwrap_or(i64::MAX);
        Some(sum - i64::from(self.total_usd))
    }
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Published value; never the value of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Holds a secret.
    #[serde(default)]
    pub secret: bool,
}

/// A page to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Name.
    pub name: String,
    /// URL.
    pub url: String,
}

/// How one gets to a profile from the next smaller one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// The smaller profile.
    pub from: String,
    /// Steps, in order.
    pub steps: Vec<String>,
}

/// One recommended setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Setting.
    pub setting: String,
    /// Value.
    pub value: String,
    /// Why, in the promise's words.
    pub note: String,
}

/// Known trouble and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// What is seen.
    pub symptom: String,
    /// What to do.
    pub action: String,
}
