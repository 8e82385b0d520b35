//! `--provider docker` as a user runs it, on a real engine with the images of `ci/images/build`.

use std::env;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odg_reports::record::RunState;
use odg_tests::program::{Place, Started, read, record, stderr, turn};

const PATIENCE: Duration = Duration::from_secs(120);

/// The file of local images; `None`, with a line, where tests on containers are passed over.
fn images() -> Option<String> {
    if env::var_os("ODG_BENCH_TEST_NO_DOCKER").is_some() {
        eprintln!("PASSED OVER: needs a container engine (ODG_BENCH_TEST_NO_DOCKER is set)");
        return None;
    }
    let dir = |name: &str| env::var_os(name).map(PathBuf::from);
    let tools = dir("ODG_BENCH_TOOLS")
        .or_else(|| Some(dir("XDG_DATA_HOME")?.join("odg-bench")))
        .or_else(|| Some(dir("HOME")?.join(".local/share/odg-bench")));
    let file = tools.map(|tools| tools.join("images.yaml")).filter(|file| file.exists());
    let file = file.unwrap_or_else(|| {
        panic!("run ci/setup --with-docker and ci/images/build, or set ODG_BENCH_TEST_NO_DOCKER=1")
    });
    Some(file.display().to_string())
}

fn docker(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("start docker: {e}"));
    assert!(output.status.success(), "docker {arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Containers, networks and volumes of a run, which are named after it.
fn left(run_id: &str) -> Vec<String> {
    let run = run_id.rsplit('-').next().unwrap_or_default();
    let filter = format!("label=odg-bench.run={run}");
    let mut all = docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
    for kind in ["network", "volume"] {
        all.extend(docker(&[kind, "ls", "--filter", &filter, "--format", "{{.Name}}"]));
    }
    all
}

/// A run of profile dev on containers that will not end by itself while a test waits.
fn long_run(place: &Place, images: &str) -> Started {
    let stack = ["--profile", "dev", "--provider", "docker", "--images", images];
    let length = ["--warmup", "1s", "--duration", "10m"];
    place.start(&[stack.as_slice(), &length].concat())
}

#[test]
fn the_small_profile_on_containers_keeps_its_books_and_leaves_nothing() {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let output = place.run(&[
        "--profile",
        "small",
        "--provider",
        "docker",
        "--images",
        &images,
        "--scale",
        "0.1",
        "--warmup",
        "2s",
        "--duration",
        "6s",
    ]);
    let record = record(&output);
    assert_eq!(
        (record.provider.as_str(), record.state),
        ("docker", RunState::Complete),
        "{}",
        stderr(&output)
    );
    let ledger = &record.ledger;
    assert!(ledger.balanced && ledger.hops.iter().all(|hop| hop.reached > 0), "{ledger:?}");
    if record.host.cores < 16 {
        let mark = format!("scaled host: {} of 16 vCPU", record.host.cores);
        assert!(record.marks.iter().any(|m| m.starts_with(&mark)), "{:?}", record.marks);
    }
    for component in ["postgresql", "redis", "minio", "nats", "kafka"] {
        let used = record.resources.iter().find(|r| r.component == component);
        let used =
            used.unwrap_or_else(|| panic!("no figures of {component}: {:?}", record.resources));
        assert!(used.rss_max_bytes > 0 && used.cpu_cores_mean > 0.0, "{used:?}");
        assert!(used.received_bytes.is_some_and(|n| n > 0), "{used:?}");
        let log = place.only_run().join(format!("logs/{component}.log"));
        assert!(log.metadata().unwrap().len() > 0, "{}", log.display());
        let answered = record.implementations.iter().find(|i| i.component == component).unwrap();
        assert!(answered.note.as_deref().unwrap().contains("limits "), "{answered:?}");
    }
    assert_eq!(left(&record.run_id), Vec::<String>::new());
}

#[test]
fn an_interrupt_keeps_what_was_measured_and_leaves_nothing() {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let run = long_run(&place, &images);
    place.await_intervals(2, PATIENCE);
    kill(Pid::from_raw(run.pid()), Signal::SIGINT).unwrap();
    let output = run.output();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let record = record(&output);
    assert_eq!(record.state, RunState::Interrupted);
    assert_eq!(left(&record.run_id), Vec::<String>::new());
}

#[test]
fn what_a_killed_run_leaves_is_found_by_clean_and_a_container_of_others_stays() {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let mut run = long_run(&place, &images);
    place.await_intervals(1, PATIENCE);
    run.kill();
    let run_id = place.only_run().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(left(&run_id).len(), 9, "four containers, four volumes, one network");
    let text = std::fs::read_to_string(&images).unwrap();
    let redis = text.lines().find_map(|line| line.strip_prefix("redis: ")).unwrap();
    let foreign = docker(&["create", "--network", "none", redis])[0].clone();

    let shown = place.command(&["clean", "--dry-run"]).output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("Would remove container"), "{shown:?}");
    assert_eq!(left(&run_id).len(), 9, "a dry run removes nothing");
    let cleaned = place.command(&["clean"]).output().unwrap();
    assert_eq!(cleaned.status.code(), Some(0), "{}", stderr(&cleaned));
    assert_eq!(left(&run_id), Vec::<String>::new(), "{}", String::from_utf8_lossy(&cleaned.stdout));
    assert_eq!(docker(&["rm", "--volumes", &foreign]), [foreign.as_str()], "it was still there");
}

#[test]
fn a_container_that_dies_under_load_fails_the_run_and_is_named() {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let run = long_run(&place, &images);
    place.await_intervals(1, PATIENCE);
    let run_id = place.only_run().file_name().unwrap().to_string_lossy().into_owned();
    let name = format!("odg-bench-{}-redis", run_id.rsplit('-').next().unwrap());
    docker(&["kill", &name]);
    let output = run.output();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let record = read(&place.only_run());
    assert_eq!(record.state, RunState::Aborted);
    let reason = &record.reasons[0];
    assert!(reason.contains("redis ended by itself: killed by signal 9"), "{reason}");
    assert_eq!(left(&run_id), Vec::<String>::new());
}

#[test]
fn an_image_file_that_is_half_written_is_bad_input_with_its_line() {
    let place = Place::new();
    let file = place.runs().join("images.yaml");
    std::fs::write(&file, "redis: redis:7\npostgres: postgres:16\n").unwrap();
    let file = file.display().to_string();
    let output = place.run(&["--profile", "dev", "--provider", "docker", "--images", &file]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("images.yaml:2:") && text.contains("postgresql"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

/// An engine at a socket in a place of its own that sends this to every question, or nothing at all.
fn engine_that_says(place: &Place, answer: Option<&'static str>) -> String {
    let path = place.runs().join("engine.sock");
    let listener =
        UnixListener::bind(&path).unwrap_or_else(|e| panic!("listen at {}: {e}", path.display()));
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            match answer {
                Some(body) => {
                    let _ = stream.read(&mut [0; 4096]);
                    let length = body.len();
                    let _ = write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                    );
                }
                None => silent.push(stream),
            }
        }
    });
    format!("unix://{}", path.display())
}

#[test]
fn an_engine_that_is_absent_silent_or_too_old_is_one_line_and_exit_3() {
    let old = r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#;
    let absent = |place: &Place| format!("unix://{}", place.runs().join("none.sock").display());
    let silent = |place: &Place| engine_that_says(place, None);
    let outdated = |place: &Place| engine_that_says(place, Some(old));
    let elsewhere = |_: &Place| "tcp://192.0.2.1:2375".to_owned();
    type Address<'a> = &'a dyn Fn(&Place) -> String;
    let cases: [(Address<'_>, &[&str]); 4] = [
        (&absent, &["no container engine answers", "ci/setup --with-docker"]),
        (&silent, &["no container engine answers", "does not answer"]),
        (&outdated, &["19.03.15", "API version 1.40", "needs 1.41"]),
        (&elsewhere, &["another machine", "attach"]),
    ];
    for (address, words) in cases {
        let place = Place::new();
        let mut command =
            place.command(&["run", "--profile", "dev", "--provider", "docker", "--quiet"]);
        let output = command.env("DOCKER_HOST", address(&place)).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        for word in words {
            assert!(text.contains(word), "{text}");
        }
    }
}

#[test]
fn auto_takes_containers_only_where_processes_are_not_real_and_every_image_is_here() {
    let Some(images) = images() else { return };
    let place = Place::new();
    let chosen = |arguments: &[&str], real: bool| {
        let mut command =
            place.command(&["run", "--profile", "small", "--dry-run", "--output", "json"]);
        command.args(arguments);
        if !real {
            let none = "/no/such/thing";
            command.env("ODG_BENCH_KAFKA_HOME", none).env("ODG_BENCH_MINIO", none);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (plan["provider"].as_str().unwrap().to_owned(), stderr(&output))
    };
    let (provider, why) = chosen(&["--images", &images], false);
    assert_eq!(provider, "docker", "{why}");
    assert!(why.contains("provider docker: without the real") && why.contains("kafka"), "{why}");
    // An image that is nowhere: auto never pulls.
    let file = place.runs().join("none.yaml");
    std::fs::write(&file, "redis: odg-bench.invalid/none:1\n").unwrap();
    let (provider, why) = chosen(&["--images", &file.display().to_string()], false);
    assert_eq!(provider, "local", "{why}");
    assert!(why.contains("images are not here"), "{why}");
    if env::var_os("ODG_BENCH_TEST_ALLOW_MISSING").is_none() {
        assert_eq!(chosen(&["--images", &images], true).0, "local");
    }
}
