//! How the server misbehaves.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::request::{Resource, Verb};
use super::tokens::Issuer;

/// What to do instead of answering as an API server should.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A `Status` object with its code as the HTTP status.
    Status(Value),
    /// Plain text with an HTTP status.
    Text(u16, &'static str),
    /// Never answer.
    Hang,
    /// A body that ends in the middle of it.
    Cut,
    /// For a watch: HTTP 200, then this `Status` as the only event.
    Event(Value),
    /// HTTP 200, and pieces by their number without end, with a pause before each.
    Endless(Duration, fn(usize) -> String),
    /// HTTP 200, and what the function says of the number of this request.
    Numbered(fn(usize) -> String),
}

impl Reply {
    /// A `Status`, as `metav1.Status` has it.
    pub(crate) fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::Status(status(code, reason, message))
    }

    /// 403: the right is missing.
    pub(crate) fn denied() -> Self {
        Self::status(
            403,
            "Forbidden",
            "forbidden: User \"gazetteer\" cannot do that",
        )
    }

    /// 410: the resourceVersion, or the continue token, is too old.
    pub(crate) fn gone() -> Self {
        Self::Status(gone())
    }

    /// HTTP 200 with the 410 as an event.
    pub(crate) fn gone_event() -> Self {
        Self::Event(gone())
    }

    /// 504: a resourceVersion from the future.
    pub(crate) fn too_large() -> Self {
        let mut status = status(
            504,
            "Timeout",
            "Too large resource version: 1000000, current: 10",
        );
        status["details"] = json!({
            "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
            "retryAfterSeconds": 1,
        });
        Self::Status(status)
    }

    /// 404 without a body to speak of: the API group is not served, its CRD is absent.
    pub(crate) fn absent() -> Self {
        Self::Text(404, "404 page not found\n")
    }
}

/// What happens to watches that are open.
#[derive(Debug, Clone)]
pub(crate) enum Push {
    /// A bookmark at the present version, for watches that want them.
    Bookmark,
    /// An `ERROR` event with 410, then the end.
    Gone,
    /// Half a line of an event, then the connection breaks.
    CutMidObject,
    /// The end, in good order, as when `timeoutSeconds` has passed.
    End,
    /// A line, whatever it is.
    Line(String),
}

/// What a server does with `sendInitialEvents`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StreamingLists {
    /// Sends the objects, then the end bookmark (1.27 and later, where it is on).
    #[default]
    Supported,
    /// Knows no such parameter: sends the objects, and no end bookmark ever.
    Ignored,
    /// Refuses it with 422.
    Refused,
}

/// What a server does with a watch from a version that it has not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FutureVersion {
    /// Accepts it and sends nothing until its version has passed that one, as a watch cache does.
    #[default]
    Silent,
    /// 504, "Too large resource version".
    TooLarge,
}

/// The script.
#[derive(Default)]
pub(crate) struct Script {
    /// What to do with certain requests, and how often; `None` is always.
    replies: HashMap<(Resource, Verb), (Reply, Option<usize>)>,
    /// The bearer token that every request must have; `None` asks for none.
    pub(crate) token: Option<String>,
    /// The `Authorization` that every request must have, whatever its scheme; `None` asks for none.
    pub(crate) authorization: Option<String>,
    /// Headers that every request must have, with all the values of each, in order.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// The time that every answer is of, in place of the time.
    pub(crate) date: Option<String>,
    /// What is not allowed to whoever asks: a verb and a resource.
    pub(crate) denied: Vec<(&'static str, &'static str)>,
    /// The longest life of a token that is granted, in seconds; 0 is as asked.
    pub(crate) longest_token: u64,
    /// Once an object of this resource has been made, nothing is answered any more.
    pub(crate) dies_after: Option<Resource>,
    /// Issues tokens, and lets in who has a valid one; `None` asks for none.
    pub(crate) issuer: Option<Issuer>,
    /// A path before every path of the API, such as `/k8s/clusters/c-1`.
    pub(crate) prefix: String,
    /// How many pages after the first are refused with 410 from now on.
    pub(crate) expired_pages: usize,
    /// Break a streamed list off after this many objects, as often as the second number says.
    pub(crate) broken_streams: Option<(usize, usize)>,
    /// Lines that the next streamed list of a resource sends before its end bookmark.
    pub(crate) before_end: Vec<(Resource, String)>,
    /// Accept everything, answer nothing, and send nothing on open watches.
    pub(crate) hangs: bool,
    /// See there.
    pub(crate) streaming_lists: StreamingLists,
    /// See there.
    pub(crate) future_version: FutureVersion,
}

impl Script {
    /// Answers such requests with `reply`.
    pub(super) fn set(
        &mut self,
        resource: Resource,
        verb: Verb,
        reply: Reply,
        times: Option<usize>,
    ) {
        self.replies.insert((resource, verb), (reply, times));
    }

    /// Answers such requests as it should.
    pub(super) fn heal(&mut self, resource: Resource, verb: Verb) {
        self.replies.remove(&(resource, verb));
    }

    /// Whether this page after the first is refused.
    pub(super) fn expires_page(&mut self) -> bool {
        let expires = self.expired_pages > 0;
        self.expired_pages = self.expired_pages.saturating_sub(1);
        expires
    }

    /// After how many objects this streamed list breaks off.
    pub(super) fn breaks_stream(&mut self) -> Option<usize> {
        let (objects, times) = self.broken_streams.as_mut()?;
        let objects = *objects;
        *times -= 1;
        if *times == 0 {
            self.broken_streams = None;
        }
        Some(objects)
    }

    /// The lines that a streamed list of `resource` sends before its end bookmark, once.
    pub(super) fn take_before_end(&mut self, resource: Resource) -> Vec<String> {
        let these = self.before_end.extract_if(.., |(of, _)| *of == resource);
        these.map(|(_, line)| line).collect()
    }

    /// What to do with this request, if anything is scripted.
    pub(super) fn next(&mut self, resource: Resource, verb: Verb) -> Option<Reply> {
        let (reply, times) = self.replies.get_mut(&(resource, verb))?;
        let reply = reply.clone();
        if let Some(left) = times {
            *left -= 1;
            if *left == 0 {
                self.heal(resource, verb);
            }
        }
        Some(reply)
    }
}

/// A `metav1.Status` of a failure.
pub(super) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "code": code, "reason": reason, "message": message,
    })
}

/// 410, as it comes from a watch cache.
pub(super) fn gone() -> Value {
    status(410, "Expired", "too old resource version: 1 (10)")
}
