//! The renewed token of one member: in memory, and in `state-dir/credentials`, which outlives the
//! process. The configuration is never written.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::token::TokenClaims;
use crate::config::{MemberSource, Source, read};
use crate::model::UnixSeconds;
use crate::model::limits::TOKEN_BODY;
use crate::names::Label;

/// The renewed token of one member.
#[derive(Debug)]
pub(in super::super) struct KeptToken {
    /// The file that holds it.
    path: PathBuf,
    /// What is known of it.
    known: Mutex<Known>,
}

/// Removes the renewed token of a member that is gone for good, if there is one. Its source is to have
/// ended. Blocks.
pub fn forget_token(credentials: &Path, member: &Label) {
    let path = token_file(credentials, member);
    match fs::remove_file(&path) {
        Ok(()) => info!(%member, "kept token removed"),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            warn!(%member, file = %path.display(), %error, "the token of a member that is gone is still kept");
        }
    }
}

/// The file that holds the renewed token of a member.
fn token_file(credentials: &Path, member: &Label) -> PathBuf {
    credentials.join(format!("{member}.token"))
}

/// What is known of a token that is kept.
#[derive(Debug, Default)]
struct Known {
    /// The file was looked at.
    is_read: bool,
    /// The token.
    token: Option<SecretString>,
    /// When it was received, if that was in this process.
    received: Option<UnixSeconds>,
}

impl KeptToken {
    /// That of a member whose token is renewed, in the folder `credentials`; `None` where it is not.
    pub(in super::super) fn of_source(
        source: &MemberSource,
        credentials: &Path,
    ) -> Option<Arc<Self>> {
        let has_token = matches!(
            source.source,
            Source::Kubeconfig { .. } | Source::Object { .. }
        );
        let is_renewed = source.renews && has_token;
        is_renewed.then(|| Arc::new(Self::new(credentials, &source.member)))
    }

    /// That of `member` in the folder `credentials` of a state folder. Reads nothing yet.
    pub(in super::super) fn new(credentials: &Path, member: &Label) -> Self {
        Self {
            path: token_file(credentials, member),
            known: Mutex::default(),
        }
    }

    /// Of a token that is configured and the one that is kept the one that was issued later, and when
    /// that was received, if it was in this process. Those of different ServiceAccounts are not compared:
    /// then what is configured counts. Blocks.
    pub(super) fn later_of(&self, configured: SecretString) -> (SecretString, Option<UnixSeconds>) {
        let mut known = self.known.lock();
        if !known.is_read {
            known.is_read = true;
            // One that cannot be read is as none: what is configured counts, and is renewed again.
            let text = read::read_text(&self.path, &TOKEN_BODY).ok();
            known.token = text.map(|text| text.trim().to_owned().into());
        }
        match &known.token {
            Some(kept) if is_later(kept, &configured) => (kept.clone(), known.received),
            _ => (configured, None),
        }
    }

    /// Keeps a token that was received now. It counts even if it cannot be written, for as long as this
    /// process lives. Blocks.
    pub(in super::super) fn keep(&self, token: SecretString, now: UnixSeconds) -> io::Result<()> {
        let written = self.write(&token);
        *self.known.lock() = Known {
            is_read: true,
            token: Some(token),
            received: Some(now),
        };
        written
    }

    /// Writes the file, so that a crash leaves the old one or the new one, which others cannot read.
    fn write(&self, token: &SecretString) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let new = self.path.with_extension("token.new");
        // One that a crash left may have other rights.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        writeln!(file, "{}", token.expose_secret())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

/// Whether `kept` is of the same ServiceAccount as `configured`, and was issued later.
pub(super) fn is_later(kept: &SecretString, configured: &SecretString) -> bool {
    let (Some(kept), Some(configured)) = (TokenClaims::of(kept), TokenClaims::of(configured))
    else {
        return false;
    };
    kept.account.is_some() && kept.account == configured.account && kept.issued > configured.issued
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    /// A token of the ServiceAccount with this UID, issued then.
    fn token(uid: &str, issued: u64) -> SecretString {
        let claims = json!({
            "iat": issued, "exp": issued + 3600, "iss": "i",
            "kubernetes.io": { "namespace": "n", "serviceaccount": { "name": "g", "uid": uid } },
        });
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string())).into()
    }

    #[test]
    fn of_two_tokens_of_an_account_the_later_one_counts_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        let member: Label = "m1".parse().unwrap();
        let now = UnixSeconds(10);
        let is = |kept: &KeptToken, configured: &SecretString, expected: &SecretString| {
            let (token, received) = kept.later_of(configured.clone());
            assert_eq!(token.expose_secret(), expected.expose_secret());
            received
        };
        let kept = KeptToken::new(&credentials, &member);
        let (old, renewed, newer) = (token("u", 1), token("u", 2), token("u", 3));
        assert_eq!(is(&kept, &old, &old), None);
        kept.keep(renewed.clone(), now).unwrap();
        assert_eq!(is(&kept, &old, &renewed), Some(now));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&credentials), 0o700);
        assert_eq!(mode(&credentials.join("m1.token")), 0o600);
        let restarted = KeptToken::new(&credentials, &member);
        assert_eq!(is(&restarted, &old, &renewed), None);
        // Somebody has joined again, or to another cluster.
        assert_eq!(is(&restarted, &newer, &newer), None);
        let other = token("v", 1);
        assert_eq!(is(&restarted, &other, &other), None);
        let opaque = SecretString::from("opaque");
        assert_eq!(is(&restarted, &opaque, &opaque), None);
        let elsewhere = KeptToken::new(&credentials, &"m2".parse().unwrap());
        assert_eq!(is(&elsewhere, &old, &old), None);
    }

    #[test]
    fn the_token_of_a_member_that_is_gone_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials");
        let [m1, m2] = ["m1", "m2"].map(|name| name.parse().unwrap());
        for member in [&m1, &m2] {
            let kept = KeptToken::new(&credentials, member);
            kept.keep(token("u", 1), UnixSeconds(1)).unwrap();
        }
        forget_token(&credentials, &m1);
        forget_token(&credentials, &m1);
        assert!(!token_file(&credentials, &m1).exists());
        assert!(token_file(&credentials, &m2).exists());
    }

    #[test]
    fn a_token_that_cannot_be_written_counts_while_the_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("none/credentials");
        let kept = KeptToken::new(&nowhere, &"m1".parse().unwrap());
        let (old, renewed) = (token("u", 1), token("u", 2));
        assert!(kept.keep(renewed.clone(), UnixSeconds(1)).is_err());
        let (counts, _) = kept.later_of(old);
        assert_eq!(counts.expose_secret(), renewed.expose_secret());
    }
}
