//! One probe, from its connection to what came of it.

mod cause;
mod grpc;
mod http;
mod tls;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::connect::connect;
use super::history::ProbeOutcome;
use crate::model::{Check, ProbeTarget};
use crate::telemetry::clock;

/// What all probes share.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// How certificates are judged.
    tls: tls::Clients,
}

impl Checks {
    /// Probes a target once. Takes no longer than its time-out.
    pub(super) async fn ask(self: Arc<Self>, target: ProbeTarget) -> ProbeOutcome {
        let deadline = clock::monotonic() + target.probe.timeout;
        let stream = match timeout_at(deadline, connect(target.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return ProbeOutcome::Silent(timed_out(target.probe.timeout)),
        };
        if target.probe.check == Check::Tcp {
            return ProbeOutcome::Passed("connected".into());
        }
        // In a box, so that TCP probes, of which there are most, stay small.
        let talk = Box::pin(self.talk(stream, &target));
        let talked = timeout_at(deadline, talk).await;
        talked.unwrap_or_else(|_| ProbeOutcome::Answered(timed_out(target.probe.timeout)))
    }

    /// Probes over a connection that is open.
    async fn talk(&self, stream: TcpStream, target: &ProbeTarget) -> ProbeOutcome {
        match &target.probe.check {
            Check::None | Check::Tcp => ProbeOutcome::Passed("connected".into()),
            Check::Grpc { service } => grpc::ask(stream, service, target.address).await,
            Check::Http(check) => match check.tls {
                None => http::ask(stream, check, target.address).await,
                Some(how) => match self.tls.secure(stream, how, check, target.address).await {
                    Ok(stream) => http::ask(stream, check, target.address).await,
                    Err(outcome) => outcome,
                },
            },
        }
    }
}

/// What is seen of a probe that took too long.
fn timed_out(after: Duration) -> Cow<'static, str> {
    format!("timed out after {after:?}").into()
}

#[cfg(test)]
#[path = "tests/check.rs"]
mod tests;
