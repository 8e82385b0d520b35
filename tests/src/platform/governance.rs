//! governance-engine: its tables, its routes, its rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, Row};

use super::chain::{self, Event};
use super::http::{Answer, Asked, refuse};
use super::{Defect, State};

/// The tables that the running services write.
pub(super) const TABLES: &str = "
CREATE TABLE governance_decisions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), decision_type varchar(50) NOT NULL,
    title varchar(500) NOT NULL, description text NOT NULL,
    status varchar(30) NOT NULL DEFAULT 'pending', domain_id varchar(100) NOT NULL,
    created_by varchar(200) NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), metadata jsonb,
    source_layer varchar(20), target_layer varchar(20), data_classification varchar(20));
CREATE INDEX ON governance_decisions (domain_id);
CREATE TABLE approval_records (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    decision_id uuid NOT NULL REFERENCES governance_decisions, voter_id varchar(200) NOT NULL,
    voter_role varchar(20) NOT NULL, vote varchar(10) NOT NULL, comment text NOT NULL,
    voted_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON approval_records (decision_id);
CREATE TABLE veto_records (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    decision_id uuid NOT NULL REFERENCES governance_decisions, vetoed_by varchar(200) NOT NULL,
    vetoed_by_role varchar(20) NOT NULL, reason text NOT NULL, status varchar(20) NOT NULL,
    vetoed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '24 hours',
    overridden_by varchar(200), overridden_at timestamptz);
CREATE INDEX ON veto_records (decision_id);
CREATE TABLE audit_events (
    id uuid PRIMARY KEY, event_type varchar(50) NOT NULL, entity_type varchar(100) NOT NULL,
    entity_id varchar(200) NOT NULL, actor_id varchar(200) NOT NULL, description text NOT NULL,
    details jsonb NOT NULL, occurred_at timestamptz NOT NULL, previous_hash varchar(64) NOT NULL,
    event_hash varchar(64) NOT NULL);
CREATE INDEX ON audit_events (occurred_at);
CREATE INDEX ON audit_events (entity_id);
CREATE TABLE raci_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id varchar(200) NOT NULL,
    domain_id varchar(100) NOT NULL, role varchar(20) NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT clock_timestamp(), assigned_by varchar(200) NOT NULL,
    UNIQUE (user_id, domain_id));
";

/// A decision as the service shows it.
const DECISION: &str = "json_build_object('id', id, 'decision_type', decision_type, 'title', title,
    'description', description, 'status', status, 'domain_id', domain_id, 'created_by', created_by,
    'created_at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
    'updated_at', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
    'promotion', CASE WHEN source_layer IS NOT NULL THEN
    json_build_object('source_layer', source_layer, 'target_layer', target_layer) END)::text";
const APPROVAL: &str =
    "json_build_object('id', id, 'decision_id', decision_id, 'voter_id', voter_id,
    'voter_role', voter_role, 'vote', vote, 'comment', comment, 'voted_at',
    to_char(voted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))::text";
const VETO: &str = "json_build_object('id', id, 'decision_id', decision_id, 'vetoed_by', vetoed_by,
    'vetoed_by_role', vetoed_by_role, 'reason', reason, 'status', status,
    'overridden_by', overridden_by)::text";
const ROLE: &str =
    "json_build_object('id', id, 'user_id', user_id, 'domain_id', domain_id, 'role', role,
    'assigned_by', assigned_by)::text";
const AUDIT: &str = "json_build_object('id', id, 'event_type', event_type, 'entity_type', entity_type,
    'entity_id', entity_id, 'actor_id', actor_id, 'description', description, 'event_hash', event_hash,
    'occurred_at', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))::text";

/// Rows as a JSON array; `$1…` are texts.
async fn rows(pool: &PgPool, sql: String, values: &[&str]) -> Value {
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for value in values {
        query = query.bind(*value);
    }
    let rows = query.fetch_all(pool).await.unwrap();
    rows.iter().map(|row| serde_json::from_str::<Value>(row.get(0)).unwrap()).collect()
}

/// One row as JSON, or null.
async fn one(connection: &mut PgConnection, sql: String, values: &[&str]) -> Value {
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for value in values {
        query = query.bind(*value);
    }
    let row = query.fetch_optional(connection).await.unwrap();
    row.map_or(Value::Null, |row| serde_json::from_str(row.get(0)).unwrap())
}

/// Ready, where the database answers soon.
pub(super) async fn ready(state: &State) -> Answer {
    let ask = sqlx::query("SELECT 1").execute(&state.pool);
    let patience = std::time::Duration::from_secs(1);
    let answers = tokio::time::timeout(patience, ask).await.is_ok_and(|r| r.is_ok());
    if answers || state.has(Defect::StaticReadiness) {
        return (200, json!({"status": "ready"}));
    }
    (503, json!({"status": "not ready"}))
}

pub(super) async fn route(state: &State, asked: &Asked, method: &str, path: &[&str]) -> Answer {
    let page = format!("LIMIT {} OFFSET {}", asked.number("limit", 50), asked.number("offset", 0));
    match (method, path) {
        ("POST", ["decisions"]) => create(state, asked).await,
        ("GET", ["decisions"]) => {
            let sql = format!(
                "SELECT {DECISION} FROM governance_decisions WHERE domain_id = $1
                 ORDER BY created_at DESC {page}"
            );
            (200, rows(&state.pool, sql, &[asked.query("domain_id").unwrap_or_default()]).await)
        }
        ("GET", ["decisions", id]) => read(state, id).await,
        ("POST", ["decisions", id, "submit"]) => submit(state, asked, id).await,
        ("POST", ["decisions", id, "approve"]) => approve(state, asked, id).await,
        ("GET", ["decisions", id, "approvals"]) => {
            let sql = format!(
                "SELECT {APPROVAL} FROM approval_records WHERE decision_id = $1::uuid ORDER BY voted_at"
            );
            (200, rows(&state.pool, sql, &[id]).await)
        }
        ("POST", ["decisions", id, "veto"]) => veto(state, asked, id).await,
        ("POST", ["decisions", id, "vetoes", veto, "override"]) => {
            override_veto(state, asked, id, veto).await
        }
        ("POST", ["roles"]) => assign(state, asked).await,
        ("DELETE", ["roles", id]) => revoke(state, asked, id).await,
        ("GET", ["roles", "domain", domain]) => {
            let sql = format!("SELECT {ROLE} FROM raci_assignments WHERE domain_id = $1");
            (200, rows(&state.pool, sql, &[domain]).await)
        }
        ("GET", ["audit"]) => {
            let sql = format!("SELECT {AUDIT} FROM audit_events ORDER BY occurred_at DESC {page}");
            (200, rows(&state.pool, sql, &[]).await)
        }
        ("GET", ["audit", "verify"]) => {
            let mut connection = state.pool.acquire().await.unwrap();
            let valid = state.has(Defect::VerifyAlwaysTrue) || chain::verify(&mut connection).await;
            (200, json!({"is_valid": valid}))
        }
        _ => refuse(404, "Not Found"),
    }
}

async fn event(
    state: &State,
    connection: &mut PgConnection,
    kind: &str,
    entity_id: &str,
    actor: &str,
    details: BTreeMap<String, Value>,
) {
    let description = format!("{} by {actor} – {entity_id}", kind.replace('_', " "));
    let entity_type = if kind.starts_with("role") { "raci_assignment" } else { "decision" };
    let event = Event { kind, entity_type, entity_id, actor, description, details };
    chain::append(connection, event, !state.has(Defect::ForkedChain)).await;
}

async fn create(state: &State, asked: &Asked) -> Answer {
    if asked.text("title").is_empty() || asked.text("domain_id").is_empty() {
        return refuse(422, "title and domain_id");
    }
    let mut transaction = state.pool.begin().await.unwrap();
    let sql = format!(
        "INSERT INTO governance_decisions (decision_type, title, description, domain_id, created_by,
         source_layer, target_layer) VALUES ($1, $2, $3, $4, $5, nullif($6, ''), nullif($7, ''))
         RETURNING {DECISION}"
    );
    let promotion =
        |field: &str| asked.body["promotion"][field].as_str().unwrap_or_default().to_owned();
    let values = [
        asked.text("decision_type"),
        asked.text("title"),
        asked.text("description"),
        asked.text("domain_id"),
        asked.text("created_by"),
        &promotion("source_layer"),
        &promotion("target_layer"),
    ];
    let decision = one(&mut transaction, sql, &values).await;
    if state.has(Defect::LostWrite) {
        transaction.rollback().await.unwrap();
        return (201, decision);
    }
    let id = decision["id"].as_str().unwrap_or_default();
    let by = asked.text("created_by");
    event(state, &mut transaction, "decision_created", id, by, BTreeMap::new()).await;
    transaction.commit().await.unwrap();
    (201, decision)
}

async fn read(state: &State, id: &str) -> Answer {
    let mut connection = state.pool.acquire().await.unwrap();
    let sql = format!("SELECT {DECISION} FROM governance_decisions WHERE id = $1::uuid");
    let mut decision = one(&mut connection, sql, &[id]).await;
    if decision.is_null() {
        return refuse(404, "no such decision");
    }
    if state.has(Defect::StaleReadBack) {
        decision["status"] = json!("pending");
    }
    (200, decision)
}

/// The decision's status and domain, locked until the transaction ends.
async fn lock(connection: &mut PgConnection, id: &str) -> Option<(String, String)> {
    let sql = "SELECT status, domain_id FROM governance_decisions WHERE id = $1::uuid FOR UPDATE";
    let row = sqlx::query(sql).bind(id).fetch_optional(connection).await.unwrap()?;
    Some((row.get(0), row.get(1)))
}

async fn set_status(connection: &mut PgConnection, id: &str, status: &str) -> Value {
    let sql = format!(
        "UPDATE governance_decisions SET status = $2, updated_at = clock_timestamp()
         WHERE id = $1::uuid RETURNING {DECISION}"
    );
    one(connection, sql, &[id, status]).await
}

async fn role_of(connection: &mut PgConnection, user: &str, domain: &str) -> Option<String> {
    let sql = "SELECT role FROM raci_assignments WHERE user_id = $1 AND domain_id = $2";
    sqlx::query_scalar(sql).bind(user).bind(domain).fetch_optional(connection).await.unwrap()
}

async fn submit(state: &State, asked: &Asked, id: &str) -> Answer {
    let mut transaction = state.pool.begin().await.unwrap();
    match lock(&mut transaction, id).await {
        None => return refuse(404, "no such decision"),
        Some((status, _)) if status != "pending" => return refuse(400, "not pending"),
        Some(_) => {}
    }
    let decision = set_status(&mut transaction, id, "awaiting_approval").await;
    let actor = asked.text("actor_id");
    event(state, &mut transaction, "decision_submitted", id, actor, BTreeMap::new()).await;
    transaction.commit().await.unwrap();
    (200, decision)
}

async fn approve(state: &State, asked: &Asked, id: &str) -> Answer {
    let mut transaction = state.pool.begin().await.unwrap();
    let Some((status, domain)) = lock(&mut transaction, id).await else {
        return refuse(404, "no such decision");
    };
    let (voter, vote) = (asked.text("voter_id"), asked.text("vote"));
    if status != "awaiting_approval" {
        return refuse(400, "not awaiting approval");
    }
    let Some(role) = role_of(&mut transaction, voter, &domain).await else {
        return refuse(400, "no role in the domain");
    };
    let before =
        "SELECT count(*) FROM approval_records WHERE decision_id = $1::uuid AND voter_id = $2";
    let before: i64 =
        sqlx::query_scalar(before).bind(id).bind(voter).fetch_one(&mut *transaction).await.unwrap();
    if before > 0 && !state.has(Defect::DoubleVote) {
        return refuse(400, "has voted");
    }
    let sql = format!(
        "INSERT INTO approval_records (decision_id, voter_id, voter_role, vote, comment)
         VALUES ($1::uuid, $2, $3, $4, $5) RETURNING {APPROVAL}"
    );
    let values = [id, voter, &role, vote, asked.text("comment")];
    let approval = one(&mut transaction, sql, &values).await;
    let details = [("role", role.as_str()), ("vote", vote), ("comment", asked.text("comment"))];
    let details = details.map(|(name, text)| (name.to_owned(), json!(text)));
    event(state, &mut transaction, "approval_cast", id, voter, BTreeMap::from(details)).await;
    let missing = "SELECT count(*) FROM raci_assignments WHERE domain_id = $1
        AND role IN ('responsible', 'accountable') AND user_id NOT IN (SELECT voter_id
        FROM approval_records WHERE decision_id = $2::uuid AND vote = 'approve')";
    let missing: i64 = sqlx::query_scalar(missing)
        .bind(domain)
        .bind(id)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    let end = match vote {
        "reject" => Some("rejected"),
        "approve" if missing == 0 => Some("approved"),
        _ => None,
    };
    if let Some(end) = end.filter(|_| !state.has(Defect::NeverFinalises)) {
        set_status(&mut transaction, id, end).await;
        let kind = format!("decision_{end}");
        event(state, &mut transaction, &kind, id, "system", BTreeMap::new()).await;
    }
    transaction.commit().await.unwrap();
    (201, approval)
}

async fn veto(state: &State, asked: &Asked, id: &str) -> Answer {
    let mut transaction = state.pool.begin().await.unwrap();
    let Some((status, domain)) = lock(&mut transaction, id).await else {
        return refuse(404, "no such decision");
    };
    if status != "awaiting_approval" {
        return refuse(400, "not awaiting approval");
    }
    let by = asked.text("vetoed_by");
    let role = role_of(&mut transaction, by, &domain).await;
    let Some(role) = role.filter(|r| r == "responsible" || r == "accountable") else {
        return refuse(400, "may not veto");
    };
    let sql = format!(
        "INSERT INTO veto_records (decision_id, vetoed_by, vetoed_by_role, reason, status)
         VALUES ($1::uuid, $2, $3, $4, 'active') RETURNING {VETO}"
    );
    let veto = one(&mut transaction, sql, &[id, by, &role, asked.text("reason")]).await;
    set_status(&mut transaction, id, "vetoed").await;
    for _ in 0..2 {
        event(state, &mut transaction, "veto_exercised", id, by, BTreeMap::new()).await;
    }
    transaction.commit().await.unwrap();
    (201, veto)
}

async fn override_veto(state: &State, asked: &Asked, id: &str, veto: &str) -> Answer {
    let mut transaction = state.pool.begin().await.unwrap();
    let Some((_, domain)) = lock(&mut transaction, id).await else {
        return refuse(404, "no such decision");
    };
    let by = asked.text("overridden_by");
    let role = role_of(&mut transaction, by, &domain).await;
    if role.as_deref() != Some("accountable") {
        return refuse(400, "no higher rank");
    }
    let sql = format!(
        "UPDATE veto_records SET status = 'overridden', overridden_by = $2 WHERE id = $1::uuid
         AND vetoed_by_role = 'responsible' RETURNING {VETO}"
    );
    let veto = one(&mut transaction, sql, &[veto, by]).await;
    if veto.is_null() {
        return refuse(400, "no veto of lower rank");
    }
    event(state, &mut transaction, "veto_overridden", id, by, BTreeMap::new()).await;
    transaction.commit().await.unwrap();
    (200, veto)
}

async fn assign(state: &State, asked: &Asked) -> Answer {
    let mut transaction = state.pool.begin().await.unwrap();
    let (user, by) = (asked.text("user_id"), asked.text("assigned_by"));
    let sql = format!(
        "INSERT INTO raci_assignments (user_id, domain_id, role, assigned_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING {ROLE}"
    );
    let values = [user, asked.text("domain_id"), asked.text("role"), by];
    let role = one(&mut transaction, sql, &values).await;
    let Some(id) = role["id"].as_str() else { return refuse(400, "has a role in the domain") };
    event(state, &mut transaction, "role_assigned", id, by, BTreeMap::new()).await;
    transaction.commit().await.unwrap();
    (201, role)
}

async fn revoke(state: &State, asked: &Asked, id: &str) -> Answer {
    let mut transaction = state.pool.begin().await.unwrap();
    let sql = "DELETE FROM raci_assignments WHERE id = $1::uuid";
    let done = sqlx::query(sql).bind(id).execute(&mut *transaction).await.unwrap();
    if done.rows_affected() == 0 {
        return refuse(404, "no such role");
    }
    let by = asked.query("revoked_by").unwrap_or_default();
    event(state, &mut transaction, "role_revoked", id, by, BTreeMap::new()).await;
    transaction.commit().await.unwrap();
    (204, Value::Null)
}
