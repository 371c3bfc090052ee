//! An API server, asked with paths and JSON, each answer within limits.

use std::time::Duration;

use http::response::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::model::limits::{LIST_PAGE, SMALL_BODY};
use crate::model::{kept, with_causes};
use crate::sources::kubernetes::OperatorClient;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Who makes and changes objects.
pub(super) const MANAGER: &str = "gazetteer-join";

/// Why a request was not granted.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Refusal {
    /// The server says so.
    #[error("{message}")]
    Status {
        /// The status of HTTP.
        code: u16,
        /// What it says, without secrets.
        message: String,
    },
    /// There was no answer.
    #[error("{0}")]
    Silent(String),
}

impl Refusal {
    /// The status of HTTP.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::Silent(_) => None,
        }
    }
}

/// An API server.
pub(super) struct Api {
    /// The client.
    pub(super) client: OperatorClient,
    /// How long one answer may take.
    pub(super) limit: Duration,
}

/// What stands above the body of an answer.
pub(super) struct AnswerHead {
    /// The status of HTTP.
    pub(super) status: StatusCode,
    /// The server's time, as it says it (RFC 9110, 6.6.1).
    pub(super) date: Option<String>,
}

/// A question to an API.
pub(super) struct ApiQuestion<'q> {
    /// What to do.
    pub(super) method: Method,
    /// The path, with parameters.
    pub(super) path: &'q str,
    /// The type of the body.
    pub(super) kind: &'static str,
    /// The body.
    pub(super) body: Option<&'q Value>,
}

/// JSON as it is.
const JSON: &str = "application/json";

impl Api {
    /// An API of which each answer may take [`ANSWER`].
    pub(super) fn new(client: OperatorClient) -> Self {
        Self {
            client,
            limit: ANSWER,
        }
    }

    /// An API whose answers somebody else waits for, within a limit of his own.
    pub(super) fn patient(client: OperatorClient) -> Self {
        Self {
            client,
            limit: Duration::MAX,
        }
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(&self, question: ApiQuestion<'_>) -> Result<Value, Refusal> {
        let answer = async {
            let body = self.send(question).await?;
            self.read(body, LIST_PAGE.length()).await
        };
        let octets = within(self.limit, answer).await?;
        // What is no JSON is a proxy's, or plain text.
        Ok(serde_json::from_slice(&octets).unwrap_or_default())
    }

    /// The object at a path; `None` if it is not there.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Value>, Refusal> {
        let asked = self.ask(ApiQuestion {
            method: Method::GET,
            path,
            kind: JSON,
            body: None,
        });
        match asked.await {
            Ok(value) => Ok(Some(value)),
            Err(Refusal::Status { code: 404, .. }) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Posts an object.
    pub(super) async fn create(&self, path: &str, object: &Value) -> Result<Value, Refusal> {
        let asked = self.ask(ApiQuestion {
            method: Method::POST,
            path,
            kind: JSON,
            body: Some(object),
        });
        asked.await
    }

    /// Makes an object what `object` says, by server-side apply.
    pub(super) async fn apply(
        &self,
        path: &str,
        object: &Value,
        is_dry: bool,
    ) -> Result<Value, Refusal> {
        let dry = if is_dry { "&dryRun=All" } else { "" };
        let path = format!("{path}?fieldManager={MANAGER}&force=true{dry}");
        let asked = self.ask(ApiQuestion {
            method: Method::PATCH,
            path: &path,
            kind: "application/apply-patch+yaml",
            body: Some(object),
        });
        asked.await
    }

    /// Changes some fields of an object.
    pub(super) async fn merge(&self, path: &str, patch: &Value) -> Result<Value, Refusal> {
        let path = format!("{path}?fieldManager={MANAGER}");
        let asked = self.ask(ApiQuestion {
            method: Method::PATCH,
            path: &path,
            kind: "application/merge-patch+json",
            body: Some(patch),
        });
        asked.await
    }

    /// Deletes the very object that was read; says whether it was still there.
    pub(super) async fn delete(&self, path: &str, object: &Value) -> Result<bool, Refusal> {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "preconditions": {"uid": object["metadata"]["uid"]},
        });
        let asked = self.ask(ApiQuestion {
            method: Method::DELETE,
            path,
            kind: JSON,
            body: Some(&options),
        });
        match asked.await {
            Ok(_) => Ok(true),
            Err(Refusal::Status { code: 404, .. }) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Opens a watch, and closes it.
    pub(super) async fn opens(&self, path: &str) -> Result<(), Refusal> {
        let opened = self.send(ApiQuestion {
            method: Method::GET,
            path,
            kind: JSON,
            body: None,
        });
        within(self.limit, opened).await.map(drop)
    }

    /// Asks for a path, and reads no more than what stands above the body, whatever the status.
    pub(super) async fn head(&self, path: &str) -> Result<AnswerHead, Refusal> {
        let answer = async {
            let (head, _) = self
                .exchange(ApiQuestion {
                    method: Method::GET,
                    path,
                    kind: JSON,
                    body: None,
                })
                .await?;
            let date = head.headers.get(http::header::DATE);
            let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
            Ok(AnswerHead {
                status: head.status,
                date,
            })
        };
        within(self.limit, answer).await
    }

    /// Sends a request; the body of an answer that is no error.
    async fn send(&self, question: ApiQuestion<'_>) -> Result<Body, Refusal> {
        let (head, body) = self.exchange(question).await?;
        if !head.status.is_client_error() && !head.status.is_server_error() {
            return Ok(body);
        }
        let octets = self.read(body, SMALL_BODY.length()).await;
        let said = octets.ok().and_then(|octets| {
            let status: Value = serde_json::from_slice(&octets).ok()?;
            Some(status["message"].as_str()?.to_owned())
        });
        let reason = head.status.canonical_reason().unwrap_or_default();
        let said = said.unwrap_or_else(|| format!("{} {reason}", head.status.as_u16()));
        Err(Refusal::Status {
            code: head.status.as_u16(),
            message: kept(&self.client.mask(&said)),
        })
    }

    /// Sends a request; its answer, whatever the status.
    async fn exchange(&self, question: ApiQuestion<'_>) -> Result<(Parts, Body), Refusal> {
        let octets = question.body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(question.method)
            .uri(question.path)
            .header(http::header::CONTENT_TYPE, question.kind)
            .header(http::header::ACCEPT, JSON)
            .body(Body::from(octets.into_bytes()));
        let request = request.map_err(|error| Refusal::Silent(error.to_string()))?;
        let sent = self.client.client.send(request).await;
        let sent = sent.map_err(|error| Refusal::Silent(with_causes(&error)))?;
        Ok(sent.into_parts())
    }

    /// Reads a body of so many octets at most.
    async fn read(&self, body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
        let collected = Limited::new(body, most).collect().await;
        let collected = collected.map_err(|error| Refusal::Silent(error.to_string()))?;
        Ok(collected.to_bytes().to_vec())
    }
}

/// An answer in time.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let late = |_| Err(Refusal::Silent(format!("no answer in {limit:?}")));
    timeout(limit, answer).await.unwrap_or_else(late)
}
