//! Requests to an API, of a member or of the host cluster: the one place where its answers are read.
//!
//! Every answer is bounded in octets by what was asked for, and in time, slow bodies included.
//! kube's own functions for requests have no such bounds, and they log bodies that they cannot
//! decode; nothing of a body is logged or quoted here but the message of a `Status`, from which our
//! own credentials are taken out.

use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use kube::core::request::Error as BuildError;
use serde::de::DeserializeOwned;

use super::client::{Access, Credential, Secrets};
use super::failure::Failure;
use crate::model::limits::{Limit, SMALL_BODY};
use crate::telemetry::clock;

/// The room that a buffer of lines keeps when it is empty.
const SPARE: usize = 256 << 10;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpectedBody {
    /// As it is called, for people.
    pub(super) what: &'static str,
    /// The longest answer.
    pub(super) limit: &'static Limit,
}

/// A request as kube builds it.
type Request = Result<http::Request<Vec<u8>>, BuildError>;

/// The body of an answer. The time-out is the caller's.
pub(super) async fn body(
    access: &Access,
    request: Request,
    asked: ExpectedBody,
) -> Result<Vec<u8>, Failure> {
    let body = start(access, request).await?;
    whole(body, asked).await
}

/// An answer of one JSON value.
pub(super) async fn value<T: DeserializeOwned>(
    access: &Access,
    request: Request,
    asked: ExpectedBody,
) -> Result<T, Failure> {
    let octets = body(access, request, asked).await?;
    serde_json::from_slice(&octets).map_err(|error| Failure::undecodable(asked.what, &error))
}

/// The lines of an answer that goes on.
pub(super) async fn lines(
    access: &Access,
    request: Request,
    asked: ExpectedBody,
) -> Result<Lines, Failure> {
    let body = start(access, request).await?;
    Ok(Lines {
        body,
        asked,
        buffer: Vec::new(),
        begin: 0,
        searched: 0,
    })
}

/// Sends a request: the body of its answer, unless that is an error.
async fn start(access: &Access, request: Request) -> Result<Body, Failure> {
    let request = request.map_err(|error| Failure::Answer(error.to_string()))?;
    let sent = access.client.send(request.map(Body::from)).await;
    let sent = sent.map_err(|error| with_credential(Failure::of(&error), access.credential));
    let (head, body) = sent?.into_parts();
    if !head.status.is_client_error() && !head.status.is_server_error() {
        return Ok(body);
    }
    let asked = ExpectedBody {
        what: "an error",
        limit: &SMALL_BODY,
    };
    let said = whole(body, asked).await.unwrap_or_default();
    let status = serde_json::from_slice::<Status>(&said);
    Err(match status {
        Ok(mut status) if !status.message.is_empty() || !status.reason.is_empty() => {
            if status.code == 0 {
                status.code = head.status.as_u16();
            }
            with_credential(
                Failure::of_status(&status, &access.secrets),
                access.credential,
            )
        }
        // What is no `Status` is a proxy's, and may be anything.
        _ => {
            let reason = head.status.canonical_reason().unwrap_or_default();
            let status = Status::failure("", reason).with_code(head.status.as_u16());
            with_credential(
                Failure::of_status(&status, &Secrets::default()),
                access.credential,
            )
        }
    })
}

/// A failure, and what our credentials have to do with it.
fn with_credential(failure: Failure, credential: Credential) -> Failure {
    let is_refused = match &failure {
        Failure::Unauthorized(_) => true,
        // A certificate is refused while shaking hands.
        Failure::Transport(text) => text.contains("received fatal alert"),
        _ => false,
    };
    let expired = credential.expires.filter(|at| *at <= clock::now());
    match expired {
        Some(at) if is_refused => failure.with(&format!("credential expired at {at}")),
        None if is_refused && credential.is_withheld => {
            failure.with("credentials are not sent over http://")
        }
        _ => failure,
    }
}

/// All of a body.
async fn whole(mut body: Body, asked: ExpectedBody) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of(&error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if octets.len() + data.len() > asked.limit.length() {
            return Err(Failure::too_much(asked.what, asked.limit));
        }
        octets.extend_from_slice(data);
    }
    Ok(octets)
}

/// The lines of a body that goes on, each bounded.
pub(super) struct Lines {
    /// The body.
    body: Body,
    /// What was asked for.
    asked: ExpectedBody,
    /// What has come.
    buffer: Vec<u8>,
    /// Where the next line begins in it.
    begin: usize,
    /// How much of it was searched for the end of that line.
    searched: usize,
}

impl Lines {
    /// The next line; `None` at the end, which a line that has none is not. Nothing is lost when
    /// the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<u8>, Failure>> {
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|octet| *octet == b'\n') {
                let end = self.searched + length;
                let line = self
                    .buffer
                    .get(self.begin..end)
                    .unwrap_or_default()
                    .to_vec();
                self.begin = end + 1;
                self.searched = self.begin;
                if line.len() > self.asked.limit.length() {
                    return Some(Err(Failure::too_much(self.asked.what, self.asked.limit)));
                }
                return Some(Ok(line));
            }
            self.buffer.drain(..self.begin);
            self.begin = 0;
            self.searched = self.buffer.len();
            if self.buffer.is_empty() {
                self.buffer.shrink_to(SPARE);
            }
            if self.buffer.len() > self.asked.limit.length() {
                return Some(Err(Failure::too_much(self.asked.what, self.asked.limit)));
            }
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Err(error) => return Some(Err(Failure::of(&error))),
            }
        }
    }

    /// Whether no line has begun.
    pub(super) fn is_between(&self) -> bool {
        self.begin >= self.buffer.len()
    }
}
