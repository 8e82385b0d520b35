//! Runs against servers that are somebody else's: what they are used for, and that nothing is left in them.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odg_reports::record::{FeatureResult, Fidelity, RunRecord, RunState, Verdict};
use odg_tests::program::{Place, Started, operation, program, record, stderr, turn};
use odg_tests::servers::{Kind, Servers, clean, free_port, random_word};

const NOTHING_LEFT: &str = "Nothing of any run on these endpoints.\n";
/// What is left of the workload without object store and Kafka: NATS is the bus.
pub(crate) const SMALL_PART: [Kind; 3] = [Kind::Postgres, Kind::Redis, Kind::Nats];

/// Arguments of a short run with consent.
pub(crate) const SHORT: [&str; 9] =
    ["--profile", "small", "--scale", "0.1", "--duration", "5s", "--warmup", "1s", "--yes"];

fn run(place: &Place, file: &std::path::Path, arguments: &[&str]) -> Output {
    let file = file.to_str().unwrap_or_else(|| panic!("{}", file.display()));
    let mut all = vec!["--endpoints", file];
    all.extend_from_slice(arguments);
    place.run(&all)
}

fn cell<'a>(record: &'a RunRecord, component: &str) -> &'a FeatureResult {
    let found = record.features.iter().find(|f| f.feature == component);
    found.unwrap_or_else(|| panic!("no cell {component}"))
}

pub(crate) fn assert_nothing_left(place: &Place, servers: &Servers) {
    let listed = clean(place, &servers.endpoints(place), &[]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), NOTHING_LEFT, "{}", stderr(&listed));
    assert_eq!(servers.names_of_the_house(), Vec::<String>::new());
}

#[test]
fn a_run_on_attached_servers_keeps_its_books_shows_no_secret_and_leaves_nothing() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &Kind::ALL) else { return };
    let file = servers.endpoints(&place);
    let mut arguments = vec!["--endpoints", file.to_str().unwrap()];
    arguments.extend(SHORT);
    let child = place.start(&arguments);
    place.await_intervals(2, Duration::from_secs(120));
    let mut seen = fs::read_to_string(format!("/proc/{}/cmdline", child.pid())).unwrap();
    assert!(!servers.names_of_the_house().is_empty(), "a run creates things while it goes on");
    let output = child.output();
    let record = record(&output);

    assert_eq!(record.state, RunState::Complete, "{}", stderr(&output));
    assert_eq!((record.provider.as_str(), record.ledger.balanced), ("attach", true), "{record:#?}");
    let sent = record.ledger.hops[0].reached;
    assert!(sent > 100 && record.ledger.hops.len() == 5);
    assert!(record.ledger.hops.iter().all(|hop| hop.reached == sent), "{:?}", record.ledger);
    assert!(record.ledger.checks.len() >= 10);
    for component in ["postgresql", "redis", "minio", "nats", "kafka"] {
        let one = record.implementations.iter().find(|i| i.component == component).unwrap();
        assert_eq!(one.fidelity, Fidelity::Real, "{one:?}");
        assert!(one.endpoint.contains("127.0.0.1:"), "{one:?}");
        assert_eq!(cell(&record, component).verdict, Verdict::Pass, "{component}");
    }
    assert!(record.warnings.iter().all(|w| w.code != "leftovers"), "{:?}", record.warnings);
    assert_nothing_left(&place, &servers);

    seen.push_str(&String::from_utf8_lossy(&output.stdout));
    seen.push_str(&stderr(&output));
    seen.push_str(&place.written());
    assert!(seen.len() > 10_000 && !seen.contains(&servers.password), "a password leaked");
}

#[test]
fn what_has_no_endpoint_is_not_verified_and_the_rest_keeps_its_books() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &SMALL_PART) else { return };
    let file = servers.endpoints(&place);
    let record = record(&run(&place, &file, &SHORT));
    assert_eq!(record.state, RunState::Complete);
    assert!(record.marks.contains(&"subset: no minio, no kafka".to_owned()), "{:?}", record.marks);
    let hops: Vec<&str> = record.ledger.hops.iter().map(|h| h.hop.as_str()).collect();
    assert_eq!(hops, ["sent", "acknowledged", "consumed"]);
    assert!(record.ledger.balanced && record.ledger.hops[0].reached > 100, "{:?}", record.ledger);
    for name in ["bus.publish", "postgres.lookup", "redis.session"] {
        assert!(operation(&record, name).completed > 0, "{name}");
    }
    assert!(record.operations.iter().all(|o| !o.name.starts_with("s3.")));
    for component in ["minio", "kafka"] {
        let cell = cell(&record, component);
        let said = (cell.verdict, cell.answered.as_str());
        assert_eq!(said, (Verdict::NotVerified, "not among the endpoints"));
    }
    let objects: Vec<_> = record.objectives.iter().filter(|o| o.operation == "s3.get").collect();
    assert!(!objects.is_empty() && objects.iter().all(|o| o.verdict == Verdict::NotVerified));
    assert_nothing_left(&place, &servers);
}

#[test]
fn strict_fails_what_is_required_and_has_no_endpoint() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis]) else { return };
    let file = servers.endpoints(&place);
    let mut arguments = SHORT.to_vec();
    arguments.push("--strict");
    let output = run(&place, &file, &arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let record = record(&output);
    assert_eq!(cell(&record, "kafka").verdict, Verdict::Fail);
    assert_eq!(cell(&record, "redis").verdict, Verdict::Pass);
    assert!(record.ledger.hops.is_empty(), "no bus, no account of events");
    assert!(operation(&record, "redis.session").completed > 0);
    assert_nothing_left(&place, &servers);
}

#[test]
fn a_read_only_run_asks_who_is_there_and_creates_nothing() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis, Kind::Nats]) else { return };
    let file = servers.endpoints(&place);
    let before = commands_that_wrote(&servers);
    let output = run(&place, &file, &["--profile", "small", "--read-only"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let record = record(&output);
    assert!(record.marks.contains(&"read-only".to_owned()), "{:?}", record.marks);
    assert!(record.operations.is_empty());
    assert_eq!(cell(&record, "redis").verdict, Verdict::NotVerified);
    assert!(cell(&record, "redis").answered.contains("answers at 127.0.0.1:"));
    assert_eq!(commands_that_wrote(&servers), before, "Redis saw a command that writes");
    assert_nothing_left(&place, &servers);
}

/// Calls of commands that write, as Redis counts them.
pub(crate) fn commands_that_wrote(servers: &Servers) -> Vec<String> {
    let stats = servers.redis("INFO commandstats");
    let writes = ["cmdstat_set", "cmdstat_unlink", "cmdstat_del", "cmdstat_expire"];
    let lines = stats.lines().filter(|line| writes.iter().any(|write| line.starts_with(write)));
    lines.map(str::to_owned).collect()
}

#[test]
fn ctrl_c_removes_what_the_run_created() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &SMALL_PART) else { return };
    let file = servers.endpoints(&place);
    let arguments = ["--endpoints", file.to_str().unwrap(), "--profile", "small", "--scale", "0.1"];
    let mut arguments = arguments.to_vec();
    arguments.extend(["--duration", "60s", "--warmup", "1s", "--yes"]);
    let child = place.start(&arguments);
    place.await_intervals(3, Duration::from_secs(120));
    assert!(!servers.names_of_the_house().is_empty());
    kill(Pid::from_raw(child.pid()), Signal::SIGINT).unwrap();
    let output = child.output();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(record(&output).state, RunState::Interrupted);
    assert_nothing_left(&place, &servers);
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis]) else { return };
    let file = servers.endpoints(&place);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(program());
    command.args(["run", "--runs-dir"]).arg(place.runs()).args(["--quiet", "--output", "json"]);
    command.arg("--endpoints").arg(&file).args(SHORT);
    let child = Started::new(&mut command);
    place.await_intervals(1, Duration::from_secs(120));
    kill(Pid::from_raw(child.pid()), Signal::SIGHUP).unwrap();
    assert_eq!(record(&child.output()).state, RunState::Complete);
}

#[test]
fn every_endpoint_that_does_not_answer_is_named_and_no_secret_is() {
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis]) else { return };
    // Accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let canary = random_word();
    let (redis, nobody) = (servers.port(Kind::Redis), free_port());
    let silent = silent.local_addr().unwrap();
    let file = place.private_file(
        "wrong.yaml",
        &format!(
            "redis: {{host: 127.0.0.1, port: {redis}, password: {canary}}}\n\
             nats: {{url: \"nats://127.0.0.1:{nobody}\", user: u, password: {canary}}}\n\
             postgres: {{host: 127.0.0.1, port: {}, user: u, password: {canary}, sslmode: disable}}\n\
             kafka: {{bootstrap: \"127.0.0.1:{nobody}\", security: sasl_plaintext, user: u, password: {canary}}}\n\
             s3: {{url: \"http://127.0.0.1:{nobody}\", access_key: k, secret_key: {canary}}}\n\
             governance_engine: {{url: \"http://127.0.0.1:{nobody}\", auth: bearer, token: {canary}}}\n",
            silent.port()
        ),
    );
    let output = run(&place, &file, &SHORT);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for (component, port) in [
        ("redis", redis),
        ("nats", nobody),
        ("postgresql", silent.port()),
        ("kafka", nobody),
        ("minio", nobody),
        ("governance-engine", nobody),
    ] {
        let line = said.lines().find(|l| l.starts_with(&format!("odg-bench: {component} at ")));
        assert!(line.is_some_and(|line| line.contains(&format!(":{port}"))), "{component}: {said}");
    }
    let dry = run(&place, &file, &["--profile", "small", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", stderr(&dry));
    let printed = format!("{said}{}{}", String::from_utf8_lossy(&dry.stdout), stderr(&dry));
    assert!(!printed.contains(&canary) && !place.written().contains(&canary), "{printed}");
}

#[test]
fn secrets_in_variables_are_used_and_never_shown() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis]) else { return };
    let mut command = place.command(&["run", "--provider", "attach", "--runs-dir", "runs"]);
    let output = command
        .args(SHORT)
        .env("ODG_BENCH_LOG", "trace")
        .env("ODG_BENCH_ATTACH_REDIS_HOST", "127.0.0.1")
        .env("ODG_BENCH_ATTACH_REDIS_PORT", servers.port(Kind::Redis).to_string())
        .env("ODG_BENCH_ATTACH_REDIS_PASSWORD", &servers.password)
        .output()
        .unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(printed.contains("redis.session"), "{printed}");
    let written = place.written();
    assert!(!printed.contains(&servers.password) && !written.contains(&servers.password));
}

#[test]
fn without_consent_nothing_is_loaded_and_a_dry_run_says_what_would_be() {
    let place = Place::new();
    let file = place.private_file(
        "endpoints.yaml",
        &format!(
            "redis: {{host: 127.0.0.1, port: {}}}\nnats: {{url: \"nats://n:1\"}}\n",
            free_port()
        ),
    );
    let output = run(&place, &file, &["--profile", "small"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--yes") && said.contains("nats") && said.contains("MB/s"), "{said}");
    assert_eq!(fs::read_dir(place.runs()).unwrap().count(), 0);

    let dry = run(&place, &file, &["--profile", "small", "--max-rate", "1MB/s", "--dry-run"]);
    let plan: serde_json::Value = serde_json::from_slice(&dry.stdout).unwrap();
    let names: Vec<&str> = plan["would_create"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"odgbench-<run>-events"), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("odgbench-<run>")), "{names:?}");
    assert!(plan["offered_per_s"]["bytes"].as_f64().unwrap() <= 1e6, "{plan}");
    let marks = plan["marks"].to_string();
    assert!(marks.contains("scaled load") && marks.contains("subset"), "{marks}");
}

#[test]
fn endpoints_that_cannot_be_used_are_refused_with_their_line() {
    let place = Place::new();
    let canary = random_word();
    let cut = place.private_file("cut.yaml", &format!("redis:\n  host: h\n  password: \"{canary}"));
    let output = run(&place, &cut, &SHORT);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cut.yaml:") && said.lines().count() == 1, "{said}");
    assert!(!said.contains(&canary), "{said}");
    let local = place.run(&["--profile", "dev", "--provider", "local", "--read-only"]);
    assert_eq!(local.status.code(), Some(2));
    assert!(stderr(&local).contains("--read-only is for --provider attach"), "{}", stderr(&local));
}

#[test]
fn clean_removes_what_dead_runs_left_and_nothing_else() {
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis]) else { return };
    let file = servers.endpoints(&place);
    // A run of long ago, one that has not ended, one that does not say, and somebody's own key.
    let keys =
        ["odgbench-aau1000:session:1", "odgbench-bbu99999999999:x", "odgbench-cc:x", "orders"];
    for key in keys {
        servers.redis(&format!("SET {key} 1"));
    }
    let listed = clean(&place, &file, &[]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(text.contains("Would remove with --yes: run aau1000"), "{text}");
    assert!(text.contains("Left alone, may still run: run bbu99999999999"), "{text}");
    assert!(servers.redis("KEYS *").contains(keys[0]), "listing removes nothing");
    let removed = clean(&place, &file, &["--yes"]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    let kept = servers.redis("KEYS *");
    assert!(!kept.contains(keys[0]), "{kept}");
    assert!(keys[1..].iter().all(|key| kept.contains(key)), "{kept}");
}
