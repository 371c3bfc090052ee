//! A scripted Kubernetes API server: what gazetteer needs of one, with faults on demand.
//!
//! It runs on a runtime of its own, so that it can be killed with all its connections, and so that
//! a test's paused time does not touch it. Objects are JSON, right or wrong; what is stored is what
//! is sent.
//!
//! ```text
//! test ──apply, delete, set, push──▶ Shared ◀──handle── connections
//!                                      │ changed
//!                                      └──▶ watch streams, and tests that wait in `until`
//! ```

mod faults;
mod listener;
mod replies;
mod request;
mod store;
mod stream;
mod tokens;
mod writes;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use faults::Script;
pub(crate) use faults::{FutureVersion, Push, Reply, StreamingLists};
use listener::Tls;
pub(crate) use request::{Request, Resource, Verb};
pub(crate) use store::Saved;
use store::Store;
pub(crate) use tokens::Issuer;

/// How long a test waits for a condition.
const DEADLINE: Duration = Duration::from_secs(30);

/// A fake API server, listening until it is dropped.
pub(crate) struct FakeApi {
    /// What its connections share.
    shared: Arc<Shared>,
    /// Keeps the port while nothing listens: bound, and so refusing.
    _port: Socket,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its certificate, when it speaks TLS.
    tls: Option<Tls>,
    /// Runs the connections; `None` while connections are refused.
    runtime: Option<Runtime>,
}

/// What the connections share.
struct Shared {
    /// Everything that changes.
    state: Mutex<State>,
    /// Counts changes of the state.
    changed: watch::Sender<u64>,
}

/// Everything that changes.
#[derive(Default)]
pub(crate) struct State {
    /// The objects and what happened to them.
    store: Store,
    /// How to misbehave.
    script: Script,
    /// Every request so far.
    requests: Vec<Request>,
    /// The resources of the watches that are open now.
    open: Vec<Resource>,
}

impl State {
    /// How many requests there were.
    pub(crate) fn count(&self, resource: Resource, verb: Verb) -> usize {
        self.queries(resource, verb).count()
    }

    /// The query strings of the requests, oldest first.
    pub(crate) fn queries(&self, resource: Resource, verb: Verb) -> impl Iterator<Item = &str> {
        let these = move |request: &&Request| request.resource == resource && request.verb == verb;
        self.requests
            .iter()
            .filter(these)
            .map(|request| &*request.query)
    }

    /// An object.
    pub(crate) fn object(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Value> {
        let key = (resource, namespace.to_owned(), name.to_owned());
        self.store.objects.get(&key)
    }

    /// All objects of a resource.
    pub(crate) fn objects(&self, resource: Resource) -> Vec<&Value> {
        let all = self.store.objects.iter();
        let these = all.filter(|((of, ..), _)| *of == resource);
        these.map(|(_, object)| object).collect()
    }

    /// How many tokens were asked for.
    pub(crate) fn asked(&self) -> usize {
        let issuer = self.script.issuer.as_ref();
        issuer.map_or(0, |issuer| issuer.asked.len())
    }

    /// How many watches are open.
    pub(crate) fn watches(&self, resource: Resource) -> usize {
        self.open.iter().filter(|open| **open == resource).count()
    }
}

impl Shared {
    /// Changes the state and wakes everyone who waits on it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock());
        self.changed.send_modify(|count| *count += 1);
        result
    }
}

impl FakeApi {
    /// A server of plain HTTP with no objects.
    pub(crate) fn start() -> Self {
        Self::on(None)
    }

    /// A server of TLS, with a certificate of its own.
    pub(crate) fn start_tls() -> Self {
        Self::on(Some(Tls::generate()))
    }

    /// A server of TLS, with this certificate and key, in PEM. Where it `asks_clients`, who shows no
    /// certificate is refused.
    pub(crate) fn start_tls_with(certificate: &str, key: &str, asks_clients: bool) -> Self {
        Self::on(Some(Tls::of(certificate, key, asks_clients)))
    }

    /// The client certificates that it was shown, in DER.
    pub(crate) fn client_certificates(&self) -> Vec<Vec<u8>> {
        let tls = self.tls.as_ref().expect("a server of TLS");
        tls.shown.lock().iter().map(|der| der.to_vec()).collect()
    }

    /// A server with no objects.
    fn on(tls: Option<Tls>) -> Self {
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.set_reuse_address(true).expect("SO_REUSEADDR");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        port.bind(&any.into()).expect("a free port");
        let address = port
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket());
        let mut server = Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: watch::Sender::new(0),
            }),
            _port: port,
            address: address.expect("an IPv4 address"),
            tls,
            runtime: None,
        };
        server.resume();
        server
    }

    /// Listens again after [`kill`](Self::kill).
    pub(crate) fn resume(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        listener::listen(&runtime, self.address, self.tls.as_ref(), &self.shared);
        self.runtime = Some(runtime);
    }

    /// Listens again after [`kill`](Self::kill), with this certificate and key, in PEM.
    pub(crate) fn resume_with(&mut self, certificate: &str, key: &str) {
        self.tls = Some(Tls::of(certificate, key, false));
        self.resume();
    }

    /// Breaks every connection and refuses new ones. The objects stay.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits until every connection is closed, which may not be done on an async worker.
            let ended = std::thread::spawn(move || drop(runtime)).join();
            ended.expect("no task panics when it is dropped");
        }
    }

    /// The URL, with the prefix of the script.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let prefix = self.shared.state.lock().script.prefix.clone();
        format!("{scheme}://{}{prefix}", self.address)
    }

    /// Writes a kubeconfig with the context `fake`, which takes its token from the file `token`
    /// beside it, if that exists by now. JSON is YAML.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let mut cluster = json!({ "server": self.url() });
        if let Some(tls) = &self.tls {
            let ca = folder.join("ca.pem");
            write(&ca, &tls.pem);
            cluster["certificate-authority"] = json!(ca);
        }
        let token = folder.join("token");
        let user = if token.exists() {
            json!({ "tokenFile": token })
        } else {
            json!({})
        };
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "fake", "cluster": cluster }],
            "users": [{ "name": "fake", "user": user }],
            "contexts": [{ "name": "fake", "context": { "cluster": "fake", "user": "fake" } }],
        });
        let path = folder.join("kubeconfig");
        write(&path, &config.to_string());
        path
    }

    /// The certificate that clients must trust, in DER.
    pub(crate) fn root_certificate(&self) -> Option<Vec<u8>> {
        self.tls.as_ref().map(|tls| tls.certificate.to_vec())
    }

    /// Creates or replaces an object and sends the event.
    pub(crate) fn apply(&self, resource: Resource, object: impl Serialize) {
        let object: Value = serde_json::to_value(object).expect("JSON");
        self.shared
            .change(|state| state.store.apply(resource, object));
    }

    /// Deletes an object and sends the event. Says whether it was there.
    pub(crate) fn delete(&self, resource: Resource, namespace: &str, name: &str) -> bool {
        self.shared
            .change(|state| state.store.delete(resource, namespace, name))
    }

    /// Does something to the watches of `resource` that are open now.
    pub(crate) fn push(&self, resource: Resource, push: Push) {
        self.shared.change(|state| state.store.push(resource, push));
    }

    /// Ends the watches of what every member needs that are open now.
    pub(crate) fn end_watches(&self) {
        for resource in [
            Resource::Services,
            Resource::EndpointSlices,
            Resource::Nodes,
        ] {
            self.push(resource, Push::End);
        }
    }

    /// Forgets the events so far: watches from before are too old (410).
    pub(crate) fn compact(&self) {
        self.shared.change(|state| state.store.compact());
    }

    /// The objects and their version now.
    pub(crate) fn save(&self) -> Saved {
        self.shared.state.lock().store.save()
    }

    /// Puts an earlier state back, with its version, and ends every watch: an etcd restored from a
    /// backup.
    pub(crate) fn restore(&self, saved: &Saved) {
        self.shared.change(|state| state.store.restore(saved));
    }

    /// Answers every such request with `reply`, until [`heal`](Self::heal).
    pub(crate) fn set(&self, resource: Resource, verb: Verb, reply: Reply) {
        self.shared
            .change(|state| state.script.set(resource, verb, reply, None));
    }

    /// Answers the next `times` such requests with `reply`.
    pub(crate) fn set_next(&self, resource: Resource, verb: Verb, reply: Reply, times: usize) {
        self.shared
            .change(|state| state.script.set(resource, verb, reply, Some(times)));
    }

    /// Answers such requests as it should.
    pub(crate) fn heal(&self, resource: Resource, verb: Verb) {
        self.shared
            .change(|state| state.script.heal(resource, verb));
    }

    /// Changes the rest of the script.
    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        self.shared.change(|state| change(&mut state.script));
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.shared.state.lock())
    }

    /// Waits until the state is as `condition` wants it; panics with `what` at the deadline.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&State) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            while !condition(&self.shared.state.lock()) {
                changed
                    .changed()
                    .await
                    .expect("the sender lives as long as self");
            }
        };
        let waited = tokio::time::timeout(DEADLINE, wait).await;
        assert!(
            waited.is_ok(),
            "{what}: {:#?}",
            self.shared.state.lock().requests
        );
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes a file of a test.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of a test survives a crash"
)]
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a writable folder");
}
