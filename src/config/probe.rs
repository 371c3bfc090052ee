//! `probe`: how addresses are probed, in configuration and facts files, and as one text in an
//! annotation.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::section::{Section, read_text};
use super::values;
use crate::model::{Check, HttpCheck, ProbeSettings, Tls};

/// The keys that only HTTP has.
const HTTP_KEYS: [&str; 3] = ["host", "path", "status"];

/// Reads `probe = { kind = …, … }`.
pub(super) fn probe(section: Section<'_>) -> ProbeSettings {
    section.require("kind");
    let texts = |key: &'static str| section.text(key, key, values::plain);
    let (kind, host, path) = (texts("kind"), texts("host"), texts("path"));
    let (status, service) = (texts("status"), texts("service"));
    let verify = section.boolean("verify");
    let mut written: Vec<(&str, String, usize)> = Vec::new();
    for (key, text) in [
        ("host", host),
        ("path", path),
        ("status", status),
        ("service", service),
    ] {
        written.extend(text.map(|text| (key, text.value, text.at)));
    }
    written.extend(verify.map(|verify| ("verify", verify.value.to_string(), verify.at)));
    let mut settings = ProbeSettings::default();
    if let Some(kind) = kind {
        let keys = written.iter();
        let keys: Vec<(&str, &str)> = keys.map(|(key, text, _)| (*key, &**text)).collect();
        match check(&kind.value, &keys) {
            Ok(check) => settings.check = Some(check),
            Err((key, message)) => {
                let place = written.iter().find(|(written, ..)| *written == key);
                let at = place.map_or(kind.at, |(.., at)| *at);
                section.report.add(at, message);
            }
        }
    }
    let interval = section.text("interval", "interval", values::duration(TIMES));
    let timeout = section.text("timeout", "timeout", values::duration(TIMES));
    if let Some((interval, timeout)) = interval.as_ref().zip(timeout.as_ref())
        && timeout.value > interval.value
    {
        let message = "timeout: must not exceed interval";
        section.report.add(timeout.at, message);
    }
    let small = |key| {
        let number = section.integer(key, 1..=100)?;
        u8::try_from(number.value).ok()
    };
    (settings.down, settings.up) = (small("down"), small("up"));
    let port = section.integer("port", 1..=u64::from(u16::MAX));
    settings.port = port.and_then(|port| u16::try_from(port.value).ok());
    settings.interval = interval.map(|interval| interval.value);
    settings.timeout = timeout.map(|timeout| timeout.value);
    section.finish();
    settings
}

/// Reads `probe-ports`: numbers, and ranges such as `"9000-9100"`.
pub(super) fn probe_ports(section: &Section<'_>) -> Vec<(u16, u16)> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first @ 1..), Ok(last)) if first <= last => Ok((first, last)),
            _ => Err("expected a port or a range such as 9000-9100".to_owned()),
        }
    };
    let mut ports = Vec::new();
    for entry in section.array("probe-ports").unwrap_or_default() {
        if let DeValue::Integer(number) = entry.get_ref() {
            match range(number.as_str()) {
                Ok(port) => ports.push(port),
                Err(problem) => {
                    let message = format!("probe-ports {}: {problem}", number.as_str());
                    section.report.add(entry.span().start, message);
                }
            }
        } else {
            let read = read_text(section.report, entry, "probe-ports", range);
            ports.extend(read.map(|read| read.value));
        }
    }
    ports
}

/// The longest path, host or service of a probe, in octets: it is sent each time.
const LONGEST: usize = 1024;

/// The range of intervals and time-outs.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=values::HOUR;

/// Reads the text of an annotation: a kind, then `key=value` with the keys of the table, apart by
/// spaces. Errors name the value.
pub fn probe_text(text: &str) -> Result<ProbeSettings, String> {
    let mut words = text.split_whitespace();
    let kind = words.next().ok_or("must not be empty")?;
    let mut settings = ProbeSettings::default();
    let mut keys = Vec::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word:?}: expected key=value"))?;
        let wrong = |message: String| format!("{key} {value:?}: {message}");
        let small = || match value.parse() {
            Ok(number @ 1..=100) => Ok(Some(number)),
            _ => Err(wrong("must be between 1 and 100".to_owned())),
        };
        match key {
            "interval" => {
                settings.interval = Some(values::duration(TIMES)(value).map_err(wrong)?);
            }
            "timeout" => settings.timeout = Some(values::duration(TIMES)(value).map_err(wrong)?),
            "down" => settings.down = small()?,
            "up" => settings.up = small()?,
            "port" => match value.parse() {
                Ok(port @ 1..) => settings.port = Some(port),
                _ => return Err(wrong("must be between 1 and 65535".to_owned())),
            },
            _ => keys.push((key, value)),
        }
    }
    if settings.timeout > settings.interval && settings.interval.is_some() {
        return Err("timeout: must not exceed interval".to_owned());
    }
    settings.check = Some(check(kind, &keys).map_err(|(_, message)| message)?);
    Ok(settings)
}

/// The check that a kind and its keys describe. Errors are the key, and what is wrong with it.
fn check<'k>(kind: &'k str, keys: &[(&'k str, &str)]) -> Result<Check, (&'k str, String)> {
    let of = |wanted: &str| keys.iter().find(|(key, _)| *key == wanted).map(|(_, v)| *v);
    let allowed: &[&str] = match kind {
        "none" | "tcp" => &[],
        "http" => &HTTP_KEYS,
        "https" => &["host", "path", "status", "verify"],
        "grpc" => &["service"],
        _ => {
            let message = format!("kind {kind:?}: expected one of none, tcp, http, https, grpc");
            return Err(("kind", message));
        }
    };
    if let Some((key, _)) = keys.iter().find(|(key, _)| !allowed.contains(key)) {
        return Err((key, format!("{key}: not allowed for kind {kind:?}")));
    }
    if let Some((key, _)) = keys.iter().find(|(_, value)| value.len() > LONGEST) {
        return Err((key, format!("{key}: longer than {LONGEST} octets")));
    }
    if kind == "none" || kind == "tcp" {
        return Ok(if kind == "tcp" {
            Check::Tcp
        } else {
            Check::None
        });
    }
    if kind == "grpc" {
        let service = of("service").unwrap_or_default().into();
        return Ok(Check::Grpc { service });
    }
    let path = of("path").unwrap_or("/");
    let is_plain = |c: char| c.is_ascii_graphic();
    if !path.starts_with('/') || !path.chars().all(is_plain) {
        return Err((
            "path",
            format!("path {path:?}: expected a path such as /healthz"),
        ));
    }
    let host = of("host");
    if let Some(host) = host.filter(|host| !host.chars().all(is_plain)) {
        return Err(("host", format!("host {host:?}: invalid host name")));
    }
    let status = of("status").unwrap_or("200-399");
    let bounds = status.split_once('-').unwrap_or((status, status));
    let (Ok(first @ 100..=599), Ok(last @ 100..=599)) = (bounds.0.parse(), bounds.1.parse()) else {
        let message =
            format!("status {status:?}: expected a status such as 200 or a range such as 200-399");
        return Err(("status", message));
    };
    let tls = match (kind, of("verify")) {
        ("https", None | Some("true")) => Some(Tls::Verified),
        ("https", Some("false")) => Some(Tls::Unverified),
        ("https", Some(verify)) => {
            return Err((
                "verify",
                format!("verify {verify:?}: expected true or false"),
            ));
        }
        _ => None,
    };
    Ok(Check::Http(HttpCheck {
        tls,
        host: host.map(Into::into),
        path: path.into(),
        status: (first, last.max(first)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_a_kind_and_its_keys() {
        let http = |tls| {
            Check::Http(HttpCheck {
                tls,
                host: None,
                path: "/".into(),
                status: (200, 399),
            })
        };
        let check = |text: &str, expected: Check| {
            assert_eq!(probe_text(text).unwrap().check, Some(expected), "{text}");
        };
        check("none", Check::None);
        check("tcp", Check::Tcp);
        check("http", http(None));
        check("https verify=false", http(Some(Tls::Unverified)));
        let service = "web.v1".into();
        check("grpc service=web.v1", Check::Grpc { service });
        let settings =
            probe_text("http port=8080 status=204 interval=5s timeout=1s down=2").unwrap();
        assert_eq!((settings.port, settings.down), (Some(8080), Some(2)));
        assert_eq!(settings.interval, Some(Duration::from_secs(5)));
    }

    #[test]
    fn errors_name_the_value() {
        let check = |text: &str, expected: &str| {
            let error = probe_text(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("", "must not be empty");
        check("icmp", "kind \"icmp\"");
        check("tcp path=/", "path: not allowed for kind \"tcp\"");
        check("http path=x", "path \"x\"");
        check("http status=9", "status \"9\"");
        check("tcp down=0", "down \"0\"");
        check("tcp interval=1s timeout=2s", "timeout");
        check("tcp port", "expected key=value");
    }
}
