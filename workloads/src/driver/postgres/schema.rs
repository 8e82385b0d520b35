//! The platform's tables, in a schema of the run's own.
//!
//! Columns and indexes follow the platform's migrations where those state them; `bronze_objects` is
//! odg-bench's own: the register of every object a batch became. Statements run with `search_path`
//! set to the run's schema, so no name here needs a schema in front.

/// Creates everything; safe to run twice.
pub(super) const CREATE: &str = r"
CREATE TABLE IF NOT EXISTS governance_decisions (
    id uuid PRIMARY KEY,
    decision_type varchar(50) NOT NULL,
    title varchar(500) NOT NULL,
    description text NOT NULL,
    status varchar(30) NOT NULL DEFAULT 'pending',
    domain_id varchar(100) NOT NULL,
    created_by varchar(200) NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata jsonb,
    source_layer varchar(20),
    target_layer varchar(20),
    data_classification varchar(20)
);
CREATE INDEX IF NOT EXISTS governance_decisions_domain ON governance_decisions (domain_id);
CREATE INDEX IF NOT EXISTS governance_decisions_status ON governance_decisions (status, domain_id);

CREATE TABLE IF NOT EXISTS audit_events (
    id uuid PRIMARY KEY,
    event_type varchar(50) NOT NULL,
    entity_type varchar(100) NOT NULL,
    entity_id varchar(200) NOT NULL,
    actor_id varchar(200) NOT NULL,
    description text NOT NULL,
    details jsonb,
    occurred_at timestamptz NOT NULL,
    previous_hash varchar(64) NOT NULL,
    event_hash varchar(64) NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_events_type ON audit_events (event_type);
CREATE INDEX IF NOT EXISTS audit_events_entity ON audit_events (entity_id);
CREATE INDEX IF NOT EXISTS audit_events_actor ON audit_events (actor_id);
CREATE INDEX IF NOT EXISTS audit_events_time ON audit_events (occurred_at);
CREATE OR REPLACE FUNCTION audit_events_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_events can only be appended to';
END $$;
CREATE OR REPLACE TRIGGER audit_events_immutable BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_immutable();

CREATE TABLE IF NOT EXISTS quality_reports (
    id uuid PRIMARY KEY,
    dataset_id varchar(200) NOT NULL,
    domain_id varchar(100) NOT NULL,
    layer varchar(20) NOT NULL,
    suite_name varchar(200) NOT NULL,
    dq_score double precision NOT NULL,
    dimension_scores jsonb,
    expectations_passed integer NOT NULL,
    expectations_failed integer NOT NULL,
    expectations_total integer NOT NULL,
    report_details jsonb,
    triggered_by uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS quality_reports_dataset ON quality_reports (dataset_id);
CREATE INDEX IF NOT EXISTS quality_reports_domain ON quality_reports (domain_id);
CREATE INDEX IF NOT EXISTS quality_reports_layer ON quality_reports (dataset_id, layer);

CREATE TABLE IF NOT EXISTS dataset_metadata (
    dataset_id varchar(500) PRIMARY KEY,
    domain_id varchar(100) NOT NULL,
    layer varchar(20) NOT NULL,
    events bigint NOT NULL,
    bytes bigint NOT NULL,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS dataset_metadata_domain ON dataset_metadata (domain_id);

CREATE TABLE IF NOT EXISTS lineage_events (
    id uuid PRIMARY KEY,
    dataset_id varchar(500) NOT NULL,
    operation varchar(20) NOT NULL,
    upstream jsonb NOT NULL,
    downstream jsonb NOT NULL,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS lineage_events_dataset ON lineage_events (dataset_id);
CREATE INDEX IF NOT EXISTS lineage_events_time ON lineage_events (occurred_at);

CREATE TABLE IF NOT EXISTS lineage_edges (
    source_id varchar(500) NOT NULL,
    target_id varchar(500) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, target_id)
);
CREATE INDEX IF NOT EXISTS lineage_edges_target ON lineage_edges (target_id);

CREATE TABLE IF NOT EXISTS bronze_objects (
    key text PRIMARY KEY,
    bucket varchar(63) NOT NULL,
    layer varchar(20) NOT NULL,
    bytes bigint NOT NULL,
    events bigint NOT NULL,
    crc32c bigint NOT NULL,
    first_intended_at timestamptz NOT NULL,
    last_intended_at timestamptz NOT NULL,
    parents text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS bronze_objects_layer ON bronze_objects (layer, created_at);
";

/// One row: how much there is of everything.
pub(super) const COUNTS: &str = "SELECT
    (SELECT count(*) FROM governance_decisions),
    (SELECT count(*) FROM audit_events),
    (SELECT count(*) FROM quality_reports),
    (SELECT count(*) FROM dataset_metadata),
    (SELECT count(*) FROM lineage_events),
    (SELECT count(*) FROM lineage_edges)";

/// One row per layer: objects, events and bytes.
pub(super) const LAYERS: &str = "SELECT layer, count(*), sum(events)::bigint, sum(bytes)::bigint
    FROM bronze_objects GROUP BY layer ORDER BY layer";

pub(super) const INSERT_OBJECT: &str = "INSERT INTO bronze_objects
    (key, bucket, layer, bytes, events, crc32c, first_intended_at, last_intended_at, parents)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (key) DO NOTHING";

pub(super) const UPSERT_DATASETS: &str = "INSERT INTO dataset_metadata AS known
    (dataset_id, domain_id, layer, events, bytes)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
    ON CONFLICT (dataset_id) DO UPDATE SET
        domain_id = excluded.domain_id, layer = excluded.layer, updated_at = now(),
        events = known.events + excluded.events, bytes = known.bytes + excluded.bytes";

pub(super) const INSERT_LINEAGE: &str = "INSERT INTO lineage_events
    (id, dataset_id, operation, upstream, downstream, occurred_at)
    SELECT id, dataset, operation, upstream::jsonb, downstream::jsonb, at
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        AS rows (id, dataset, operation, upstream, downstream, at)";

pub(super) const INSERT_EDGES: &str = "INSERT INTO lineage_edges (source_id, target_id)
    SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";

pub(super) const INSERT_QUALITY: &str = "INSERT INTO quality_reports
    (id, dataset_id, domain_id, layer, suite_name, dq_score, dimension_scores,
     expectations_passed, expectations_failed, expectations_total, created_at)
    SELECT id, dataset, domain, layer, suite, score, dimensions::jsonb,
        passed, failed, passed + failed, at
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[],
        $7::text[], $8::int[], $9::int[], $10::timestamptz[])
        AS rows (id, dataset, domain, layer, suite, score, dimensions, passed, failed, at)";

pub(super) const INSERT_DECISIONS: &str = "INSERT INTO governance_decisions
    (id, decision_type, title, description, status, domain_id, created_by, created_at, updated_at,
     metadata, source_layer, target_layer, data_classification)
    SELECT id, kind, title, description, status, domain, creator, at, at, metadata::jsonb,
        source, target, classification
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[])
        AS rows (id, kind, title, description, status, domain, creator, at, metadata,
            source, target, classification)";

pub(super) const INSERT_AUDIT: &str = "INSERT INTO audit_events
    (id, event_type, entity_type, entity_id, actor_id, description, details, occurred_at,
     previous_hash, event_hash)
    SELECT id, kind, entity_kind, entity, actor, description, details::jsonb, at, previous, hash
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::text[], $10::text[])
        AS rows (id, kind, entity_kind, entity, actor, description, details, at, previous, hash)";

pub(super) const AUDIT_PAGE: &str = "SELECT id, event_type, entity_type, entity_id, actor_id,
    description, details::text, occurred_at, previous_hash, event_hash
    FROM audit_events WHERE occurred_at > $1 ORDER BY occurred_at LIMIT $2";

pub(super) const LOOKUP_DATASET: &str =
    "SELECT domain_id, layer, events, bytes FROM dataset_metadata WHERE dataset_id = $1";

pub(super) const LOOKUP_OBJECT: &str = "SELECT bucket, layer, bytes, events, crc32c,
    first_intended_at, last_intended_at, parents FROM bronze_objects WHERE key = $1";
