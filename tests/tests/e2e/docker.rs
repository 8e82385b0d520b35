//! `--provider docker` as a user runs it, on a real engine with the images of `ci/images/build`.

use std::env;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use odg_reports::record::{Fidelity, RunState};
use odg_tests::engine::EngineProxy;
use odg_tests::processes;
use odg_tests::program::{Place, Started, program, read, record, stderr, turn};

const PATIENCE: Duration = Duration::from_secs(120);
/// Characters of a password that the program makes.
const PASSWORD_LENGTH: usize = 24;

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
    labelled(&format!("label=odg-bench.run={run}"))
}

/// Containers, networks and volumes that such a filter finds, by name.
fn labelled(filter: &str) -> Vec<String> {
    let mut all = docker(&["ps", "--all", "--filter", filter, "--format", "{{.Names}}"]);
    for kind in ["network", "volume"] {
        all.extend(docker(&[kind, "ls", "--filter", filter, "--format", "{{.Name}}"]));
    }
    all
}

/// Arguments of a run on containers that will not end by itself while a test waits.
fn long<'a>(profile: &'a str, images: &'a str) -> Vec<&'a str> {
    let stack = ["--profile", profile, "--provider", "docker", "--images", images];
    let length = ["--scale", "0.1", "--warmup", "1s", "--duration", "10m"];
    [stack.as_slice(), &length].concat()
}

/// Such a run of profile dev.
fn long_run(place: &Place, images: &str) -> Started {
    place.start(&long("dev", images))
}

/// Such a run of profile dev with its engine behind a proxy.
fn long_run_through(proxy: &EngineProxy, place: &Place, images: &str) -> Started {
    let mut command = place.command(&["run", "--runs-dir", "runs", "--quiet", "--output", "json"]);
    Started::new(command.args(long("dev", images)).env("DOCKER_HOST", proxy.address()))
}

/// What the program printed, once it has ended.
fn output_within(run: Started, patience: Duration) -> std::process::Output {
    let (sender, receiver) = std::sync::mpsc::channel();
    let pid = run.pid();
    std::thread::spawn(move || sender.send(run.output()));
    receiver.recv_timeout(patience).unwrap_or_else(|_| {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        panic!("it did not end")
    })
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
        assert!(answered.name.contains("(image odgbench/"), "which image ran: {answered:?}");
        assert!(answered.note.as_deref().unwrap().contains("instead of the profile's"));
        assert_eq!(answered.fidelity, Fidelity::Real, "{answered:?}");
    }
    for code in ["other-images", "container-figures"] {
        let said = record.warnings.iter().filter(|warning| warning.code == code).count();
        assert_eq!(said, 1, "{code}: {:?}", record.warnings);
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
fn an_engine_that_hangs_at_the_end_is_given_up_and_what_is_left_is_named_with_the_next_step() {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let proxy = EngineProxy::start(&place.work());
    let run = long_run_through(&proxy, &place, &images);
    place.await_intervals(2, PATIENCE);
    proxy.hang();
    kill(Pid::from_raw(run.pid()), Signal::SIGINT).unwrap();
    let output = output_within(run, PATIENCE);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let record = record(&output);
    let run = record.run_id.rsplit('-').next().unwrap_or_default();
    let warning = record.warnings.iter().find(|warning| warning.code == "not-stopped-cleanly");
    let text = &warning.unwrap_or_else(|| panic!("{:?}", record.warnings)).text;
    assert!(text.contains("run `odg-bench clean` once it answers"), "{text}");
    for part in ["", "-postgresql", "-redis", "-minio", "-nats"] {
        assert!(text.contains(&format!("odg-bench-{run}{part}")), "{part}: {text}");
    }
    assert!(stderr(&output).contains(text.as_str()), "{}", stderr(&output));
    // Once it answers again.
    let cleaned = place.command(&["clean"]).output().unwrap();
    assert_eq!(cleaned.status.code(), Some(0), "{}", stderr(&cleaned));
    assert_eq!(left(&record.run_id), Vec::<String>::new());
}

#[test]
fn an_interrupt_while_containers_are_being_created_leaves_nothing_that_comes_up_late() {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let proxy = EngineProxy::start(&place.work());
    let before = labelled("label=odg-bench.run");
    proxy.slow_creates();
    let run = long_run_through(&proxy, &place, &images);
    let deadline = std::time::Instant::now() + PATIENCE;
    while proxy.creates() < 4 {
        assert!(std::time::Instant::now() < deadline, "only {} creates came", proxy.creates());
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(run.pid()), Signal::SIGINT).unwrap();
    let output = output_within(run, PATIENCE);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("interrupted while the stack was starting"));
    // What an engine would still be working on is there by now.
    std::thread::sleep(odg_tests::engine::SLOW);
    let after = labelled("label=odg-bench.run");
    let new: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
    assert!(new.is_empty(), "{new:?}");
}

/// The passwords that a run's containers were given, read inside them.
fn secrets_of(run: &str) -> Vec<String> {
    let files = [
        ("postgresql", "/run/odg-bench/password"),
        ("redis", "/run/odg-bench/redis.conf"),
        ("nats", "/run/odg-bench/nats.conf"),
        ("minio", "/run/odg-bench/minio.env"),
        ("kafka", "/mnt/shared/config/server.properties"),
    ];
    let mut found = Vec::new();
    for (component, file) in files {
        let name = format!("odg-bench-{run}-{component}");
        let text = docker(&["exec", &name, "cat", file]).join("\n");
        // A password is as long as no other word in these files, and is of letters and digits.
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let secrets: Vec<&str> = words.filter(|word| word.len() == PASSWORD_LENGTH).collect();
        assert!(!secrets.is_empty(), "{component} has no password in {file}");
        found.extend(secrets.into_iter().map(str::to_owned));
    }
    found
}

#[test]
fn no_password_of_a_container_is_in_what_the_run_wrote_or_printed_or_in_inspect_or_the_process_list()
 {
    let Some(images) = images() else { return };
    let _turn = turn();
    let place = Place::new();
    let mut command = place.command(&["run", "--runs-dir", "runs", "--output", "json"]);
    command.args(long("small", &images)).env("ODG_BENCH_LOG", "trace");
    let run = Started::new(&mut command);
    // Read while it runs: it is too much for a pipe that nobody empties.
    let pid = run.pid();
    let printing = std::thread::spawn(move || run.output());
    place.await_intervals(2, PATIENCE);
    let run_id = place.only_run().file_name().unwrap().to_string_lossy().into_owned();
    let short = run_id.rsplit('-').next().unwrap_or_default().to_owned();
    let secrets = secrets_of(&short);
    assert!(secrets.len() >= 5, "one of each server: {}", secrets.len());
    let filter = format!("label=odg-bench.run={short}");
    let containers = docker(&["ps", "--all", "--quiet", "--filter", &filter]);
    let ids: Vec<&str> = containers.iter().map(String::as_str).collect();
    assert_eq!(ids.len(), 5);
    let mut seen = docker(&[["inspect"].as_slice(), &ids].concat()).join("\n");
    for process in processes::all() {
        let of = |what: &str| std::fs::read(format!("/proc/{}/{what}", process.pid));
        seen.push_str(&String::from_utf8_lossy(&of("cmdline").unwrap_or_default()));
    }
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let output = printing.join().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", output.status);
    seen.push_str(&String::from_utf8_lossy(&output.stdout));
    seen.push_str(&stderr(&output));
    seen.push_str(&place.written());
    assert!(seen.contains("redis-server") && seen.len() > 10_000, "what is searched is there");
    for secret in secrets {
        let at = seen.find(&secret);
        assert_eq!(at, None, "a password of {} characters leaked", secret.len());
    }
    assert_eq!(left(&run_id), Vec::<String>::new());
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

/// An engine at a socket in a place of its own that answers each path with this, or nothing at all.
fn engine_that_says(place: &Place, answer: Option<fn(&str) -> &'static str>) -> String {
    let path = place.runs().join("engine.sock");
    let listener =
        UnixListener::bind(&path).unwrap_or_else(|e| panic!("listen at {}: {e}", path.display()));
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            match answer {
                Some(answer) => {
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).unwrap_or_default();
                    let request = String::from_utf8_lossy(&request[..read]).into_owned();
                    let body = answer(request.split(' ').nth(1).unwrap_or_default());
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
    let old = |_: &str| r#"{"Version":"19.03.15","ApiVersion":"1.40"}"#;
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
fn an_engine_that_this_user_may_not_use_is_one_line_with_what_to_do() {
    let place = Place::new();
    let address = engine_that_says(&place, None);
    let socket = address.trim_start_matches("unix://").to_owned();
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o000)).unwrap();
    let arguments = ["run", "--profile", "dev", "--provider", "docker", "--dry-run"];
    let mut command = place.command(&arguments);
    if Uid::effective().is_root() {
        // Nothing is forbidden to root. Another process copies the program, which may lie where others cannot go.
        let copy = place.work().join("odg-bench");
        let copied = Command::new("cp").arg(program()).arg(&copy).status().unwrap();
        assert!(copied.success());
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(copy);
        command.args(arguments).current_dir(place.work());
    }
    let output = command.env("DOCKER_HOST", &address).output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for words in ["you may not use the container engine at", socket.as_str(), "group"] {
        assert!(text.contains(words), "{text}");
    }
}

/// The plan for profile small on an engine that gives these answers.
fn planned_with(answers: fn(&str) -> &'static str) -> serde_json::Value {
    let place = Place::new();
    let address = engine_that_says(&place, Some(answers));
    let mut command = place.command(&["run", "--profile", "small", "--provider", "docker"]);
    let output = command
        .args(["--dry-run", "--output", "json"])
        .env("DOCKER_HOST", address)
        .output()
        .unwrap_or_else(|e| panic!("start odg-bench: {e}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("the plan: {e}"))
}

#[test]
fn a_smaller_machine_of_the_engine_marks_the_run_and_not_this_process_own() {
    // Fewer CPUs and less memory than profile small promises, and not what this machine has.
    let plan = planned_with(|path| match path.rsplit('/').next() {
        Some("version") => r#"{"Version":"24.0.7","ApiVersion":"1.43"}"#,
        Some("info") => r#"{"NCPU":5,"MemTotal":7000000000}"#,
        _ => r#"{"Id":"sha256:00"}"#,
    });
    let marks = plan["marks"].to_string();
    assert!(marks.contains("scaled host: 5 of 16 vCPU, 7 of 64 GB"), "{marks}");
    assert_eq!(marks.matches("scaled host").count(), 1, "{marks}");
}

#[test]
fn the_load_is_scaled_to_the_engines_cores_and_not_to_this_process_own() {
    // One core, which cannot carry what profile small promises.
    let plan = planned_with(|path| match path.rsplit('/').next() {
        Some("version") => r#"{"Version":"24.0.7","ApiVersion":"1.43"}"#,
        Some("info") => r#"{"NCPU":1,"MemTotal":7000000000}"#,
        _ => r#"{"Id":"sha256:00"}"#,
    });
    let reason = plan["config"]["scale_reason"].as_str().unwrap_or_default();
    assert!(reason.contains("share 1 cores"), "{}", plan["config"]);
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
