//! Kubernetes manifests, read document by document into the few things that a promise can be compared with.

mod api;
mod inventory;
mod object;
mod secret;
mod stream;
mod workload;

pub use api::{ApiNote, ApiState};
pub use inventory::{
    Budget, Custom, Inventory, Policy, Scaler, Schedule, Seen, ServiceObject, VolumeClaim,
    WeakSecret, Wrong,
};
pub use secret::{url_weakness, weakness};
pub use stream::{MAX_DOCUMENT_BYTES, MAX_MANIFEST_BYTES, ManifestError, Source, read};
pub use workload::{ClaimTemplate, Container, Selector, Workload, WorkloadKind};
