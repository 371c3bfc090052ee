//! A file of one DNSSEC key: its zone, its times and its private half.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use toml::de::DeValue;
use zeroize::Zeroizing;

use super::parse::parse_table;
use super::problem::{PartProblems, Placed, Problem};
use super::section::Section;
use super::values;
use crate::dnssec::{Algorithm, DnsKey, SigningKey};
use crate::model::UnixSeconds;
use crate::wire::NameBuf;

/// How PEM of PKCS#8 begins and ends (RFC 7468 section 10).
const PEM: [&str; 2] = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"];

/// Characters of a line of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// More octets than the text of a key file has.
const TEXT: usize = 4_096;

/// A key as its file has it.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// The apex of its zone.
    pub zone: NameBuf,
    /// Its public half.
    pub dnskey: DnsKey,
    /// Its private half; `None` for the key of another signer of the zone, which is published and never
    /// signs here (RFC 8901).
    pub private: Option<Arc<SigningKey>>,
    /// When it becomes what.
    pub times: KeyTimes,
}

/// When a key becomes what. The parent's part is known by evidence alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTimes {
    /// When it was made.
    pub created: UnixSeconds,
    /// From when on it is in the DNSKEY RRset.
    pub publish: UnixSeconds,
    /// From when on every cache has it.
    pub ready: UnixSeconds,
    /// From when on it signs, before it is published: the algorithm of a zone changes.
    pub sign_from: Option<UnixSeconds>,
    /// Its DS record was seen at the parent.
    pub ds_seen: Option<DsSeen>,
    /// From when on it is out of the DNSKEY RRset, once a later key is active.
    pub remove: Option<UnixSeconds>,
    /// From when on the parent is asked to delete its DS records (RFC 8078 section 4).
    pub unsign: Option<UnixSeconds>,
    /// When the parent was first seen without DS records after that.
    pub ds_gone: Option<UnixSeconds>,
}

impl KeyTimes {
    /// The times of the first key of a zone, which no cache misses.
    pub fn first(now: UnixSeconds) -> Self {
        Self {
            created: now,
            publish: now,
            ready: now,
            sign_from: None,
            ds_seen: None,
            remove: None,
            unsign: None,
            ds_gone: None,
        }
    }
}

/// A DS record was seen at the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DsSeen {
    /// When.
    pub at: UnixSeconds,
    /// Its TTL, in seconds.
    pub ttl: u64,
}

impl KeyFile {
    /// What people call it: zone, number of the algorithm and tag.
    pub fn label(&self) -> String {
        let (algorithm, tag) = (self.dnskey.algorithm().number(), self.dnskey.tag());
        let zone = self.zone.to_string();
        format!("{} {algorithm}/{tag}", zone.trim_end_matches('.'))
    }

    /// The file: what [`parse_key`] reads.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn text(&self) -> Result<Zeroizing<String>, crate::dnssec::KeyError> {
        let zone = self.zone.to_string();
        // So long that it is not moved, which would leave a copy of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(TEXT));
        let head = [
            "version = \"v1\"".to_owned(),
            format!("zone = \"{}\"", zone.trim_end_matches('.')),
            format!("algorithm = \"{}\"", self.dnskey.algorithm()),
            format!("tag = {}", self.dnskey.tag()),
        ];
        for line in head {
            text.extend([&line, "\n"]);
        }
        let times = &self.times;
        let seen = times.ds_seen.map(|seen| seen.at);
        for (key, time) in [
            ("created", Some(times.created)),
            ("sign-from", times.sign_from),
            ("publish", Some(times.publish)),
            ("ready", Some(times.ready)),
            ("ds-seen", seen),
            ("remove", times.remove),
            ("unsign", times.unsign),
            ("ds-gone", times.ds_gone),
        ] {
            if let Some(time) = time {
                text.extend([key, " = ", &rfc_3339(time), "\n"]);
            }
            if let ("ds-seen", Some(seen)) = (key, times.ds_seen) {
                text.extend(["ds-ttl = \"", &seen.ttl.to_string(), "s\"\n"]);
            }
        }
        if let Some(private) = &self.private {
            for part in ["private = \"\"\"\n", &pem(private)?, "\"\"\"\n"] {
                text.push_str(part);
            }
        } else {
            let public = STANDARD.encode(self.dnskey.public());
            text.extend(["public = \"", &public, "\"\n"]);
        }
        Ok(text)
    }
}

/// A private key as PKCS#8 in PEM.
///
/// # Errors
/// When the cryptographic library fails.
pub fn pem(key: &SigningKey) -> Result<Zeroizing<String>, crate::dnssec::KeyError> {
    let document = key.to_pkcs8()?;
    let encoded = Zeroizing::new(STANDARD.encode(document.as_ref()));
    let [begin, end] = PEM;
    // So long that it is not moved, which would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() * 2 + 64));
    text.push_str(begin);
    for (index, character) in encoded.chars().enumerate() {
        if index % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    text.push_str(end);
    text.push('\n');
    Ok(text)
}

/// The octets of PKCS#8 in PEM. The error never shows what is there.
pub fn pkcs8_of_pem(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let [begin, end] = PEM;
    let (_, rest) = text
        .split_once(begin)
        .ok_or_else(|| format!("expected PEM that begins with {begin}"))?;
    let (body, _) = rest
        .split_once(end)
        .ok_or_else(|| format!("truncated PEM: no {end}"))?;
    let mut encoded = Zeroizing::new(String::with_capacity(body.len()));
    encoded.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let octets = STANDARD.decode(encoded.as_bytes()).map(Zeroizing::new);
    octets.map_err(|_| "truncated or damaged PEM".to_owned())
}

/// A moment as files have it.
pub fn rfc_3339(time: UnixSeconds) -> String {
    let seconds = i64::try_from(time.0).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| time.0.to_string(), |time| time.to_string())
}

/// Reads the text of a key file. Problems name its places, and never show a secret.
///
/// Errors are every problem of the file, in file order, never none of them.
pub fn parse_key(text: &str, path: &Path) -> Result<KeyFile, Vec<Problem>> {
    parse_table(text, path, |root| {
        let report = root.report;
        for key in [
            "version",
            "zone",
            "algorithm",
            "tag",
            "created",
            "publish",
            "ready",
        ] {
            root.require(key);
        }
        root.text("version", "version", values::choice(&[("v1", ())]));
        let zone = root.text("zone", "zone", values::name);
        let algorithm = root.text("algorithm", "algorithm", algorithm);
        let tag = root.integer("tag", 0..=u64::from(u16::MAX));
        let times = times(&root);
        let halves = algorithm
            .as_ref()
            .and_then(|algorithm| halves(&root, algorithm.value));
        if let (Some((dnskey, _)), Some(tag)) = (&halves, &tag)
            && u64::from(dnskey.tag()) != tag.value
        {
            let message = format!(
                "tag {}: the key in this file has the tag {}",
                tag.value,
                dnskey.tag()
            );
            report.add(tag.at, message);
        }
        root.finish();
        let (dnskey, private) = halves?;
        report.is_empty().then_some(KeyFile {
            zone: zone?.value,
            dnskey,
            private,
            times: times?,
        })
    })
}

/// The algorithm of a key.
pub(super) fn algorithm(text: &str) -> Result<Algorithm, String> {
    let known = Algorithm::ALL.map(|algorithm| (algorithm.mnemonic(), algorithm));
    let is_it = |(name, _): &&(&str, Algorithm)| name.eq_ignore_ascii_case(text);
    let found = known.iter().find(is_it).map(|(_, algorithm)| *algorithm);
    found.ok_or_else(|| {
        let names = known.map(|(name, _)| name);
        format!("expected one of {}", names.join(", "))
    })
}

/// Reads the times.
fn times(root: &Section<'_>) -> Option<KeyTimes> {
    let report = root.report;
    let created = root.time("created");
    let sign_from = root.time("sign-from");
    let publish = root.time("publish");
    let ready = root.time("ready");
    let seen = root.time("ds-seen");
    let ttl = root.text(
        "ds-ttl",
        "ds-ttl",
        values::duration(values::SECOND..=values::MOST_TTL),
    );
    let remove = root.time("remove");
    let unsign = root.time("unsign");
    let gone = root.time("ds-gone");
    in_order(
        report,
        ("publish", publish.as_ref()),
        ("created", created.as_ref()),
    );
    in_order(
        report,
        ("ready", ready.as_ref()),
        ("publish", publish.as_ref()),
    );
    in_order(
        report,
        ("publish", publish.as_ref()),
        ("sign-from", sign_from.as_ref()),
    );
    in_order(
        report,
        ("ds-seen", seen.as_ref()),
        ("publish", publish.as_ref()),
    );
    in_order(
        report,
        ("ds-gone", gone.as_ref()),
        ("unsign", unsign.as_ref()),
    );
    for (key, needs) in [
        ("ds-seen", "ds-ttl"),
        ("ds-ttl", "ds-seen"),
        ("ds-gone", "unsign"),
    ] {
        if root.has(key) && !root.has(needs) {
            report.add(root.at, format!("{key}: requires {needs}"));
        }
    }
    let value = |time: Option<Placed<UnixSeconds>>| time.map(|time| time.value);
    let ds_seen = seen.zip(ttl).map(|(seen, ttl)| DsSeen {
        at: seen.value,
        ttl: ttl.value.as_secs(),
    });
    Some(KeyTimes {
        created: created?.value,
        publish: publish?.value,
        ready: ready?.value,
        sign_from: value(sign_from),
        ds_seen,
        remove: value(remove),
        unsign: value(unsign),
        ds_gone: value(gone),
    })
}

/// Reports a time that is before another one.
fn in_order(
    report: &PartProblems<'_>,
    (key, time): (&str, Option<&Placed<UnixSeconds>>),
    (other, earlier): (&str, Option<&Placed<UnixSeconds>>),
) {
    if let (Some(time), Some(earlier)) = (time, earlier)
        && time.value < earlier.value
    {
        report.add(time.at, format!("{key}: before {other}"));
    }
}

/// Reads `private` or `public`.
fn halves(root: &Section<'_>, algorithm: Algorithm) -> Option<(DnsKey, Option<Arc<SigningKey>>)> {
    let (private, public) = (root.get("private"), root.get("public"));
    let (key, value) = match (private, public) {
        (Some(value), None) => ("private", value),
        (None, Some(value)) => ("public", value),
        _ => {
            root.report.add(root.at, "give either private or public");
            return None;
        }
    };
    let at = value.span().start;
    let DeValue::String(text) = value.get_ref() else {
        root.report.add(at, format!("{key}: expected a string"));
        return None;
    };
    // No problem quotes these values.
    let read = if key == "private" {
        pkcs8_of_pem(text).and_then(|octets| {
            let key = SigningKey::from_pkcs8(algorithm, &octets).map_err(|it| it.to_string())?;
            Ok((key.dnskey().clone(), Some(Arc::new(key))))
        })
    } else {
        let octets = STANDARD.decode(text.as_bytes()).ok();
        let key = octets.and_then(|octets| DnsKey::new(algorithm, &octets));
        key.map(|key| (key, None))
            .ok_or_else(|| format!("not a public key of {algorithm} in base64"))
    };
    read.map_err(|why| root.report.add(at, format!("{key}: {why}")))
        .ok()
}
