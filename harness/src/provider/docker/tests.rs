//! The provider against a real engine and the images of `ci/images/build`.

use std::collections::HashMap;
use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, VolumeCreateRequest};
use bollard::query_parameters::{CreateContainerOptionsBuilder, InspectContainerOptions};
use nix::sys::signal::Signal;
use odg_profiles::{ByteSize, Cpu, read_images};
use odg_workloads::endpoint::NatsLogin;

use super::sweep::labelled;
use super::*;
use crate::provider::ready;

const TWO: [Component; 2] = [Component::Redis, Component::Nats];
/// Long enough for a busy machine; whoever waits goes on as soon as it can.
const PATIENCE: Duration = Duration::from_secs(60);

/// The local images; `None`, with a line, where tests on containers are passed over.
fn images() -> Option<BTreeMap<Component, ImageReference>> {
    if env::var_os("ODG_BENCH_TEST_NO_DOCKER").is_some() {
        eprintln!("PASSED OVER: needs a container engine (ODG_BENCH_TEST_NO_DOCKER is set)");
        return None;
    }
    let dir = |name: &str| env::var_os(name).map(PathBuf::from);
    let tools = dir("ODG_BENCH_TOOLS")
        .or_else(|| Some(dir("XDG_DATA_HOME")?.join("odg-bench")))
        .or_else(|| Some(dir("HOME")?.join(".local/share/odg-bench")))
        .unwrap();
    let images = read_images(&tools.join("images.yaml"));
    Some(images.expect(
        "run ci/setup --with-docker and ci/images/build, or set ODG_BENCH_TEST_NO_DOCKER=1",
    ))
}

fn provider(images: BTreeMap<Component, ImageReference>) -> DockerProvider {
    DockerProvider::new(&Profile::load("small").unwrap(), images)
}

fn options(run: &str) -> StartOptions {
    StartOptions::new(format!("{run}-{}", rand::random::<u32>()))
}

async fn start(
    provider: &DockerProvider,
    components: &[Component],
    options: StartOptions,
) -> Stack {
    let plan = provider.plan(components).await.unwrap();
    provider.start(&plan, options).await.unwrap()
}

/// What is there of a run, by kind and name.
async fn left(run: &str) -> Vec<String> {
    let engine = Engine::connect().await.unwrap();
    let all = labelled(&engine.docker, Some(run)).await.unwrap();
    all.iter().map(|thing| format!("{} {}", thing.kind.label(), thing.name)).collect()
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_has_limits_loopback_ports_figures_and_logs_shows_no_password_and_leaves_nothing() {
    let Some(images) = images() else { return };
    let logs = tempfile::tempdir().unwrap();
    let mut options = options("whole");
    options.log_dir = Some(logs.path().to_path_buf());
    let run = options.run_id.clone();
    let stack = start(&provider(images), &TWO, options).await;
    assert_eq!(left(&run).await.len(), 5, "two containers, two volumes, one network");

    let redis = stack.endpoints.redis.clone().unwrap();
    let nats = stack.endpoints.nats.clone().unwrap();
    let NatsLogin::Password { password, .. } = &nats.login else {
        panic!("NATS asks for a password")
    };
    let engine = Engine::connect().await.unwrap();
    for (component, secret) in [("redis", redis.password.as_ref().unwrap()), ("nats", password)] {
        let name = format!("odg-bench-{run}-{component}");
        let shown =
            engine.docker.inspect_container(&name, None::<InspectContainerOptions>).await.unwrap();
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains(secret.expose()), "{component}: its password is in inspect");
        let host = shown.host_config.unwrap();
        assert_eq!(host.nano_cpus, Some(500_000_000), "{component}: small's limit");
        assert_eq!(host.memory, Some(2 << 30), "{component}: small's limit");
        let ports = shown.network_settings.unwrap().ports.unwrap();
        for binding in ports.values().flatten().flatten() {
            assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"), "{component}");
        }
    }
    for implementation in &stack.implementations {
        let note = implementation.note.as_deref().unwrap();
        assert!(note.contains("image ") && note.contains("limits 0.5 CPU"), "{note}");
        assert!(note.contains("instead of the profile's"), "{note}");
        assert!(implementation.name.contains("(image odgbench/"), "{implementation:?}");
        assert!(implementation.version.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(implementation.fidelity, Fidelity::Real, "{implementation:?}");
    }
    let codes: Vec<&str> = stack.warnings.iter().map(|warning| warning.code.as_str()).collect();
    let holds = engine.holds.cpu && engine.holds.memory && engine.holds.swap;
    let mut expected = vec!["other-images", "container-figures"];
    if !holds {
        expected.insert(1, "limits-not-held");
    }
    assert_eq!(codes, expected);
    let (mut rows, clock) = (Vec::new(), Instant::now());
    until("three counts of each", || {
        rows.extend(stack.resources(1_000.0 + clock.elapsed().as_secs_f64()));
        let of = |name: &str| rows.iter().filter(|row| row.component == name).count();
        (of("redis") >= 3 && of("nats") >= 3).then_some(())
    })
    .await;
    for name in ["redis", "nats"] {
        let times: Vec<f64> =
            rows.iter().filter(|row| row.component == name).map(|row| row.t_s).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "a count repeats: {times:?}");
    }
    for row in rows {
        assert!(row.rss_bytes > 0 && row.received_bytes.is_some_and(|n| n > 0), "{row:?}");
        let now = 1_000.0 + clock.elapsed().as_secs_f64();
        assert!(row.t_s < now, "it was counted before it was asked for: {row:?}");
    }
    assert_eq!(stack.stop().await, Vec::<String>::new());
    assert_eq!(left(&run).await, Vec::<String>::new());
    for name in ["redis.log", "nats.log"] {
        assert!(logs.path().join(name).metadata().unwrap().len() > 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stack_and_a_start_that_was_given_up_leave_nothing() {
    let Some(images) = images() else { return };
    let provider = provider(images);
    let whole = options("dropped");
    let run = whole.run_id.clone();
    drop(start(&provider, &TWO, whole).await);
    assert_eq!(left(&run).await, Vec::<String>::new());

    let plan = provider.plan(&TWO).await.unwrap();
    for ms in [20, 150, 500] {
        let cut = options("cut");
        let run = cut.run_id.clone();
        let _ = tokio::time::timeout(Duration::from_millis(ms), provider.start(&plan, cut)).await;
        assert_eq!(left(&run).await, Vec::<String>::new(), "given up after {ms} ms");
    }
}

#[test]
fn a_stack_that_is_dropped_by_a_panic_or_outside_a_runtime_leaves_nothing() {
    let Some(images) = images() else { return };
    let provider = provider(images);
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let outside = runtime();
    let options_outside = options("outside");
    let runs = [options_outside.run_id.clone(), "panic-test".to_owned() + &options_outside.run_id];
    let stack = outside.block_on(start(&provider, &TWO, options_outside));
    drop(outside);
    drop(stack);
    let mut panicking = options("panic");
    panicking.run_id.clone_from(&runs[1]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime().block_on(async {
            let _stack = start(&provider, &TWO, panicking).await;
            panic!("on purpose");
        });
    }));
    assert!(panicked.is_err());
    for run in &runs {
        assert_eq!(runtime().block_on(left(run)), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_starts_and_stops_leave_nothing() {
    let Some(images) = images() else { return };
    let provider = provider(images);
    for cycle in 0..5 {
        let options = options("cycle");
        let run = options.run_id.clone();
        assert_eq!(start(&provider, &TWO, options).await.stop().await, Vec::<String>::new());
        assert_eq!(left(&run).await, Vec::<String>::new(), "cycle {cycle}");
    }
}

/// Processes that a container has, and our own children: others come and go on any machine.
fn processes_of_containers() -> usize {
    let own = i32::try_from(std::process::id()).unwrap();
    crate::host::procfs::processes()
        .iter()
        .filter(|process| {
            let name = std::fs::read_to_string(format!("/proc/{}/comm", process.pid));
            let name = name.unwrap_or_default();
            process.parent == own
                || name.starts_with("docker-proxy")
                || name.starts_with("containerd-shim")
        })
        .count()
}

/// What cycles could leave behind: things of the engine, processes, listening ports, our file descriptors.
async fn counts() -> [(&'static str, usize); 6] {
    let engine = Engine::connect().await.unwrap();
    let containers =
        bollard::query_parameters::ListContainersOptionsBuilder::new().all(true).build();
    let containers = engine.docker.list_containers(Some(containers)).await.unwrap().len();
    let networks = engine
        .docker
        .list_networks(None::<bollard::query_parameters::ListNetworksOptions>)
        .await
        .unwrap()
        .len();
    let volumes = engine
        .docker
        .list_volumes(None::<bollard::query_parameters::ListVolumesOptions>)
        .await
        .unwrap()
        .volumes
        .map_or(0, |volumes| volumes.len());
    let listening = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let listening = listening.lines().filter(|l| l.split_whitespace().nth(3) == Some("0A")).count();
    [
        ("containers", containers),
        ("networks", networks),
        ("volumes", volumes),
        ("processes", processes_of_containers()),
        ("listening ports", listening),
        ("file descriptors", std::fs::read_dir("/proc/self/fd").unwrap().count()),
    ]
}

/// Takes minutes and wants a machine on which no other servers start meanwhile:
/// `cargo test -p odg-bench --lib two_hundred -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes and wants a quiet machine"]
async fn two_hundred_starts_and_stops_leave_nothing() {
    let Some(images) = images() else { return };
    let provider = provider(images);
    // The first one opens what stays open, such as the client's own.
    let warm_up = options("soak");
    start(&provider, &TWO, warm_up).await.stop().await;
    let before = counts().await;
    let began = Instant::now();
    for cycle in 0..200 {
        let problems = start(&provider, &TWO, options("soak")).await.stop().await;
        assert_eq!(problems, Vec::<String>::new(), "cycle {cycle}");
    }
    let after = counts().await;
    println!("200 cycles in {:.0} s", began.elapsed().as_secs_f64());
    for ((what, before), (_, after)) in before.iter().zip(&after) {
        println!("{what}: {before} before, {after} after");
    }
    for ((what, before), (_, after)) in before.iter().zip(&after) {
        assert!(after <= before, "{what}");
    }
}

/// Speaks to Redis without a client, so that a value of any size can be sent.
fn overfill(endpoint: &odg_workloads::endpoint::RedisEndpoint, bytes: usize) {
    let mut redis = TcpStream::connect((Ipv4Addr::LOCALHOST, endpoint.port)).unwrap();
    let password = endpoint.password.as_ref().unwrap().expose();
    redis.write_all(format!("AUTH {password}\r\n").as_bytes()).unwrap();
    let mut answer = [0; 5];
    redis.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+OK\r\n");
    redis.write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${bytes}\r\n").as_bytes()).unwrap();
    // The server dies of it: how far it gets is its own affair.
    let _ = redis.write_all(&vec![b'x'; bytes]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_outgrows_its_memory_is_named_with_the_reason() {
    let Some(images) = images() else { return };
    let little =
        Quantities { cpu: Cpu::from_millicores(500), memory: ByteSize::new(32 << 20), gpu: None };
    let provider = provider(images).limit(Component::Redis, little);
    let options = options("oom");
    let run = options.run_id.clone();
    let mut stack = start(&provider, &[Component::Redis], options).await;
    overfill(stack.endpoints.redis.as_ref().unwrap(), 128 << 20);
    let death = until("the end of redis", || stack.died()).await;
    assert_eq!(death.component, Component::Redis);
    assert!(death.status.starts_with("out of memory"), "{death:?}");
    assert!(!death.last_log_lines.is_empty());
    let problems = stack.stop().await;
    assert!(problems[0].contains("had already ended: out of memory"), "{problems:?}");
    assert_eq!(left(&run).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_container_answers_again_once_thawed_and_a_killed_one_is_named() {
    let Some(images) = images() else { return };
    let mut stack = start(&provider(images), &[Component::Redis], options("signal")).await;
    let redis = stack.endpoints.redis.clone().unwrap();
    stack.signal(Component::Redis, Signal::SIGSTOP).unwrap();
    let asked = tokio::time::timeout(Duration::from_millis(500), ready::redis(&redis)).await;
    assert!(asked.is_err(), "a frozen server does not answer");
    assert_eq!(stack.died(), None, "frozen is not dead");
    stack.signal(Component::Redis, Signal::SIGCONT).unwrap();
    ready::redis(&redis).await.unwrap();
    stack.signal(Component::Redis, Signal::SIGKILL).unwrap();
    let death = until("the end of redis", || stack.died()).await;
    assert_eq!(death.status, "killed by signal 9 (exit code 137)");
    let unknown = stack.signal(Component::Kafka, Signal::SIGTERM).unwrap_err();
    assert!(unknown.to_string().contains("not part of this stack"));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_had_is_one_line_that_helps_without_a_registry() {
    let Some(_) = images() else { return };
    // A registry on this machine that nothing listens for.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let image: ImageReference = format!("127.0.0.1:{port}/none:1").parse().unwrap();
    let provider = provider(BTreeMap::from([(Component::Redis, image.clone())]));
    let plan = provider.plan(&[Component::Redis]).await.unwrap();
    assert!(plan.choices[0].note.as_deref().unwrap().contains("to be pulled"));
    let options = options("image");
    let run = options.run_id.clone();
    let text = provider.start(&plan, options).await.unwrap_err().to_string();
    for words in [image.as_str(), "--images FILE", "docker load", "redis"] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains('\n'));
    assert_eq!(left(&run).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_server_that_ends_at_once_are_named() {
    let Some(images) = images() else { return };
    let engine = Engine::connect().await.unwrap();
    let reference = &images[&Component::Redis];
    let owner = Owner::this(&options("port").run_id);
    let guard = Guard::new(&owner.run, &[Component::Redis]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = listener.local_addr().unwrap().port();
    for (host_port, args) in [(Some(taken), None), (None, Some("--no-such-option"))] {
        let mut recipe = redis::recipe();
        recipe.host_port = host_port;
        recipe.args.extend(args.map(str::to_owned));
        let site = Site {
            engine: &engine,
            component: Component::Redis,
            reference,
            image: images::find(&engine, reference).await.unwrap().unwrap(),
            limits: None,
            owner: &owner,
            network: "bridge",
            log: tempfile::tempdir().unwrap().path().join("redis.log"),
            ready_timeout: PATIENCE,
            under_way: guard.under_way(),
        };
        let Err(error) = container::start(site, recipe).await else { panic!("it cannot start") };
        match host_port {
            Some(port) => assert!(
                error.to_string().contains(&format!("port {port} of 127.0.0.1 is taken")),
                "{error}"
            ),
            None => {
                assert!(error.to_string().contains("it ended with exit code 1"), "{error}");
                assert!(!error.log_tail().is_empty());
            }
        }
        assert_eq!(
            sweep::remove_run(&engine.docker, &owner.run, Duration::ZERO).await.unwrap(),
            Vec::<String>::new()
        );
    }
    assert_eq!(guard.remove(&engine.docker).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeping_takes_what_dead_runs_left_and_leaves_living_and_foreign_things() {
    let Some(images) = images() else { return };
    let engine = Engine::connect().await.unwrap();
    let options = options("living");
    let living = options.run_id.clone();
    let stack = start(&provider(images.clone()), &[Component::Redis], options).await;
    let dead = format!("dead-{living}");
    let mut labels = Owner::this(&dead).labels();
    labels.insert("odg-bench.pid".into(), i32::MAX.to_string());
    let foreign = format!("foreign-{living}");
    let half = HashMap::from([(labels::RUN.to_owned(), foreign.clone())]);
    for (name, labels) in [(&dead, labels), (&foreign, half)] {
        let body = ContainerCreateBody {
            image: Some(images[&Component::Redis].to_string()),
            labels: Some(labels.clone()),
            ..ContainerCreateBody::default()
        };
        let create = CreateContainerOptionsBuilder::new().name(name).build();
        engine.docker.create_container(Some(create), body).await.unwrap();
        let network = NetworkCreateRequest {
            name: name.clone(),
            labels: Some(labels.clone()),
            ..Default::default()
        };
        engine.docker.create_network(network).await.unwrap();
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(labels),
            ..Default::default()
        };
        engine.docker.create_volume(volume).await.unwrap();
    }
    let of = |found: &[Leftover], run: &str| found.iter().filter(|l| l.run == run).count();
    let shown = sweep::sweep(&engine, true).await.unwrap();
    assert_eq!(
        (of(&shown, &dead), of(&shown, &foreign), of(&shown, &living)),
        (3, 0, 0),
        "{shown:?}"
    );
    assert_eq!(left(&dead).await.len(), 3, "a dry run removes nothing");
    let swept = sweep::sweep(&engine, false).await.unwrap();
    assert!(swept.iter().filter(|l| l.run == dead).all(|l| l.problem.is_none()), "{swept:?}");
    assert_eq!(left(&dead).await, Vec::<String>::new());
    assert_eq!(left(&foreign).await.len(), 3, "foreign things stay");
    assert_eq!(left(&living).await.len(), 3, "a living run's things stay");
    assert_eq!(
        sweep::remove_run(&engine.docker, &foreign, Duration::ZERO).await.unwrap(),
        Vec::<String>::new()
    );
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_of_a_plan_is_the_engines_and_a_full_disk_is_the_engines_too() {
    let Some(images) = images() else { return };
    let engine = Engine::connect().await.unwrap();
    let info = engine.docker.info().await.unwrap();
    let provider = provider(images);
    let machine = provider.plan(&TWO).await.unwrap().machine.unwrap();
    assert_eq!(Some(i64::from(machine.cores)), info.ncpu);
    assert_eq!(i64::try_from(machine.memory_bytes).ok(), info.mem_total);
    let text = super::super::disk::require(
        std::path::Path::new("/"),
        u64::MAX,
        provider.if_disk_is_full(),
    );
    let text = text.unwrap_err().to_string();
    assert!(text.contains("docker system df") && !text.contains("ODG_BENCH_WORK_DIR"), "{text}");
}
