//! Promises of the local provider, kept against real servers.

mod compatible;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use odg_profiles::Component;
use odg_reports::record::Fidelity;
use odg_workloads::endpoint::NatsLogin;
use tempfile::TempDir;

use super::reaper::ReaperCommand;
use super::{LocalProvider, Search, ready, reaper, workdir};
use crate::host::procfs::{self, ProcessStat};
use crate::provider::{Plan, Provider, ProviderError, Stack, StartOptions};

const SERVERS: [Component; 3] = [Component::Postgresql, Component::Redis, Component::Nats];
/// What a copy of this test binary is asked to be (see `entry`), and where it works.
const ENTRY: &str = "ODG_BENCH_TEST_ENTRY";
const PARENT: &str = "ODG_BENCH_TEST_PARENT";
/// Far more than anything here takes, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a promise: what the copies of this test binary do that other tests start.
#[test]
fn entry() {
    match std::env::var(ENTRY).as_deref() {
        Ok("reaper") => {
            reaper::main();
        }
        Ok("victim") => victim(),
        _ => {}
    }
}

fn copy_args() -> Vec<std::ffi::OsString> {
    vec!["provider::local::tests::entry".into(), "--exact".into(), "--nocapture".into()]
}

/// A directory for private directories that PostgreSQL's user can pass through.
fn parent() -> TempDir {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o711))
        .tempdir_in(workdir::default_parent())
        .unwrap()
}

fn options(parent: &Path) -> StartOptions {
    StartOptions {
        parent_dir: Some(parent.to_path_buf()),
        reaper: ReaperCommand {
            program: "/proc/self/exe".into(),
            args: copy_args(),
            envs: vec![(ENTRY.into(), "reaper".into())],
        },
        ready_timeout: PATIENCE,
        ..StartOptions::new("test")
    }
}

async fn start(provider: &LocalProvider, wanted: &[Component], parent: &Path) -> Stack {
    let plan = provider.resolve(wanted).unwrap();
    provider
        .start(&plan, options(parent))
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", error.log_tail().join("\n")))
}

fn pids(stack: &Stack) -> Vec<i32> {
    stack.processes().into_iter().flat_map(|(_, pids)| pids).collect()
}

fn alive(pids: &[i32]) -> Vec<i32> {
    let is_alive = |pid: &i32| ProcessStat::read(*pid).is_some_and(|stat| stat.is_alive());
    pids.iter().copied().filter(is_alive).collect()
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program of these lines. Written by another process: a copy of an open file that a concurrent fork of this
/// one holds would make starting it fail with ETXTBSY.
pub(super) fn script(dir: &Path, body: &str) -> PathBuf {
    let path = dir.join("server");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"";
    let written = Command::new("sh").args(["-c", write, "sh"]).arg(&path).arg(body).status();
    assert!(written.unwrap().success());
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_stack_answers_and_leaves_nothing_behind_when_stopped() {
    let parent = parent();
    let wanted = super::components();
    let stack = start(&LocalProvider::from_env(), &wanted, parent.path()).await;
    println!("whole stack ready in {} ms", stack.ready_ms);
    for one in &stack.implementations {
        println!(
            "{} {} {} {} {} ms",
            one.component, one.name, one.version, one.fidelity, one.ready_ms
        );
        assert!(
            one.version.starts_with(|c: char| c.is_ascii_digit() || c == 'v' || c == 'R'),
            "{one:?}"
        );
    }
    let at = &stack.endpoints;
    assert!(at.postgres.is_some() && at.redis.is_some() && at.nats.is_some());
    assert!(at.kafka.is_some() && at.s3.is_some());
    for (component, pids) in stack.processes() {
        let fake = stack
            .implementations
            .iter()
            .any(|one| one.component == component.name() && one.fidelity == Fidelity::Fake);
        assert_eq!(pids.is_empty(), fake, "{component}");
    }
    let sessions = stack.processes().into_iter().find(|(c, _)| *c == Component::Postgresql);
    assert!(sessions.unwrap().1.len() > 1, "PostgreSQL's children are among its processes");

    let pids = pids(&stack);
    assert_eq!(stack.stop().await, Vec::<String>::new());
    assert_eq!(alive(&pids), Vec::<i32>::new());
    assert!(is_empty(parent.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_on_a_command_line_or_in_an_environment_or_open_to_others() {
    let parent = parent();
    let stack = start(&LocalProvider::from_env(), &super::components(), parent.path()).await;
    let at = &stack.endpoints;
    let NatsLogin::Password { password: nats_password, .. } = &at.nats.as_ref().unwrap().login
    else {
        panic!("NATS asks for a password");
    };
    let mut secrets = vec![
        at.postgres.as_ref().unwrap().password.expose(),
        at.redis.as_ref().unwrap().password.as_ref().unwrap().expose(),
        nats_password.expose(),
        at.s3.as_ref().unwrap().secret_key.expose(),
    ];
    let login = at.kafka.as_ref().unwrap().login.as_ref();
    secrets.extend(login.map(|login| login.password.expose()));
    assert_hidden(&stack, &secrets);
    stack.stop().await;
}

/// No secret shows in the stack's processes and logs, and its directories are open to nobody else.
fn assert_hidden(stack: &Stack, secrets: &[&str]) {
    for pid in pids(stack) {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{file} of {pid}");
        }
    }
    for entry in fs::read_dir(stack.data_dir()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "logs" {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{}", entry.path().display());
        }
    }
    for log in fs::read_dir(stack.log_dir()).unwrap() {
        let text = fs::read_to_string(log.unwrap().path()).unwrap();
        assert!(!secrets.iter().any(|secret| text.contains(secret)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fakes_answer_real_requests_and_are_marked() {
    let parent = parent();
    let provider =
        LocalProvider::from_env().force(Component::Kafka, "fake").force(Component::Minio, "fake");
    let wanted = [Component::Kafka, Component::Minio];
    let mut stack = start(&provider, &wanted, parent.path()).await;
    assert!(stack.implementations.iter().all(|one| one.fidelity == Fidelity::Fake));
    assert!(stack.implementations.iter().all(|one| one.note.is_some()));
    ready::kafka(stack.endpoints.kafka.as_ref().unwrap()).await.unwrap();
    ready::s3(stack.endpoints.s3.as_ref().unwrap()).await.unwrap();
    let mut stranger = stack.endpoints.s3.clone().unwrap();
    stranger.secret_key = odg_workloads::secret::Secret::new("wrong");
    ready::s3(&stranger).await.unwrap_err();
    assert_eq!(stack.died(), None);
    stack.signal(Component::Kafka, Signal::SIGSTOP).unwrap_err();
    assert_eq!(stack.stop().await, Vec::<String>::new());
    assert!(is_empty(parent.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_is_dropped_leaves_nothing_behind() {
    let parent = parent();
    let stack = start(&LocalProvider::from_env(), &SERVERS, parent.path()).await;
    let pids = pids(&stack);
    drop(stack);
    assert_eq!(alive(&pids), Vec::<i32>::new());
    assert!(is_empty(parent.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_postgresql_by_signal_stops_every_process_of_it_and_it_can_go_on() {
    let parent = parent();
    let wanted = [Component::Postgresql];
    let stack = start(&LocalProvider::from_env(), &wanted, parent.path()).await;
    let pids = pids(&stack);
    let stopped =
        || pids.iter().filter(|&&pid| ProcessStat::read(pid).is_some_and(|stat| stat.state == 'T'));
    stack.signal(Component::Postgresql, Signal::SIGSTOP).unwrap();
    wait_until("all processes are stopped", || stopped().count() == alive(&pids).len());
    stack.signal(Component::Postgresql, Signal::SIGCONT).unwrap();
    ready::postgres(stack.endpoints.postgres.as_ref().unwrap()).await.unwrap();
    stack.signal(Component::Postgresql, Signal::SIGSTOP).unwrap();
    assert_eq!(stack.stop().await, Vec::<String>::new(), "a stopped server still ends in order");
    assert_eq!(alive(&pids), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_named_with_its_last_log_lines() {
    let parent = parent();
    let mut stack = start(&LocalProvider::from_env(), &[Component::Redis], parent.path()).await;
    assert_eq!(stack.died(), None);
    stack.signal(Component::Redis, Signal::SIGKILL).unwrap();
    let mut death = None;
    wait_until("the death is seen", || {
        death = stack.died();
        death.is_some()
    });
    let death = death.unwrap();
    assert_eq!(death.component, Component::Redis);
    assert!(death.status.contains("SIGKILL"), "{death:?}");
    assert!(!death.last_log_lines.is_empty());
    assert_eq!(stack.stop().await.len(), 1, "the death is told once more at the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_start_is_named_and_the_others_are_ended() {
    let (parent, dir) = (parent(), tempfile::tempdir().unwrap());
    let program = script(dir.path(), "echo cannot read the moon; exit 3");
    let mut vars: Vec<_> = std::env::vars_os().collect();
    vars.push(("ODG_BENCH_REDIS".into(), program.into()));
    let provider = LocalProvider::new(Search::from_vars(vars));
    let plan = provider.resolve(&SERVERS).unwrap();
    let error = provider.start(&plan, options(parent.path())).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::FailedToStart { component: Component::Redis, status, .. }
            if status.contains('3')),
        "{error}"
    );
    assert_eq!(error.log_tail(), ["cannot read the moon"]);
    assert!(is_empty(parent.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_given_up_and_ended() {
    let (parent, dir) = (parent(), tempfile::tempdir().unwrap());
    let program = script(
        dir.path(),
        "[ $1 = --version ] && exit; echo $$ > \"$HOME/../../pid\"; sleep 1000; :",
    );
    let search = Search::from_vars([("ODG_BENCH_REDIS", program)]);
    let provider = LocalProvider::new(search);
    let plan = provider.resolve(&[Component::Redis]).unwrap();
    let options = StartOptions { ready_timeout: Duration::from_secs(5), ..options(parent.path()) };
    let error = provider.start(&plan, options).await.unwrap_err();
    assert!(
        matches!(error, ProviderError::NotReady { component: Component::Redis, .. }),
        "{error}"
    );
    let pid_file = parent.path().join("pid");
    let pid: i32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let tree = procfs::trees(&procfs::processes(), &[pid]).into_iter().collect::<Vec<_>>();
    assert_eq!(alive(&tree), Vec::<i32>::new());
    fs::remove_file(pid_file).unwrap();
    assert!(is_empty(parent.path()));
}

#[test]
fn a_missing_server_is_one_clear_line_with_the_command_that_adds_it() {
    let search = Search::from_vars([("ODG_BENCH_NATS", "/no/such/nats-server")]);
    let error = LocalProvider::new(search).resolve(&[Component::Nats]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "nats: not found (looked for ODG_BENCH_NATS=/no/such/nats-server); to add it: \
         ci/setup (Debian: apt-get install nats-server)"
    );
}

#[test]
fn the_environment_chooses_an_implementation_and_a_wrong_name_is_told_the_right_ones() {
    let plan = |id: &str| {
        let search = Search::from_vars([("ODG_BENCH_IMPLEMENTATION_KAFKA", id)]);
        LocalProvider::new(search).resolve(&[Component::Kafka])
    };
    assert_eq!(plan("fake").unwrap().choices[0].implementation, "fake");
    let error = plan("pulsar").unwrap_err().to_string();
    assert!(error.contains("pulsar") && error.contains("apache-kafka, nisshi, fake"), "{error}");
    assert!(matches!(plan("apache-kafka"), Err(ProviderError::MissingComponent { .. })));
}

#[test]
fn what_one_machine_cannot_show_is_listed_and_not_dropped() {
    let Plan { choices, unsupported, .. } = LocalProvider::new(Search::default())
        .resolve(&[Component::MultiAz, Component::Trino])
        .unwrap();
    assert!(choices.is_empty());
    assert_eq!(unsupported, [Component::MultiAz, Component::Trino]);
}

/// Starts servers, writes their process ids down, and waits to be killed.
fn victim() {
    let parent = PathBuf::from(std::env::var_os(PARENT).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stack = start(&LocalProvider::from_env(), &SERVERS, &parent).await;
        let lines: Vec<String> = pids(&stack).iter().map(i32::to_string).collect();
        fs::write(parent.join("pids.part"), lines.join("\n")).unwrap();
        fs::rename(parent.join("pids.part"), parent.join("pids")).unwrap();
        tokio::time::sleep(PATIENCE).await;
    });
}

/// A copy of this test binary with a running stack; killed at the latest when the test ends.
struct Victim(std::process::Child);

impl Victim {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a victim; returns it with the processes of its stack and its reaper.
fn start_victim(parent: &Path) -> (Victim, Vec<i32>, i32) {
    let victim = Command::new("/proc/self/exe")
        .args(copy_args())
        .env(ENTRY, "victim")
        .env(PARENT, parent)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut victim = Victim(victim);
    let list = parent.join("pids");
    wait_until("the victim's servers are up", || {
        assert_eq!(victim.0.try_wait().unwrap(), None, "the victim must live until it is killed");
        list.exists()
    });
    let pids: Vec<i32> =
        fs::read_to_string(&list).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    fs::remove_file(list).unwrap();
    let victim_pid = i32::try_from(victim.0.id()).unwrap();
    let servers: BTreeSet<i32> = pids.iter().copied().collect();
    let reaper = procfs::processes()
        .into_iter()
        .find(|stat| stat.parent == victim_pid && !servers.contains(&stat.pid))
        .unwrap();
    (victim, pids, reaper.pid)
}

#[test]
fn a_killed_odg_bench_leaves_no_process_and_no_directory() {
    let parent = parent();
    let (mut victim, pids, reaper) = start_victim(parent.path());
    assert!(alive(&pids).len() >= SERVERS.len());
    // The hardest case: stopped processes notice nothing by themselves.
    for &pid in &pids {
        // A session of PostgreSQL may have ended meanwhile.
        let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
    }
    victim.kill();
    wait_until("all servers are gone", || alive(&pids).is_empty());
    wait_until("the directory is gone", || is_empty(parent.path()));
    wait_until("the reaper is gone", || alive(&[reaper]).is_empty());
}

#[test]
fn killing_the_reaper_too_leaves_no_process_and_a_directory_that_a_sweep_removes() {
    let parent = parent();
    let (mut victim, pids, reaper) = start_victim(parent.path());
    kill(Pid::from_raw(reaper), Signal::SIGKILL).unwrap();
    victim.kill();
    wait_until("all servers are gone", || alive(&pids).is_empty());
    assert!(!is_empty(parent.path()));
    let swept = workdir::sweep(parent.path(), false).unwrap();
    assert_eq!((swept.len(), &swept[0].problem), (1, &None));
    assert_eq!(swept[0].label.run_id, "test");
    assert!(is_empty(parent.path()));
}
