//! One kind of object of the host cluster: list, watch, and again.
//!
//! A watch that ends by its time-out goes on from where it stood; after any other end there is a new
//! list, since there are few objects. A failure is told and tried again, and means nothing else.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::super::super::blocking;
use super::super::failure::Failure;
use super::super::request::{self, ExpectedBody, Lines};
use super::client::HostClient;
use super::object::{self, HostLine, HostObject};
use super::query::HostQuery;
use crate::model::limits::{HOST_LIST, HOST_OBJECTS, LIST_PAGE, Limit, WATCH_LINE};

/// A watch that ended sooner after its start is not started again at once.
const SHORT: Duration = Duration::from_secs(2);

/// How much sooner than its time-out a watch may end for that to be the reason.
const EARLY: Duration = Duration::from_secs(5);

/// What the host says of one kind of object.
#[derive(Debug, Clone, PartialEq)]
pub enum HostNews {
    /// All that there are: a whole list, in no order.
    Listed(Vec<HostObject>),
    /// One is there, or is as it says now.
    Applied(HostObject),
    /// One was deleted, or is no longer among those that are asked for.
    Deleted(HostObject),
    /// The kind is not served there: nothing is known of such objects.
    NotServed,
    /// Nothing new is known, for this reason; it is tried again.
    Failed {
        /// Why, for people.
        why: String,
        /// The limit that was exceeded, if that is why.
        limit: Option<&'static Limit>,
    },
}

/// How long things take. Tests shorten it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTiming {
    /// For one page of a list, and for the start of a watch.
    pub page: Duration,
    /// How long the server keeps a watch (`timeoutSeconds`).
    pub watch: Duration,
    /// How long a watch may be silent, bookmarks included: longer than `watch`.
    pub silence: Duration,
    /// The first pause after a failure; doubled each time.
    pub first_pause: Duration,
    /// The longest pause after a failure, before jitter.
    pub longest_pause: Duration,
    /// Between questions for a kind that is not served.
    pub not_served: Duration,
}

impl Default for HostTiming {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            page: seconds(30),
            watch: seconds(60),
            silence: seconds(65),
            first_pause: Duration::from_millis(200),
            longest_pause: seconds(4),
            not_served: seconds(60),
        }
    }
}

/// Nobody receives any more.
struct Unheard;

/// Follows one kind of object, and says what the host says of it for as long as somebody receives. Never
/// fails; a full queue makes it wait. `again` has everything listed anew at once, unless that was about to
/// happen.
pub async fn follow_host(
    client: Arc<HostClient>,
    query: HostQuery,
    news: mpsc::Sender<HostNews>,
    again: Arc<Notify>,
    timing: HostTiming,
) {
    let follower = Follower {
        client,
        query,
        news,
        again,
        timing,
    };
    // That nobody receives is how it ends.
    let Err(Unheard) = follower.run().await;
}

/// What follows one kind of object.
struct Follower {
    client: Arc<HostClient>,
    query: HostQuery,
    news: mpsc::Sender<HostNews>,
    again: Arc<Notify>,
    timing: HostTiming,
}

impl Follower {
    /// Lists and watches, and again.
    async fn run(self) -> Result<std::convert::Infallible, Unheard> {
        let mut pauses = self.pauses();
        loop {
            let failure = match self.list().await {
                Err(failure) => failure,
                Ok((objects, version)) => {
                    self.say(HostNews::Listed(objects)).await?;
                    let began = Instant::now();
                    let ended = self.watch(version).await?;
                    if began.elapsed() >= SHORT {
                        pauses = self.pauses();
                    }
                    match ended {
                        None => continue,
                        // Its history is gone, and a list is needed: no news.
                        Some(Failure::Expired(_)) if began.elapsed() >= SHORT => continue,
                        Some(failure) => failure,
                    }
                }
            };
            if matches!(failure, Failure::Unauthorized(_)) {
                self.client.distrust().await;
            }
            let is_absent = matches!(
                failure,
                Failure::Refused {
                    is_absent: true,
                    ..
                }
            );
            let (said, pause) = if is_absent {
                (HostNews::NotServed, self.timing.not_served)
            } else {
                let why = failure.text().to_owned();
                let limit = match failure {
                    Failure::TooMuch { limit, .. } => Some(limit),
                    _ => None,
                };
                let pause = pauses.next().unwrap_or(self.timing.longest_pause);
                (HostNews::Failed { why, limit }, pause)
            };
            self.say(said).await?;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.news.closed() => return Err(Unheard),
            }
        }
    }

    /// Pauses, beginning with the shortest.
    fn pauses(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.timing.first_pause)
            .with_max_delay(self.timing.longest_pause)
            .without_max_times()
            .with_jitter()
            .build()
    }

    /// Says something.
    async fn say(&self, news: HostNews) -> Result<(), Unheard> {
        self.news.send(news).await.map_err(|_| Unheard)
    }

    /// Waits for an answer, for so long as one page may take.
    async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = self.timing.page;
        let answer = tokio::time::timeout(limit, answer).await;
        answer.unwrap_or_else(|_| Err(Failure::no_answer(limit)))
    }

    /// All objects, and where the list stands.
    async fn list(&self) -> Result<(Vec<HostObject>, String), Failure> {
        let (mut objects, mut pages, mut length) = (Vec::new(), 0_u64, 0);
        let mut more = None;
        loop {
            let access = self.client.access().await?;
            let asked = ExpectedBody {
                what: "a page of the list",
                limit: &LIST_PAGE,
            };
            let request = self.query.page(more.clone());
            let octets = self.within(request::body(&access, request, asked)).await?;
            length += octets.len();
            if HOST_LIST.is_exceeded_by(length as u64) {
                return Err(Failure::too_much("the list", &HOST_LIST));
            }
            let page = blocking::parse(octets.len(), move || object::page(&octets)).await?;
            pages += 1;
            objects.extend(page.objects);
            if HOST_OBJECTS.is_exceeded_by(pages.max(objects.len() as u64)) {
                return Err(Failure::too_much("the list", &HOST_OBJECTS));
            }
            if page.more.is_none() {
                return Ok((objects, page.version));
            }
            if page.more == more {
                let why = "the list goes on without end".to_owned();
                return Err(Failure::Answer(why));
            }
            more = page.more;
        }
    }

    /// Watches from `version`. Says why it has ended, unless a list is wanted.
    async fn watch(&self, mut version: String) -> Result<Option<Failure>, Unheard> {
        loop {
            let began = Instant::now();
            let mut lines = match self.start(&version).await {
                Ok(lines) => lines,
                Err(failure) => return Ok(Some(failure)),
            };
            let is_over = || began.elapsed() + EARLY >= self.timing.watch;
            let secrets = match self.client.access().await {
                Ok(access) => access.secrets,
                Err(failure) => return Ok(Some(failure)),
            };
            let failure = loop {
                let next = tokio::select! {
                    biased;
                    () = self.again.notified() => return Ok(None),
                    () = self.news.closed() => return Err(Unheard),
                    next = tokio::time::timeout(self.timing.silence, lines.next()) => next,
                };
                let line = match next {
                    Err(_) => {
                        let silence = self.timing.silence;
                        break Failure::Transport(format!("nothing came for {silence:?}"));
                    }
                    Ok(None) => break Failure::Transport("the watch broke off".to_owned()),
                    Ok(Some(Err(failure))) => break failure,
                    Ok(Some(Ok(octets))) => object::line(&octets, &secrets),
                };
                match line {
                    Ok(HostLine::Applied(object)) => {
                        version.clone_from(&object.version);
                        self.say(HostNews::Applied(object)).await?;
                    }
                    Ok(HostLine::Deleted(object)) => {
                        version.clone_from(&object.version);
                        self.say(HostNews::Deleted(object)).await?;
                    }
                    Ok(HostLine::Bookmark(at)) => version = at,
                    Ok(HostLine::Error(failure)) | Err(failure) => break failure,
                }
            };
            if !(is_over() && matches!(failure, Failure::Transport(_))) {
                return Ok(Some(failure));
            }
        }
    }

    /// Starts a watch.
    async fn start(&self, version: &str) -> Result<Lines, Failure> {
        let access = self.client.access().await?;
        let asked = ExpectedBody {
            what: "a line of the watch",
            limit: &WATCH_LINE,
        };
        let seconds = u32::try_from(self.timing.watch.as_secs()).unwrap_or(u32::MAX);
        let request = self.query.watch(version, seconds);
        self.within(request::lines(&access, request, asked)).await
    }
}
