//! The catalogue: every requirement, what it asks at each level, and where it is promised. `docs/conformance.md` is
//! made of it.

use odg_profiles::values::{BackupTopic, ClaimTopic, ServiceTopic, Topic};

/// One kind of requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// Stable name.
    pub id: &'static str,
    /// What must hold.
    pub holds: &'static str,
    /// What is asked of values files; none where they cannot say it.
    pub declared: Option<&'static str>,
    /// What is asked of manifests; none where they cannot say it.
    pub rendered: Option<&'static str>,
    /// Where it is promised, or why it is asked.
    pub why: &'static str,
}

const SEED: &str = "Components by Profile";
const VALUES: &str = "the values block of each profile";

macro_rules! requirements {
    ($($name:ident = $id:literal, $holds:literal, $declared:expr, $rendered:expr, $why:expr;)+) => {
        $(pub(super) const $name: Requirement = Requirement {
            id: $id, holds: $holds, declared: $declared, rendered: $rendered, why: $why,
        };)+
        /// Every requirement.
        pub const ALL: &[Requirement] = &[$($name),+];
    };
}

requirements! {
    COMPONENT = "component.presence",
        "A component that is promised is there, and one that must be absent is not.",
        Some("is its switch or block on?"),
        Some("is there a workload of it (by the label app.kubernetes.io/name, the object's name, or the image)?"), SEED;
    SERVICE = "service.presence", "The platform's own services are there.",
        Some("does it have resources, replicas or a block that is not switched off?"),
        Some("is there a workload of it?"), "What's Included";
    REPLICAS = "service.replicas", "A service has as many replicas or more.",
        Some("how many replicas?"), Some("how many replicas, or at the least with its autoscaler?"), VALUES;
    LIMITS = "service.limits", "A replica may use as much or more.",
        Some("which limit?"), Some("which limit has its main container?"), VALUES;
    REQUESTS = "service.requests", "A replica is given as much or more.",
        Some("which request?"), Some("which request has its main container?"), VALUES;
    GPU = "service.gpu", "A replica has as many GPUs or more.",
        Some("how many nvidia.com/gpu?"), Some("how many nvidia.com/gpu has its main container?"), VALUES;
    BOUNDS = "scaling.bounds", "Autoscaling reaches as far at both ends.",
        Some("which bounds, and is it switched on?"), Some("which bounds has its HorizontalPodAutoscaler?"), VALUES;
    TARGETS = "scaling.targets", "Autoscaling aims for the use that is promised, or for less.",
        Some("which target?"), Some("which target has its HorizontalPodAutoscaler?"), VALUES;
    SCALER = "scaling.works", "An autoscaler can work.",
        None, Some("does its target exist, is its minimum under its maximum, and do the target's containers request what it measures?"),
        "an autoscaler without target or request never scales";
    SIZE = "storage.size", "A volume is as large or larger; where a component spreads its data, all volumes together.",
        Some("which size?"), Some("which size has its volume claim?"), VALUES;
    STORES = "storage.replicas", "A store has as many replicas or more.",
        Some("how many replicas?"), Some("how many replicas with a volume?"), VALUES;
    DISTRIBUTED = "storage.distributed", "MinIO runs on several servers.",
        Some("is the mode distributed?"), Some("does it have more than one replica?"), VALUES;
    CLASS = "storage.class", "The storage class is the promise's own. It depends on the cloud, so that it does not count.",
        Some("which class?"), Some("which class have the volume claims?"), VALUES;
    COPIES = "storage.copies", "Everything is kept as many times or more.",
        Some("which replication factor?"), Some("which replication factor do Kafka's settings have?"), VALUES;
    ZONES = "zones.count", "There are as many zones or more; their names depend on the cloud.",
        Some("how many zones?"), None, VALUES;
    SPREAD = "zones.spread", "Replicated services and stores are spread over zones.",
        None, Some("does it have a topology spread or anti-affinity over topology.kubernetes.io/zone that means its own pods and must be kept?"), SEED;
    REGIONS = "regions.promised", "Several regions are set up.",
        Some("is it on, and how many regions?"), None, VALUES;
    FEDERATION = "federation.settings", "The federation has its instances and its way to resolve conflicts.",
        Some("how many instances, and which way?"), None, VALUES;
    STACK = "observability.stack", "The parts of the observability stack are there.",
        Some("is its block there and not off?"), Some("is there a workload of it?"), "Dev Profile / What's Included";
    ROUTES = "observability.routes", "Alerts reach the promised receivers.",
        Some("which switches of monitoring.alerting are on?"),
        Some("does a ConfigMap, Secret or AlertmanagerConfig configure the receiver?"), VALUES;
    UPTIME = "objective.stated", "The objectives for uptime and latency are stated as promised.",
        Some("which figure?"), None, VALUES;
    BACKUP = "backup.enabled", "Backups are made.",
        Some("are they switched on?"), Some("is there a CronJob or schedule with `backup` in its name or labels that is not suspended?"), VALUES;
    SCHEDULE = "backup.schedule", "They are made as often or more often.",
        Some("which schedule?"), Some("which schedule has it?"), VALUES;
    RETENTION = "backup.retention", "They are kept as long or longer.",
        Some("how many days?"), Some("which retention do its environment or arguments state, in days or with a unit?"), VALUES;
    CROSS = "backup.cross-region", "They are kept in another region too.",
        Some("is it switched on?"), None, VALUES;
    NODE = "placement.node-label", "A service runs on the promised nodes. The label depends on the cloud, so that it does not count.",
        Some("which node selector?"), Some("which node selector or affinity has it?"), VALUES;
    TUNING = "tuning.setting", "A recommended setting is made. It is a recommendation, so that it does not count.",
        Some("which value?"), None, "Performance Tuning";
    PROFILE = "files.profile", "The values are for this profile.",
        Some("which profile do they name?"), None, VALUES;
    LAYOUT = "files.layout", "All values are in one layout.",
        Some("do top-level keys belong to the other layout?"), None, "a chart reads only one of the two";
    UNREAD = "files.unread", "Every key is read by something. It does not count: what a misspelt key was meant for is missing by itself.",
        Some("is it a key of the layout, or a top-level key of the chart that was given?"), None, "a misspelt key changes nothing and looks as if it did";
    TYPES = "files.types", "Every value is of the right type.",
        Some("can it be read as what it must be?"), Some("can replicas, quantities and base64 be read?"), "an API server refuses them";
    API = "files.api-version", "Objects have API versions that Kubernetes 1.28 to 1.30 serve.",
        None, Some("is the version of a built-in kind served, removed or unknown?"), "the versions that the platform supports";
    CUSTOM = "files.custom", "Nothing of other people's kinds is left unread.",
        None, Some("which API groups were not looked into?"), "an operator may keep a promise that manifests cannot show";
    CARRIED = "carried", "The manifest carries what the values declare.",
        None, Some("is what was rendered what was declared?"), "what a chart ignores is not deployed";
    SUM_REQUESTS = "totals.requests", "What all replicas request fits the machine that is promised.",
        Some("sum of requests × replicas"), Some("sum of requests × replicas"), "Profile Comparison";
    SUM_LIMITS = "totals.limits", "What all replicas may use fits the machine that is promised. Limits may be overcommitted, so that it does not count.",
        Some("sum of limits × replicas, and at the most replicas"), Some("sum of limits × replicas, and at the most replicas"), "Profile Comparison";
    SUM_STORAGE = "totals.storage", "All volumes fit the storage that is promised.",
        Some("sum of volumes × replicas"), Some("sum of volumes × replicas"), "Profile Comparison";
    SUM_GPU = "totals.gpu", "All replicas' GPUs are there.",
        Some("sum of GPUs × replicas"), Some("sum of GPUs × replicas"), "Profile Comparison";
    CONNECTIONS = "connections.limit", "The services' connection pools fit the database's limit, at the most replicas.",
        Some("processes × (pool size + overflow) against max_connections less the reserved ones"),
        Some("processes × (pool size + overflow) against max_connections less the reserved ones"),
        "a service that gets no connection fails under the load that it was scaled for";
    KAFKA = "security.kafka", "Kafka asks who a client is and encrypts what it says.",
        Some("which protocol has its client listener?"), Some("which protocols have its listeners, the controller's aside?"),
        "it counts where the values declare SASL_SSL";
    SECRETS = "security.default-secret", "No secret is a published default, a placeholder or empty.",
        Some("is a value under a key like `password` well known?"),
        Some("is a value of a Secret, a ConfigMap, an environment variable, or the password in a URL there well known?"), "whoever reads the documentation could log in";
    NETWORK = "security.network-policy", "Network policies select the services' pods. The promise says nothing of them, so that it does not count.",
        None, Some("does a NetworkPolicy select its pods?"), "without one, every pod of the cluster can reach it";
    PDB = "disruption.budget", "A replicated service keeps replicas when a node is drained. The promise says nothing of it, so that it does not count.",
        None, Some("does a PodDisruptionBudget select its pods, and does it let any pod go?"), "without one, a drain may take all replicas at once";
    SELECTS = "wiring.selector", "A workload's selector matches its own pods.",
        None, Some("does it?"), "an API server refuses it";
    BACKENDS = "wiring.service", "Each Service has pods behind it.",
        None, Some("does its selector match pods, and do they have the named ports?"), "a Service without backends answers nobody";
    CLAIMS = "wiring.claim", "Each volume claim that a pod names is there.",
        None, Some("is there a PersistentVolumeClaim of that name?"), "a pod without its volume never starts";
    IDLE = "wiring.idle", "Budgets and network policies select something. It does not count.",
        None, Some("does its selector match pods?"), "one that selects nothing looks as if it did";
}

/// The requirement that a promise is an instance of.
pub(super) const fn of(topic: &Topic) -> &'static Requirement {
    match topic {
        Topic::ProfileName => &PROFILE,
        Topic::Component(_) => &COMPONENT,
        Topic::Service(_, about) => match about {
            ServiceTopic::Presence => &SERVICE,
            ServiceTopic::Replicas => &REPLICAS,
            ServiceTopic::LimitCpu | ServiceTopic::LimitMemory => &LIMITS,
            ServiceTopic::LimitGpu => &GPU,
            ServiceTopic::RequestCpu | ServiceTopic::RequestMemory => &REQUESTS,
            ServiceTopic::ScaleMin | ServiceTopic::ScaleMax => &BOUNDS,
            ServiceTopic::ScaleCpu | ServiceTopic::ScaleMemory => &TARGETS,
        },
        Topic::NodeLabel { .. } => &NODE,
        Topic::StorageClass => &CLASS,
        Topic::ReplicationFactor => &COPIES,
        Topic::Claim(_, about) => match about {
            ClaimTopic::Size | ClaimTopic::Capacity => &SIZE,
            ClaimTopic::Replicas => &STORES,
            ClaimTopic::Distributed => &DISTRIBUTED,
        },
        Topic::Zones => &ZONES,
        Topic::MultiRegion | Topic::Regions => &REGIONS,
        Topic::Instances | Topic::Crdt | Topic::ConflictResolution => &FEDERATION,
        Topic::Stack(_) => &STACK,
        Topic::AlertRoutes => &ROUTES,
        Topic::Uptime | Topic::LatencyP99 => &UPTIME,
        Topic::Backup(about) => match about {
            BackupTopic::Enabled => &BACKUP,
            BackupTopic::Schedule => &SCHEDULE,
            BackupTopic::Retention => &RETENTION,
            BackupTopic::CrossRegion => &CROSS,
        },
        Topic::Tuning(_) => &TUNING,
    }
}

/// Whose a promise is, for people.
pub(super) fn subject(topic: &Topic) -> String {
    let text = match topic {
        Topic::Component(component) => component.name(),
        Topic::Service(name, about) => {
            let what = match about {
                ServiceTopic::Presence | ServiceTopic::Replicas => "",
                ServiceTopic::LimitCpu => " cpu limit",
                ServiceTopic::RequestCpu => " cpu request",
                ServiceTopic::LimitMemory => " memory limit",
                ServiceTopic::RequestMemory => " memory request",
                ServiceTopic::LimitGpu => " gpu",
                ServiceTopic::ScaleMin => " min",
                ServiceTopic::ScaleMax => " max",
                ServiceTopic::ScaleCpu => " cpu target",
                ServiceTopic::ScaleMemory => " memory target",
            };
            return format!("{name}{what}");
        }
        Topic::NodeLabel { service, label } => return format!("{service} {label}"),
        Topic::Claim(component, about) => {
            let what = match about {
                ClaimTopic::Size => "",
                ClaimTopic::Capacity => " in all",
                ClaimTopic::Replicas => " replicas",
                ClaimTopic::Distributed => " distributed",
            };
            return format!("{}{what}", component.name());
        }
        Topic::Stack(part) => part,
        Topic::Tuning(setting) => setting,
        Topic::ProfileName => "profile",
        Topic::StorageClass => "class",
        Topic::ReplicationFactor => "copies",
        Topic::Zones => "zones",
        Topic::MultiRegion => "switch",
        Topic::Regions => "regions",
        Topic::Instances => "instances",
        Topic::Crdt => "crdt",
        Topic::ConflictResolution => "conflict resolution",
        Topic::AlertRoutes => "alert routes",
        Topic::Uptime => "uptime",
        Topic::LatencyP99 => "p99",
        Topic::Backup(BackupTopic::Enabled) => "",
        Topic::Backup(BackupTopic::Schedule) => "schedule",
        Topic::Backup(BackupTopic::Retention) => "retention days",
        Topic::Backup(BackupTopic::CrossRegion) => "cross-region",
    };
    text.to_owned()
}
