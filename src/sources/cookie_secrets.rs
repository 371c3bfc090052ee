//! The secrets of DNS cookies (RFC 9018): those of a file that servers share, read when it changes, or our own,
//! kept in the state folder and changed every week.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::blocking::blocking;
use super::watch::FileWatch;
use crate::config::read::{self, ReadError};
use crate::config::whole_file;
use crate::model::UnixSeconds;
use crate::model::limits::COOKIE_SECRETS_FILE;
use crate::telemetry::{Metrics, clock};
use crate::wire::CookieSecrets;

/// Our own secrets in the state folder.
const FILE: &str = "cookie-secrets";

/// How long our own secret makes cookies.
const WEEK: u64 = 7 * 86_400;

/// How far in the future a secret may have been made: clocks are set.
const AHEAD: u64 = 86_400;

/// How often it is looked whether our own secret is old.
const LOOK: Duration = Duration::from_secs(600);

/// Whose secrets they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CookieOrigin {
    /// Of this file, which other servers have too.
    Shared(PathBuf),
    /// Our own, kept in this folder.
    Own(PathBuf),
}

/// Secrets, and what is wrong with where they are kept.
#[derive(Debug)]
pub struct ReadSecrets {
    /// The secrets.
    pub secrets: CookieSecrets,
    /// Why they are not those that are meant, or will be lost at a restart.
    pub trouble: Option<String>,
}

/// The secrets in a file that servers share; an error names the file, and nothing of what is in it. Blocks.
pub fn read_shared(path: &Path) -> Result<CookieSecrets, String> {
    let octets = read::read(path, &COOKIE_SECRETS_FILE).map_err(|error| error.to_string())?;
    parse(path, octets)
}

/// The secrets to begin with. There always are some: a client that has a cookie of ours takes no answer
/// without one (RFC 7873 section 5.3). Those of a file that cannot be used are as they were `before`. Blocks.
pub fn read_first(origin: &CookieOrigin, before: Option<CookieSecrets>) -> ReadSecrets {
    match origin {
        CookieOrigin::Shared(path) => match read_shared(path) {
            Ok(secrets) => ReadSecrets {
                secrets,
                trouble: None,
            },
            Err(error) => ReadSecrets {
                secrets: before.unwrap_or_else(|| CookieSecrets::new(random())),
                trouble: Some(error),
            },
        },
        CookieOrigin::Own(folder) => own(folder, None, clock::now()),
    }
}

/// Follows where secrets come from, beginning with `first`, and tells each time what they are now, until
/// `cancel`. While a file is missing or wrong, those read last stay.
pub async fn run(
    origin: CookieOrigin,
    first: CookieSecrets,
    tell: impl Fn(ReadSecrets) + Send + 'static,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
) {
    let follow = async {
        match origin {
            CookieOrigin::Shared(path) => follow(path, first, tell, &metrics).await,
            CookieOrigin::Own(folder) => renew(folder, first, tell).await,
        }
    };
    cancel.run_until_cancelled(follow).await;
}

/// Reads a file after each change.
async fn follow(
    path: PathBuf,
    first: CookieSecrets,
    tell: impl Fn(ReadSecrets),
    metrics: &Metrics,
) {
    let mut watch = FileWatch::new([path.clone()], &COOKIE_SECRETS_FILE);
    let mut known = first;
    loop {
        for change in watch.changed().await {
            if let Some(limit) = change.content.as_ref().err().and_then(ReadError::limit) {
                metrics.limit_exceeded(limit);
            }
            let read = change.content.map_err(|error| error.to_string());
            match read.and_then(|octets| parse(&path, octets)) {
                Ok(secrets) if secrets == known => {}
                Ok(secrets) => {
                    info!(file = %path.display(), secrets = secrets.iter().count(),
                        "secrets of DNS cookies read");
                    known = secrets.clone();
                    tell(ReadSecrets {
                        secrets,
                        trouble: None,
                    });
                }
                Err(error) => {
                    warn!(
                        error,
                        "secrets of DNS cookies cannot be used; those read before stay"
                    );
                }
            }
        }
    }
}

/// Makes a new secret every week.
async fn renew(folder: PathBuf, first: CookieSecrets, tell: impl Fn(ReadSecrets)) {
    let mut known = first;
    loop {
        tokio::time::sleep(LOOK).await;
        let (folder, before) = (folder.clone(), known.clone());
        let now = clock::now();
        let read = blocking(move || own(&folder, Some(before), now)).await;
        known = read.secrets.clone();
        tell(read);
    }
}

/// The octets of a file of secrets.
fn parse(path: &Path, octets: Vec<u8>) -> Result<CookieSecrets, String> {
    let text = read::text(path, octets).map_err(|error| error.to_string())?;
    CookieSecrets::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Our own secrets: those that are kept, or `before`, unless they are old; then a new one makes cookies, and the
/// last one still verifies them. What cannot be kept counts for as long as this process lives.
fn own(folder: &Path, before: Option<CookieSecrets>, now: UnixSeconds) -> ReadSecrets {
    let path = folder.join(FILE);
    let kept = read::read_text(&path, &COOKIE_SECRETS_FILE);
    let kept = kept.ok().and_then(|text| {
        let secrets = CookieSecrets::parse(&text).ok()?;
        Some((secrets, made(&text)?))
    });
    if let Some((secrets, made)) = &kept
        && now.0 < made + WEEK
        && *made <= now.0 + AHEAD
    {
        return ReadSecrets {
            secrets: secrets.clone(),
            trouble: None,
        };
    }
    // Whatever cannot be written is tried again, and is the same until it is written.
    let last = kept.map(|(secrets, _)| secrets);
    let is_kept = last.is_some();
    let secrets = match before {
        Some(before) if !is_kept => before,
        before => {
            let last = last.or(before).unwrap_or_default();
            CookieSecrets::new(random().chain(last.iter().take(1).copied()))
        }
    };
    let text = secrets.to_text();
    let text = text.replacen('\n', &format!(" # {}\n", now.0), 1);
    let written = whole_file::write(&path, &[], text.as_bytes());
    ReadSecrets {
        secrets,
        trouble: written.err().map(|error| error.to_string()),
    }
}

/// When the first secret of our own file was made, in seconds since 1970.
fn made(text: &str) -> Option<u64> {
    let (_, time) = text.lines().next()?.split_once('#')?;
    time.trim().parse().ok()
}

/// A new secret; none where the system gives no random octets.
fn random() -> impl Iterator<Item = [u8; CookieSecrets::LENGTH]> {
    let mut octets = [0; CookieSecrets::LENGTH];
    let filled = rand::fill(&mut octets);
    filled.is_ok().then_some(octets).into_iter()
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "nothing of a test survives a crash"
    )]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// The secrets in hexadecimal digits, one on a line.
    fn shown(read: &ReadSecrets) -> Vec<String> {
        assert_eq!(read.trouble, None);
        read.secrets.to_text().lines().map(str::to_owned).collect()
    }

    #[test]
    fn our_own_secret_is_kept_and_a_new_one_made_every_week() {
        let folder = tempfile::tempdir().unwrap();
        let at = |days: u64| {
            let now = UnixSeconds(1_800_000_000 + days * 86_400);
            shown(&own(folder.path(), None, now))
        };
        let first = at(0);
        assert_eq!(first.len(), 1);
        assert_eq!(at(6), first);
        let file = folder.path().join(FILE);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = at(7);
        assert_eq!((second.len(), &second[1]), (2, &first[0]));
        assert_ne!(second[0], first[0]);
        assert_eq!(at(13), second);
        let third = at(14);
        assert_eq!((third.len(), &third[1]), (2, &second[0]));
        // A clock that was far ahead does not make a secret last.
        let back = at(0);
        assert_eq!(back[1], third[0]);
        // What is wrong is as none.
        std::fs::write(&file, "nothing").unwrap();
        assert_eq!(at(1).len(), 1);
    }

    #[test]
    fn what_cannot_be_kept_counts_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let below = file.join("state");
        let first = own(&below, None, UnixSeconds(1));
        assert!(first.trouble.is_some() && first.secrets.iter().count() == 1);
        let before = Some(first.secrets.clone());
        let again = own(&below, before.clone(), UnixSeconds(2));
        assert_eq!(
            (Some(again.secrets), again.trouble.is_some()),
            (before.clone(), true)
        );
        // And is kept once it can be.
        std::fs::remove_file(&file).unwrap();
        let kept = own(&below, before.clone(), UnixSeconds(3));
        assert_eq!((Some(kept.secrets), kept.trouble), (before.clone(), None));
        let read = own(&below, None, UnixSeconds(4));
        assert_eq!(Some(read.secrets), before);
    }

    #[tokio::test]
    async fn a_shared_file_is_followed_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cookies.hex");
        let origin = CookieOrigin::Shared(path.clone());
        let missing = read_first(&origin, None);
        assert!(missing.trouble.unwrap().contains("cookies.hex"));
        assert_eq!(missing.secrets.iter().count(), 1);
        let text = |secret: &str| secret.repeat(16);
        std::fs::write(&path, text("ab")).unwrap();
        let first = read_first(&origin, None);
        assert_eq!(shown(&first), [text("ab")]);
        let (told_to, mut told) = tokio::sync::mpsc::unbounded_channel();
        let cancel = CancellationToken::new();
        let tell = move |read: ReadSecrets| told_to.send(shown(&read)).unwrap();
        let metrics = Arc::new(Metrics::new());
        let running = run(origin, first.secrets, tell, metrics, cancel.clone());
        let test = async {
            std::fs::write(&path, "abc").unwrap();
            std::fs::write(&path, format!("{}\n{}", text("cd"), text("ab"))).unwrap();
            let told = tokio::time::timeout(Duration::from_secs(60), told.recv());
            assert_eq!(told.await.unwrap().unwrap(), [text("cd"), text("ab")]);
            cancel.cancel();
        };
        tokio::join!(running, test);
    }
}
