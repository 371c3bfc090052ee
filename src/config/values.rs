//! Single values as they are written in files.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

use crate::model::{
    AddressPolicy, Pattern, Policy, SrvForm, WhenAllDown, parse_address, parse_network,
};
use crate::names::{Label, LabelError};
use crate::wire::NameBuf;

/// The longest duration of any key: one week.
pub(super) const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// One hour.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// The longest TTL: one day.
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// The shortest TTL of a DS record that counts: one second.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// The longest TTL of a record that is somebody else's (RFC 2181 section 8).
pub(super) const MOST_TTL: Duration = Duration::from_secs(0x7fff_ffff);

/// Any text but none.
pub(super) fn plain(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// A user or a group: its name or its number.
pub(super) fn account(text: &str) -> Result<String, String> {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"_-.$".contains(&octet);
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("expected the name or number of a user or group".to_owned())
    }
}

/// A label selector of Kubernetes, as far as that can be told without asking.
pub(super) fn selector(text: &str) -> Result<String, String> {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./=!,() ".contains(&octet);
    if text.bytes().all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("expected a label selector such as example.com/role=member".to_owned())
    }
}

/// A key in the data of a Secret, or `*` for all of them.
pub(super) fn secret_key(text: &str) -> Result<String, String> {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    if text == "*" || (!text.is_empty() && text.bytes().all(is_part)) {
        Ok(text.to_owned())
    } else {
        Err("expected a key of a Secret, or * for every key".to_owned())
    }
}

/// The name of a Kubernetes object.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let is_part =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"-.".contains(&octet);
    let is_end = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    let octets = text.as_bytes();
    let is_name = octets.len() <= 253 && is_end(octets.first()) && is_end(octets.last());
    if is_name && octets.iter().copied().all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("expected the name of an object".to_owned())
    }
}

/// A DNS label.
pub(super) fn label(text: &str) -> Result<Label, String> {
    text.parse().map_err(|error: LabelError| error.to_string())
}

/// The name of a region or a zone, as it is published.
pub(super) fn place(text: &str) -> Result<Label, String> {
    Label::from_topology(text).map_err(|error| match error {
        LabelError::Reserved => "reserved".to_owned(),
        other => other.to_string(),
    })
}

/// A domain name below the root.
pub(super) fn name(text: &str) -> Result<NameBuf, String> {
    let name: NameBuf = text
        .parse()
        .map_err(|error: crate::wire::NameError| error.to_string())?;
    if name == NameBuf::root() {
        Err("expected a domain name other than the root".to_owned())
    } else {
        Ok(name)
    }
}

/// An address as facts say it: whether it counts is judged where they are compiled.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    parse_address(text).ok_or_else(|| "expected an IP address".to_owned())
}

/// An address of the configuration, which has to count (docs/names.md, decision 16).
pub(super) fn counting(policy: AddressPolicy) -> impl Fn(&str) -> Result<IpAddr, String> {
    move |text| {
        let judged = policy.judge(address(text)?);
        judged.map_err(|why| format!("{why}: clients cannot reach it"))
    }
}

/// An address and a port.
pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an address and port such as 127.0.0.1:53 or [::1]:53".to_owned())
}

/// An address with or without a port; 53 where there is none.
pub(super) fn resolver(text: &str) -> Result<SocketAddr, String> {
    let alone = parse_address(text).map(|address| SocketAddr::new(address, 53));
    let socket = alone.map_or_else(|| socket(text), Ok)?;
    if socket.port() == 0 || socket.ip().is_unspecified() {
        Err("expected the address of a resolver, with or without a port".to_owned())
    } else {
        Ok(socket)
    }
}

/// A network, or one address. Those of IPv4 in IPv6 are those of IPv4.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    if let Some(address) = parse_address(text) {
        return Ok(address.to_canonical().into());
    }
    let network =
        parse_network(text).ok_or_else(|| "expected a network such as 10.0.0.0/8".to_owned())?;
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!(
            "not the first address of a network; {} is",
            network.trunc()
        ))
    }
}

/// A duration such as `30s` within `range`; a day has 24 hours.
pub(super) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let span = SpanParser::new().parse_span(text);
        let read = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        let read = read.ok().filter(|_| !text.starts_with('-'));
        let read = read.and_then(|read| Duration::try_from(read).ok());
        let duration = read.ok_or_else(|| "expected a duration such as 30s or 1m30s".to_owned())?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            let (low, high) = (show(*range.start()), show(*range.end()));
            Err(format!("must be between {low} and {high}"))
        }
    }
}

/// A TTL: whole seconds, a day at most.
pub fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = duration(Duration::ZERO..=DAY)(text)?;
    if ttl.subsec_nanos() == 0 {
        Ok(ttl)
    } else {
        Err("must be whole seconds".to_owned())
    }
}

/// A share such as `25%`, 1 to 100.
pub fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').and_then(|text| text.parse().ok());
    match number {
        Some(percent @ 1..=100) => Ok(percent),
        _ => Err("expected a share from 1% to 100%".to_owned()),
    }
}

/// A number of octets such as `512MiB` or `1GiB`, from 1 MiB to 1 TiB.
pub(super) fn octets(text: &str) -> Result<u64, String> {
    let units = [("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let read = units.into_iter().find_map(|(unit, bits)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << bits)
    });
    match read {
        Some(octets @ 0x10_0000..=0x100_0000_0000) => Ok(octets),
        Some(_) => Err("must be between 1MiB and 1TiB".to_owned()),
        None => Err("expected a size such as 512MiB or 1GiB".to_owned()),
    }
}

/// A duration in the form that files use.
pub(super) fn show(duration: Duration) -> String {
    let (days, rest) = (
        duration.as_secs() / DAY.as_secs(),
        duration.as_secs() % DAY.as_secs(),
    );
    if days > 0 && rest == 0 && duration.subsec_nanos() == 0 {
        return format!("{days}d");
    }
    jiff::SignedDuration::try_from(duration).map_or_else(
        |_| format!("{}s", duration.as_secs()),
        |duration| format!("{duration:#}"),
    )
}

/// A pattern over names: `*` stands for any run of characters.
pub(super) fn pattern(text: &str) -> Result<(String, Pattern), String> {
    let text = plain(text)?.to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '*';
    if text.chars().all(allowed) {
        let pattern = Pattern::new(&text);
        Ok((text, pattern))
    } else {
        Err(
            "expected a pattern (letters, digits, hyphens, and * for any number of characters)"
                .to_owned(),
        )
    }
}

/// One of the words of `choices`.
pub(super) fn choice<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let found = choices.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            format!("expected one of {}", words.join(", "))
        })
    }
}

/// A policy.
pub fn policy(text: &str) -> Result<Policy, String> {
    choice(&[
        ("nearest", Policy::Nearest),
        ("spread", Policy::Spread),
        ("weighted", Policy::Weighted),
        ("failover", Policy::Failover),
    ])(text)
}

/// What SRV records lead to.
pub fn srv(text: &str) -> Result<SrvForm, String> {
    choice(&[("shared", SrvForm::Shared), ("members", SrvForm::Members)])(text)
}

/// What to answer when no member is eligible.
pub fn when_all_down(text: &str) -> Result<WhenAllDown, String> {
    choice(&[
        ("nodata", WhenAllDown::NoData),
        ("nxdomain", WhenAllDown::NxDomain),
        ("last-known", WhenAllDown::LastKnown),
    ])(text)
}
