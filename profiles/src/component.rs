//! The rows of the promise's feature matrix.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::nearest::nearest;

/// One row of the table "Components by Profile". The last three are features of the deployment, not servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// Relational database for state.
    Postgresql,
    /// Cache and session store.
    Redis,
    /// Object storage (S3-compatible).
    Minio,
    /// Lightweight messaging.
    Nats,
    /// Event streaming (high volume).
    Kafka,
    /// SQL query engine.
    Trino,
    /// Workflow orchestration.
    Airflow,
    /// Data catalog and lineage.
    Datahub,
    /// Vector database for AI.
    Qdrant,
    /// AI-powered recommendations.
    AiExperts,
    /// GPU acceleration for AI.
    Gpu,
    /// High availability over several zones.
    MultiAz,
    /// Multi-region data sharing.
    CosmosFederation,
}

impl Component {
    /// All rows, in the table's order.
    pub const ALL: [Self; 13] = [
        Self::Postgresql,
        Self::Redis,
        Self::Minio,
        Self::Nats,
        Self::Kafka,
        Self::Trino,
        Self::Airflow,
        Self::Datahub,
        Self::Qdrant,
        Self::AiExperts,
        Self::Gpu,
        Self::MultiAz,
        Self::CosmosFederation,
    ];

    /// Stable name for files, flags and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Redis => "redis",
            Self::Minio => "minio",
            Self::Nats => "nats",
            Self::Kafka => "kafka",
            Self::Trino => "trino",
            Self::Airflow => "airflow",
            Self::Datahub => "datahub",
            Self::Qdrant => "qdrant",
            Self::AiExperts => "ai-experts",
            Self::Gpu => "gpu",
            Self::MultiAz => "multi-az",
            Self::CosmosFederation => "cosmos-federation",
        }
    }

    /// Name as the promise writes it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Minio => "MinIO",
            Self::Nats => "NATS",
            Self::Kafka => "Kafka",
            Self::Trino => "Trino",
            Self::Airflow => "Airflow",
            Self::Datahub => "DataHub",
            Self::Qdrant => "Qdrant",
            Self::AiExperts => "AI Experts",
            Self::Gpu => "GPU",
            Self::MultiAz => "Multi-AZ",
            Self::CosmosFederation => "COSMOS Federation",
        }
    }

    /// What it is for, as the promise puts it.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Postgresql => "Relational database for state",
            Self::Redis => "Cache and session store",
            Self::Minio => "Object storage (S3-compatible)",
            Self::Nats => "Lightweight messaging",
            Self::Kafka => "Event streaming (high volume)",
            Self::Trino => "SQL query engine",
            Self::Airflow => "Workflow orchestration",
            Self::Datahub => "Data catalog and lineage",
            Self::Qdrant => "Vector database for AI",
            Self::AiExperts => "AI-powered recommendations",
            Self::Gpu => "GPU acceleration for AI",
            Self::MultiAz => "High availability",
            Self::CosmosFederation => "Multi-region data sharing",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// A word that names no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no component is called `{word}`; the nearest is `{nearest}`")]
pub struct UnknownComponent {
    /// The word.
    pub word: String,
    /// The nearest name.
    pub nearest: &'static str,
}

impl FromStr for Component {
    type Err = UnknownComponent;

    fn from_str(word: &str) -> Result<Self, UnknownComponent> {
        Self::ALL.into_iter().find(|c| c.name() == word).ok_or_else(|| UnknownComponent {
            word: word.to_owned(),
            nearest: nearest(word, Self::ALL.iter().map(|c| c.name())).unwrap_or_default(),
        })
    }
}

/// What a profile promises about a component. Absent is a promise too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It is there.
    Present,
    /// It may be there.
    Optional,
    /// It is not there.
    Absent,
}

impl Presence {
    /// Stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Optional => "optional",
            Self::Absent => "absent",
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_one_in_files_and_reads_back() {
        for component in Component::ALL {
            assert_eq!(component.name().parse(), Ok(component));
            assert_eq!(serde_json::to_value(component).unwrap(), component.name());
        }
    }

    #[test]
    fn a_misspelt_component_is_answered_with_the_nearest_name() {
        let error = "postgres".parse::<Component>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "no component is called `postgres`; the nearest is `postgresql`"
        );
    }
}
