//! Redis, from Debian's package.

use super::{Authority, Issued, PASSWORD, Server, command, find, free_port, password, prefix};
use crate::driver::redis::RedisDriver;
use crate::endpoint::RedisEndpoint;

/// A server without TLS, with a password for the default user.
pub(crate) async fn redis() -> Option<(Server, RedisEndpoint)> {
    start(|port, _| format!("port {port}\nrequirepass {}\n", *PASSWORD), |endpoint| endpoint).await
}

/// A server with TLS only, for the ACL user `odg`. `certificates` makes it insist on the clients'.
pub(crate) async fn redis_tls(
    authority: &Authority,
    certificate: &Issued,
    certificates: bool,
) -> Option<(Server, RedisEndpoint)> {
    let config = |port: u16, dir: &std::path::Path| {
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        format!(
            "port 0\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n\
             tls-auth-clients {}\nuser default off\nuser odg on >{} ~* &* +@all\n",
            write("server.crt", &certificate.certificate),
            write("server.key", &certificate.key),
            write("ca.crt", &authority.pem()),
            if certificates { "yes" } else { "no" },
            *PASSWORD,
        )
    };
    let tls = if certificates { authority.trusted_with_client("odg") } else { authority.trusted() };
    start(config, |endpoint| RedisEndpoint {
        user: Some("odg".to_owned()),
        tls: Some(tls),
        ..endpoint
    })
    .await
}

async fn start(
    config: impl FnOnce(u16, &std::path::Path) -> String,
    endpoint: impl FnOnce(RedisEndpoint) -> RedisEndpoint,
) -> Option<(Server, RedisEndpoint)> {
    let redis = find::program("redis-server", "ODG_BENCH_REDIS")?;
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let text = format!("bind 127.0.0.1\nsave \"\"\n{}", config(port, dir.path()));
    let path = dir.path().join("redis.conf");
    std::fs::write(&path, text).unwrap();
    let mut command = command(&redis);
    command.arg(&path);
    let server = Server::spawn(command, dir, port);
    let endpoint = endpoint(RedisEndpoint {
        host: "127.0.0.1".to_owned(),
        port,
        user: None,
        password: Some(password()),
        tls: None,
    });
    server.ready_or_untrusted(|| RedisDriver::connect(&endpoint, prefix("ready"))).await;
    Some((server, endpoint))
}
