//! Endpoints are read as documented, refused in one line, and never shown with their secrets.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use odg_workloads::endpoint::{HttpLogin, NatsLogin, SaslMechanism, SslMode};
use odg_workloads::secret::Secret;
use tempfile::TempDir;

use super::settings::SECTIONS;
use super::source::variable;
use super::{EndpointsError, Given, SAMPLE};

/// In every secret of these tests.
const CANARY: &str = "canary-7d41f0";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Reads a file of this text alone.
    fn read(&self, text: &str) -> Result<Given, EndpointsError> {
        read(&self.write("e.yaml", text, 0o600), &[])
    }
}

fn read(file: &Path, variables: &[(&str, &str)]) -> Result<Given, EndpointsError> {
    Given::read(Some(file), pairs(variables))
}

fn pairs(variables: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
    let owned: Vec<_> = variables.iter().map(|(n, v)| (n.into(), v.into())).collect();
    owned.into_iter()
}

/// The sample with its secrets as text: nothing in this process's environment is asked for.
fn sample() -> String {
    SAMPLE
        .lines()
        .map(|line| match line.split_once("_env: ") {
            Some((key, _)) if !line.trim_start().starts_with('#') => format!("{key}: {CANARY}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[test]
fn the_committed_sample_is_read_and_gives_every_component() {
    let given = Files::new().read(&sample()).unwrap();
    let names: Vec<&str> = given.addresses.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "postgresql",
            "redis",
            "nats",
            "kafka",
            "minio",
            "governance-engine",
            "lakehouse-agent",
            "quality-gate"
        ]
    );
    let endpoints = given.endpoints;
    let postgres = endpoints.postgres.unwrap();
    assert_eq!((postgres.port, postgres.ssl_mode), (5432, SslMode::Prefer));
    let kafka = endpoints.kafka.unwrap();
    assert!(kafka.tls.is_some());
    assert_eq!(kafka.login.unwrap().mechanism, SaslMechanism::ScramSha512);
    let engine = endpoints.platform.governance_engine.unwrap();
    assert!(matches!(engine.login, HttpLogin::ClientCredentials { .. }));
}

#[test]
fn every_setting_has_a_variable_and_the_file_is_stronger() {
    let files = Files::new();
    let file = files.write("e.yaml", "redis: {host: from-file}\n", 0o600);
    let variables = [
        ("ODG_BENCH_ATTACH_REDIS_HOST", "from-variable"),
        ("ODG_BENCH_ATTACH_REDIS_PORT", "7000"),
        ("ODG_BENCH_ATTACH_NATS_URL", "nats://n"),
        ("ODG_BENCH_ATTACH_NATS_TOKEN", CANARY),
        ("HOME", "/"),
    ];
    let given = read(&file, &variables).unwrap();
    let redis = given.endpoints.redis.unwrap();
    assert_eq!((redis.host.as_str(), redis.port), ("from-file", 7000));
    let nats = given.endpoints.nats.unwrap();
    assert_eq!(nats.address, "n:4222");
    assert!(matches!(nats.login, NatsLogin::Token(t) if t == Secret::new(CANARY)));
    let alone = Given::read(None, pairs(&variables)).unwrap();
    assert_eq!(alone.address("redis"), Some("from-variable:7000"));
    assert_eq!(Given::read(None, pairs(&[])).unwrap_err(), EndpointsError::Nothing);
    let typo = Given::read(None, pairs(&[("ODG_BENCH_ATTACH_REDIS_HOTS", "h")])).unwrap_err();
    assert!(typo.to_string().ends_with("the nearest is ODG_BENCH_ATTACH_REDIS_HOST"), "{typo}");
}

#[test]
fn encryption_that_a_url_states_is_not_taken_back() {
    let files = Files::new();
    let redis = files.write("redis.yaml", "redis:\n  url: rediss://h\n", 0o600);
    let tls = [("ODG_BENCH_ATTACH_REDIS_TLS", "false")];
    let urls = [("ODG_BENCH_ATTACH_NATS_URL", "tls://h")];
    let nats = files.write("nats.yaml", "nats:\n  tls: false\n", 0o600);
    for error in [
        read(&redis, &tls),
        read(&nats, &urls),
        files.read("redis:\n  url: rediss://h\n  tls: false\n"),
        files.read("nats:\n  url: tls://h\n  tls: false\n"),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("tls: `tls: false` contradicts the URL"), "{error}");
    }
    assert!(read(&redis, &[]).unwrap().endpoints.redis.unwrap().tls.is_some());
    // A URL in clear says nothing against encryption.
    let more = files.read("redis: {url: \"redis://h\", tls: true}\n").unwrap();
    assert!(more.endpoints.redis.unwrap().tls.is_some());
}

#[test]
fn what_the_files_url_says_is_stronger_than_a_variable_and_the_other_way_round() {
    let files = Files::new();
    let url = "postgres:\n  url: postgres://u@h:5433/d?sslmode=verify-full\n  password: p\n";
    let file = files.write("url.yaml", url, 0o600);
    let parts = [
        ("ODG_BENCH_ATTACH_POSTGRES_HOST", "other"),
        ("ODG_BENCH_ATTACH_POSTGRES_PORT", "1"),
        ("ODG_BENCH_ATTACH_POSTGRES_USER", "other"),
        ("ODG_BENCH_ATTACH_POSTGRES_DATABASE", "other"),
        ("ODG_BENCH_ATTACH_POSTGRES_SSLMODE", "disable"),
    ];
    let postgres = read(&file, &parts).unwrap().endpoints.postgres.unwrap();
    assert_eq!((postgres.host.as_str(), postgres.port), ("h", 5433));
    assert_eq!((postgres.user.as_str(), postgres.database.as_str()), ("u", "d"));
    assert_eq!(postgres.ssl_mode, SslMode::VerifyFull);
    // What the URL leaves open a variable may say.
    let file = files.write("open.yaml", "redis: {url: \"redis://h\"}\n", 0o600);
    let given = read(&file, &[("ODG_BENCH_ATTACH_REDIS_PORT", "7000")]).unwrap();
    assert_eq!(given.address("redis"), Some("h:7000"));
    let file = files.write("part.yaml", "redis: {host: h}\n", 0o600);
    let given = read(&file, &[("ODG_BENCH_ATTACH_REDIS_URL", "redis://other:7000")]).unwrap();
    assert_eq!(given.address("redis"), Some("h:7000"));
}

#[test]
fn a_setting_beside_a_url_of_the_same_place_may_only_say_the_same() {
    let files = Files::new();
    let same = files.read("redis: {url: \"redis://h:7000\", port: 7000, host: h}\n").unwrap();
    assert_eq!(same.address("redis"), Some("h:7000"));
    let error = files.read("redis:\n  url: redis://h:7000\n  port: 7001\n").unwrap_err();
    let expected = "e.yaml:3: redis.port: `port` contradicts the URL";
    assert!(error.to_string().contains(expected), "{error}");
    let variables = [
        ("ODG_BENCH_ATTACH_NATS_URL", "nats://u@h"),
        ("ODG_BENCH_ATTACH_NATS_USER", "other"),
        ("ODG_BENCH_ATTACH_NATS_PASSWORD", CANARY),
    ];
    let error = Given::read(None, pairs(&variables)).unwrap_err().to_string();
    assert!(error.contains("ODG_BENCH_ATTACH_NATS_USER: "), "{error}");
    assert!(error.contains("`user` contradicts the URL") && !error.contains(CANARY), "{error}");
}

#[test]
fn a_host_is_a_name_or_an_address_alone() {
    let files = Files::new();
    for good in ["h", "10.0.0.1", "::1", "fe80::1%eth0"] {
        assert!(files.read(&format!("redis: {{host: \"{good}\"}}\n")).is_ok(), "{good}");
    }
    let error = files.read("redis: {host: \"127.0.0.1:6380\"}\n").unwrap_err().to_string();
    assert!(error.contains("redis.host: ") && error.contains("give the port as `port`"), "{error}");
    for text in ["redis: {host: \"h\\e[2J\"}\n", "kafka: {bootstrap: \"h\\e[2J:1\"}\n"] {
        let error = files.read(text).unwrap_err().to_string();
        assert!(error.contains("must be") && !error.contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn a_secret_can_stand_in_a_file_beside_the_endpoints() {
    let files = Files::new();
    files.write("pw", &format!("{CANARY}\n"), 0o600);
    let given = files.read("postgres: {host: h, user: u, password_file: pw}\n").unwrap();
    assert_eq!(given.endpoints.postgres.unwrap().password, Secret::new(CANARY));
}

#[test]
fn secrets_that_others_can_read_are_named_and_those_that_they_cannot_are_not() {
    let files = Files::new();
    let text = format!("redis: {{host: h, password: {CANARY}}}\nnats: {{url: \"nats://h\"}}\n");
    let open = read(&files.write("open.yaml", &text, 0o644), &[]).unwrap();
    assert_eq!(open.exposed, ["redis.password"]);
    let private = read(&files.write("private.yaml", &text, 0o600), &[]).unwrap();
    assert_eq!(private.exposed, Vec::<String>::new());
}

#[test]
fn passwords_that_look_like_numbers_stay_as_they_were_typed() {
    let given = Files::new().read("redis: {host: h, password: 0012}\n").unwrap();
    assert_eq!(given.endpoints.redis.unwrap().password, Some(Secret::new("0012")));
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_its_place_and_without_a_secret() {
    let files = Files::new();
    files.write("empty.pem", "", 0o600);
    files.write("text.pem", CANARY, 0o600);
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    files.write("broken.pem", broken, 0o600);
    for (text, expected) in [
        (
            "redis:\n  host: h\n  prot: 1\n",
            "e.yaml:3: redis: unknown key `prot`; the nearest is `port`",
        ),
        ("redsi:\n  host: h\n", "e.yaml:1: unknown component `redsi`; the nearest is `redis`"),
        ("redis:\n  host: h\n  port: canary-7d41f0\n", "e.yaml:3: redis.port: "),
        ("redis:\n  host: h\n  password: \"canary-7d41f0", "e.yaml:"),
        ("redis:\n  host: [canary-7d41f0]\n", "e.yaml:"),
        ("redis:\n  host: h\n  canary-7d41f0\n", "e.yaml:"),
        ("redis: canary-7d41f0\n", "e.yaml:1: not valid"),
        ("redis:\n  host: h\n  host: i\n", "a key stands twice"),
        ("redis:\n  password: canary-7d41f0\n", "e.yaml:1: redis: the key `host` (or `url`)"),
        (
            "redis:\n  url: http://canary-7d41f0@h\n",
            "e.yaml:2: redis.url: this URL has another scheme",
        ),
        ("redis:\n  host: h\n  ca_file: gone/canary\n", "e.yaml:3: redis.ca_file: "),
        ("redis:\n  host: h\n  ca_file: empty.pem\n", "redis.ca_file: that file is empty"),
        (
            "redis:\n  host: h\n  ca_file: text.pem\n",
            "redis.ca_file: that file holds no certificate",
        ),
        (
            "redis:\n  host: h\n  ca_file: broken.pem\n",
            "e.yaml:3: redis.ca_file: CA certificate: not a PEM certificate",
        ),
        (
            "redis:\n  host: h\n  key_file: text.pem\n",
            "redis.key_file: that file holds no private key",
        ),
        (
            "redis:\n  host: h\n  password_env: canary-7d41f0\n",
            "redis.password_env: that variable is not set",
        ),
        (
            "redis:\n  host: h\n  password: canary-7d41f0\n  password_file: x\n",
            "give `password` or `password_file`",
        ),
        ("postgres:\n  host: h\n  user: u\n", "a password is missing"),
        (
            "postgres:\n  host: h\n  user: u\n  password: canary-7d41f0\n  sslmode: canary-7d41f0\n",
            "e.yaml:5: postgres.sslmode: this must be one of disable",
        ),
        (
            "kafka:\n  bootstrap: h\n  user: u\n  password: canary-7d41f0\n  security: ssl\n",
            "want `security: sasl_ssl`",
        ),
        ("kafka:\n  bootstrap: h/canary-7d41f0\n", "`bootstrap` must be like"),
        (
            "nats:\n  url: nats://h\n  user: u\n  password: canary-7d41f0\n  token: canary-7d41f0\n",
            "only one of them",
        ),
        ("quality_gate:\n  url: http://h\n  token: canary-7d41f0\n  auth: none\n", "wants `auth`"),
        ("", "no endpoint is given"),
    ] {
        let error = files.read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
        assert!(!error.contains('\n') && !error.contains(CANARY), "{error}");
    }
    let missing = read(Path::new("/no/such/file.yaml"), &[]).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/file.yaml: cannot be read"), "{missing}");
}

#[test]
fn a_login_in_an_address_is_refused_with_where_to_write_it_and_never_repeated() {
    let files = Files::new();
    let login = format!("u:{CANARY}@h");
    let rest = "access_key: k, secret_key: s";
    let client = "auth: client_credentials, client_id: c, client_secret: s";
    for (text, place, instead) in [
        (
            format!("postgres: {{host: \"{login}\", user: u, password: p}}"),
            "postgres.host",
            "`user`",
        ),
        (format!("postgres: {{url: \"postgres://{login}/d\"}}"), "postgres.url", "`password_env`"),
        (format!("redis: {{host: \"{login}\"}}"), "redis.host", "`password_env`"),
        (format!("redis: {{url: \"rediss://:{CANARY}@h\"}}"), "redis.url", "`password_env`"),
        (format!("nats: {{url: \"nats://{login}\"}}"), "nats.url", "`password_env`"),
        (format!("kafka: {{bootstrap: \"g:1,{login}:2\"}}"), "kafka.bootstrap", "`password_env`"),
        (format!("s3: {{url: \"https://{login}\", {rest}}}"), "s3.url", "`secret_key_env`"),
        (format!("quality_gate: {{url: \"http://{login}\"}}"), "quality_gate.url", "`token_env`"),
        (
            format!(
                "quality_gate: {{url: \"http://h\", {client}, token_url: \"http://{login}/t\"}}"
            ),
            "quality_gate.token_url",
            "`client_secret_env`",
        ),
    ] {
        let error = files.read(&format!("{text}\n")).unwrap_err().to_string();
        assert!(error.contains(&format!("e.yaml:1: {place}: ")), "{text}: {error}");
        assert!(error.contains("has no place") && error.contains(instead), "{error}");
        assert!(!error.contains('\n') && !error.contains(CANARY), "{error}");
    }
    // The user alone is no secret.
    let given = files.read("nats: {url: \"nats://u@h\", password: p}\n").unwrap();
    assert_eq!(given.address("nats"), Some("h:4222"));
}

#[test]
fn nothing_that_is_printed_of_endpoints_shows_a_secret() {
    let given = Files::new().read(&sample()).unwrap();
    let printed = format!("{given:?} {given:#?} {:?}", super::AttachProvider::new(given.clone()));
    assert!(printed.len() > 1_000 && !printed.contains(CANARY));
}

#[test]
fn a_stack_is_local_only_where_every_endpoint_is() {
    let local = "redis: {host: 127.0.0.1}\nkafka: {bootstrap: \"localhost:1,[::1]:2\"}\n\
                 s3: {url: \"http://localhost:9000\", access_key: a, secret_key: b}\n";
    assert!(Files::new().read(local).unwrap().is_local());
    let one_is_not = local.replace("localhost:1,", "localhost:1,kafka.example:1,");
    assert!(!Files::new().read(&one_is_not).unwrap().is_local());
}

#[test]
fn the_documentation_names_every_setting() {
    let page = include_str!("../../../../docs/attach.md");
    for (section, fields) in SECTIONS {
        assert!(page.contains(&format!("`{section}`")), "{section}");
        for field in fields {
            let base = field.trim_end_matches("_env").trim_end_matches("_file");
            let said = page.contains(&format!("`{field}`")) || page.contains(&format!("`{base}`"));
            assert!(said, "{section}.{field} ({})", variable(section, field));
        }
    }
}
