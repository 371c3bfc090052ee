//! Asks for a document: conditional GET, redirects on the same host, bounded in octets and time.

use std::time::Duration;

use http::header::{
    ACCEPT, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
    RETRY_AFTER,
};
use http::{HeaderValue, Request, Response, StatusCode, Uri};

use super::super::blocking::blocking;
use super::super::kubernetes::{WebBody, WebClient};
use crate::config::UrlSource;
use crate::model::limits::{FACTS_DOCUMENT, Limit};

/// Redirects that are followed.
const REDIRECTS: usize = 3;

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest validator that is kept, in octets.
const VALIDATOR: usize = 1024;

/// What a server says a document's version is by (RFC 9110, 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    /// `ETag`.
    etag: Option<HeaderValue>,
    /// `Last-Modified`.
    modified: Option<HeaderValue>,
}

/// What an answer says.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The document is as it was.
    Unchanged,
    /// A document.
    Document(Vec<u8>),
}

/// Why there is no answer of use.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct FetchError {
    /// In words; may have what a server said.
    pub(super) why: String,
    /// The limit that was exceeded.
    pub(super) limit: Option<&'static Limit>,
    /// When the server wants to be asked again.
    pub(super) retry_after: Option<Duration>,
}

impl FetchError {
    /// For this reason.
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            limit: None,
            retry_after: None,
        }
    }
}

/// Asks for one document, again and again.
pub(super) struct Fetcher {
    /// What is asked for, and how.
    source: UrlSource,
    /// Sends requests.
    client: Option<WebClient>,
    /// The version of the document that came last.
    validators: Validators,
    /// Whether it is asked for whatever its version.
    is_forgotten: bool,
}

impl Fetcher {
    /// Nothing asked for yet.
    pub(super) fn new(source: UrlSource) -> Self {
        Self {
            source,
            client: None,
            validators: Validators::default(),
            is_forgotten: true,
        }
    }

    /// The version of the document that came last.
    pub(super) fn validators(&self) -> &Validators {
        &self.validators
    }

    /// Has the next answer be a document.
    pub(super) fn forget(&mut self) {
        self.is_forgotten = true;
    }

    /// Asks once.
    pub(super) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        self.connect().await.map_err(FetchError::new)?;
        let limit = self.source.timeout;
        let answer = tokio::time::timeout(limit, self.ask()).await;
        answer.unwrap_or_else(|_| Err(FetchError::new(format!("no answer in {limit:?}"))))
    }

    /// Has a client, built anew where its files have changed: while they are wrong, the last one.
    async fn connect(&mut self) -> Result<(), String> {
        let (mut old, source) = (self.client.take(), self.source.clone());
        let built = blocking(move || {
            if old.as_mut().is_some_and(|old| !old.is_outdated()) {
                return (old, None);
            }
            match WebClient::new(&source) {
                Ok(new) => (Some(new), None),
                Err(why) => (old, Some(why)),
            }
        });
        let (client, problem) = built.await;
        self.client = client;
        match problem {
            Some(why) if self.client.is_some() => {
                tracing::warn!(error = %why, "new credentials are unusable, keeping the old ones");
                Ok(())
            }
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Asks, and follows redirects on the same host.
    async fn ask(&mut self) -> Result<Fetched, FetchError> {
        let url = |text: &str| text.parse::<Uri>();
        let mut at = url(&self.source.url).map_err(|_| FetchError::new("not a URL"))?;
        for _ in 0..=REDIRECTS {
            let answer = self.send(&at).await?;
            let status = answer.status();
            match status {
                StatusCode::OK => return self.document(answer).await,
                StatusCode::NOT_MODIFIED if !self.is_forgotten => return Ok(Fetched::Unchanged),
                _ if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                    at = redirected(&at, answer.headers())?;
                }
                _ => {
                    return Err(FetchError {
                        retry_after: retry_after(answer.headers()),
                        ..FetchError::new(status.to_string())
                    });
                }
            }
        }
        Err(FetchError::new(format!("more than {REDIRECTS} redirects")))
    }

    /// Sends one request.
    async fn send(&self, at: &Uri) -> Result<Response<WebBody>, FetchError> {
        let path = at.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path)
            .body(())
            .map_err(|error| FetchError::new(error.to_string()))?;
        let headers = request.headers_mut();
        let accepted = HeaderValue::from_static("application/toml, application/json, */*");
        headers.insert(ACCEPT, accepted);
        if !self.is_forgotten {
            let Validators { etag, modified } = &self.validators;
            if let Some(etag) = etag {
                headers.insert(IF_NONE_MATCH, etag.clone());
            } else if let Some(modified) = modified {
                headers.insert(IF_MODIFIED_SINCE, modified.clone());
            }
        }
        let client = self.client.as_ref();
        let client = client.ok_or_else(|| FetchError::new("no client"))?;
        client.send(request).await.map_err(FetchError::new)
    }

    /// The document of an answer, and its version.
    async fn document(&mut self, answer: Response<WebBody>) -> Result<Fetched, FetchError> {
        let (head, body) = answer.into_parts();
        let read = body.within(FACTS_DOCUMENT.length()).await;
        let Some(octets) = read.map_err(FetchError::new)? else {
            let (most, name) = (FACTS_DOCUMENT.most, FACTS_DOCUMENT.name);
            return Err(FetchError {
                limit: Some(&FACTS_DOCUMENT),
                ..FetchError::new(format!("more than {most} octets (limit {name})"))
            });
        };
        let validator = |name: HeaderName| {
            let value = head.headers.get(name);
            value.filter(|value| value.len() <= VALIDATOR).cloned()
        };
        self.validators = Validators {
            etag: validator(ETAG),
            modified: validator(LAST_MODIFIED),
        };
        self.is_forgotten = false;
        Ok(Fetched::Document(octets))
    }
}

/// Where a redirect leads: the same scheme, host and port, or it is not followed.
fn redirected(at: &Uri, headers: &HeaderMap) -> Result<Uri, FetchError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let to = location.and_then(|text| text.parse::<Uri>().ok());
    let to = to.ok_or_else(|| FetchError::new("a redirect to nowhere"))?;
    let is_same = match to.authority() {
        None => to.path().starts_with('/'),
        Some(authority) => to.scheme() == at.scheme() && Some(authority) == at.authority(),
    };
    if !is_same {
        return Err(FetchError::new("a redirect to another host"));
    }
    let mut parts = at.clone().into_parts();
    parts.path_and_query = to.into_parts().path_and_query;
    Uri::from_parts(parts).map_err(|_| FetchError::new("a redirect to nowhere"))
}

/// When a server wants to be asked again, if it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = Duration::from_secs(text.trim().parse().ok()?);
    Some(seconds.min(LONGEST_PAUSE))
}
