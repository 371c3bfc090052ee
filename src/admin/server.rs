//! The HTTP server of the admin address.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Json;
use axum::Router;
use axum::extract::{Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::clusters::{Cluster, clusters};
use super::error::Error;
use super::explain::{Explained, Question, explain};
use super::overrides::{InForceNow, Transition};
use crate::publish::{Events, Standing};
use crate::snapshot::Snapshot;
use crate::telemetry::{Metrics, clock};

/// How long open connections may take when the process ends.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// What the admin address shows.
#[derive(Clone)]
pub struct Shown {
    /// The present snapshot.
    pub snapshots: Arc<ArcSwap<Snapshot>>,
    /// Whether the daemon is ready.
    pub ready: watch::Receiver<bool>,
    /// Cancelled when the daemon begins to end: it goes on answering and is not ready any more.
    pub ending: CancellationToken,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What operators have decided.
    pub overrides: watch::Receiver<Arc<Standing>>,
    /// The last transitions.
    pub events: Events,
}

/// The admin address, bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    /// The socket.
    listener: TcpListener,
    /// Where it listens, with its real port.
    address: SocketAddr,
}

/// Binds the admin address. Port 0 takes a free one.
pub async fn bind(address: SocketAddr) -> Result<Bound, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { address },
        _ => Error::Bind { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// Where it listens, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `cancel`.
    pub async fn run(self, shown: Shown, cancel: CancellationToken) {
        serve_until(self.listener, router(shown), &cancel, "admin address").await;
    }
}

/// Serves until `cancel`, after which open connections may take [`END_TIMEOUT`]. `what` is the
/// socket's name in logs.
pub(super) async fn serve_until<L>(
    listener: L,
    router: Router,
    cancel: &CancellationToken,
    what: &'static str,
) where
    L: Listener<Addr: fmt::Debug>,
{
    let ended = cancel.clone().cancelled_owned();
    let serve = axum::serve(listener, router).with_graceful_shutdown(ended);
    let overdue = async {
        cancel.cancelled().await;
        tokio::time::sleep(END_TIMEOUT).await;
    };
    tokio::select! {
        served = serve.into_future() => if let Err(error) = served {
            warn!(%error, "{what} ended");
        },
        () = overdue => {}
    }
}

/// What is served where.
fn router(shown: Shown) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/v1/clusters", get(all_clusters))
        .route("/v1/explain", get(explained))
        .route("/v1/overrides", get(in_force))
        .route("/v1/events", get(transitions))
        .with_state(shown)
}

/// `/metrics`
async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, kind)],
        shown.metrics.render(clock::now()),
    )
}

/// `/readyz`: names the members that are waited for; with `verbose`, each check on a line of its own,
/// in the form of Kubernetes, and what of the state folder cannot be used, which is no reason not to
/// be ready.
async fn readyz(State(shown): State<Shown>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let (status, text) = readiness(&shown);
    let is_verbose = |query: String| query.split('&').any(|key| key.starts_with("verbose"));
    if !query.is_some_and(is_verbose) {
        return (status, text);
    }
    let mut lines = match status {
        StatusCode::OK => "[+]members ok\n".to_owned(),
        _ => format!("[-]members {text}"),
    };
    let troubles = shown.overrides.borrow().troubles.clone();
    if troubles.is_empty() {
        lines += "[+]state-dir ok\n";
    }
    for trouble in troubles {
        lines.extend(["[-]state-dir ", &trouble, "\n"]);
    }
    (status, lines)
}

/// Whether the daemon is ready, and what it waits for.
fn readiness(shown: &Shown) -> (StatusCode, String) {
    if shown.ending.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n".to_owned());
    }
    if *shown.ready.borrow() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let all = clusters(&shown.snapshots.load(), &Standing::default(), clock::now());
    let waiting = all.iter().filter(|cluster| cluster.age_seconds.is_none());
    let names: Vec<_> = waiting.map(|cluster| cluster.name.as_str()).collect();
    let names = if names.is_empty() {
        "first probes".to_owned()
    } else {
        names.join(", ")
    };
    let text = format!("not ready: waiting for {names}\n");
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

/// `/v1/clusters`
async fn all_clusters(State(shown): State<Shown>) -> Json<Vec<Cluster>> {
    let standing = Arc::clone(&shown.overrides.borrow());
    Json(clusters(&shown.snapshots.load(), &standing, clock::now()))
}

/// `/v1/overrides`
async fn in_force(State(shown): State<Shown>) -> Json<InForceNow> {
    let standing = Arc::clone(&shown.overrides.borrow());
    Json(InForceNow::from(&*standing))
}

/// The parameters of `/v1/events`.
#[derive(Debug, serde::Deserialize)]
struct EventsQuery {
    /// Events after this number alone.
    #[serde(default)]
    after: u64,
}

/// `/v1/events`: oldest first.
async fn transitions(
    State(shown): State<Shown>,
    Query(query): Query<EventsQuery>,
) -> Json<Vec<Transition>> {
    let events = shown.events.since(query.after);
    Json(events.into_iter().map(Transition::from).collect())
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
async fn explained(
    State(shown): State<Shown>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explained>, (StatusCode, String)> {
    let question = Question::new(&query.name, &query.qtype, query.from);
    let question = question.map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")))?;
    // Own copy of the root: the guard of a load is not held while rendering.
    let snapshot = shown.snapshots.load_full();
    Ok(Json(explain(&snapshot, &question, clock::now())))
}
