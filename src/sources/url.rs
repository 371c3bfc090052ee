//! A member whose facts are a document that a server has (docs/url-sources.md).
//!
//! It is the file source with another reader: a document replaces the facts before it only when it is
//! right as a whole, and a wrong one is the loss of its member at once. Silence and refusals are when
//! three in a row came, since one says nothing: the last facts are held then, whatever was said.

mod document;
mod fetch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::fetch::{Fetched, Fetcher, Validators};
use super::Lifetime;
use super::file::TextFacts;
use super::unconfirmed::{Confirmed, ConfirmedMembers, Unconfirmed};
use crate::config::UrlSource;
use crate::model::{CONFIRM_DELAY, Change, Delta, Epoch, Identity, Shown};
use crate::names::Label;
use crate::telemetry::{Metrics, SourceEvent};

/// Failures in a row that make a loss.
const FAILURES: u32 = 3;

/// Sends the facts of the document as those of the member of `lifetime`, then every change of them,
/// until that ends or until nobody receives. While the writer waits for it, a document of another
/// version is sent as a whole.
pub async fn run(
    source: UrlSource,
    confirmed: ConfirmedMembers,
    lifetime: Lifetime,
    metrics: Arc<Metrics>,
) {
    let Lifetime {
        source: of,
        epoch,
        deltas,
        unconfirmed,
        cancel,
    } = lifetime;
    let member = of.member;
    let driver = Driver {
        unconfirmed: Unconfirmed::new(member.clone(), unconfirmed, CONFIRM_DELAY),
        confirmed: Confirmed::new(member.clone(), confirmed),
        facts: TextFacts::new(member.clone(), Arc::clone(&metrics)),
        fetcher: Fetcher::new(source.clone()),
        interval: shared_out(&member, source.interval),
        url: source.url,
        member,
        epoch,
        deltas,
        metrics,
        failures: 0,
        is_lost: false,
        said: Validators::default(),
    };
    run_until(driver, cancel).await;
}

/// Runs until `cancel`.
async fn run_until(driver: Driver, cancel: CancellationToken) {
    cancel.run_until_cancelled(driver.run()).await;
}

/// The interval of a member: up to a tenth more or less, always the same for one name, so that members
/// of one server do not ask at once.
fn shared_out(member: &Label, interval: Duration) -> Duration {
    let hash = member.as_str().bytes().fold(0u32, |hash, octet| {
        hash.wrapping_mul(31).wrapping_add(u32::from(octet))
    });
    interval * (900 + hash % 201) / 1000
}

/// What joins the document and the writer.
struct Driver {
    /// The member.
    member: Label,
    /// Where the document is.
    url: String,
    /// Asks for it.
    fetcher: Fetcher,
    /// What it said.
    facts: TextFacts,
    /// How often it is asked for.
    interval: Duration,
    /// The lifetime of this source.
    epoch: Epoch,
    /// Where changes go.
    deltas: mpsc::Sender<Delta>,
    /// When to say everything again.
    unconfirmed: Unconfirmed,
    /// When to take it without its mark.
    confirmed: Confirmed,
    /// Where answers are counted.
    metrics: Arc<Metrics>,
    /// Failures in a row.
    failures: u32,
    /// Whether they were said to be a loss.
    is_lost: bool,
    /// The version of the document that the writer has heard; of those that it waits to be confirmed,
    /// the one that is to be.
    said: Validators,
}

impl Driver {
    /// Runs until nobody receives.
    async fn run(mut self) {
        let identity = Identity {
            origin: self.url.clone(),
            ..Identity::default()
        };
        if !self.send(Change::Identity(identity)).await {
            return;
        }
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.unconfirmed.wait() => {
                    // Another version of the document is evidence; the same one again is none.
                    if self.fetcher.validators() != &self.said {
                        self.said = self.fetcher.validators().clone();
                        self.facts.list_again();
                        self.fetcher.forget();
                    }
                    continue;
                }
                () = self.confirmed.wait() => {
                    self.facts.accept_unmarked();
                    self.fetcher.forget();
                }
            }
            let fetched = self.fetcher.fetch().await;
            let (changes, pause) = self.take(fetched).await;
            next = Instant::now() + pause.unwrap_or(self.interval);
            for change in changes {
                if !self.send(change).await {
                    return;
                }
            }
        }
    }

    /// What follows from an answer, and when to ask again if not as usual.
    async fn take(
        &mut self,
        fetched: Result<Fetched, fetch::FetchError>,
    ) -> (Vec<Change>, Option<Duration>) {
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                if let Some(limit) = error.limit {
                    self.metrics.limit_exceeded(limit);
                }
                return (self.fail(&error.why), error.retry_after);
            }
        };
        self.failures = 0;
        self.metrics.heard(self.member.as_str());
        let was_lost = std::mem::take(&mut self.is_lost);
        if was_lost {
            info!(member = %self.member, "the document is there again");
        }
        let changes = match fetched {
            Fetched::Unchanged if was_lost => self.facts.all_again(),
            Fetched::Unchanged => Vec::new(),
            Fetched::Document(octets) => {
                if !self.unconfirmed.is_waited_for() {
                    self.said = self.fetcher.validators().clone();
                }
                self.read(octets).await
            }
        };
        (changes, None)
    }

    /// What follows from a document, which is parsed elsewhere.
    async fn read(&mut self, octets: Vec<u8>) -> Vec<Change> {
        let (path, length) = (PathBuf::from(&self.url), octets.len());
        let read = move |facts: &mut TextFacts| match document::text(octets) {
            Ok(text) => facts.read(&path, Ok(text)),
            Err(why) => facts.refuse(format!("{}: {why}", path.display())),
        };
        self.facts.elsewhere(length, read).await
    }

    /// What follows from no answer of use.
    fn fail(&mut self, why: &str) -> Vec<Change> {
        self.failures = self.failures.saturating_add(1);
        let event = SourceEvent::Failure;
        self.metrics.source_event(self.member.as_str(), event);
        let why = Shown(why).to_string();
        if self.failures < FAILURES || self.is_lost {
            debug!(member = %self.member, why, "no document");
            return Vec::new();
        }
        self.is_lost = true;
        warn!(member = %self.member, reason = why, "lost");
        self.facts.lose_contact(why)
    }

    /// Sends a change; says whether anybody receives.
    async fn send(&self, change: Change) -> bool {
        let delta = Delta::Member {
            member: self.member.clone(),
            epoch: self.epoch,
            change,
        };
        self.deltas.send(delta).await.is_ok()
    }
}

#[cfg(test)]
#[path = "tests/url.rs"]
mod tests;
