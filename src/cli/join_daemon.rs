//! What the daemon says of a member that comes or goes.

use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::admin_client::get_from;
use super::control_client::give_to;
use super::daemon_arguments::Daemon;
use super::find_daemon::{DaemonCandidate, candidates, candidates_of};
use crate::admin::{Alone, Cluster, ControlRequest};
use crate::config::Config;
use crate::names::Label;
use crate::telemetry::clock;

/// How long to wait before the daemon is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// What the daemon says of a member.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum Heard {
    /// It watches the member.
    Watched {
        /// After so many seconds.
        seconds: f64,
        /// The member.
        cluster: Box<Cluster>,
    },
    /// It does not, or not yet.
    Waiting {
        /// What it says.
        reason: String,
    },
    /// Nobody was asked.
    Nobody {
        /// Why.
        reason: String,
    },
}

/// The daemon of a configuration, as far as it can be asked.
pub(super) struct Asking(Result<Vec<DaemonCandidate>, String>);

impl Asking {
    /// Where it is: as said, else where the configuration says. Where there is only a host cluster it may
    /// be anywhere.
    pub(super) fn of(said: &Daemon, config: Option<&Config>) -> Self {
        let is_said = said.admin.is_some() || said.state.state_dir.is_some();
        Self(match config {
            Some(config) => Ok(candidates_of(said, config)),
            None if is_said => Ok(candidates(said)),
            None => Err("give --admin to have one asked".to_owned()),
        })
    }

    /// What the daemon says at a path.
    pub(super) fn text(&self, path: &str) -> Result<String, String> {
        self.get(path, &[])
    }

    /// What the daemon says at a path, with parameters.
    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let places = self.0.as_ref().map_err(Clone::clone)?;
        get_from(places, path, parameters).map_err(|error| format!("{error:#}"))
    }

    /// What the daemon says of something.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, String> {
        let body = self.get(path, parameters)?;
        let wrong = |error| format!("answer of the daemon to {path}: {error}");
        serde_json::from_str(&body).map_err(wrong)
    }

    /// All members.
    fn clusters(&self) -> Result<Vec<Cluster>, String> {
        self.ask("/v1/clusters", &[])
    }

    /// The services that only this member has.
    pub(super) fn alone(&self, name: &Label) -> Result<Alone, String> {
        self.ask("/v1/alone", &[("member", name.as_str())])
    }

    /// Waits until the daemon watches a member.
    pub(super) fn until_watched(&self, name: &Label, limit: Duration) -> Heard {
        let begin = clock::monotonic();
        let mut clusters = match self.clusters() {
            Ok(clusters) => clusters,
            Err(reason) => return Heard::Nobody { reason },
        };
        loop {
            let passed = begin.elapsed();
            let mut all = clusters.into_iter();
            let cluster = all.find(|cluster| cluster.name == name.as_str());
            let reason = match cluster {
                Some(cluster) if cluster.status == "Ready" => {
                    return Heard::Watched {
                        seconds: passed.as_secs_f64(),
                        cluster: Box::new(cluster),
                    };
                }
                Some(cluster) => {
                    let reason = cluster.reason.map(|reason| format!(": {reason}"));
                    format!("{}{}", cluster.status, reason.unwrap_or_default())
                }
                None => "it does not know this member, or not yet: can it read what was written?"
                    .to_owned(),
            };
            if passed >= limit {
                return Heard::Waiting { reason };
            }
            sleep(AGAIN);
            clusters = match self.clusters() {
                Ok(clusters) => clusters,
                Err(reason) => return Heard::Waiting { reason },
            };
        }
    }

    /// Tells the daemon that a member is meant to be gone. One that cannot be told looks twice, and may
    /// hold the member back, which is seen when it is asked.
    pub(super) fn forget(&self, name: &Label) {
        let member = name.to_string();
        let told = self.0.clone().ok();
        drop(told.map(|places| give_to(places, &ControlRequest::Forget { member })));
    }

    /// Waits until the daemon does not know a member any more. Says whether there is one that still
    /// does.
    pub(super) fn until_forgotten(&self, name: &Label, limit: Duration) -> bool {
        let begin = clock::monotonic();
        loop {
            let Ok(clusters) = self.clusters() else {
                return true;
            };
            let mut all = clusters.iter();
            if !all.any(|cluster| cluster.name == name.as_str()) {
                return true;
            }
            if begin.elapsed() >= limit {
                return false;
            }
            sleep(AGAIN);
        }
    }
}
