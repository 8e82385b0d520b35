//! API versions: which this program reads, and which no API server has any more.

use super::inventory::Seen;

/// What is known of an API version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiState {
    /// Read, or known and of no concern.
    Known,
    /// Taken out of Kubernetes before 1.28, the oldest that the platform supports.
    Removed,
    /// Neither.
    Unknown,
}

/// An object whose API version is not one of those known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiNote {
    /// The object.
    pub seen: Seen,
    /// Its API version.
    pub version: String,
    /// What is known of it.
    pub state: ApiState,
}

/// Versions of Kubernetes' own kinds that are served today.
const SERVED: [(&str, &[&str]); 34] = [
    ("Deployment", &["apps/v1"]),
    ("StatefulSet", &["apps/v1"]),
    ("DaemonSet", &["apps/v1"]),
    ("ReplicaSet", &["apps/v1"]),
    ("Pod", &["v1"]),
    ("Service", &["v1"]),
    ("Secret", &["v1"]),
    ("ConfigMap", &["v1"]),
    ("Namespace", &["v1"]),
    ("ServiceAccount", &["v1"]),
    ("PersistentVolume", &["v1"]),
    ("PersistentVolumeClaim", &["v1"]),
    ("ResourceQuota", &["v1"]),
    ("LimitRange", &["v1"]),
    ("Endpoints", &["v1"]),
    ("ReplicationController", &["v1"]),
    ("Job", &["batch/v1"]),
    ("CronJob", &["batch/v1"]),
    ("HorizontalPodAutoscaler", &["autoscaling/v2", "autoscaling/v1"]),
    ("PodDisruptionBudget", &["policy/v1"]),
    ("NetworkPolicy", &["networking.k8s.io/v1"]),
    ("Ingress", &["networking.k8s.io/v1"]),
    ("IngressClass", &["networking.k8s.io/v1"]),
    ("Role", &["rbac.authorization.k8s.io/v1"]),
    ("RoleBinding", &["rbac.authorization.k8s.io/v1"]),
    ("ClusterRole", &["rbac.authorization.k8s.io/v1"]),
    ("ClusterRoleBinding", &["rbac.authorization.k8s.io/v1"]),
    ("StorageClass", &["storage.k8s.io/v1"]),
    ("PriorityClass", &["scheduling.k8s.io/v1"]),
    ("CustomResourceDefinition", &["apiextensions.k8s.io/v1"]),
    ("APIService", &["apiregistration.k8s.io/v1"]),
    ("MutatingWebhookConfiguration", &["admissionregistration.k8s.io/v1"]),
    ("ValidatingWebhookConfiguration", &["admissionregistration.k8s.io/v1"]),
    ("PodSecurityPolicy", &[]),
];

/// Versions that were taken out (kubernetes.io, "Deprecated API Migration Guide").
const REMOVED: [&str; 14] = [
    "extensions/v1beta1",
    "apps/v1beta1",
    "apps/v1beta2",
    "batch/v1beta1",
    "batch/v2alpha1",
    "autoscaling/v2beta1",
    "autoscaling/v2beta2",
    "policy/v1beta1",
    "networking.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1beta1",
    "storage.k8s.io/v1beta1",
    "scheduling.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "admissionregistration.k8s.io/v1beta1",
];

/// What is known of a kind of Kubernetes' own; none where the kind is somebody else's.
pub(super) fn state(kind: &str, version: &str) -> Option<ApiState> {
    let (_, served) = SERVED.iter().find(|(known, _)| *known == kind)?;
    // `serving.knative.dev/v1` has a kind `Service` too.
    let own = !version.contains('/')
        || ["apps/", "batch/", "autoscaling/", "policy/", "extensions/"]
            .iter()
            .any(|group| version.starts_with(group))
        || version.split('/').next().is_some_and(|group| group.ends_with(".k8s.io"));
    if !own {
        return None;
    }
    Some(if served.contains(&version) {
        ApiState::Known
    } else if REMOVED.contains(&version) {
        ApiState::Removed
    } else {
        ApiState::Unknown
    })
}
