//! One kind of object: list, watch, and again.
//!
//! A watch that ends is started again from where it stood. It is listed anew when its history is
//! gone (410), when a start failed by transport (the API was away, and may come back with another
//! history), after three failed starts or 30 s of them while the API lives, and when it broke off and
//! the history was rewound behind it, or does not say (an etcd restored from a backup would let it
//! wait in silence). And it is listed anew when the writer asks for it.

use futures::StreamExt;
use kube::core::WatchEvent;
use kube::runtime::watcher::Event;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use super::super::failure::Failure;
use super::contact::News;
use super::link::{Link, Over, Report};
use super::list::{Listed, Stream, Watched, list, start_watch, version_now};
use super::pauses::Pauses;

/// Failed starts of a watch, while the API lives, after which it is listed anew.
const STARTS: u32 = 3;

/// A watch that ended sooner after its start is not started again at once.
const SHORT: Duration = Duration::from_secs(2);

/// How much sooner than its time-out a watch may end for that to be the reason.
const EARLY: Duration = Duration::from_secs(5);

/// How a watch ended.
enum Ended {
    /// By its time-out.
    Regularly,
    /// In some other way: its place in the history is to be looked at.
    Early(String),
    /// Its history is gone.
    Expired(String),
}

/// What to do about a watch that could not be started.
enum Next {
    /// Start it again from the same version.
    Start,
    /// List anew.
    List,
}

/// Follows a needed kind for as long as the session lasts.
pub(super) async fn run<W: Watched>(mut link: Link, path: &'static str) -> Over {
    let mut pauses = Pauses::new(&link.timing);
    loop {
        match cycle::<W>(&mut link, path, &mut pauses).await {
            Err(over) => return over,
            Ok(failure) => {
                debug!(
                    resource = W::KIND.resource(),
                    reason = failure.text(),
                    "lists anew"
                );
            }
        }
    }
}

/// Lists, and watches until a list is needed again; says why.
pub(super) async fn cycle<W: Watched>(
    link: &mut Link,
    path: &str,
    pauses: &mut Pauses,
) -> Result<Failure, Over> {
    let mut relists = link.relists.clone();
    relists.mark_unchanged();
    let Listed {
        mut version,
        mut stream,
    } = match list::<W>(link, path).await? {
        Ok(listed) => listed,
        Err(failure) => {
            link.say(W::KIND, News::Failed(failure.clone())).await?;
            pauses.wait_after(&failure, link).await;
            return Ok(failure);
        }
    };
    let mut failures = 0;
    let mut failing_since = None;
    loop {
        let started = match stream.take() {
            Some(stream) => Ok(stream),
            None => start_watch::<W>(link, path, &version, false).await,
        };
        let open = match started {
            Ok(open) => open,
            Err(failure) => {
                failures += 1;
                let since = *failing_since.get_or_insert_with(Instant::now);
                link.say(W::KIND, News::Failed(failure.clone())).await?;
                pauses.wait_after(&failure, link).await;
                let is_stuck = failures >= STARTS || since.elapsed() >= link.timing.restart;
                match next(&failure) {
                    Next::Start if !is_stuck => continue,
                    _ => return Ok(failure),
                }
            }
        };
        (failures, failing_since) = (0, None);
        link.say(W::KIND, News::Up).await?;
        let began = Instant::now();
        match pump::<W>(link, open, &mut version, &mut relists).await? {
            Ended::Regularly => {
                let why = "the watch has ended".to_owned();
                link.say(W::KIND, News::Ended(why)).await?;
                pauses.reset();
            }
            Ended::Early(why) => {
                debug!(resource = W::KIND.resource(), reason = %why, "watch ended early");
                link.say(W::KIND, News::Ended(why)).await?;
                if began.elapsed() < SHORT {
                    pauses.wait_longer(link).await;
                } else {
                    pauses.reset();
                }
                if let Some(failure) = look_back::<W>(link, path, &version).await {
                    link.say(W::KIND, News::Failed(failure.clone())).await?;
                    if !matches!(failure, Failure::Expired(_)) {
                        pauses.wait_after(&failure, link).await;
                    }
                    return Ok(failure);
                }
            }
            Ended::Expired(why) => {
                link.say(W::KIND, News::Ended(why.clone())).await?;
                if began.elapsed() < SHORT {
                    pauses.wait_longer(link).await;
                } else {
                    pauses.reset();
                }
                return Ok(Failure::Expired(why));
            }
        }
    }
}

/// What to do about a watch that could not be started.
fn next(failure: &Failure) -> Next {
    match failure {
        Failure::Expired(_) | Failure::Transport(_) => Next::List,
        Failure::Refused { .. } | Failure::Unauthorized(_) | Failure::Answer(_) => Next::Start,
    }
}

/// Whether a watch that broke off must not go on from `version`: the API was away, its history was
/// rewound, or it does not say.
///
/// Versions of different histories cannot be compared: only a lower one proves something, and only
/// that there must be a list. A higher one proves nothing, but then the API was never away for
/// longer than it took to ask.
async fn look_back<W: Watched>(link: &Link, path: &str, version: &str) -> Option<Failure> {
    match version_now::<W>(link, path).await {
        Ok(now) => match (now.parse::<u64>(), version.parse::<u64>()) {
            (Ok(now), Ok(version)) if now >= version => None,
            _ => Some(Failure::Expired(format!(
                "history rewound from {version} to {now}"
            ))),
        },
        // Whatever refuses this (a server that just started refuses much) may accept the watch a
        // moment later, and be silent on it.
        Err(failure) => Some(failure),
    }
}

/// Reports the events of a watch until it ends.
async fn pump<W: Watched>(
    link: &Link,
    mut stream: Stream<W>,
    version: &mut String,
    relists: &mut watch::Receiver<u64>,
) -> Result<Ended, Over> {
    let began = Instant::now();
    let mut restarts = link.restarts.clone();
    restarts.mark_unchanged();
    loop {
        let next = tokio::select! {
            biased;
            _ = relists.changed() => {
                return Ok(Ended::Expired("a second list is wanted".to_owned()));
            }
            _ = restarts.changed() => return Ok(Ended::Early("contact was lost".to_owned())),
            next = tokio::time::timeout(link.timing.silence, stream.next()) => next,
        };
        let event = match next {
            Err(_) => {
                let silence = link.timing.silence;
                return Ok(Ended::Early(format!("nothing came for {silence:?}")));
            }
            Ok(None) if began.elapsed() + EARLY >= link.timing.watch => {
                return Ok(Ended::Regularly);
            }
            Ok(None) => return Ok(Ended::Early("the watch broke off".to_owned())),
            Ok(Some(Err(error))) => {
                return Ok(Ended::Early(Failure::of(&error).text().to_owned()));
            }
            Ok(Some(Ok(event))) => event,
        };
        let (object, event) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (
                object.metadata().resource_version.clone(),
                Event::Apply(object),
            ),
            WatchEvent::Deleted(object) => (
                object.metadata().resource_version.clone(),
                Event::Delete(object),
            ),
            WatchEvent::Bookmark(bookmark) => {
                *version = bookmark.metadata.resource_version;
                continue;
            }
            WatchEvent::Error(status) => {
                return Ok(match Failure::of_status(&status) {
                    Failure::Expired(why) => Ended::Expired(why),
                    failure => Ended::Early(failure.text().to_owned()),
                });
            }
        };
        link.report(Report::Objects(vec![W::observe(event)]))
            .await?;
        match object.filter(|version| !version.is_empty()) {
            Some(object) => *version = object,
            None => {
                return Ok(Ended::Expired(
                    "an event without resourceVersion".to_owned(),
                ));
            }
        }
    }
}
