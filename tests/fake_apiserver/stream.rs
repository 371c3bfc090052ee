//! Watch streams.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::faults::{FutureVersion, Push, Reply, StreamingLists, gone, status};
use super::replies::{Form, body, json_reply, selects};
use super::request::Request;
use super::store::{Entry, Store};
use super::{Shared, State};

/// An event on its line.
pub(super) fn line(event: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": event, "object": object }))
}

/// Starts a watch.
pub(super) fn watch(shared: &Arc<Shared>, request: Request, form: Form) -> Response {
    let seconds = request.parameter("timeoutSeconds");
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    let started = shared.change(|state| {
        let (queue, floor) = Watch::start(state, &request, form)?;
        state.open.push(request.resource);
        Ok(Watch {
            shared: Arc::clone(shared),
            changed: shared.changed.subscribe(),
            epoch: state.store.epoch,
            next: state.store.log.len(),
            wants_bookmarks: request.parameter("allowWatchBookmarks").as_deref() == Some("true"),
            request,
            form,
            floor,
            queue,
            deadline: Instant::now() + Duration::from_secs(seconds.unwrap_or(3600)),
        })
    });
    match started {
        Ok(watch) => {
            let parts = futures::stream::unfold(watch, async |mut watch| {
                Some((watch.part().await?, watch))
            });
            body(Body::from_stream(parts))
        }
        Err(Reply::Event(status)) => body(Body::from(line("ERROR", &status))),
        Err(Reply::Status(status)) => json_reply(&status),
        Err(other) => unreachable!("no watch starts with {other:?}"),
    }
}

/// What a watch is told of a change: an object that is no longer selected is deleted for it, as for an
/// API server.
fn told(entry: &Entry, request: &Request, form: Form) -> Option<Part> {
    let Entry::Object {
        old, new, is_gone, ..
    } = entry
    else {
        return None;
    };
    let was = old.as_ref().is_some_and(|old| selects(request, old));
    let is = !is_gone && selects(request, new);
    let event = match (was, is) {
        (false, false) => return None,
        (false, true) => "ADDED",
        (true, true) => "MODIFIED",
        (true, false) => "DELETED",
    };
    Some(Part::Text(line(event, &form.of(new))))
}

/// What comes next on a stream.
enum Part {
    /// A line, or half of one.
    Text(String),
    /// The connection breaks.
    Break,
    /// The stream ends in good order.
    End,
}

/// One open watch.
struct Watch {
    /// The server.
    shared: Arc<Shared>,
    /// Says when to look.
    changed: watch::Receiver<u64>,
    /// What was asked for.
    request: Request,
    /// How objects are wanted.
    form: Form,
    /// Whether the client wants bookmarks.
    wants_bookmarks: bool,
    /// Changes up to this version are not sent.
    floor: u64,
    /// The restore that it belongs to.
    epoch: u64,
    /// The next entry of the log.
    next: usize,
    /// What is to be sent.
    queue: VecDeque<Part>,
    /// When the client wants the end.
    deadline: Instant,
}

impl Watch {
    /// The first lines, and the version that the client has; or why there are none.
    fn start(
        state: &mut State,
        request: &Request,
        form: Form,
    ) -> Result<(VecDeque<Part>, u64), Reply> {
        let store = &state.store;
        let version = request.parameter("resourceVersion").unwrap_or_default();
        let from: u64 = version.parse().unwrap_or_default();
        let streams = request.parameter("sendInitialEvents").as_deref() == Some("true");
        let streaming = state.script.streaming_lists;
        if streams && streaming == StreamingLists::Refused {
            return Err(Reply::Status(status(
                422,
                "Invalid",
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the \
                 WatchList feature gate is enabled",
            )));
        }
        if streams || from == 0 {
            let mut queue = Self::objects(store, request, form);
            let broken = streams.then(|| state.script.breaks_stream()).flatten();
            if let Some(objects) = broken {
                queue.truncate(objects);
                queue.push_back(Part::Break);
            } else if streams && streaming == StreamingLists::Supported {
                let more = state.script.take_before_end(request.resource);
                queue.extend(more.into_iter().map(|line| Part::Text(format!("{line}\n"))));
                queue.push_back(Part::Text(bookmark(store.version, request, true)));
            }
            return Ok((queue, store.version));
        }
        if from < store.oldest {
            return Err(Reply::Event(gone()));
        }
        if from > store.version && state.script.future_version == FutureVersion::TooLarge {
            return Err(Reply::too_large());
        }
        let missed = store
            .log
            .iter()
            .filter_map(|(resource, entry)| match entry {
                Entry::Object { version, .. }
                    if *resource == request.resource && *version > from =>
                {
                    told(entry, request, form)
                }
                _ => None,
            });
        Ok((missed.collect(), from))
    }

    /// Everything that there is, as added.
    fn objects(store: &Store, request: &Request, form: Form) -> VecDeque<Part> {
        let these = store.objects.iter().filter(|((resource, ..), object)| {
            *resource == request.resource && selects(request, object)
        });
        these
            .map(|(_, object)| Part::Text(line("ADDED", &form.of(object))))
            .collect()
    }

    /// The next part; `None` is the end.
    async fn part(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            let hangs = self.shared.state.lock().script.hangs;
            if !hangs {
                self.fill();
                match self.queue.pop_front() {
                    Some(Part::Text(text)) => return Some(Ok(text.into())),
                    Some(Part::Break) => return Some(Err(io::ErrorKind::ConnectionReset.into())),
                    Some(Part::End) => return None,
                    None => {}
                }
            }
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep_until(self.deadline), if !hangs => return None,
            }
        }
    }

    /// Takes what is new in the log.
    fn fill(&mut self) {
        let state = self.shared.state.lock();
        let store = &state.store;
        if store.epoch != self.epoch {
            self.queue.push_back(Part::Break);
            return;
        }
        for (resource, entry) in store.log.iter().skip(self.next) {
            if *resource != self.request.resource {
                continue;
            }
            match entry {
                Entry::Object { version, .. } => {
                    if *version > self.floor {
                        self.queue.extend(told(entry, &self.request, self.form));
                    }
                }
                Entry::Push(Push::Bookmark, version) if self.wants_bookmarks => {
                    let text = bookmark(*version, &self.request, false);
                    self.queue.push_back(Part::Text(text));
                }
                Entry::Push(Push::Bookmark, _) => {}
                Entry::Push(Push::Gone, _) => {
                    self.queue.push_back(Part::Text(line("ERROR", &gone())));
                    self.queue.push_back(Part::End);
                }
                Entry::Push(Push::CutMidObject, _) => {
                    let half = "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Serv".to_owned();
                    self.queue.extend([Part::Text(half), Part::Break]);
                }
                Entry::Push(Push::End, _) => self.queue.push_back(Part::End),
                Entry::Push(Push::Line(text), _) => {
                    self.queue.push_back(Part::Text(format!("{text}\n")));
                }
            }
        }
        self.next = store.log.len();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let resource = self.request.resource;
        self.shared.change(|state| {
            if let Some(at) = state.open.iter().position(|open| *open == resource) {
                state.open.swap_remove(at);
            }
        });
    }
}

/// A bookmark at the version `at`.
fn bookmark(at: u64, request: &Request, ends_initial_events: bool) -> String {
    let (version, kind) = request.resource.types();
    let mut metadata = json!({ "resourceVersion": at.to_string() });
    if ends_initial_events {
        metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
    }
    let object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
    line("BOOKMARK", &object)
}
