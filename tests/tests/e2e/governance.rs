//! The platform's own services: each promise is seen to hold, and to be broken by the defect made for it.
//! They are the stand-in of `odg_tests::platform`, over a real PostgreSQL.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use odg_bench::probes::platform::{Invariants, Loaded, Pausable, Promise, Watch, readiness};
use odg_reports::record::{FeatureResult, RunState, Verdict};
use odg_tests::platform::postgres::{PASSWORD, TestPostgres};
use odg_tests::platform::{CLIENT_ID, CLIENT_SECRET, Defect, StandIn, TOKEN};
use odg_tests::program::{Place, operation, record, stderr, turn};
use odg_workloads::clock::Clock;
use odg_workloads::endpoint::{
    HttpEndpoint, HttpLogin, PlatformEndpoints, PostgresEndpoint, SslMode, Tls,
};
use odg_workloads::governance::{
    Governance, GovernanceLoad, GovernanceOutcome, operations as op, sweep,
};
use odg_workloads::recorder::{Recorder, Tally};
use odg_workloads::schedule::Arrivals;
use odg_workloads::secret::Secret;

fn endpoint(address: SocketAddr, login: HttpLogin) -> HttpEndpoint {
    HttpEndpoint { url: format!("http://{address}"), login, tls: Tls::default() }
}

fn with_login(services: &StandIn, login: &HttpLogin) -> PlatformEndpoints {
    PlatformEndpoints {
        governance_engine: Some(endpoint(services.governance, login.clone())),
        lakehouse_agent: Some(endpoint(services.lakehouse, login.clone())),
        quality_gate: Some(endpoint(services.quality, login.clone())),
    }
}

fn platform(services: &StandIn) -> PlatformEndpoints {
    with_login(services, &HttpLogin::Bearer(Secret::new(TOKEN)))
}

fn database(server: &TestPostgres, database: &str) -> PostgresEndpoint {
    PostgresEndpoint {
        host: "127.0.0.1".into(),
        port: server.port,
        user: "odg".into(),
        password: Secret::new(PASSWORD),
        database: database.into(),
        ssl_mode: SslMode::Disable,
        tls: Tls::default(),
    }
}

struct Database<'a>(&'a TestPostgres);

impl Pausable for Database<'_> {
    fn pause(&self) -> io::Result<()> {
        self.0.signal(Signal::SIGSTOP)
    }

    fn resume(&self) -> io::Result<()> {
        self.0.signal(Signal::SIGCONT)
    }
}

fn finding(findings: &[FeatureResult], promise: Promise) -> &FeatureResult {
    let found = findings.iter().find(|f| f.feature == promise.feature());
    found.unwrap_or_else(|| panic!("no finding {promise:?} in {findings:#?}"))
}

/// Every promise but readiness.
async fn ask(
    services: &StandIn,
    database: Option<&PostgresEndpoint>,
    loaded: &Loaded,
) -> Vec<FeatureResult> {
    let prepared = Invariants::prepare(&platform(services), "t1").await;
    let mut asked = prepared.unwrap_or_else(|e| panic!("{e}"));
    asked.round().await;
    let findings = asked.conclude(database, "t1", loaded).await;
    let leftovers = asked.leave().await;
    assert!(leftovers.is_empty(), "{leftovers:?}");
    findings
}

/// Two seconds of warm-up and four of load, at a rate at which decisions overlap.
async fn load(platform: &PlatformEndpoints) -> (GovernanceOutcome, Vec<(&'static str, Tally)>) {
    let load = GovernanceLoad {
        decisions_per_s: 10.0,
        arrivals: Arrivals::Poisson,
        length: Duration::from_secs(6),
        seed: 3,
    };
    let operations = op::operations(platform);
    let names: Vec<&'static str> = operations.iter().map(|o| o.name).collect();
    let recorder = Arc::new(Recorder::new(operations, (2_000_000_000, 6_000_000_000)));
    let prepared = Governance::prepare("t1", platform, load).await;
    let prepared = prepared.unwrap_or_else(|e| panic!("{e}"));
    let started = prepared.start(&recorder, Clock::starting_in(Duration::ZERO));
    let running = started.unwrap_or_else(|e| panic!("{e}"));
    while !running.schedule_ended() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let outcome = running.finish(Duration::from_secs(60)).await;
    let tallies = recorder.collect().into_iter().map(|c| c.measured);
    (outcome, names.into_iter().zip(tallies).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_where_no_defect_is() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "sound").await;
    let platform = platform(&services);
    let watch = Watch::start(Invariants::prepare(&platform, "t1").await.unwrap());
    let (outcome, _) = load(&platform).await;
    let acknowledged = outcome.acknowledged.clone();
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    let loaded = Loaded { observed: outcome.observed.clone(), acknowledged };
    let mut asked = watch.end().await.unwrap();
    let database = database(&server, "sound");
    let mut findings = asked.conclude(Some(&database), "t1", &loaded).await;
    let leftovers = asked.leave().await;
    let engine = platform.governance_engine.unwrap();
    findings.push(readiness(&engine, &Database(&server)).await);
    for finding in &findings {
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:#?}");
    }
    assert_eq!(findings.len(), 11);
    assert!(leftovers.is_empty(), "{leftovers:?}");
    let chain = finding(&findings, Promise::AuditChain);
    assert!(chain.answered.contains("the service says it is valid"), "{}", chain.answered);
    let state = finding(&findings, Promise::FinalState);
    assert!(state.answered.contains("decisions of the load"), "{}", state.answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_defect_is_caught_by_the_promise_that_it_breaks() {
    use Promise as P;
    let server = TestPostgres::start().await;
    let table: [(&[Defect], &[Promise]); 10] = [
        (&[Defect::ForkedChain], &[P::OneChain, P::AuditChain]),
        (&[Defect::EditedRow], &[P::AuditChain]),
        (&[Defect::EditedRow, Defect::VerifyAlwaysTrue], &[P::AuditChain]),
        (&[Defect::DoubleVote], &[P::OneVote]),
        (&[Defect::NeverFinalises], &[P::FinalState]),
        (&[Defect::LostWrite], &[P::ReadBack, P::OneVote, P::FinalState, P::AuditChain]),
        (&[Defect::StaleReadBack], &[P::ReadBack, P::FinalState]),
        (&[Defect::AnonymousWrite], &[P::GovernanceLogin, P::LakehouseLogin, P::QualityLogin]),
        (&[Defect::SkipsLayer], &[P::OneStep]),
        (&[Defect::ChangedReport], &[P::ReportReadBack]),
    ];
    for (number, (defects, promises)) in table.into_iter().enumerate() {
        let name = format!("broken_{number}");
        let services = StandIn::start(&server, &name).await;
        // Something must be there to be edited.
        let sound = ask(&services, None, &Loaded::default()).await;
        assert!(sound.iter().all(|f| f.verdict != Verdict::Fail), "{sound:#?}");
        for defect in defects {
            services.break_with(*defect).await;
        }
        let findings = ask(&services, Some(&database(&server, &name)), &Loaded::default()).await;
        let failed: Vec<&str> = findings
            .iter()
            .filter(|f| f.verdict == Verdict::Fail)
            .map(|f| f.feature.as_str())
            .collect();
        let mut expected: Vec<&str> = promises.iter().map(|p| p.feature()).collect();
        expected.sort_unstable();
        let mut sorted = failed.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{defects:?}: {findings:#?}");
        if defects.contains(&Defect::VerifyAlwaysTrue) {
            let chain = finding(&findings, P::AuditChain);
            assert!(chain.answered.contains("says it is valid"), "{}", chain.answered);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_that_does_not_look_is_caught() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "static").await;
    services.break_with(Defect::StaticReadiness).await;
    let engine = platform(&services).governance_engine.unwrap();
    let found = readiness(&engine, &Database(&server)).await;
    assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
    assert!(found.answered.contains("still ready"), "{}", found.answered);
}

/// A dependency that is somebody else's.
struct NotOurs;

impl Pausable for NotOurs {
    fn pause(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn resume(&self) -> io::Result<()> {
        unreachable!("it was never paused")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_is_not_verified_with_its_reason() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "partly").await;
    let verdict_of = |findings: &[FeatureResult], promise| {
        let found = finding(findings, promise);
        (found.verdict, found.answered.clone())
    };
    let findings = ask(&services, None, &Loaded::default()).await;
    let (verdict, why) = verdict_of(&findings, Promise::AuditChain);
    assert_eq!(verdict, Verdict::NotVerified);
    assert!(why.contains("database is not attached") && why.contains("says it is valid"), "{why}");
    assert_eq!(verdict_of(&findings, Promise::OneChain).0, Verdict::NotVerified);

    // A database without the platform's table, and one of another platform.
    let without = database(&server, "postgres");
    let findings = ask(&services, Some(&without), &Loaded::default()).await;
    let (verdict, why) = verdict_of(&findings, Promise::AuditChain);
    assert_eq!(verdict, Verdict::NotVerified, "{why}");
    assert!(why.contains("no table audit_events"), "{why}");
    let _other = StandIn::start(&server, "other").await;
    let findings = ask(&services, Some(&database(&server, "other")), &Loaded::default()).await;
    let (verdict, why) = verdict_of(&findings, Promise::AuditChain);
    assert_eq!(verdict, Verdict::NotVerified, "{why}");
    assert!(why.contains("another platform"), "{why}");

    let engine = platform(&services).governance_engine.unwrap();
    let found = readiness(&engine, &NotOurs).await;
    assert_eq!(found.verdict, Verdict::NotVerified, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_keeps_its_schedule_names_everything_and_takes_its_roles_away() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "loaded").await;
    let platform = platform(&services);
    let (outcome, tallies) = load(&platform).await;
    assert!(outcome.drained && outcome.leftovers.is_empty(), "{outcome:?}");
    assert_eq!(outcome.pacing.dispatched, outcome.scheduled);
    assert_eq!(outcome.dropped, 0);
    for (name, tally) in &tallies {
        assert!(tally.errors.is_empty(), "{name}: {:?}", tally.errors);
        assert_eq!(tally.offered, tally.completed, "{name}");
        assert!(tally.completed > 0, "{name} was never done");
    }
    let observed = &outcome.observed;
    assert_eq!(observed.final_state.checked, outcome.asked);
    assert!(observed.one_vote.checked > 0, "{observed:?}");
    let [decisions, votes, roles, _] = services.counts().await;
    assert_eq!(decisions as u64, outcome.asked);
    assert!(votes > decisions, "{votes} votes");
    assert_eq!(roles, 0, "roles are taken away");
    for name in services.names().await {
        assert!(name.starts_with("odgbench-t1"), "{name} does not say whose it is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_a_run_that_broke_off_are_found_and_taken_away() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "swept").await;
    let platform = platform(&services);
    drop(Governance::prepare("t4", &platform, some_load()).await.unwrap());
    drop(Invariants::prepare(&platform, "t4").await.unwrap());
    drop(Governance::prepare("t5", &platform, some_load()).await.unwrap());
    assert_eq!(services.counts().await[2], 6);
    let problems = sweep(&platform, "t4").await;
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(services.counts().await[2], 2, "another run's roles are left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_itself_sees_a_broken_promise() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "stuck").await;
    services.break_with(Defect::NeverFinalises).await;
    let (outcome, tallies) = load(&platform(&services)).await;
    let seen = &outcome.observed.final_state;
    assert!(seen.broken > 0, "{seen:?}");
    assert!(
        seen.first.as_ref().is_some_and(|first| first.contains("AwaitingApproval")),
        "{seen:?}"
    );
    let decided = &tallies.iter().find(|(name, _)| *name == op::DECISION).unwrap().1;
    assert!(decided.errors.contains_key("protocol"), "{:?}", decided.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_renews_its_tokens_during_the_load_and_never_prints_its_secret() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "tokens").await;
    let login = HttpLogin::ClientCredentials {
        token_url: format!("http://{}/token", services.governance),
        client_id: CLIENT_ID.into(),
        client_secret: Secret::new(CLIENT_SECRET),
    };
    let platform = with_login(&services, &login);
    let prepared = Governance::prepare("t2", &platform, some_load()).await.unwrap();
    let printed = format!("{prepared:?}");
    assert!(!printed.contains("canary"), "{printed}");
    let (_, tallies) = load(&platform).await;
    for (name, tally) in &tallies {
        assert!(tally.errors.is_empty(), "{name}: {:?}", tally.errors);
    }
    // Three clients, tokens of two seconds, six seconds of load.
    let issued = services.tokens_issued();
    assert!(issued > 6, "{issued} tokens were issued");

    let wrong = HttpLogin::ClientCredentials {
        token_url: format!("http://{}/token", services.governance),
        client_id: CLIENT_ID.into(),
        client_secret: Secret::new("canary-wrong-secret"),
    };
    let error = Governance::prepare("t3", &with_login(&services, &wrong), some_load()).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("invalid_client") && !text.contains("canary"), "{text}");
}

fn some_load() -> GovernanceLoad {
    GovernanceLoad {
        decisions_per_s: 1.0,
        arrivals: Arrivals::Constant,
        length: Duration::from_secs(1),
        seed: 1,
    }
}

/// The whole program, attached to the services and their database.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_drives_the_services_asks_for_their_promises_and_says_what_stays() {
    let server = TestPostgres::start().await;
    let services = StandIn::start(&server, "attached").await;
    let place = Place::new();
    let service = |address: SocketAddr| {
        format!("  url: http://{address}\n  auth: bearer\n  token: {TOKEN}\n")
    };
    let endpoints = format!(
        "postgres:\n  host: 127.0.0.1\n  port: {}\n  user: odg\n  database: attached\n  \
         password: {PASSWORD}\ngovernance_engine:\n{}lakehouse_agent:\n{}quality_gate:\n{}",
        server.port,
        service(services.governance),
        service(services.lakehouse),
        service(services.quality)
    );
    let file = place.private_file("odg.yaml", &endpoints).display().to_string();
    let arguments = ["--endpoints", &file, "--profile", "small", "--scale", "0.5"];
    let short = ["--duration", "8s", "--warmup", "1s", "--decisions", "6", "--yes"];
    let mut command = place.command(&["run", "--runs-dir", "runs", "--quiet"]);
    command.args(arguments).args(short).args(["--output", "json"]);
    let output = tokio::task::spawn_blocking(move || {
        let _turn = turn();
        command.output()
    });
    let output = output.await.unwrap().unwrap();
    let record = record(&output);
    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    let decisions = operation(&record, op::DECISION);
    assert!(decisions.completed > 20, "{decisions:?}");
    assert!(operation(&record, "postgres.lookup").completed > 0);
    for promise in [Promise::AuditChain, Promise::OneVote, Promise::FinalState, Promise::ReadBack] {
        let finding = finding(&record.features, promise);
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:#?}");
    }
    assert!(record.warnings.iter().any(|w| w.code == "stays"), "{:?}", record.warnings);
    assert!(record.warnings.iter().all(|w| w.code != "leftovers"), "{:?}", record.warnings);
    let said = place.written() + &stderr(&output) + &String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains(TOKEN) && !said.contains(PASSWORD), "a secret leaked");
}
