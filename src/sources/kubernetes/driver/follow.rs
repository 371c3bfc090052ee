//! One kind of object: list, watch, and again.
//!
//! A watch that ends is started again from where it stood. It is listed anew when its history is
//! gone (410), when a start failed by transport (the API was away, and may come back with another
//! history), after three failed starts or 30 s of them while the API lives, and when it broke off and
//! the history was rewound behind it, or does not say (an etcd restored from a backup would let it
//! wait in silence). And it is listed anew when the writer asks for it.

use kube::runtime::watcher::Event;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use super::super::failure::Failure;
use super::super::request::Lines;
use super::contact::WatchStatus;
use super::link::{Link, Stopped, TaskReport};
use super::list::{Listed, list, next_line, start_watch, version_now};
use super::pauses::Pauses;
use super::read::{WatchLine, Watched};

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
    /// It said more than is read.
    TooMuch(Failure),
}

/// What to do about a watch that could not be started.
enum Next {
    /// Start it again from the same version.
    Start,
    /// List anew.
    List,
}

/// Follows a needed kind for as long as the session lasts.
pub(super) async fn run<W: Watched>(mut link: Link) -> Stopped {
    let mut pauses = Pauses::new(&link.timing);
    // Kinds that are needed have one version.
    let path = W::KIND.paths().first().copied().unwrap_or_default();
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
) -> Result<Failure, Stopped> {
    let mut relists = link.relists.clone();
    relists.mark_unchanged();
    let Listed {
        mut version,
        mut watch,
    } = match list::<W>(link, path).await? {
        Ok(listed) => listed,
        Err(failure) => {
            link.report_watch(W::KIND, WatchStatus::Failed(failure.clone()))
                .await?;
            pauses.wait_after(&failure, link).await;
            return Ok(failure);
        }
    };
    let mut failures = 0;
    let mut failing_since = None;
    loop {
        let started = match watch.take() {
            Some(lines) => Ok(lines),
            None => start_watch::<W>(link, path, &version, false).await,
        };
        let open = match started {
            Ok(open) => open,
            Err(failure) => {
                failures += 1;
                let since = *failing_since.get_or_insert_with(Instant::now);
                link.report_watch(W::KIND, WatchStatus::Failed(failure.clone()))
                    .await?;
                pauses.wait_after(&failure, link).await;
                let is_stuck = failures >= STARTS || since.elapsed() >= link.timing.restart;
                match next(&failure) {
                    Next::Start if !is_stuck => continue,
                    _ => return Ok(failure),
                }
            }
        };
        (failures, failing_since) = (0, None);
        let began = Instant::now();
        let ended = pump::<W>(link, open, &mut version, &mut relists, pauses).await?;
        if began.elapsed() >= link.timing.proof && !pauses.follow_too_much() {
            pauses.set_doubted(false);
        }
        match ended {
            Ended::Regularly => {
                let why = "the watch has ended".to_owned();
                link.report_watch(W::KIND, WatchStatus::Ended(why)).await?;
                pauses.reset();
            }
            Ended::Early(why) => {
                debug!(resource = W::KIND.resource(), reason = %why, "watch ended early");
                link.report_watch(W::KIND, WatchStatus::Ended(why)).await?;
                if began.elapsed() < SHORT {
                    pauses.wait_longer(link).await;
                } else {
                    pauses.reset();
                }
                if let Some(failure) = look_back::<W>(link, path, &version).await {
                    link.report_watch(W::KIND, WatchStatus::Failed(failure.clone()))
                        .await?;
                    if !matches!(failure, Failure::Expired(_)) {
                        pauses.wait_after(&failure, link).await;
                    }
                    return Ok(failure);
                }
            }
            Ended::TooMuch(failure) => {
                link.report_watch(W::KIND, WatchStatus::Failed(failure.clone()))
                    .await?;
                pauses.wait_after(&failure, link).await;
                return Ok(failure);
            }
            Ended::Expired(why) => {
                link.report_watch(W::KIND, WatchStatus::Ended(why.clone()))
                    .await?;
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
        Failure::Expired(_) | Failure::Transport(_) | Failure::TooMuch { .. } => Next::List,
        Failure::Refused { .. }
        | Failure::Unauthorized(_)
        | Failure::Conflict(_)
        | Failure::Answer(_) => Next::Start,
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
///
/// A watch is up once it has started. After one that ended before it was contact, such as by a 410
/// as its first line, it is up once it has said something else than an error, or has stood for
/// [`Timing::proof`](super::timing::Timing::proof); after one that said more than is read, once it has said a whole line, or has said
/// nothing for as long as a watch may be down.
async fn pump<W: Watched>(
    link: &Link,
    mut lines: Lines,
    version: &mut String,
    relists: &mut watch::Receiver<u64>,
    pauses: &mut Pauses,
) -> Result<Ended, Stopped> {
    let began = Instant::now();
    let mut restarts = link.restarts.clone();
    restarts.mark_unchanged();
    let mut is_doubted = pauses.follow_too_much() || pauses.is_doubted();
    let stands_after = if pauses.follow_too_much() {
        link.timing.down
    } else {
        link.timing.proof
    };
    // Until it has shown otherwise.
    pauses.set_doubted(true);
    if !is_doubted {
        link.report_watch(W::KIND, WatchStatus::Up).await?;
    }
    let is_over = || began.elapsed() + EARLY >= link.timing.watch;
    loop {
        let wait = if is_doubted {
            stands_after
        } else {
            link.timing.silence
        };
        let next = tokio::select! {
            biased;
            _ = relists.changed() => {
                pauses.set_doubted(is_doubted);
                return Ok(Ended::Expired("a second list is wanted".to_owned()));
            }
            _ = restarts.changed() => {
                pauses.set_doubted(is_doubted);
                return Ok(Ended::Early("contact was lost".to_owned()));
            }
            next = tokio::time::timeout(wait, next_line::<W>(link, &mut lines)) => next,
        };
        let has_said = matches!(&next, Ok(Some(Ok(line))) if !matches!(line, WatchLine::Error(_)));
        let stands = next.is_err() && lines.is_between();
        if has_said || stands {
            pauses.set_doubted(false);
        }
        if is_doubted && (has_said || stands) {
            is_doubted = false;
            pauses.reset();
            link.report_watch(W::KIND, WatchStatus::Up).await?;
            if next.is_err() {
                continue;
            }
        }
        let line = match next {
            Err(_) if is_doubted && began.elapsed() < link.timing.silence => continue,
            Err(_) => {
                let silence = link.timing.silence;
                return Ok(Ended::Early(format!("nothing came for {silence:?}")));
            }
            Ok(None | Some(Err(Failure::Transport(_)))) if is_over() => {
                return Ok(Ended::Regularly);
            }
            Ok(None) => return Ok(Ended::Early("the watch broke off".to_owned())),
            Ok(Some(Err(failure @ Failure::TooMuch { .. }))) => {
                return Ok(Ended::TooMuch(failure));
            }
            Ok(Some(Err(failure))) => return Ok(Ended::Early(failure.text().to_owned())),
            Ok(Some(Ok(line))) => line,
        };
        let (object, event) = match line {
            WatchLine::Applied(read) => (read.version, Event::Apply(read.seen)),
            WatchLine::Deleted(read) => (read.version, Event::Delete(read.seen)),
            WatchLine::Bookmark { version: at, .. } => {
                *version = at;
                continue;
            }
            WatchLine::Error(Failure::Expired(why)) => return Ok(Ended::Expired(why)),
            WatchLine::Error(failure) => return Ok(Ended::Early(failure.text().to_owned())),
        };
        link.report(TaskReport::Objects(vec![W::observe(event)]))
            .await?;
        if object.is_empty() {
            return Ok(Ended::Expired(
                "an event without resourceVersion".to_owned(),
            ));
        }
        *version = object;
    }
}
