//! What the admin address serves.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::alone::alone;
use super::clusters::clusters;
use super::connections::{Acceptor, Site, serve};
use super::error::AdminError;
use super::explain::{Question, explain};
use super::host;
use super::overrides::{InForceNow, Transition};
use super::status::Status;
use super::view::View;
use crate::model::Peer;
use crate::publish::ActiveOverrides;
use crate::snapshot::Snapshot;
use crate::telemetry::clock;

/// Paths for which places are kept: who asks these decides whether clients are sent here.
const KEPT: &[&str] = &["/livez", "/readyz", "/metrics"];

/// How many answers of the JSON API are made at once: each may take a core for some milliseconds.
const ANSWERS: usize = 2;

/// What a request is answered from.
#[derive(Clone)]
struct Context {
    /// What is shown.
    view: View,
    /// Turns of the JSON API.
    answers: Arc<Semaphore>,
    /// Turns of `/metrics`.
    metrics: Arc<Semaphore>,
}

/// The admin address, bound and not yet served.
#[derive(Debug)]
pub struct AdminSocket {
    /// The socket.
    listener: std::net::TcpListener,
    /// Where it listens, with its real port.
    address: SocketAddr,
}

/// Binds the admin address. Port 0 takes a free one. Needs no runtime.
pub fn bind(address: SocketAddr) -> Result<AdminSocket, AdminError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => AdminError::InUse { address },
        _ => AdminError::Bind { address, source },
    };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(AdminSocket { listener, address })
}

impl AdminSocket {
    /// Where it listens, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `cancel`.
    pub async fn run(self, view: View, cancel: CancellationToken) {
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => return warn!(%error, "the admin address is not served"),
        };
        let site = Site {
            what: "admin address",
            metrics: Arc::clone(&view.metrics),
            router: router(view),
            kept: KEPT,
        };
        serve(listener, site, &cancel).await;
    }
}

impl Acceptor for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Option<Peer>)> {
        let (stream, _) = TcpListener::accept(self).await?;
        Ok((stream, None))
    }
}

/// What is served where.
fn router(view: View) -> Router {
    let context = Context {
        view: view.clone(),
        answers: Arc::new(Semaphore::new(ANSWERS)),
        metrics: Arc::new(Semaphore::new(1)),
    };
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/clusters", get(all_clusters))
        .route("/v1/alone", get(only_there))
        .route("/v1/explain", get(explained))
        .route("/v1/overrides", get(in_force))
        .route("/v1/events", get(transitions))
        .layer(middleware::from_fn_with_state(view, host::check))
        // Below the check, since scrapers and probes come by whatever name this host has.
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(context)
}

/// Makes an answer when its turn comes, on a thread that may take its time: whatever is asked, signals
/// and health go on beside it.
async fn render<R: IntoResponse>(
    turns: &Arc<Semaphore>,
    view: View,
    make: impl FnOnce(&View) -> R + Send + 'static,
) -> Response {
    let turn = Arc::clone(turns).acquire_owned().await;
    let made = tokio::task::spawn_blocking(move || {
        let response = make(&view).into_response();
        // Held until here though the client may be gone by now.
        drop(turn);
        response
    });
    // A panic has been logged.
    let failed = |_| StatusCode::INTERNAL_SERVER_ERROR.into_response();
    made.await.unwrap_or_else(failed)
}

/// `/metrics`
async fn metrics(State(context): State<Context>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    render(&context.metrics, context.view, move |view| {
        view.metrics.set_ready(readiness(view).0 == StatusCode::OK);
        if let Some(table) = view.signatures.if_made() {
            view.metrics.counters().signing().show_kept(table);
        }
        let text = view.metrics.render(clock::now());
        ([(header::CONTENT_TYPE, kind)], text)
    })
    .await
}

/// `/readyz`: names the members that are waited for, and what would say who they are; with `verbose`,
/// each check on a line of its own, in the form of Kubernetes, and what of the state folder and of DNSSEC
/// keys cannot be used, which is no reason not to be ready as long as any zone can be answered.
async fn readyz(
    State(Context { view, .. }): State<Context>,
    RawQuery(query): RawQuery,
) -> (StatusCode, String) {
    let (status, text) = readiness(&view);
    let is_verbose = |query: String| query.split('&').any(|key| key.starts_with("verbose"));
    if !query.is_some_and(is_verbose) {
        return (status, text);
    }
    let mut lines = match status {
        StatusCode::OK => "[+]members ok\n".to_owned(),
        _ => format!("[-]members {text}"),
    };
    let troubles = view.overrides.borrow().troubles.clone();
    if troubles.is_empty() {
        lines += "[+]state-dir ok\n";
    }
    for trouble in troubles {
        lines.extend(["[-]state-dir ", &trouble, "\n"]);
    }
    let troubles = view.key_troubles.borrow().clone();
    if troubles
        .as_ref()
        .is_some_and(|troubles| troubles.is_empty())
    {
        lines += "[+]dnssec ok\n";
    }
    for trouble in troubles.iter().flat_map(|troubles| troubles.iter()) {
        lines.extend(["[-]dnssec ", trouble, "\n"]);
    }
    (status, lines)
}

/// Whether the daemon is ready, and what it waits for.
fn readiness(view: &View) -> (StatusCode, String) {
    if view.ending.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n".to_owned());
    }
    if !view.snapshots.load().can_answer_any() {
        let text = "not ready: no zone has keys to be signed with\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    if *view.ready.borrow() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let snapshot = view.snapshots.load();
    let all = clusters(
        &snapshot,
        &ActiveOverrides::default(),
        &view.metrics,
        clock::now(),
    );
    let waiting = all.iter().filter(|cluster| cluster.age_seconds.is_none());
    let waiting = waiting.map(|cluster| cluster.name.clone());
    let names: Vec<_> = awaited(&snapshot).chain(waiting).collect();
    let names = if names.is_empty() {
        "first probes".to_owned()
    } else {
        names.join(", ")
    };
    let text = format!("not ready: waiting for {names}\n");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

/// Lists of members that were not heard yet since the start, in words.
fn awaited(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let lists = snapshot.fleet().awaited.iter();
    lists.map(ToString::to_string)
}

/// `/v1/status`
async fn status(State(Context { view, .. }): State<Context>) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: readiness(&view).0 == StatusCode::OK,
        awaited: awaited(&view.snapshots.load()).collect(),
        state_dir: view.state_dir.to_string_lossy().into_owned(),
    })
}

/// `/v1/clusters`
async fn all_clusters(State(context): State<Context>) -> Response {
    render(&context.answers, context.view, |view| {
        let standing = Arc::clone(&view.overrides.borrow());
        Json(clusters(
            &view.snapshots.load_full(),
            &standing,
            &view.metrics,
            clock::now(),
        ))
    })
    .await
}

/// The parameters of `/v1/alone`.
#[derive(Debug, serde::Deserialize)]
struct AloneQuery {
    /// The member.
    member: String,
}

/// `/v1/alone`
async fn only_there(State(context): State<Context>, Query(query): Query<AloneQuery>) -> Response {
    render(&context.answers, context.view, move |view| {
        Json(alone(&view.snapshots.load_full(), &query.member))
    })
    .await
}

/// `/v1/overrides`
async fn in_force(State(context): State<Context>) -> Response {
    render(&context.answers, context.view, |view| {
        let standing = Arc::clone(&view.overrides.borrow());
        Json(InForceNow::new(&standing, clock::now()))
    })
    .await
}

/// The parameters of `/v1/events`.
#[derive(Debug, serde::Deserialize)]
struct EventsQuery {
    /// Events after this number alone.
    #[serde(default)]
    after: u64,
}

/// `/v1/events`: oldest first.
async fn transitions(State(context): State<Context>, Query(query): Query<EventsQuery>) -> Response {
    render(&context.answers, context.view, move |view| {
        let events = view.events.since(query.after).into_iter();
        Json(events.map(Transition::from).collect::<Vec<_>>())
    })
    .await
}

/// The parameters of `/v1/explain`.
#[derive(Debug, serde::Deserialize)]
struct ExplainQuery {
    /// The name.
    name: String,
    /// The type; A when left out.
    #[serde(rename = "type", default = "address_type")]
    qtype: String,
    /// The client; loopback when left out.
    #[serde(default = "loopback")]
    from: IpAddr,
    /// The member whose listener is asked; one that is bound to none when left out.
    listener: Option<String>,
}

/// The type that is asked when none is given.
fn address_type() -> String {
    "A".to_owned()
}

/// The client that asks when none is given.
fn loopback() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

/// `/v1/explain`
async fn explained(State(context): State<Context>, Query(query): Query<ExplainQuery>) -> Response {
    render(&context.answers, context.view, move |view| {
        let listener = query.listener.as_deref();
        let question = Question::new(&query.name, &query.qtype, query.from, listener);
        let explained = question.and_then(|question| {
            // Own copy of the root: the guard of a load is not held while rendering.
            let snapshot = view.snapshots.load_full();
            let signatures = snapshot.is_any_signed().then(|| view.signatures.table());
            explain(&snapshot, &question, clock::now(), signatures)
        });
        let wrong = |error| (StatusCode::BAD_REQUEST, format!("{error}\n"));
        explained.map(Json).map_err(wrong)
    })
    .await
}
