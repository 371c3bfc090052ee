//! Connections of the admin address and of the control socket, bounded in number and in time.
//!
//! A connection has one request: it ends with the response, so none is kept that asks for nothing.
//! Where all places are taken, a newcomer gets that of the connection longest at rest, whether its
//! client sends no request or takes no answer.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::warn;

use super::rest::{Rest, TrackedStream};
use crate::model::Peer;
use crate::model::limits::{
    ADMIN_CONNECTIONS, ADMIN_HEAD, ADMIN_HEAD_SIZE, ADMIN_KEPT, ADMIN_REQUEST,
};
use crate::telemetry::Metrics;

/// How long open connections may take when the process ends.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait after the system had no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The `Server` of every response, by which the command line knows a daemon from whatever else listens
/// at an address (RFC 9110, 10.2.4).
pub const SERVER: &str = "gazetteer";

/// A socket that connections come from.
pub(super) trait Acceptor: Send + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection; the process at its other end, where the system says it. Safe
    /// to cancel.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Option<Peer>)>> + Send;
}

/// What is served at one socket.
pub(super) struct Site {
    /// The socket's name in logs.
    pub(super) what: &'static str,
    /// What is served where.
    pub(super) router: Router,
    /// Paths for which [`ADMIN_KEPT`] places are kept.
    pub(super) kept: &'static [&'static str],
    /// Where it is counted that a limit was met.
    pub(super) metrics: Arc<Metrics>,
}

/// An open connection as the one who takes newcomers sees it.
struct Open {
    /// Since when it is at rest.
    rest: Arc<Rest>,
    /// Ends it.
    end: AbortHandle,
}

/// The places of requests: those for kept paths have their own.
#[derive(Clone)]
struct Places {
    /// For any request.
    any: Arc<Semaphore>,
    /// For requests of kept paths.
    kept: Arc<Semaphore>,
}

/// Serves until `cancel`, after which open connections may take [`END_TIMEOUT`].
pub(super) async fn serve<L: Acceptor>(mut listener: L, site: Site, cancel: &CancellationToken) {
    let site = Arc::new(site);
    let most = ADMIN_CONNECTIONS.length();
    let places = Places {
        any: Arc::new(Semaphore::new(most - ADMIN_KEPT.length())),
        kept: Arc::new(Semaphore::new(ADMIN_KEPT.length())),
    };
    let mut open: Vec<Open> = Vec::new();
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // It went away before it was taken.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                warn!(%error, "{}: cannot accept connections", site.what);
                tokio::select! {
                    () = cancel.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                }
            }
        };
        while tasks.try_join_next().is_some() {}
        open.retain(|open| !open.end.is_finished());
        while tasks.len() >= most {
            let longest = (0..open.len()).min_by_key(|at| open.get(*at).map(|of| of.rest.order()));
            if let Some(longest) = longest {
                site.metrics.limit_exceeded(&ADMIN_CONNECTIONS);
                open.swap_remove(longest).end.abort();
            }
            tasks.join_next().await;
        }
        let rest = Arc::new(Rest::default());
        let connection = connection(
            TrackedStream::new(stream, Arc::clone(&rest)),
            (Arc::clone(&rest), peer),
            (Arc::clone(&site), places.clone()),
            cancel.clone(),
        );
        let end = tasks.spawn(connection);
        open.push(Open { rest, end });
    }
    drop(listener);
    let ended = async { while tasks.join_next().await.is_some() {} };
    // Whatever is left then is aborted.
    let _ = tokio::time::timeout(END_TIMEOUT, ended).await;
}

/// Serves the one request of a connection.
async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: TrackedStream<S>,
    (rest, peer): (Arc<Rest>, Option<Peer>),
    (site, places): (Arc<Site>, Places),
    cancel: CancellationToken,
) {
    let service = service_fn(|request| {
        let (rest, site, places) = (Arc::clone(&rest), Arc::clone(&site), places.clone());
        async move { answer(request, &rest, peer, (&site, &places)).await }
    });
    let served = async {
        let mut http = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(ADMIN_HEAD.most))
                .max_buf_size(ADMIN_HEAD_SIZE.length())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service)
        );
        tokio::select! {
            served = &mut http => served,
            () = cancel.cancelled() => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        }
    };
    let whole = Duration::from_secs(ADMIN_REQUEST.most);
    let exceeded = match tokio::time::timeout(whole, served).await {
        Err(_) => &ADMIN_REQUEST,
        Ok(Err(error)) if error.is_timeout() => &ADMIN_HEAD,
        Ok(Err(error)) if error.is_parse_too_large() => &ADMIN_HEAD_SIZE,
        // A client that goes away, or that speaks no HTTP, is its own affair.
        Ok(_) => return,
    };
    site.metrics.limit_exceeded(exceeded);
}

/// Answers a request, if there is a place for it.
async fn answer(
    mut request: hyper::Request<Incoming>,
    rest: &Rest,
    peer: Option<Peer>,
    (site, places): (&Site, &Places),
) -> Result<Response, std::convert::Infallible> {
    let is_kept = site.kept.contains(&request.uri().path());
    let kept = Arc::clone(&places.kept).try_acquire_owned();
    let kept = kept.ok().filter(|_| is_kept);
    let is_protected = kept.is_some();
    let place = kept.map_or_else(|| Arc::clone(&places.any).try_acquire_owned(), Ok);
    let Ok(place) = place else {
        site.metrics.limit_exceeded(&ADMIN_CONNECTIONS);
        let text = format!(
            "busy: {} requests are being answered\n",
            ADMIN_CONNECTIONS.most - ADMIN_KEPT.most
        );
        return Ok(named(
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
        ));
    };
    rest.begin(place, is_protected);
    request.extensions_mut().insert(peer);
    let Ok(answered) = site.router.clone().oneshot(request).await;
    rest.answered();
    Ok(named(answered))
}

/// Says who answers.
fn named(mut response: Response) -> Response {
    let server = HeaderValue::from_static(SERVER);
    response.headers_mut().insert(header::SERVER, server);
    response
}

#[cfg(test)]
mod tests;
