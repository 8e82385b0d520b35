//! From bytes to routes and back.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::{Defect, State, governance, small};

/// Which service a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Governance,
    Lakehouse,
    Quality,
}

/// A request, taken apart.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str, default: i64) -> i64 {
        self.query(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

/// Status and JSON.
pub(super) type Answer = (u16, Value);

pub(super) fn refuse(status: u16, detail: &str) -> Answer {
    (status, json!({ "detail": detail }))
}

/// Listens on a free port of loopback.
pub(super) async fn serve(service: Service, state: State) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let state = state.clone();
            let answer = service_fn(move |request| respond(service, state.clone(), request));
            connections.spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), answer).await;
            });
            while connections.try_join_next().is_some() {}
        }
    });
    (address, server)
}

async fn respond(
    service: Service,
    state: State,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let decode = |text: &str| text.replace('+', " ").replace("%2F", "/");
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.path().trim_matches('/').split('/').map(decode).collect(),
        query: head
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), decode(value)))
            .collect(),
        authorization: head
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let (status, json) = route(service, &state, &asked).await;
    let body = if json.is_null() { String::new() } else { json.to_string() };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

async fn route(service: Service, state: &State, asked: &Asked) -> Answer {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let method = asked.method.as_str();
    match (method, &path[..]) {
        ("GET", ["health"]) => return (200, json!({"status": "ok"})),
        ("GET", ["ready"]) => return governance::ready(state).await,
        ("POST", ["token"]) => return state.tokens.issue(asked),
        _ => {}
    }
    let writes = method != "GET";
    if writes && !state.has(Defect::AnonymousWrite) && !state.tokens.accepts(asked) {
        return refuse(401, "Not authenticated");
    }
    let path = match &path[..] {
        ["api", "v1", rest @ ..] => rest,
        _ => return refuse(404, "Not Found"),
    };
    match service {
        Service::Governance => governance::route(state, asked, method, path).await,
        Service::Lakehouse => small::lakehouse(state, asked, method, path),
        Service::Quality => small::quality(state, asked, method, path),
    }
}
