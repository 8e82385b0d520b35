//! Runs that go wrong: what is kept, what is said, and what is left behind (nothing).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odg_reports::record::{Fidelity, RunState, Verdict};
use odg_tests::processes::{descendants, named, signal, survivors, with_argument, working_in};
use odg_tests::program::{Place, program, read, stderr, turn};

/// Characters of a password that the program makes.
const PASSWORD_LENGTH: usize = 24;

#[test]
fn a_killed_run_leaves_no_process_and_its_report_can_still_be_made() {
    let _turn = turn();
    let place = Place::new();
    let mut child = place.start(&[
        "--profile",
        "small",
        "--scale",
        "0.2",
        "--duration",
        "60s",
        "--warmup",
        "2s",
    ]);
    place.await_intervals(6, Duration::from_secs(90));
    let started = descendants(child.pid());
    child.kill();
    assert_eq!(survivors(&started, Duration::from_secs(10)), []);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !place.leftovers().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());

    let dir = place.only_run();
    assert!(!dir.join("run.json").exists());
    let report = std::process::Command::new(program()).arg("report").arg(&dir).output().unwrap();
    assert!(report.status.success(), "{}", stderr(&report));
    let screen = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(screen.contains("interrupted"), "{screen}");
    let html = fs::read_to_string(dir.join("report.html")).unwrap();
    assert!(html.contains("interrupted") && html.contains("bus.publish"));
    let record = read(&dir);
    assert_eq!((record.state, record.exit_code), (RunState::Interrupted, 4));
    assert!(record.operations.iter().any(|o| o.name == "bus.publish" && o.completed > 0));
}

#[test]
fn killing_the_reaper_together_with_the_run_leaves_no_process_either() {
    let _turn = turn();
    let place = Place::new();
    let mut child = place.start(&["--profile", "dev", "--duration", "60s", "--warmup", "1s"]);
    place.await_intervals(2, Duration::from_secs(90));
    let started = descendants(child.pid());
    // As `killall -9 odg-bench` would: every process of that name, the reaper first.
    let reaper = with_argument(child.pid(), "__reaper");
    assert_eq!(reaper.len(), 1, "{started:?}");
    assert_eq!(reaper[0].name, "odg-bench", "killall finds it by this name");
    signal(&reaper, Signal::SIGKILL);
    child.kill();
    assert_eq!(survivors(&started, Duration::from_secs(10)), []);
    // Nobody was left to remove the directory: that is what `clean` is for.
    let clean = place.command(&["clean"]).output().unwrap();
    assert!(clean.status.success(), "{}", stderr(&clean));
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn a_server_that_dies_under_load_is_named_and_the_run_fails_with_its_record_kept() {
    let _turn = turn();
    let place = Place::new();
    let child = place.start(&[
        "--profile",
        "small",
        "--scale",
        "0.2",
        "--duration",
        "60s",
        "--warmup",
        "2s",
    ]);
    place.await_intervals(5, Duration::from_secs(90));
    let started = descendants(child.pid());
    signal(&named(child.pid(), "redis-server"), Signal::SIGKILL);
    let output = child.output();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let record = read(&place.only_run());
    assert_eq!((record.state, record.verdict), (RunState::Aborted, Verdict::Fail));
    assert!(record.reasons[0].starts_with("redis ended by itself"), "{:?}", record.reasons);
    assert!(record.events.iter().any(|e| e.kind == "component_died"));
    assert!(record.operations.iter().any(|o| o.name == "bus.publish" && o.completed > 0));
    assert_eq!(survivors(&started, Duration::from_secs(5)), []);
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_ends_in_order_and_keeps_what_was_measured() {
    let _turn = turn();
    let place = Place::new();
    let child = place.start(&["--profile", "dev", "--duration", "60s", "--warmup", "1s"]);
    place.await_intervals(5, Duration::from_secs(90));
    let started = descendants(child.pid());
    kill(Pid::from_raw(child.pid()), Signal::SIGINT).unwrap();
    let output = child.output();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let record = read(&place.only_run());
    assert_eq!((record.state, record.verdict), (RunState::Interrupted, Verdict::Inconclusive));
    assert!(record.marks.iter().any(|m| m == "interrupted"));
    assert!(record.ledger.hops[4].reached > 0, "{:?}", record.ledger);
    assert_eq!(survivors(&started, Duration::from_secs(5)), []);
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
}

#[test]
fn no_password_of_a_server_is_in_anything_that_the_run_wrote_or_on_a_command_line() {
    let _turn = turn();
    let place = Place::new();
    let child = place.start(&[
        "--profile",
        "small",
        "--scale",
        "0.1",
        "--duration",
        "60s",
        "--warmup",
        "1s",
    ]);
    // PostgreSQL's password is in a file only while its cluster is made.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut secrets = Vec::new();
    while secrets.is_empty() {
        assert!(Instant::now() < deadline, "initdb is given a password file");
        secrets.extend(postgres_password(&place.work()));
        std::thread::sleep(Duration::from_millis(2));
    }
    place.await_intervals(2, Duration::from_secs(90));
    secrets.extend(secrets_in(&place.work()));
    let lines: String = descendants(child.pid())
        .iter()
        .filter_map(|p| fs::read_to_string(format!("/proc/{}/cmdline", p.pid)).ok())
        .collect();
    kill(Pid::from_raw(child.pid()), Signal::SIGINT).unwrap();
    let output = child.output();
    let record = read(&place.only_run());
    // Every real server asks for a password of its own.
    let real = record.implementations.iter().filter(|i| i.fidelity == Fidelity::Real).count();
    assert!(real >= 3 && secrets.len() >= real, "{} secrets of {real} servers", secrets.len());
    let mut written =
        format!("{lines}{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    written.push_str(&place.written());
    assert!(written.len() > 10_000);
    for secret in secrets {
        assert!(!written.contains(&secret), "a password of {} characters leaked", secret.len());
    }
}

/// The password that PostgreSQL's cluster is being made with, while its file is there.
fn postgres_password(work: &Path) -> Option<String> {
    fs::read_dir(work).ok()?.flatten().find_map(|dir| {
        let text = fs::read_to_string(dir.path().join("postgresql/password")).ok()?;
        (text.len() == PASSWORD_LENGTH).then_some(text)
    })
}

#[test]
fn a_server_that_does_not_start_is_named_with_its_last_words_and_nothing_is_left() {
    let _turn = turn();
    let place = Place::new();
    let program = place.program("echo 'bad directive at line 7: moon' >&2; exit 1");
    let output = place
        .command(&["run", "--profile", "dev", "--duration", "5s", "--runs-dir", "runs", "--quiet"])
        .env("ODG_BENCH_REDIS", program)
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("redis") && said.contains("did not start"), "{said}");
    assert!(said.contains("bad directive at line 7: moon"), "{said}");
    assert_eq!(place.leftovers(), Vec::<PathBuf>::new());
    assert_eq!(working_in(&place.work()), []);
}

/// The passwords in small files of the servers' private directory: words as long as those that the program
/// makes, of both cases, on a line that has a word like `password`. (A digit cannot be asked for: one password in
/// seventy has none.)
fn secrets_in(work: &Path) -> Vec<String> {
    let mut text = String::new();
    collect_small(work, &mut text);
    let mut found = Vec::new();
    for line in text.lines() {
        let lower = line.to_lowercase();
        if !["pass", "secret"].iter().any(|w| lower.contains(w)) {
            continue;
        }
        let words = line.split(|c: char| !c.is_ascii_alphanumeric());
        let made = |w: &&str| {
            w.len() == PASSWORD_LENGTH
                && w.contains(|c: char| c.is_ascii_lowercase())
                && w.contains(|c: char| c.is_ascii_uppercase())
        };
        found.extend(words.filter(made).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

fn collect_small(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            collect_small(&path, text);
        } else if meta.is_file() && meta.len() < 4096 {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
            text.push('\n');
        }
    }
}
