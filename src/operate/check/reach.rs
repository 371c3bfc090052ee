//! Whether an API answers, and what that shows: `api-reachable`, `api-certificate`, `api-clock`.

use std::path::Path;

use jiff::fmt::rfc2822;
use tokio::net::TcpStream;

use super::super::api::{AnswerHead, Api};
use super::super::spans::DAY;
use super::checker::{Attempts, Checked};
use super::finding::CheckFinding;
use super::mending::Mending;
use crate::config::MemberSource;
use crate::model::{Shown, UnixSeconds};
use crate::sources::kubernetes::{
    CredentialFacts, MemberClient, ObjectCredentials, TrustKind, member_client,
};
use crate::telemetry::clock;

/// How long before its end a certificate is worth a look, and how long before it is wrong, in seconds.
const CERTIFICATE: [u64; 2] = [30 * DAY, 7 * DAY];

/// By how much the clock of an API may be off before it is worth a look, and before it is wrong, in
/// seconds: a token counts from when it was issued.
const CLOCK: [u64; 2] = [5, 60];

/// An API that answers.
pub(super) struct ReachedApi {
    /// It, with the daemon's rights.
    pub(super) api: Api,
    /// Who the daemon is there.
    pub(super) credential: CredentialFacts,
    /// How its certificate is verified.
    trust: TrustKind,
    /// When its certificate expires.
    certificate: Option<UnixSeconds>,
    /// Its answer to `/readyz`.
    pub(super) readyz: AnswerHead,
    /// When that was here.
    at: UnixSeconds,
}

/// Goes the whole way to an API: its kubeconfig, TCP, TLS, `/readyz`.
pub(super) async fn reach(
    source: &MemberSource,
    credentials: &Path,
    objects: &ObjectCredentials,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> Checked<ReachedApi> {
    let begin = clock::monotonic();
    attempts.note("its kubeconfig, or an exec plugin in it, is not done");
    let built = member_client(source, credentials, objects).await;
    let client = match built {
        Ok(client) => client,
        Err(why) => return Checked::failed(CheckFinding::failure(why).hint(mending.rewrite())),
    };
    let (url, certificate_shown) = (client.client.url.clone(), client.has_shown_certificate());
    let hint = mending.get_raw("/readyz");
    let failed = |stage: &str, why: &str| {
        let says = format!("{url}: {stage}: {}", Shown(why));
        Checked::failed(CheckFinding::failure(says).hint(hint.clone()))
    };
    if let Some((host, port)) = &client.first_hop {
        attempts.note(format!("{url}: TCP: no answer from {host} port {port}"));
        if let Err(error) = TcpStream::connect((&**host, *port)).await {
            return failed("TCP", &format!("{host} port {port}: {error}"));
        }
    }
    let is_tls = client.trust != TrustKind::InClear;
    let noted = url.clone();
    attempts.note_with(move || {
        let stage = if is_tls && !certificate_shown() {
            "TLS"
        } else {
            "/readyz"
        };
        format!("{noted}: {stage}: no answer")
    });
    let MemberClient {
        client: operator, ..
    } = &client;
    let api = Api::patient(operator.clone());
    let readyz = match api.head("/readyz").await {
        Ok(head) => head,
        Err(refusal) => {
            let why = refusal.to_string();
            let is_shaking_hands = is_tls
                && (client.certificate_expires().is_none()
                    || why.contains("certificate")
                    || why.contains("received fatal alert"));
            return failed(if is_shaking_hands { "TLS" } else { "/readyz" }, &why);
        }
    };
    let at = clock::now();
    if readyz.status.is_server_error() {
        return failed(
            "/readyz",
            &format!("says {}: it is not ready", readyz.status),
        );
    }
    let took = begin.elapsed().as_millis();
    let certificate = client.certificate_expires();
    Checked {
        findings: vec![CheckFinding::ok(format!("{url} in {took} ms"))],
        value: Some(ReachedApi {
            api,
            credential: client.credential,
            trust: client.trust,
            certificate,
            readyz,
            at,
        }),
    }
}

/// How its certificate is.
pub(super) fn judge_certificate(reached: &ReachedApi, mending: &Mending<'_>) -> CheckFinding {
    match reached.trust {
        TrustKind::Anybody => {
            return CheckFinding::failure(
                "not verified: whoever answers is believed (insecure-skip-tls-verify)",
            )
            .hint(mending.set_cluster("--certificate-authority=CA.pem", "--ca-file CA.pem"));
        }
        TrustKind::InClear => {
            return CheckFinding::warning(
                "none: the API is spoken to in clear, and no credentials are sent",
            )
            .hint(mending.set_cluster("--server=https://HOST:PORT", "--server https://HOST:PORT"));
        }
        TrustKind::Verified => {}
    }
    let Some(expires) = reached.certificate else {
        return CheckFinding::skipped("it does not say until when it is good");
    };
    let left = expires.0.saturating_sub(reached.at.0);
    let says = format!("expires in {}, {expires}", rough(left));
    let [soon, now] = CERTIFICATE;
    if left >= soon {
        return CheckFinding::ok(format!("verified, {says}"));
    }
    let hint = "renew the certificate of its API server, as by `kubeadm certs renew apiserver`";
    if left >= now {
        CheckFinding::warning(says).hint(hint)
    } else {
        CheckFinding::failure(says).hint(hint)
    }
}

/// How its clock is.
pub(super) fn judge_clock(reached: &ReachedApi) -> CheckFinding {
    let Some(date) = &reached.readyz.date else {
        return CheckFinding::skipped("its answers have no Date");
    };
    let read = rfc2822::parse(date).ok();
    let Some(date) = read.and_then(|date| u64::try_from(date.timestamp().as_second()).ok()) else {
        let date = Shown(date);
        return CheckFinding::skipped(format!("its Date is none: {date}"));
    };
    let (here, [some, much]) = (reached.at.0, CLOCK);
    let off = here.abs_diff(date);
    let way = if date > here { "ahead of" } else { "behind" };
    if off <= some {
        return CheckFinding::ok(format!("within {some} s of the clock here"));
    }
    let says = format!("{off} s {way} the clock here");
    let hint = "timedatectl timesync-status, here and there";
    if off <= much {
        CheckFinding::warning(says).hint(hint)
    } else {
        CheckFinding::failure(format!("{says}: tokens are refused")).hint(hint)
    }
}

/// A time that is left, in the unit that says enough.
pub(super) fn rough(seconds: u64) -> String {
    for (unit, length) in [("d", DAY), ("h", 3_600), ("m", 60)] {
        if seconds >= 2 * length {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}
