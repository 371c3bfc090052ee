//! Answers to single requests: objects, lists, and everything that is no stream.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use futures::StreamExt;
use serde_json::{Value, json};

use super::faults::{Reply, gone, status};
use super::request::{Request, Resource, Verb};
use super::store::Store;
use super::{Shared, State, stream, writes};

/// Answers a request.
pub(super) async fn handle(
    extract::State(shared): extract::State<Arc<Shared>>,
    raw: extract::Request,
) -> Response {
    let mut response = undated(&shared, raw).await;
    if let Some(date) = &shared.state.lock().script.date {
        let date = date.parse().expect("a header");
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// Answers a request, whatever the time is.
async fn undated(shared: &Arc<Shared>, raw: extract::Request) -> Response {
    // The body may not be kept across an await.
    let (raw, body) = raw.into_parts();
    let sent = axum::body::to_bytes(body, 1 << 20).await;
    let sent = sent.unwrap_or_default();
    let prefix = shared.state.lock().script.prefix.clone();
    let issued = shared.change(|state| {
        let issuer = state.script.issuer.as_mut();
        let issuer = issuer.filter(|_| raw.method == Method::POST)?;
        if !issuer.knows(bearer(&raw.headers)) {
            return Some(json_reply(&status(401, "Unauthorized", "Unauthorized")));
        }
        let path = raw.uri.path().strip_prefix(&*prefix);
        Some(issuer.answer(path.unwrap_or_default(), &sent))
    });
    if let Some(issued) = issued {
        return issued;
    }
    let sent: Value = serde_json::from_slice(&sent).unwrap_or_default();
    let Some(request) = Request::parse(&raw.method, &raw.uri, &prefix) else {
        return text(StatusCode::NOT_FOUND, "404 page not found\n");
    };
    let header = |name| raw.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = header(header::AUTHORIZATION).map(str::to_owned);
    let bearer = bearer(&raw.headers);
    let metadata = header(header::ACCEPT).is_some_and(|it| it.contains("as=PartialObjectMetadata"));
    let form = if metadata {
        Form::Metadata
    } else {
        Form::Whole
    };
    let (hangs, known, scripted, number) = shared.change(|state| {
        let number = state.count(request.resource, request.verb);
        state.requests.push(request.clone());
        let scripted = state.script.next(request.resource, request.verb);
        let wanted = state.script.token.as_deref();
        let has = |(name, value): &(&str, &str)| {
            let values = raw.headers.get_all(*name).iter();
            let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
            values.join(", ") == *value
        };
        let is_authorized = |wanted: &String| authorization.as_ref() == Some(wanted);
        let known = (wanted.is_none() || wanted == bearer)
            && state.script.headers.iter().all(has)
            && state
                .script
                .authorization
                .as_ref()
                .is_none_or(is_authorized)
            && state
                .script
                .issuer
                .as_ref()
                .is_none_or(|issuer| issuer.knows(bearer));
        (state.script.hangs, known, scripted, number)
    });
    if hangs {
        std::future::pending::<()>().await;
    }
    if !known {
        return json_reply(&status(401, "Unauthorized", "Unauthorized"));
    }
    match scripted {
        Some(reply) => faulty(reply, number).await,
        None => match request.verb {
            Verb::Get | Verb::List | Verb::Watch => answer(shared, request, form),
            Verb::Create | Verb::Patch | Verb::Delete => writes::answer(shared, &request, &sent),
        },
    }
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

/// How objects are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Whole,
    /// Only their metadata.
    Metadata,
}

impl Form {
    /// The object as wanted.
    pub(super) fn of(self, object: &Value) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"],
            }),
        }
    }
}

/// A scripted reply to a request that had `number` before it.
async fn faulty(reply: Reply, number: usize) -> Response {
    match reply {
        Reply::Status(status) => json_reply(&status),
        Reply::Text(code, body) => text(StatusCode::from_u16(code).expect("an HTTP status"), body),
        Reply::Hang => std::future::pending().await,
        Reply::Cut => body(cut("{\"kind\":\"ServiceLi".to_owned())),
        Reply::Endless(pause, piece) => {
            let pieces = futures::stream::unfold(0, move |number| async move {
                // Not a condition that is waited for, but how slow the server is.
                tokio::time::sleep(pause).await;
                let piece = Bytes::from(piece(number));
                Some((Ok::<_, std::io::Error>(piece), number + 1))
            });
            body(Body::from_stream(pieces))
        }
        Reply::Numbered(text) => body(Body::from(text(number))),
        Reply::Event(status) => body(Body::from(stream::line("ERROR", &status))),
    }
}

/// What an API server answers.
fn answer(shared: &Arc<Shared>, request: Request, form: Form) -> Response {
    match (request.resource, request.verb) {
        (Resource::Ready, _) => text(StatusCode::OK, "ok"),
        (Resource::Version, _) => json_reply(&json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.1", "gitCommit": "", "buildDate": "",
            "gitTreeState": "clean", "goVersion": "go1.24", "compiler": "gc", "platform": "linux/amd64",
        })),
        (_, Verb::Get) => get(&shared.state.lock().store, &request, form),
        (_, Verb::List) => {
            let mut state = shared.state.lock();
            let State { store, script, .. } = &mut *state;
            if request.is_later_page() && script.expires_page() {
                return json_reply(&gone());
            }
            list(store, &request, form)
        }
        (_, Verb::Watch) => stream::watch(shared, request, form),
        (_, Verb::Create | Verb::Patch | Verb::Delete) => unreachable!("it is no write"),
    }
}

/// One object.
fn get(store: &Store, request: &Request, form: Form) -> Response {
    let namespace = request.namespace.clone().unwrap_or_default();
    let name = request.name.clone().unwrap_or_default();
    match store.objects.get(&(request.resource, namespace, name)) {
        Some(object) => json_reply(&form.of(object)),
        None => json_reply(&status(404, "NotFound", "not found")),
    }
}

/// A page of a collection. The token of the next one is the version and the place in the list.
fn list(store: &mut Store, request: &Request, form: Form) -> Response {
    let token = request
        .parameter("continue")
        .filter(|token| !token.is_empty());
    let (version, skip) = match token {
        None => (store.version, 0),
        Some(token) => {
            let parts = token.split_once('.');
            let parts = parts.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            match parts {
                Some((version, skip)) if store.pages.contains_key(&version) => (version, skip),
                _ => return json_reply(&gone()),
            }
        }
    };
    let objects = Arc::clone(store.pages.get(&version).unwrap_or(&store.objects));
    let limit = request
        .parameter("limit")
        .and_then(|limit| limit.parse().ok());
    let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let all: Vec<&Value> = objects
        .iter()
        .filter(|((resource, ..), object)| {
            *resource == request.resource && selects(request, object)
        })
        .map(|(_, object)| object)
        .collect();
    let items: Vec<Value> = all
        .iter()
        .skip(skip)
        .take(limit)
        .map(|object| bare(form, object))
        .collect();
    let left = all.len().saturating_sub(skip + items.len());
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if left > 0 {
        metadata["continue"] = json!(format!("{version}.{}", skip + items.len()));
        metadata["remainingItemCount"] = json!(left);
        store.pages.insert(version, Arc::clone(&objects));
    }
    let (group, kind) = match form {
        Form::Whole => request.resource.types(),
        Form::Metadata => ("meta.k8s.io/v1", "PartialObjectMetadata"),
    };
    json_reply(&json!({
        "kind": format!("{kind}List"), "apiVersion": group, "metadata": metadata, "items": items,
    }))
}

/// An object as it is in a list: without its type.
fn bare(form: Form, object: &Value) -> Value {
    let mut object = form.of(object);
    if let (Form::Whole, Some(fields)) = (form, object.as_object_mut()) {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

/// Whether the request's namespace and selectors let the object pass.
pub(super) fn selects(request: &Request, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let namespace = request.namespace.as_deref();
    let selector = request.parameter("labelSelector").unwrap_or_default();
    let term = |term: &str| {
        let label = |key: &str| metadata["labels"][key].as_str();
        if let Some((key, value)) = term.split_once("!=") {
            label(key) != Some(value)
        } else if let Some((key, value)) = term.split_once('=') {
            label(key) == Some(value.trim_start_matches('='))
        } else if let Some(key) = term.strip_prefix('!') {
            label(key).is_none()
        } else {
            label(term).is_some()
        }
    };
    let fields = request.parameter("fieldSelector").unwrap_or_default();
    let name = fields.strip_prefix("metadata.name=");
    let is_named = name.is_none_or(|wanted| metadata["name"].as_str() == Some(wanted));
    is_named
        && namespace.is_none_or(|wanted| metadata["namespace"].as_str() == Some(wanted))
        && selector
            .split(',')
            .filter(|part| !part.is_empty())
            .all(term)
}

/// JSON; a `Status` brings its own HTTP status.
pub(super) fn json_reply(value: &Value) -> Response {
    let code = value["code"].as_u64().filter(|_| value["kind"] == "Status");
    let code = code.and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    let mut response = body(Body::from(value.to_string()));
    *response.status_mut() = code.unwrap_or(StatusCode::OK);
    response
}

/// A JSON body.
pub(super) fn body(body: Body) -> Response {
    let builder = Response::builder().header(header::CONTENT_TYPE, "application/json");
    builder.body(body).expect("a header of letters")
}

/// Plain text.
fn text(code: StatusCode, text: &'static str) -> Response {
    let builder = Response::builder().status(code);
    builder.body(Body::from(text)).expect("no headers")
}

/// A body that breaks the connection after `text`.
fn cut(text: String) -> Body {
    let parts = [
        Ok(Bytes::from(text)),
        Err(std::io::ErrorKind::ConnectionReset),
    ];
    Body::from_stream(futures::stream::iter(parts).map(|part| part.map_err(std::io::Error::from)))
}
