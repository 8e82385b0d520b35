//! A small stand-in of the platform's own services, for tests only: governance-engine, lakehouse-agent and
//! quality-gate, over a real PostgreSQL, with defects that can be switched on.
//!
//! Written from the facts that are known of the platform, and apart from the code under test: it has its
//! own hash chain, so that the two can be compared.

#![allow(clippy::unwrap_used)] // What fails here fails the test that uses it.

mod chain;
mod governance;
mod http;
pub mod postgres;
mod small;
mod token;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinHandle;

use postgres::TestPostgres;

pub use token::{CLIENT_ID, CLIENT_SECRET, TOKEN};

/// A way to break a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// Two writers may append after the same event.
    ForkedChain,
    /// Somebody changes a row of the audit table.
    EditedRow,
    /// The service calls its chain valid, whatever it is.
    VerifyAlwaysTrue,
    /// A voter may vote twice.
    DoubleVote,
    /// Votes are taken, and nothing comes of them.
    NeverFinalises,
    /// A creation is acknowledged and not stored.
    LostWrite,
    /// Reading a decision shows it as it was created.
    StaleReadBack,
    /// Writes are accepted from anybody.
    AnonymousWrite,
    /// A promotion may leave out a layer.
    SkipsLayer,
    /// Reading a quality report shows another score.
    ChangedReport,
    /// Readiness does not look at the database.
    StaticReadiness,
}

/// What the routes share.
#[derive(Clone)]
struct State {
    pool: PgPool,
    defects: Arc<Mutex<BTreeSet<Defect>>>,
    tokens: token::Tokens,
    reports: small::Reports,
}

impl State {
    fn has(&self, defect: Defect) -> bool {
        self.defects.lock().unwrap_or_else(PoisonError::into_inner).contains(&defect)
    }
}

/// The three services, listening on loopback. Dropping it ends them.
pub struct StandIn {
    /// Where governance-engine answers.
    pub governance: SocketAddr,
    /// Where lakehouse-agent answers.
    pub lakehouse: SocketAddr,
    /// Where quality-gate answers.
    pub quality: SocketAddr,
    state: State,
    servers: Vec<JoinHandle<()>>,
}

impl StandIn {
    /// Creates a database with the platform's tables and starts the services on it.
    pub async fn start(server: &TestPostgres, database: &str) -> Self {
        server.create(database).await;
        let options = server.options().database(database);
        let pool = PgPoolOptions::new().max_connections(12).connect_lazy_with(options);
        sqlx::raw_sql(governance::TABLES).execute(&pool).await.unwrap();
        let state = State {
            tokens: token::Tokens::new(&pool).await,
            pool,
            defects: Arc::default(),
            reports: small::Reports::default(),
        };
        let mut servers = Vec::new();
        let mut addresses = Vec::new();
        for service in [http::Service::Governance, http::Service::Lakehouse, http::Service::Quality]
        {
            let (address, server) = http::serve(service, state.clone()).await;
            addresses.push(address);
            servers.push(server);
        }
        Self {
            governance: addresses[0],
            lakehouse: addresses[1],
            quality: addresses[2],
            state,
            servers,
        }
    }

    /// Switches a defect on. [`Defect::EditedRow`] edits the oldest row at once.
    pub async fn break_with(&self, defect: Defect) {
        self.state.defects.lock().unwrap_or_else(PoisonError::into_inner).insert(defect);
        if defect == Defect::EditedRow {
            let edit = "UPDATE audit_events SET description = description || ' ' WHERE id =
                (SELECT id FROM audit_events ORDER BY occurred_at LIMIT 1)";
            let edited = sqlx::query(edit).execute(&self.state.pool).await.unwrap();
            assert_eq!(edited.rows_affected(), 1, "there is an audit event to edit");
        }
    }

    /// What is stored: decisions, votes, roles, audit events.
    pub async fn counts(&self) -> [i64; 4] {
        let count = "SELECT ARRAY[(SELECT count(*) FROM governance_decisions),
            (SELECT count(*) FROM approval_records), (SELECT count(*) FROM raci_assignments),
            (SELECT count(*) FROM audit_events)]";
        let counts: Vec<i64> = sqlx::query_scalar(count).fetch_one(&self.state.pool).await.unwrap();
        counts.try_into().unwrap()
    }

    /// Every name that somebody gave: domains, users and titles.
    pub async fn names(&self) -> Vec<String> {
        let names = "SELECT domain_id FROM governance_decisions UNION
            SELECT title FROM governance_decisions UNION SELECT created_by FROM governance_decisions
            UNION SELECT voter_id FROM approval_records
            UNION SELECT actor_id FROM audit_events WHERE actor_id <> 'system'";
        sqlx::query_scalar(names).fetch_all(&self.state.pool).await.unwrap()
    }

    /// Tokens that were issued so far.
    pub fn tokens_issued(&self) -> usize {
        self.state.tokens.issued()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}
