//! Lists: in pages, or streamed where the server can.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::Either;
use kube::api::{ListParams, WatchParams};
use kube::core::Request;
use kube::runtime::watcher::Event;
use serde::Deserialize;
use tokio::sync::SemaphorePermit;
use tracing::debug;

use super::super::super::blocking;
use super::super::failure::Failure;
use super::super::request::{self, ExpectedBody, Lines};
use super::contact::WatchStatus;
use super::link::{Link, Stopped, TaskReport};
use super::read::{self, Page, WatchLine, Watched};
use crate::model::limits::{LIST_PAGE, MEMBER_OBJECTS, SMALL_BODY, WATCH_LINE};

/// Objects in one page of a list.
const PAGE: u32 = 500;

/// Pages of one list: as many as objects of one member fill.
const PAGES: u64 = MEMBER_OBJECTS.most / PAGE as u64;

/// Lines that are longer are read on blocking threads.
const LONG: usize = 256 << 10;

/// How long a member that does not answer keeps its place among those that list.
const PLACE: Duration = Duration::from_secs(3);

/// The minor version 1.x that streams lists by default; where that is switched off again, it says
/// so at once.
const STREAMS_SINCE: u32 = 32;

/// How many objects of a streamed list are reported at once.
const BATCH: usize = 500;

/// What `/version` says.
#[derive(Deserialize)]
struct Version {
    /// 1.
    major: String,
    /// A number, with a `+` at some clouds.
    minor: String,
}

/// Where a list ends: its version, and the watch that goes on from there if it was streamed.
pub(super) struct Listed {
    /// The version.
    pub(super) version: String,
    /// The watch.
    pub(super) watch: Option<Lines>,
}

/// Lists everything at `path`, and reports it.
pub(super) async fn list<W: Watched>(
    link: &Link,
    path: &str,
) -> Result<Result<Listed, Failure>, Stopped> {
    let can_stream = match can_stream(link).await {
        Ok(can_stream) => can_stream,
        Err(failure) => return Ok(Err(failure)),
    };
    link.report_watch(W::KIND, WatchStatus::Queued).await?;
    // The semaphore is never closed: at worst everything lists at once.
    let mut place = link.lists.acquire().await.ok();
    link.report_watch(W::KIND, WatchStatus::Turn).await?;
    if can_stream {
        let streamed = streamed::<W>(link, path, &mut place);
        let streamed = match tokio::time::timeout(link.timing.streamed_list, streamed).await {
            Ok(streamed) => streamed?,
            Err(_) => Err(Failure::Answer("no end of the streamed list".to_owned())),
        };
        match streamed {
            // What the server does not understand, it may understand in pages.
            Err(Failure::Answer(why)) => {
                debug!(resource = W::KIND.resource(), reason = %why, "lists in pages");
                link.never_streams.store(true, Ordering::Relaxed);
            }
            done => return Ok(done),
        }
    }
    paged::<W>(link, path, &mut place).await
}

/// Whether to try to stream a list: a server that does not know how would let it wait in silence.
///
/// It is asked each time, since the answer also shows that the API lives: one that does not takes no
/// place among those that list.
async fn can_stream(link: &Link) -> Result<bool, Failure> {
    let asked = ExpectedBody {
        what: "/version",
        limit: &SMALL_BODY,
    };
    let request = Request::new("").get("version", &kube::api::GetParams::default());
    let access = link.access();
    let version = request::value::<Version>(&access, request, asked);
    let version = match tokio::time::timeout(link.timing.answer, version).await {
        Err(_) => return Err(Failure::no_answer(link.timing.answer)),
        Ok(Ok(version)) => version,
        Ok(Err(failure @ (Failure::Transport(_) | Failure::TooMuch { .. }))) => {
            return Err(failure);
        }
        Ok(Err(_)) => return Ok(false),
    };
    let minor = version.minor.trim_end_matches('+').parse::<u32>();
    let is_new = version.major != "1" || minor.is_ok_and(|minor| minor >= STREAMS_SINCE);
    Ok(is_new && !link.never_streams.load(Ordering::Relaxed))
}

/// The version at which a list of `path` stands now: a list of one object.
pub(super) async fn version_now<W: Watched>(link: &Link, path: &str) -> Result<String, Failure> {
    let page = request_page::<W>(link, path, &ListParams::default().limit(1)).await?;
    page.version
        .ok_or_else(|| Failure::Answer("a list without resourceVersion".to_owned()))
}

/// Starts a watch from `version`.
pub(super) async fn start_watch<W: Watched>(
    link: &Link,
    path: &str,
    version: &str,
    sends_objects: bool,
) -> Result<Lines, Failure> {
    let parameters = WatchParams {
        timeout: u32::try_from(link.timing.watch.as_secs()).ok(),
        bookmarks: true,
        send_initial_events: sends_objects,
        ..WatchParams::default()
    };
    let request = Request::new(path);
    let request = if W::IS_METADATA {
        request.watch_metadata(&parameters, version)
    } else {
        request.watch(&parameters, version)
    };
    let asked = ExpectedBody {
        what: "a line of the watch",
        limit: &WATCH_LINE,
    };
    let access = link.access();
    link.or_lost(request::lines(&access, request, asked)).await
}

/// The next line of a watch, read; `None` at its end.
pub(super) async fn next_line<W: Watched>(
    link: &Link,
    lines: &mut Lines,
) -> Option<Result<WatchLine<W>, Failure>> {
    let what = "a line of the watch";
    let octets = match lines.next().await? {
        Ok(octets) => octets,
        Err(failure) => return Some(Err(failure)),
    };
    let secrets = link.access().secrets;
    if octets.len() <= LONG {
        return Some(read::line(what, &octets, &secrets));
    }
    let read = move || read::line(what, &octets, &secrets);
    Some(blocking::blocking(read).await)
}

/// Lists in pages.
async fn paged<W: Watched>(
    link: &Link,
    path: &str,
    place: &mut Option<SemaphorePermit<'_>>,
) -> Result<Result<Listed, Failure>, Stopped> {
    let mut parameters = ListParams::default().limit(PAGE);
    let (mut pages, mut objects) = (0_u64, 0_u64);
    loop {
        let request = request_page::<W>(link, path, &parameters);
        let page = match giving_place(place, request).await {
            Ok(page) => page,
            Err(failure) => return Ok(Err(failure)),
        };
        let is_first = pages == 0;
        let is_empty = page.objects.is_empty();
        pages += 1;
        objects += page.objects.len() as u64;
        let mut batch = Vec::with_capacity(page.objects.len() + 2);
        batch.extend(is_first.then(|| W::observe(Event::Init)));
        batch.extend(page.objects);
        batch.extend(page.more.is_none().then(|| W::observe(Event::InitDone)));
        if is_first {
            link.report_watch(W::KIND, WatchStatus::Listing).await?;
        } else if !is_empty {
            link.report_watch(W::KIND, WatchStatus::Progress).await?;
        }
        link.report(TaskReport::Objects(batch)).await?;
        let Some(token) = page.more else {
            return Ok(Ok(Listed {
                version: page.version.unwrap_or_default(),
                watch: None,
            }));
        };
        if parameters.continue_token.as_ref() == Some(&token) {
            let why = "the list goes on with the page that it had".to_owned();
            return Ok(Err(Failure::Answer(why)));
        }
        if pages >= PAGES || MEMBER_OBJECTS.is_exceeded_by(objects) {
            let what = format!("pages of the list ({pages})");
            return Ok(Err(Failure::too_much(&what, &MEMBER_OBJECTS)));
        }
        parameters.continue_token = Some(token);
    }
}

/// Lists by a watch that sends what is there first; the version is left to the server, which makes
/// it a consistent read.
async fn streamed<W: Watched>(
    link: &Link,
    path: &str,
    place: &mut Option<SemaphorePermit<'_>>,
) -> Result<Result<Listed, Failure>, Stopped> {
    let start = start_watch::<W>(link, path, "", true);
    let mut lines = match giving_place(place, start).await {
        Ok(lines) => lines,
        // 422 and the like: the server does not stream.
        Err(failure) => return Ok(Err(failure)),
    };
    link.report_watch(W::KIND, WatchStatus::Listing).await?;
    let mut objects = vec![W::observe(Event::Init)];
    let mut events = 0;
    loop {
        match giving_place(place, next_line::<W>(link, &mut lines)).await {
            Some(Ok(WatchLine::Applied(read))) => {
                objects.push(W::observe(Event::InitApply(read.seen)));
            }
            // Events come before the end bookmark, too: an object that was sent may go again.
            Some(Ok(WatchLine::Deleted(read))) => {
                objects.push(W::observe(Event::Delete(read.seen)));
            }
            Some(Ok(WatchLine::Bookmark { ends_list, .. })) if !ends_list => continue,
            Some(Ok(WatchLine::Bookmark { version, .. })) => {
                objects.push(W::observe(Event::InitDone));
                link.report(TaskReport::Objects(objects)).await?;
                return Ok(Ok(Listed {
                    version,
                    watch: Some(lines),
                }));
            }
            Some(Ok(WatchLine::Error(failure)) | Err(failure)) => return Ok(Err(failure)),
            None => {
                let why = "the streamed list broke off".to_owned();
                return Ok(Err(Failure::Transport(why)));
            }
        }
        events += 1;
        if MEMBER_OBJECTS.is_exceeded_by(events) {
            return Ok(Err(Failure::too_much("the streamed list", &MEMBER_OBJECTS)));
        }
        if objects.len() >= BATCH {
            link.report_watch(W::KIND, WatchStatus::Progress).await?;
            link.report(TaskReport::Objects(std::mem::take(&mut objects)))
                .await?;
        }
    }
}

/// Asks for one page.
async fn request_page<W: Watched>(
    link: &Link,
    path: &str,
    parameters: &ListParams,
) -> Result<Page, Failure> {
    let request = Request::new(path);
    let request = if W::IS_METADATA {
        request.list_metadata(parameters)
    } else {
        request.list(parameters)
    };
    let asked = ExpectedBody {
        what: "a page of the list",
        limit: &LIST_PAGE,
    };
    let access = link.access();
    let octets = link.or_lost(request::body(&access, request, asked)).await?;
    let length = octets.len();
    blocking::parse(length, move || read::page::<W>("the list", &octets)).await
}

/// Waits for an answer, and gives the place among those that list back if it does not come soon:
/// one dead API must not delay the others.
async fn giving_place<T>(
    place: &mut Option<SemaphorePermit<'_>>,
    answer: impl Future<Output = T>,
) -> T {
    let answer = pin!(answer);
    let place_ends = pin!(tokio::time::sleep(PLACE));
    match futures::future::select(answer, place_ends).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), answer)) => {
            *place = None;
            answer.await
        }
    }
}
