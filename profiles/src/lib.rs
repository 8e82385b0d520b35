//! The four OpenDataGov deployment profiles as data, and their typed model.
//!
//! A profile is what a deployment promises: components, resources, daily volume, latency objectives,
//! cost. The data lies in `data/*.yaml`; every figure says whether the promise states it
//! ([`Origin::Documented`]) or we derived it ([`Origin::Derived`]) and why.
//!
//! ```
//! use odg_profiles::{Component, Presence, Profile};
//!
//! let small = Profile::load("small")?;
//! assert_eq!(small.resources.vcpu, 16);
//! assert_eq!(small.presence(Component::Kafka), Presence::Present);
//! # Ok::<(), odg_profiles::ProfileError>(())
//! ```

mod checks;
mod component;
mod diff;
mod error;
mod image;
mod load;
pub mod model;
mod nearest;
mod provenance;
mod recommend;
mod rows;
mod tree;
pub mod units;
mod validate;
pub mod values;

pub use checks::{Contradiction, checks, claimed_bytes};
pub use component::{Component, Presence, UnknownComponent};
pub use diff::{Difference, diff};
pub use error::ProfileError;
pub use image::{ImageError, ImageReference, read_images};
pub use load::names;
pub use model::{OPERATIONS, Objective, Profile, Uptime};
pub use nearest::nearest;
pub use provenance::{Origin, Provenance};
pub use recommend::{Need, Recommendation, UnknownNeed, recommend};
pub use rows::Row;
pub use units::*;
