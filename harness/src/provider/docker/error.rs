//! What can go wrong between odg-bench and a container engine, each in one line.

use odg_profiles::Component;

/// Oldest API that has everything this provider asks for: Docker Engine 20.10.
pub(super) const OLDEST_API: (u32, u32) = (1, 41);

/// Why containers could not be planned, started or looked at.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// Nothing answers where the engine is expected.
    #[error("no container engine answers at {address} ({reason}); {hint}")]
    NoEngine {
        /// Where it was looked for.
        address: String,
        /// The system's answer.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The engine's socket is not this user's.
    #[error(
        "you may not use the container engine at {address}; join its group (usually docker) or run as root"
    )]
    NotPermitted {
        /// Where it is.
        address: String,
    },
    /// The engine is set up in a way that this provider does not serve.
    #[error("the container engine at {address} cannot be used: {reason}")]
    Unsupported {
        /// Where it is.
        address: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The engine speaks an API that is too old, or none that is known.
    #[error(
        "the container engine at {address} ({engine}) speaks API version {found}; odg-bench needs {}.{} (Docker Engine 20.10) or newer",
        OLDEST_API.0, OLDEST_API.1
    )]
    Api {
        /// Where it is.
        address: String,
        /// What it calls itself.
        engine: String,
        /// The version that it gave.
        found: String,
    },
    /// The engine refused or did not answer.
    #[error("the container engine could not {what}: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its answer.
        reason: String,
    },
    /// No image is named for a component.
    #[error(
        "{}: the profile names no container image; name one with --images FILE ({}: REFERENCE) or in the profile's images",
        component.name(), component.name()
    )]
    NoReference {
        /// Component.
        component: Component,
    },
    /// An image is not here and could not be pulled.
    #[error(
        "{}: image {image} is not here and could not be pulled ({reason}); without a registry name another with --images FILE, or bring it with `docker load`",
        component.name()
    )]
    NoImage {
        /// Component.
        component: Component,
        /// The reference.
        image: String,
        /// The engine's or registry's answer.
        reason: String,
    },
    /// A port on this machine was taken before the container could have it.
    #[error(
        "{}: {} of 127.0.0.1 is taken by another program; start the run again",
        component.name(), port.map_or_else(|| "a port".to_owned(), |port| format!("port {port}"))
    )]
    PortTaken {
        /// Component.
        component: Component,
        /// The port, where the engine says which.
        port: Option<u16>,
    },
}

impl DockerError {
    /// The engine's refusal, with its own words on one line.
    pub(super) fn refused(what: impl Into<String>, error: &bollard::errors::Error) -> Self {
        Self::Refused { what: what.into(), reason: words(error) }
    }
}

/// An engine's error as one line, without the client's wrapping.
pub(super) fn words(error: &bollard::errors::Error) -> String {
    use bollard::errors::Error;
    let text = match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        Error::RequestTimeoutError => "it did not answer in time".to_owned(),
        other => other.to_string(),
    };
    one_line(&text)
}

/// Text from an engine as one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the engine said that something does not exist.
pub(super) fn is_missing(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}
