//! The gRPC health protocol v1: one call of `Check`, over HTTP/2 without TLS.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>, and for frames
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. Its two messages have one field
//! each, and are written and read here.

use std::net::SocketAddr;
use std::pin::pin;

use h2::client;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use hyper::{Request, StatusCode};
use tokio::net::TcpStream;

use super::cause::deepest;
use crate::health::history::ProbeOutcome;

/// The longest list of headers or trailers, in octets (RFC 9113, 6.5.2).
const LONGEST_HEADERS: u32 = 16 * 1024;

/// The longest response, in octets; it needs seven.
const LONGEST_RESPONSE: usize = 1024;

/// Field 1 of a message, of wire type 2: the service asked for.
const SERVICE_FIELD: u8 = 0x0A;

/// Field 1 of a message, of wire type 0: the status.
const STATUS_FIELD: u8 = 0x08;

/// `HealthCheckResponse.ServingStatus`, by number.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// Asks over a connection that is open.
pub(super) async fn ask(stream: TcpStream, service: &str, address: SocketAddr) -> ProbeOutcome {
    let opened = client::Builder::new()
        .enable_push(false)
        .max_header_list_size(LONGEST_HEADERS)
        .handshake(stream);
    let (sender, connection) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return failure(&error),
    };
    let mut connection = pin!(connection);
    let mut exchange = pin!(exchange(sender, service, address));
    tokio::select! {
        biased;
        outcome = &mut exchange => outcome,
        // The exchange learns of it when the connection has ended.
        _ = &mut connection => exchange.await,
    }
}

/// Sends the request and reads the response.
async fn exchange(
    sender: client::SendRequest<Bytes>,
    service: &str,
    address: SocketAddr,
) -> ProbeOutcome {
    let request = Request::post(format!("http://{address}/grpc.health.v1.Health/Check"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, concat!("gazetteer/", env!("CARGO_PKG_VERSION")))
        .body(());
    let request = match request {
        Ok(request) => request,
        Err(error) => return ProbeOutcome::Local(error.to_string().into()),
    };
    match respond(sender, request, service).await {
        Ok(outcome) => outcome,
        Err(error) => failure(&error),
    }
}

/// The exchange, as far as HTTP/2 goes.
async fn respond(
    sender: client::SendRequest<Bytes>,
    request: Request<()>,
    service: &str,
) -> Result<ProbeOutcome, h2::Error> {
    let mut sender = sender.ready().await?;
    let (response, mut body) = sender.send_request(request, false)?;
    body.send_data(message(service).into(), true)?;
    let (head, mut body) = response.await?.into_parts();
    if head.status != StatusCode::OK {
        let seen = format!("status {}", head.status.as_u16());
        return Ok(ProbeOutcome::Answered(seen.into()));
    }
    let mut octets = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        octets.extend_from_slice(&data);
        if octets.len() > LONGEST_RESPONSE {
            return Ok(ProbeOutcome::Answered("the response is too long".into()));
        }
        body.flow_control().release_capacity(data.len())?;
    }
    let trailers = body.trailers().await?;
    Ok(judge(trailers.as_ref().unwrap_or(&head.headers), &octets))
}

/// What a whole response means.
fn judge(trailers: &HeaderMap, octets: &[u8]) -> ProbeOutcome {
    let code = trailers.get("grpc-status");
    match code.map(|code| code.to_str().unwrap_or("unreadable")) {
        Some("0") => match status(octets) {
            Some("SERVING") => ProbeOutcome::Passed("SERVING".into()),
            Some(status) => ProbeOutcome::Answered(status.into()),
            None => ProbeOutcome::Answered("not a health response".into()),
        },
        // NOT_FOUND, of a service that the server does not know.
        Some("5") => ProbeOutcome::Answered("grpc-status 5, no such service".into()),
        Some("12") => ProbeOutcome::Answered("grpc-status 12, no health service".into()),
        Some(code) => ProbeOutcome::Answered(format!("grpc-status {code}").into()),
        None => ProbeOutcome::Answered("no grpc-status".into()),
    }
}

/// `HealthCheckRequest { service }`, in its frame.
fn message(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(SERVICE_FIELD);
        let mut length = service.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7F).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or_default());
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut framed = vec![0];
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend(message);
    framed
}

/// The status in a framed `HealthCheckResponse`. One that says nothing is 0, as in proto3.
fn status(octets: &[u8]) -> Option<&'static str> {
    let (frame, message) = octets.split_at_checked(5)?;
    let (flag, length) = frame.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *flag != 0 || usize::try_from(length) != Ok(message.len()) {
        return None;
    }
    match message {
        [] => STATUSES.first().copied(),
        [STATUS_FIELD, number] => STATUSES.get(usize::from(*number)).copied(),
        _ => None,
    }
}

/// What a failed exchange means.
fn failure(error: &h2::Error) -> ProbeOutcome {
    if error.is_go_away() || error.is_reset() {
        let what = if error.is_go_away() {
            "GOAWAY"
        } else {
            "RST_STREAM"
        };
        let reason = error.reason().map(|reason| format!(" {reason:?}"));
        return ProbeOutcome::Answered(format!("{what}{}", reason.unwrap_or_default()).into());
    }
    match error.get_io() {
        Some(error) => crate::health::connect::answered(error),
        None => deepest(error),
    }
}
