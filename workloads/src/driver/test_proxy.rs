//! Troublesome TCP peers for tests.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Forwards connections to a server, cuts them when told, and closes new ones unannounced.
pub(crate) struct CuttingProxy {
    pub(crate) port: u16,
    close_next: Arc<AtomicU32>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
    acceptor: JoinHandle<()>,
}

impl CuttingProxy {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let close_next = Arc::new(AtomicU32::new(0));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (closing, open) = (Arc::clone(&close_next), Arc::clone(&connections));
        let acceptor = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let one_less = |n: u32| n.checked_sub(1);
                if closing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                    continue;
                }
                let forward = tokio::spawn(async move {
                    let mut upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                });
                open.lock().unwrap().push(forward);
            }
        });
        Self { port, close_next, connections, acceptor }
    }

    /// Ends every open connection, as a server does that closes idle ones.
    pub(crate) async fn cut(&self) {
        let open = std::mem::take(&mut *self.connections.lock().unwrap());
        for connection in open {
            connection.abort();
            let _ = connection.await;
        }
    }

    /// The next `n` connections are accepted and closed.
    pub(crate) fn close_next(&self, n: u32) {
        self.close_next.store(n, Ordering::SeqCst);
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
    }
}

/// Gives the n-th connection the n-th answer, whatever it asks, and closes it. Returns its port.
pub(crate) async fn canned_http(answers: Vec<String>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for answer in answers {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match client.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => break,
                }
            }
            let _ = client.write_all(answer.as_bytes()).await;
            let _ = client.shutdown().await;
        }
    });
    port
}
