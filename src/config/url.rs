//! `source = { url = … }`: a facts document that a server has (docs/url-sources.md).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;

use super::section::Section;
use super::values;

/// The keys of a source that only a document at a URL has, beside `url` itself.
pub(super) const OTHER_KEYS: [&str; 6] = [
    "interval",
    "timeout",
    "token-file",
    "ca",
    "certificate",
    "key",
];

/// How often a document is asked for by default.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long an answer may take by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A facts document that a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlSource {
    /// Where it is: `https://` or `http://`, without a user.
    pub url: String,
    /// How often it is asked for.
    pub interval: Duration,
    /// How long an answer may take, its body included.
    pub timeout: Duration,
    /// The file of the bearer token.
    pub token_file: Option<PathBuf>,
    /// The file of the certificates that the server is verified by; `None` are the platform's.
    pub ca: Option<PathBuf>,
    /// The files of our own certificate and its key, where the server wants one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl UrlSource {
    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let identity = self.identity.iter();
        let identity = identity.flat_map(|(certificate, key)| [certificate, key]);
        self.token_file.iter().chain(&self.ca).chain(identity)
    }
}

/// A URL of a document. What was written is not shown where there may be a password in it.
fn url(text: &str) -> Result<Uri, String> {
    if text.contains('@') {
        return Err("url: must not have a user or an @: give a token in token-file".to_owned());
    }
    let wrong = || format!("url {text:?}: expected https://HOST/PATH");
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let is_http = matches!(url.scheme_str(), Some("https" | "http"));
    if !is_http || url.authority().is_none() || text.contains('#') {
        return Err(wrong());
    }
    Ok(url)
}

/// Whether a URL leads to this host.
fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Reads what is said of a document. Asks for all the keys that say it.
pub(super) fn source(section: &Section<'_>, folder: &Path) -> Option<UrlSource> {
    let path = |key| {
        let path = section.text(key, key, values::plain)?;
        Some(folder.join(path.value))
    };
    let given = section.text("url", "url", |text| Ok(text.to_owned()));
    let seconds = Duration::from_secs;
    let interval = values::duration(seconds(1)..=values::HOUR);
    let interval = section.text("interval", "interval", interval);
    let timeout = values::duration(Duration::from_millis(100)..=seconds(60));
    let timeout = section.text("timeout", "timeout", timeout);
    let (token_file, ca) = (path("token-file"), path("ca"));
    let (certificate, key) = (path("certificate"), path("key"));
    if section.has("certificate") != section.has("key") {
        let message = "certificate and key: each requires the other";
        section.report.add(section.at, message);
    }
    let given = given?;
    let parsed = match url(&given.value) {
        Ok(url) => url,
        Err(why) => {
            section.report.add(given.at, why);
            return None;
        }
    };
    if parsed.scheme_str() == Some("http") {
        for key in ["ca", "certificate"] {
            if section.has(key) {
                let message = format!("{key}: requires an https:// URL");
                section.report.add(given.at, message);
            }
        }
        if section.has("token-file") && !is_loopback(&parsed) {
            let message = "token-file: requires an https:// URL, since whoever is on the way would see the token";
            section.report.add(given.at, message);
        }
    }
    Some(UrlSource {
        url: given.value,
        interval: interval.map_or(INTERVAL, |interval| interval.value),
        timeout: timeout.map_or(TIMEOUT, |timeout| timeout.value),
        token_file,
        ca,
        identity: certificate.zip(key),
    })
}
