//! Attaching does nothing that nobody wanted: consent, the environment, certificates, and a run that panics.

#![allow(clippy::unwrap_used)] // What fails in a helper here fails the test that uses it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use odg_bench::provider::attach::{AttachProvider, Given};
use odg_bench::provider::{Control, Death, Plan, Provider, ProviderError, Stack, StartOptions};
use odg_bench::run::progress::Style;
use odg_bench::run::{RunOptions, RunRequest, Scale};
use odg_profiles::Component;
use odg_tests::program::{Place, program, record, stderr, turn};
use odg_tests::servers::{Kind, Servers, redis_with_tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use super::attach::{SHORT, SMALL_PART, assert_nothing_left, commands_that_wrote};

#[test]
fn what_the_environment_says_to_postgresqls_client_does_not_count() {
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Postgres]) else { return };
    let file = servers.endpoints(&place);
    let nonsense = [
        ("PGHOST", "/nowhere"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGDATABASE", "nothing"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/no/such/file"),
        ("PGAPPNAME", "another"),
        ("PGPASSFILE", "/no/such/file"),
        ("PGSERVICE", "nothing"),
        ("PGOPTIONS", ""),
    ];
    let mut command = place.command(&["run", "--profile", "small", "--read-only", "--endpoints"]);
    command.arg(&file).args(["--runs-dir", "runs", "--quiet", "--output", "json"]);
    command.envs(nonsense);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let row = &record(&output).implementations[0];
    assert_eq!((row.component.as_str(), row.name.as_str()), ("postgresql", "PostgreSQL"));
    // What cannot be overruled is refused, since it would change what is measured.
    for variable in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
        let encrypted = fs::read_to_string(&file).unwrap().replace("disable", "prefer");
        let file = place.private_file("encrypted.yaml", &encrypted);
        let mut command = place.command(&["run", "--endpoints"]);
        command.arg(&file).args(SHORT).env(variable, "-c canary=off");
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(variable) && said.lines().count() == 1, "{said}");
        assert!(said.contains(&format!("env -u {variable}")) && !said.contains("canary"), "{said}");
    }
}

/// The program on a terminal of its own (`script` makes one), at which somebody types this.
fn on_a_terminal(place: &Place, arguments: &[&str], typed: &str) -> Output {
    let program = program();
    let line: Vec<String> = [program.to_str().unwrap()]
        .iter()
        .chain(arguments)
        .map(|word| format!("'{word}'"))
        .collect();
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"])
        .current_dir(place.runs())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("script, of util-linux: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{typed}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    output
}

#[test]
fn on_a_terminal_only_the_word_yes_is_consent() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &[Kind::Redis]) else { return };
    let file = servers.endpoints(&place);
    let file = file.to_str().unwrap();
    let mut arguments = vec!["run", "--runs-dir", "here", "--quiet", "--endpoints", file];
    arguments.extend(SHORT.iter().filter(|word| **word != "--yes"));
    let before = commands_that_wrote(&servers);
    for typed in ["y", "no", "YES", "yes please", ""] {
        let output = on_a_terminal(&place, &arguments, typed);
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(screen.contains("Type yes to go on:"), "{typed}: {screen}");
        assert!(screen.contains("nothing was done: the answer was not yes"), "{typed}: {screen}");
        assert_eq!(output.status.code(), Some(2), "{typed}: {screen}");
    }
    assert_eq!(commands_that_wrote(&servers), before, "Redis saw a command that writes");
    assert_eq!(fs::read_dir(place.runs()).unwrap().count(), 0);
    let output = on_a_terminal(&place, &arguments, "yes");
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(screen.contains("redis.session") && screen.contains("Report: "), "{screen}");
    assert_nothing_left(&place, &servers);
}

/// Attaches, and panics in the middle of the load, once something of the run's is there.
struct Panics {
    attached: AttachProvider,
    is_there: Arc<dyn Fn() -> bool + Send + Sync>,
}

struct PanickingControl(Arc<dyn Fn() -> bool + Send + Sync>);

impl Control for PanickingControl {
    fn stop(self: Box<Self>) -> BoxFuture<'static, Vec<String>> {
        Box::pin(async { Vec::new() })
    }
    fn died(&mut self) -> Option<Death> {
        assert!(!(self.0)(), "{ON_PURPOSE}");
        None
    }
    fn processes(&self) -> Vec<(Component, Vec<i32>)> {
        Vec::new()
    }
    fn log_dir(&self) -> &Path {
        Path::new("")
    }
    fn data_dir(&self) -> &Path {
        Path::new("")
    }
    fn signal(&self, _: Component, _: Signal) -> io::Result<()> {
        Ok(())
    }
}

const ON_PURPOSE: &str = "a panic on purpose";

impl Provider for Panics {
    fn name(&self) -> &'static str {
        self.attached.name()
    }
    fn components(&self) -> Vec<Component> {
        self.attached.components()
    }
    fn data_dir_parent(&self) -> Option<PathBuf> {
        None
    }
    fn outlives_run(&self) -> bool {
        self.attached.outlives_run()
    }
    fn plan<'a>(&'a self, wanted: &'a [Component]) -> BoxFuture<'a, Result<Plan, ProviderError>> {
        self.attached.plan(wanted)
    }
    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        options: StartOptions,
    ) -> BoxFuture<'a, Result<Stack, ProviderError>> {
        Box::pin(async {
            let stack = self.attached.start(plan, options).await?;
            let control = Box::new(PanickingControl(Arc::clone(&self.is_there)));
            Ok(Stack::new(stack.endpoints.clone(), stack.implementations.clone(), 0, control))
        })
    }
}

#[test]
fn a_panic_in_the_middle_of_a_run_removes_what_the_run_created() {
    let _turn = turn();
    let place = Place::new();
    let Some(servers) = Servers::start(&place, &SMALL_PART) else { return };
    let servers = Arc::new(servers);
    let given = Given::load(Some(&servers.endpoints(&place))).unwrap();
    let request = RunRequest {
        profile: "small".to_owned(),
        volume: None,
        scale: Scale::Fixed(0.1),
        arrivals: None,
        window: None,
        speedup: 1.0,
        duration: Some(Duration::from_secs(60)),
        warmup: Some(Duration::from_secs(1)),
        seed: 1,
        max_rate: None,
        read_only: false,
        strict: false,
        brings: given.brings(),
        decisions_per_s: None,
    };
    let plan = request.plan(2, true).unwrap();
    let seen = Arc::clone(&servers);
    let provider = Panics {
        attached: AttachProvider::new(given),
        is_there: Arc::new(move || seen.names_of_the_house().iter().any(|n| n.contains("session"))),
    };
    let options = RunOptions {
        runs_dir: place.runs(),
        drain: Duration::from_secs(5),
        style: Style::detect(true),
        command: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let run = odg_bench::run::run(&plan, &provider, &options);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(run)));
    let panic = panicked.expect_err("the run's panic goes on once everything is removed");
    let said = panic.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
    assert!(said.contains(ON_PURPOSE), "{said}");
    let written = place.written();
    assert!(!said.contains(&servers.password) && !written.contains(&servers.password));
    drop(provider);
    assert_nothing_left(&place, &servers);
}

/// An authority, and a certificate of it for 127.0.0.1 until this year, both as PEM, with the certificate's key.
fn issued(until: i32) -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

#[test]
fn a_service_of_the_platform_with_a_wrong_authority_is_exit_3_and_no_failed_promise() {
    let place = Place::new();
    let (other_authority, _, _) = issued(2090);
    let (_, certificate, key) = issued(2090);
    // Whatever speaks TLS will do: no request is sent before the certificate is trusted.
    let Some(server) = redis_with_tls(&certificate, &key) else { return };
    place.private_file("ca.pem", &other_authority);
    let text =
        format!("quality_gate: {{url: \"https://127.0.0.1:{}\", ca_file: ca.pem}}\n", server.port);
    let file = place.private_file("tls.yaml", &text);
    let arguments = ["--endpoints", file.to_str().unwrap()];
    let output = place.run(&[arguments.as_slice(), &SHORT].concat());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let line = said.lines().find(|line| line.starts_with("odg-bench: quality-gate at "));
    assert!(line.is_some_and(|line| line.contains("not trusted")), "{said}");
}

#[test]
fn a_wrong_authority_an_expired_certificate_and_a_wrong_password_are_one_line_each_and_exit_3() {
    let place = Place::new();
    let (other_authority, _, _) = issued(2090);
    let cases = [
        (2090, true, "not trusted"),
        (2021, false, "has expired"),
        (2090, false, "Password authentication failed"),
    ];
    for (until, other, words) in cases {
        let (authority, certificate, key) = issued(until);
        let Some(server) = redis_with_tls(&certificate, &key) else { return };
        let trusted = if other { &other_authority } else { &authority };
        place.private_file("ca.pem", trusted);
        let file = place.private_file(
            "tls.yaml",
            &format!(
                "redis: {{host: 127.0.0.1, port: {}, tls: true, ca_file: ca.pem, password: canary-1f}}\n",
                server.port
            ),
        );
        let arguments = ["--endpoints", file.to_str().unwrap()];
        let output = place.run(&[arguments.as_slice(), &SHORT].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{words}: {said}");
        let lines: Vec<&str> =
            said.lines().filter(|l| l.starts_with("odg-bench: redis at ")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].contains(words) && lines[0].contains(&server.port.to_string()), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}
