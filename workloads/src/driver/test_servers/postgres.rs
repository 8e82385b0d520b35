//! PostgreSQL, from Debian's packages.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{Uid, User, chown};
use tempfile::TempDir;

use super::{
    Authority, Issued, PASSWORD, Server, find, free_port, password, prefix_, unprivileged,
};
use crate::driver::postgres::{PoolSize, PostgresDriver};
use crate::endpoint::{PostgresEndpoint, SslMode, Tls};

/// The database of [`postgres_tls`] that asks for a certificate instead of a password.
pub(crate) const CERTIFICATE_ONLY: &str = "template1";

/// A server without TLS.
pub(crate) async fn postgres() -> Option<(Server, PostgresEndpoint)> {
    start(|_| Vec::new()).await
}

/// A server that takes encrypted connections only. The endpoint is set to `verify-full`.
pub(crate) async fn postgres_tls(
    authority: &Authority,
    certificate: &Issued,
) -> Option<(Server, PostgresEndpoint)> {
    let (server, mut endpoint) = start(|dir| {
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            give_away(&path);
            path.display().to_string()
        };
        let hba = format!(
            "hostssl {CERTIFICATE_ONLY} odg 127.0.0.1/32 cert\n\
             hostssl all odg 127.0.0.1/32 scram-sha-256\n\
             hostssl all odg ::1/128 scram-sha-256\n"
        );
        vec![
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", write("server.crt", &certificate.certificate)),
            format!("ssl_key_file={}", write("server.key", &certificate.key)),
            format!("ssl_ca_file={}", write("ca.crt", &authority.pem())),
            format!("hba_file={}", write("hba.conf", &hba)),
        ]
    })
    .await?;
    endpoint.ssl_mode = SslMode::VerifyFull;
    endpoint.tls = authority.trusted();
    Some((server, endpoint))
}

/// To the user under whom the server runs.
fn give_away(path: &Path) {
    if Uid::effective().is_root() {
        let user = User::from_name("postgres").unwrap().unwrap();
        chown(path, Some(user.uid), Some(user.gid)).unwrap();
    }
}

async fn start(settings: impl FnOnce(&Path) -> Vec<String>) -> Option<(Server, PostgresEndpoint)> {
    let bin = find::postgres_bin()?;
    let dir: TempDir = tempfile::tempdir().unwrap();
    let (data, pwfile) = (dir.path().join("data"), dir.path().join("pw"));
    std::fs::write(&pwfile, PASSWORD.as_str()).unwrap();
    give_away(dir.path());
    give_away(&pwfile);
    let initdb = unprivileged(&bin.join("initdb"))
        .args(["--auth=scram-sha-256", "--username=odg", "--no-sync", "--encoding=UTF8"])
        .args(["--locale=C", "-D"])
        .arg(&data)
        .arg("--pwfile")
        .arg(&pwfile)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
    let port = free_port();
    let mut command = unprivileged(&bin.join("postgres"));
    command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command.args(["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "max_connections=40"]);
    for setting in settings(dir.path()) {
        command.args(["-c", &setting]);
    }
    let server = Server::spawn(command, dir, port);
    let endpoint = PostgresEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: "odg".to_owned(),
        password: password(),
        database: "postgres".to_owned(),
        ssl_mode: SslMode::Disable,
        tls: Tls::default(),
    };
    // Encrypted where it must be, whatever its certificate is.
    let ready = PostgresEndpoint { ssl_mode: SslMode::Prefer, ..endpoint.clone() };
    let size = PoolSize { min: 0, max: 1 };
    server.ready(|| async { PostgresDriver::connect(&ready, size, &prefix_("ready")).await }).await;
    Some((server, endpoint))
}
