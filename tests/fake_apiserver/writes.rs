//! Answers to what makes, changes and deletes objects, as far as `join` and `unjoin` need it.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::faults::status;
use super::replies::json_reply;
use super::request::{Request, Resource, Verb};
use super::{Shared, State};

/// Seconds since 1970, as a server knows them.
#[expect(clippy::disallowed_methods, reason = "a server has a clock")]
fn now() -> u64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Answers a request that writes.
pub(super) fn answer(shared: &Shared, request: &Request, sent: &Value) -> Response {
    let reply = shared.change(|state| {
        let reply = match (request.resource, request.verb) {
            (Resource::AccessReviews, _) => review(state, sent),
            (Resource::Tokens, _) => token(state, request, sent),
            (_, Verb::Delete) => delete(state, request),
            _ => write(state, request, sent),
        };
        if state.script.dies_after == Some(request.resource) && !request.is_dry() {
            state.script.hangs = true;
        }
        reply
    });
    json_reply(&reply)
}

/// Whether a right is there.
fn review(state: &State, sent: &Value) -> Value {
    let asked = &sent["spec"]["resourceAttributes"];
    let is_denied =
        |(verb, resource): &(&str, &str)| asked["verb"] == *verb && asked["resource"] == *resource;
    let allowed = !state.script.denied.iter().any(is_denied);
    json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "spec": sent["spec"], "status": {"allowed": allowed, "reason": "as scripted"},
    })
}

/// A token, which nothing verifies.
fn token(state: &State, request: &Request, sent: &Value) -> Value {
    let namespace = request.namespace.clone().unwrap_or_default();
    let name = request.name.clone().unwrap_or_default();
    let key = (Resource::ServiceAccounts, namespace.clone(), name.clone());
    if !state.store.objects.contains_key(&key) {
        return status(404, "NotFound", "serviceaccounts not found");
    }
    let asked = sent["spec"]["expirationSeconds"].as_u64().unwrap_or(3_600);
    let granted = match state.script.longest_token {
        0 => asked,
        longest => asked.min(longest),
    };
    let claims = json!({
        "iat": now(), "exp": now() + granted, "jti": state.requests.len(),
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": "e2b1a0c4"}},
    });
    json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
        "spec": sent["spec"], "status": {"token": signed(&claims), "expirationTimestamp": null},
    })
}

/// A token with these claims.
fn signed(claims: &Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("e30.{payload}.c2ln")
}

/// Deletes an object.
fn delete(state: &mut State, request: &Request) -> Value {
    let namespace = request.namespace.clone().unwrap_or_default();
    let name = request.name.clone().unwrap_or_default();
    if state.store.delete(request.resource, &namespace, &name) {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})
    } else {
        status(404, "NotFound", "not found")
    }
}

/// Makes an object what was sent, and keeps what is not in that; as a server-side apply does, one that
/// changes nothing leaves the version as it is.
fn write(state: &mut State, request: &Request, sent: &Value) -> Value {
    let namespace = request.namespace.clone().unwrap_or_default();
    let name = request.name.clone();
    let name = name.unwrap_or_else(|| {
        sent["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    let key = (request.resource, namespace.clone(), name.clone());
    let old = state.store.objects.get(&key).cloned();
    if request.verb == Verb::Create && old.is_some() {
        return status(409, "AlreadyExists", "already exists");
    }
    // Who names a version writes over that or not at all.
    if let Some(version) = sent["metadata"]["resourceVersion"].as_str() {
        match &old {
            None => return status(404, "NotFound", "not found"),
            Some(old) if old["metadata"]["resourceVersion"] != version => {
                return status(409, "Conflict", "the object has been modified");
            }
            Some(_) => {}
        }
    }
    let mut new = old.clone().unwrap_or_else(|| json!({}));
    merge(&mut new, sent);
    new["metadata"]["name"] = json!(name);
    if !namespace.is_empty() {
        new["metadata"]["namespace"] = json!(namespace);
    }
    if new["type"] == "kubernetes.io/service-account-token" && new["data"].is_null() {
        let account = &new["metadata"]["annotations"]["kubernetes.io/service-account.name"];
        let account = account.as_str().unwrap_or_default();
        let claims = json!({
            "kubernetes.io/serviceaccount/secret.name": name, "jti": state.requests.len(),
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
        });
        new["data"] = json!({"token": STANDARD.encode(signed(&claims))});
    }
    if old.as_ref() == Some(&new) || request.is_dry() {
        return new;
    }
    state.store.apply(request.resource, new);
    state.store.objects.get(&key).cloned().unwrap_or_default()
}

/// Puts the fields of one object into another.
fn merge(into: &mut Value, from: &Value) {
    match (into.as_object_mut(), from.as_object()) {
        (Some(into), Some(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *into = from.clone(),
    }
}
