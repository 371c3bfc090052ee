//! Renewed tokens go back into the Secrets of the host cluster that they are from, so that a restart and
//! other replicas have them (docs/membership.md, Renewed tokens). The one file of `sources` that writes.
//!
//! A token is written over what was read, or read again: nothing of anybody else is lost. Where it cannot be
//! written it is tried again until it can, or until a later one is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::super::kubernetes::{
    HostClient, HostObject, HostRefusal, TokenOrder, TokenPlace,
};
use crate::config::MemberObject;

/// How often a Secret is read again that somebody else has written meanwhile, before it waits.
const TRIES: usize = 5;

/// The first and the longest pause before a token that was not written is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

/// What became of a token that was to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenBack {
    /// The object that names its member.
    pub(super) object: MemberObject,
    /// Why it is not written; `None` if it is, or need not be.
    pub(super) trouble: Option<String>,
}

/// Writes tokens back.
pub(super) struct TokenWriter {
    /// Asks the host cluster.
    client: Arc<HostClient>,
    /// Where the Secrets are.
    namespace: String,
    /// What is to be written, of each object the last one.
    waiting: BTreeMap<MemberObject, (TokenPlace, SecretString)>,
    /// When what has failed is tried again.
    due: Option<Instant>,
    /// Pauses before that.
    pauses: ExponentialBackoff,
}

impl TokenWriter {
    /// Of the Secrets in this namespace.
    pub(super) fn new(client: Arc<HostClient>, namespace: String) -> Self {
        Self {
            client,
            namespace,
            waiting: BTreeMap::new(),
            due: None,
            pauses: pauses(),
        }
    }

    /// Follows orders until there are no more, or nobody hears what became of them.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::Receiver<TokenOrder>,
        said: mpsc::Sender<WrittenBack>,
    ) {
        loop {
            let due = self.due;
            let retry = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                order = orders.recv() => match order {
                    None => return,
                    Some(TokenOrder::Read(place, asking)) => {
                        if let Ok(secret) = self.read(&place).await
                            && let Some(token) = value(&secret, &place).and_then(|it| place.token(&it))
                        {
                            // Whoever asked may not wait any more.
                            let _ = asking.send(token);
                        }
                        continue;
                    }
                    Some(TokenOrder::Write { object, place, token }) => {
                        self.waiting.insert(object, (place, token));
                    }
                },
                () = retry => {}
            }
            for written in self.write_all().await {
                if said.send(written).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Writes what waits. Returns what became of each.
    async fn write_all(&mut self) -> Vec<WrittenBack> {
        let mut all = Vec::new();
        for (object, (place, token)) in std::mem::take(&mut self.waiting) {
            let written = self.write(&place, &token).await;
            let trouble = written.err().map(|why| {
                let secret = format!("{}/{}", self.namespace, place.secret);
                format!("renewed token not written back to secret {secret}: {why}")
            });
            if trouble.is_some() {
                self.waiting.insert(object.clone(), (place, token));
            }
            all.push(WrittenBack { object, trouble });
        }
        if self.waiting.is_empty() {
            (self.due, self.pauses) = (None, pauses());
        } else {
            let pause = self.pauses.next().unwrap_or(PAUSES[1]);
            self.due = Some(Instant::now() + pause);
        }
        all
    }

    /// Writes a token, unless what stands there is as late or somebody else's.
    async fn write(&self, place: &TokenPlace, token: &SecretString) -> Result<(), String> {
        let mut why = String::new();
        for _ in 0..TRIES {
            let secret = match self.read(place).await {
                // Its member goes, or has another one.
                Err(refusal) if refusal.is_absent => return Ok(()),
                read => read.map_err(|refusal| refusal.why)?,
            };
            let old = value(&secret, place).ok_or_else(|| format!("no key {:?}", place.key))?;
            let Some(new) = place.replaced(&old, token)? else {
                return Ok(());
            };
            match self.replace(place, &secret.version, &new).await {
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.is_conflict => why = refusal.why,
                Err(refusal) => return Err(refusal.why),
            }
        }
        Err(why)
    }

    /// Reads the Secret of a place.
    async fn read(&self, place: &TokenPlace) -> Result<HostObject, HostRefusal> {
        let request = http::Request::get(self.path(place)).body(Vec::new());
        self.client.ask(request).await
    }

    /// Writes one key of a Secret over this version of it, or not at all.
    async fn replace(
        &self,
        place: &TokenPlace,
        version: &str,
        value: &[u8],
    ) -> Result<HostObject, HostRefusal> {
        let change = json!({
            "metadata": {"resourceVersion": version},
            "data": {(place.key.as_str()): STANDARD.encode(value)},
        });
        let path = self.path(place) + "?fieldManager=gazetteer";
        let request = http::Request::patch(path)
            .header(http::header::CONTENT_TYPE, "application/merge-patch+json")
            .body(change.to_string().into_bytes());
        self.client.ask(request).await
    }

    /// Where the Secret of a place is.
    fn path(&self, place: &TokenPlace) -> String {
        let (namespace, secret) = (&self.namespace, &place.secret);
        format!("/api/v1/namespaces/{namespace}/secrets/{secret}")
    }
}

/// Pauses, beginning with the shortest.
fn pauses() -> ExponentialBackoff {
    let [first, longest] = PAUSES;
    ExponentialBuilder::new()
        .with_min_delay(first)
        .with_max_delay(longest)
        .without_max_times()
        .with_jitter()
        .build()
}

/// What is under the key of a place.
fn value(secret: &HostObject, place: &TokenPlace) -> Option<Vec<u8>> {
    let encoded = secret.body["data"][&place.key].as_str()?;
    STANDARD.decode(encoded).ok()
}
