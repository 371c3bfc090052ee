//! Lists: in pages, or streamed where the server can.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::future::Either;
use futures::stream::BoxStream;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, WatchParams};
use kube::core::{DeserializeGuard, ObjectList, Request, Resource, WatchEvent};
use kube::runtime::watcher::Event;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tracing::debug;

use super::super::convert;
use super::super::failure::Failure;
use super::super::index::{Kind, Observation};
use super::super::objects::{NodeObject, ServiceObject, SliceObject};
use super::contact::News;
use super::link::{Link, Over, Report};

/// Objects in one page of a list.
const PAGE: u32 = 500;

/// How long a member that does not answer keeps its place among those that list.
const PLACE: Duration = Duration::from_secs(3);

/// The minor version 1.x that streams lists by default; where that is switched off again, it says
/// so at once.
const STREAMS_SINCE: u32 = 32;

/// The annotation of the bookmark that ends a streamed list.
const END: &str = "k8s.io/initial-events-end";

/// How many objects of a streamed list are reported at once.
const BATCH: usize = 500;

/// A kind of object that can be listed and watched.
pub(super) trait Watched: DeserializeOwned + Clone + Send + 'static {
    /// Which kind.
    const KIND: Kind;
    /// Only metadata is asked for.
    const IS_METADATA: bool = false;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// The event, converted.
    fn observe(event: Event<Self>) -> Observation;
}

/// A ServiceExport: its name says all.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ExportMetadata {
    /// The metadata.
    metadata: ObjectMeta,
}

/// An event of another type.
fn map<T, U>(event: Event<T>, convert: impl FnOnce(T) -> U) -> Event<U> {
    match event {
        Event::Apply(object) => Event::Apply(convert(object)),
        Event::Delete(object) => Event::Delete(convert(object)),
        Event::InitApply(object) => Event::InitApply(convert(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

impl Watched for DeserializeGuard<ServiceObject> {
    const KIND: Kind = Kind::Services;

    fn metadata(&self) -> &ObjectMeta {
        self.meta()
    }

    fn observe(event: Event<Self>) -> Observation {
        Observation::Services(map(event, |guard| match guard.0 {
            Ok(object) => convert::service(object),
            Err(invalid) => convert::unreadable(&invalid.metadata, &invalid.error),
        }))
    }
}

impl Watched for DeserializeGuard<SliceObject> {
    const KIND: Kind = Kind::Slices;

    fn metadata(&self) -> &ObjectMeta {
        self.meta()
    }

    fn observe(event: Event<Self>) -> Observation {
        Observation::Slices(map(event, |guard| match guard.0 {
            Ok(object) => convert::slice(&object),
            Err(invalid) => convert::unreadable(&invalid.metadata, &invalid.error),
        }))
    }
}

impl Watched for DeserializeGuard<NodeObject> {
    const KIND: Kind = Kind::Nodes;

    fn metadata(&self) -> &ObjectMeta {
        self.meta()
    }

    fn observe(event: Event<Self>) -> Observation {
        Observation::Nodes(map(event, |guard| match guard.0 {
            Ok(object) => convert::node(&object),
            Err(invalid) => convert::unreadable(&invalid.metadata, &invalid.error),
        }))
    }
}

impl Watched for ExportMetadata {
    const KIND: Kind = Kind::Exports;
    const IS_METADATA: bool = true;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn observe(event: Event<Self>) -> Observation {
        Observation::Exports(map(event, |export| convert::export(&export.metadata)))
    }
}

/// The events of a watch.
pub(super) type Stream<W> = BoxStream<'static, kube::Result<WatchEvent<W>>>;

/// Where a list ends: its version, and the stream that goes on from there if it was streamed.
pub(super) struct Listed<W> {
    /// The version.
    pub(super) version: String,
    /// The watch.
    pub(super) stream: Option<Stream<W>>,
}

/// Lists everything at `path`, and reports it.
pub(super) async fn list<W: Watched>(
    link: &Link,
    path: &str,
) -> Result<Result<Listed<W>, Failure>, Over> {
    let can_stream = match can_stream(link).await {
        Ok(can_stream) => can_stream,
        Err(failure) => return Ok(Err(failure)),
    };
    link.say(W::KIND, News::Queued).await?;
    // The semaphore is never closed: at worst everything lists at once.
    let mut place = link.lists.acquire().await.ok();
    link.say(W::KIND, News::Turn).await?;
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
    let client = link.client();
    let version = tokio::time::timeout(link.timing.answer, client.apiserver_version()).await;
    let version = match version {
        Err(_) => return Err(no_answer(link.timing.answer)),
        Ok(Ok(version)) => version,
        Ok(Err(error)) => {
            return match Failure::of(&error) {
                failure @ Failure::Transport(_) => Err(failure),
                _ => Ok(false),
            };
        }
    };
    let minor = version.minor.trim_end_matches('+').parse::<u32>();
    let is_new = version.major != "1" || minor.is_ok_and(|minor| minor >= STREAMS_SINCE);
    Ok(is_new && !link.never_streams.load(Ordering::Relaxed))
}

/// The version at which a list of `path` stands now: a list of one object.
pub(super) async fn version_now<W: Watched>(link: &Link, path: &str) -> Result<String, Failure> {
    let page = request_page::<W>(link, path, &ListParams::default().limit(1)).await?;
    page.metadata
        .resource_version
        .ok_or_else(|| Failure::Answer("a list without resourceVersion".to_owned()))
}

/// Starts a watch from `version`.
pub(super) async fn start_watch<W: Watched>(
    link: &Link,
    path: &str,
    version: &str,
    sends_objects: bool,
) -> Result<Stream<W>, Failure> {
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
    let request = request.map_err(|error| Failure::Answer(error.to_string()))?;
    let client = link.client();
    let stream = or_lost(link, client.request_events::<W>(request)).await?;
    Ok(stream.boxed())
}

/// Lists in pages.
async fn paged<W: Watched>(
    link: &Link,
    path: &str,
    place: &mut Option<SemaphorePermit<'_>>,
) -> Result<Result<Listed<W>, Failure>, Over> {
    let mut parameters = ListParams::default().limit(PAGE);
    let mut is_first = true;
    loop {
        let request = request_page::<W>(link, path, &parameters);
        let page = match giving_place(place, request).await {
            Ok(page) => page,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut objects = Vec::with_capacity(page.items.len() + 2);
        objects.extend(is_first.then(|| W::observe(Event::Init)));
        let items = page.items.into_iter();
        objects.extend(items.map(|object| W::observe(Event::InitApply(object))));
        let more = page.metadata.continue_.filter(|token| !token.is_empty());
        let version = page.metadata.resource_version.unwrap_or_default();
        objects.extend(more.is_none().then(|| W::observe(Event::InitDone)));
        let news = if is_first {
            News::Listing
        } else {
            News::Progress
        };
        link.say(W::KIND, news).await?;
        link.report(Report::Objects(objects)).await?;
        is_first = false;
        match more {
            Some(token) => parameters.continue_token = Some(token),
            None => {
                return Ok(Ok(Listed {
                    version,
                    stream: None,
                }));
            }
        }
    }
}

/// Lists by a watch that sends what is there first; the version is left to the server, which makes
/// it a consistent read.
async fn streamed<W: Watched>(
    link: &Link,
    path: &str,
    place: &mut Option<SemaphorePermit<'_>>,
) -> Result<Result<Listed<W>, Failure>, Over> {
    let start = start_watch::<W>(link, path, "", true);
    let mut stream = match giving_place(place, start).await {
        Ok(stream) => stream,
        // 422 and the like: the server does not stream.
        Err(failure) => return Ok(Err(failure)),
    };
    link.say(W::KIND, News::Listing).await?;
    let mut objects = vec![W::observe(Event::Init)];
    loop {
        match giving_place(place, stream.next()).await {
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                objects.push(W::observe(Event::InitApply(object)));
            }
            Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                if !bookmark.metadata.annotations.contains_key(END) {
                    continue;
                }
                objects.push(W::observe(Event::InitDone));
                link.report(Report::Objects(objects)).await?;
                return Ok(Ok(Listed {
                    version: bookmark.metadata.resource_version,
                    stream: Some(stream),
                }));
            }
            // Events come before the end bookmark, too: an object that was sent may go again.
            Some(Ok(WatchEvent::Deleted(object))) => {
                objects.push(W::observe(Event::Delete(object)));
            }
            Some(Ok(WatchEvent::Error(status))) => return Ok(Err(Failure::of_status(&status))),
            Some(Err(error)) => return Ok(Err(Failure::of(&error))),
            None => {
                let why = "the streamed list broke off".to_owned();
                return Ok(Err(Failure::Transport(why)));
            }
        }
        if objects.len() >= BATCH {
            link.say(W::KIND, News::Progress).await?;
            link.report(Report::Objects(std::mem::take(&mut objects)))
                .await?;
        }
    }
}

/// Asks for one page.
async fn request_page<W: Watched>(
    link: &Link,
    path: &str,
    parameters: &ListParams,
) -> Result<ObjectList<W>, Failure> {
    let request = Request::new(path);
    let request = if W::IS_METADATA {
        request.list_metadata(parameters)
    } else {
        request.list(parameters)
    };
    let request = request.map_err(|error| Failure::Answer(error.to_string()))?;
    let client = link.client();
    or_lost(link, client.request(request)).await
}

/// An answer, or why there is none in time. One that has been waited for since before contact was
/// lost is given up when it is back: a network that was gone forgets connections.
async fn or_lost<T>(
    link: &Link,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, Failure> {
    let began = Instant::now();
    let mut restarts = link.restarts.clone();
    restarts.mark_unchanged();
    let lost = async {
        // The sender lives as long as the session, and this task no longer.
        while restarts.changed().await.is_ok() && began.elapsed() < link.timing.answer {}
    };
    tokio::select! {
        biased;
        () = lost => Err(Failure::Transport("contact was lost".to_owned())),
        answer = tokio::time::timeout(link.timing.page, answer) => match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => Err(no_answer(link.timing.page)),
        },
    }
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

/// Nothing came in time.
fn no_answer(limit: Duration) -> Failure {
    Failure::Transport(format!("no answer in {limit:?}"))
}
