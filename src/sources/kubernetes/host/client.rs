//! A client of the host cluster, built anew when its credentials change.

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::super::blocking::blocking;
use super::super::client::{Access, ClientOrigin, Connection, connect};
use super::super::failure::Failure;
use crate::config::Source;

/// A client of the host cluster. All loops share one.
pub struct HostClient {
    /// Where its API is.
    origin: ClientOrigin,
    /// The present client, if one could be built.
    connection: Mutex<Option<Connection>>,
}

impl HostClient {
    /// A client of this API. Contacts nothing yet.
    pub fn new(source: Source) -> Self {
        Self {
            origin: ClientOrigin::alone(source),
            connection: Mutex::default(),
        }
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
