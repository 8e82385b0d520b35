//! NATS with JetStream, from Debian's package.

use super::{Authority, Issued, PASSWORD, Server, command, find, free_port, password, prefix};
use crate::driver::nats::NatsDriver;
use crate::endpoint::{NatsEndpoint, NatsLogin, Tls};

/// How a server of [`nats_tls`] knows its clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NatsTlsAuth {
    /// By user and password.
    Password,
    /// By a token, and it insists on a client certificate.
    TokenAndCertificate,
}

/// A server without TLS.
pub(crate) async fn nats() -> Option<(Server, NatsEndpoint)> {
    start(|_| user(), login(), None).await
}

/// A server that insists on TLS.
pub(crate) async fn nats_tls(
    authority: &Authority,
    certificate: &Issued,
    auth: NatsTlsAuth,
) -> Option<(Server, NatsEndpoint)> {
    let by_token = auth == NatsTlsAuth::TokenAndCertificate;
    let config = |dir: &std::path::Path| {
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let who = match auth {
            NatsTlsAuth::Password => user(),
            NatsTlsAuth::TokenAndCertificate => {
                format!("authorization {{ token: \"{}\" }}\n", *PASSWORD)
            }
        };
        format!(
            "{who}tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {by_token} }}\n",
            write("server.crt", &certificate.certificate),
            write("server.key", &certificate.key),
            write("ca.crt", &authority.pem()),
        )
    };
    let (login, tls) = match auth {
        NatsTlsAuth::Password => (login(), authority.trusted()),
        NatsTlsAuth::TokenAndCertificate => {
            (NatsLogin::Token(password()), authority.trusted_with_client("odg"))
        }
    };
    start(config, login, Some(tls)).await
}

fn user() -> String {
    format!("authorization {{ user: odg, password: \"{}\" }}\n", *PASSWORD)
}

fn login() -> NatsLogin {
    NatsLogin::Password { user: "odg".to_owned(), password: password() }
}

/// A server with these lines in its configuration, for a client that logs in like this.
pub(crate) async fn start(
    config: impl FnOnce(&std::path::Path) -> String,
    login: NatsLogin,
    tls: Option<Tls>,
) -> Option<(Server, NatsEndpoint)> {
    let nats = find::program("nats-server", "ODG_BENCH_NATS")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n{}",
        dir.path().join("js").display(),
        config(dir.path()),
    );
    let path = dir.path().join("nats.conf");
    std::fs::write(&path, text).unwrap();
    let mut command = command(&nats);
    command.arg("-c").arg(&path);
    let server = Server::spawn(command, dir, port);
    let endpoint = NatsEndpoint { address: format!("127.0.0.1:{port}"), login, tls };
    server
        .ready_or_untrusted(|| async {
            NatsDriver::connect(&endpoint, prefix("ready")).await?.ping().await
        })
        .await;
    Some((server, endpoint))
}
