//! A client of the host cluster, built anew when its credentials change.

use std::sync::{Arc, Weak};
use std::time::Duration;

use kube::core::request::Error;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::super::blocking::blocking;
use super::super::client::{Access, ClientOrigin, Connection, connect};
use super::super::failure::Failure;
use super::super::request::{self, ExpectedBody};
use super::object::{self, HostObject};
use crate::config::Source;
use crate::model::limits::WATCH_LINE;

/// How long an answer of one object may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A client of the host cluster. All loops share one.
pub struct HostClient {
    /// Where its API is.
    origin: ClientOrigin,
    /// The present client, if one could be built.
    connection: Mutex<Option<Connection>>,
}

/// The client of the present host cluster, for all that follow it. All clones are one.
#[derive(Debug, Clone, Default)]
pub struct HostClients(Arc<parking_lot::Mutex<Option<PresentHost>>>);

/// Where the API of the present host cluster is, and the client of it.
type PresentHost = (Source, Weak<HostClient>);

impl HostClients {
    /// The client of this API: the same for as long as somebody has it, and asks for no other.
    pub fn of(&self, source: &Source) -> Arc<HostClient> {
        let mut present = self.0.lock();
        let known = present.as_ref().filter(|(of, _)| of == source);
        if let Some(client) = known.and_then(|(_, client)| client.upgrade()) {
            return client;
        }
        let client = Arc::new(HostClient::new(source.clone()));
        *present = Some((source.clone(), Arc::downgrade(&client)));
        client
    }
}

/// Why a request has no object for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRefusal {
    /// The object is another one by now than the one that was read (409).
    pub is_conflict: bool,
    /// There is no such object (404).
    pub is_absent: bool,
    /// In words.
    pub why: String,
}

impl HostClient {
    /// A client of this API. Contacts nothing yet.
    pub fn new(source: Source) -> Self {
        Self {
            origin: ClientOrigin::alone(source),
            connection: Mutex::default(),
        }
    }

    /// Sends a request that is answered with one object. The error is of people, and shows no secret.
    pub async fn ask(
        &self,
        request: Result<http::Request<Vec<u8>>, http::Error>,
    ) -> Result<HostObject, HostRefusal> {
        let asked = ExpectedBody {
            what: "an object",
            limit: &WATCH_LINE,
        };
        let answer = async {
            let access = self.access().await?;
            let request = request.map_err(Error::BuildRequest);
            let octets = request::body(&access, request, asked).await?;
            object::single(&octets)
        };
        let answer = tokio::time::timeout(ANSWER, answer).await;
        let answer = answer.unwrap_or_else(|_| Err(Failure::no_answer(ANSWER)));
        if matches!(answer, Err(Failure::Unauthorized(_))) {
            self.distrust().await;
        }
        answer.map_err(|failure| HostRefusal {
            is_conflict: matches!(failure, Failure::Conflict(_)),
            is_absent: matches!(
                failure,
                Failure::Refused {
                    is_absent: true,
                    ..
                }
            ),
            why: failure.text().to_owned(),
        })
    }

    /// The client, of the credentials as they are now.
    pub(super) async fn access(&self) -> Result<Access, Failure> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_mut() {
            let mut files = open.files.clone();
            let look = move || {
                let is_changed = files.refresh();
                (files, is_changed)
            };
            let (files, is_changed) = blocking(look).await;
            open.files = files;
            let is_due = open.renew_at.is_some_and(|at| Instant::now() >= at);
            if !is_changed && !is_due {
                return Ok(open.access.clone());
            }
        }
        *connection = None;
        let built = connect(&self.origin).await;
        let built = built.map_err(|error| Failure::Transport(error.to_string()))?;
        Ok(connection.insert(built).access.clone())
    }

    /// Has the next one built anew: the credentials are not accepted.
    pub(super) async fn distrust(&self) {
        *self.connection.lock().await = None;
    }
}

impl std::fmt::Debug for HostClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostClient")
            .field("source", &self.origin.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_follow_a_host_share_its_client() {
        let clients = HostClients::default();
        let one = clients.of(&Source::InCluster);
        assert!(Arc::ptr_eq(&one, &clients.clone().of(&Source::InCluster)));
        let source = Source::Kubeconfig {
            path: "k".into(),
            context: "c".to_owned(),
        };
        let other = clients.of(&source);
        assert!(!Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&other, &clients.of(&source)));
    }
}
