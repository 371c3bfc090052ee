//! HTTP/1.1: one GET, and the status of its response (RFC 9112).

use std::net::SocketAddr;
use std::pin::pin;

use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::cause::deepest;
use crate::health::history::ProbeOutcome;
use crate::model::HttpCheck;

/// The longest head of a response, in octets. The body is not read.
const LONGEST_HEAD: usize = 16 * 1024;

/// Asks over a connection that is open.
pub(super) async fn ask<S>(stream: S, check: &HttpCheck, address: SocketAddr) -> ProbeOutcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::get(&*check.path)
        .header(USER_AGENT, concat!("gazetteer/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    let request = match &check.host {
        Some(host) => request.header(HOST, &**host),
        None => request.header(HOST, address.to_string()),
    };
    let request = match request.body(String::new()) {
        Ok(request) => request,
        // The configuration is wrong, not the target.
        Err(error) => return ProbeOutcome::Local(error.to_string().into()),
    };
    let io = TokioIo::new(stream);
    let opened = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake(io);
    let (mut sender, connection) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return failure(&error),
    };
    let mut connection = pin!(connection);
    let mut response = pin!(sender.send_request(request));
    let response = tokio::select! {
        biased;
        response = &mut response => response,
        // The response, or why there is none, is there when the connection has ended.
        _ = &mut connection => response.await,
    };
    match response {
        Ok(response) => {
            let status = response.status().as_u16();
            let seen = format!("status {status}").into();
            let (first, last) = check.status;
            if (first..=last).contains(&status) {
                ProbeOutcome::Passed(seen)
            } else {
                ProbeOutcome::Answered(seen)
            }
        }
        Err(error) => failure(&error),
    }
}

/// What a failed exchange means.
fn failure(error: &hyper::Error) -> ProbeOutcome {
    if error.is_parse_too_large() {
        ProbeOutcome::Answered("the head of the response is too long".into())
    } else if error.is_parse() {
        ProbeOutcome::Answered("not HTTP/1.1".into())
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        ProbeOutcome::Answered("closed".into())
    } else {
        deepest(error)
    }
}
