//! `[rate-limit]`: how many responses the clients of a network get.

use ipnet::IpNet;

use super::section::Section;
use super::values;
use crate::model::{RateClass, RateLimits};

/// The word for networks that are nobody's on the Internet.
const PRIVATE: &str = "private";

/// These networks: RFC 1918, 6598, 4193, loopback and link-local.
const PRIVATE_NETWORKS: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
];

/// The largest `slip`: what the table has room to count.
const MOST_SLIP: u64 = 10;

/// Reads `[rate-limit]`; without it, everything has its default.
pub(super) fn rate_limit(section: Option<Section<'_>>) -> RateLimits {
    let mut limits = RateLimits {
        exempt: private().collect(),
        ..RateLimits::usual()
    };
    if let Some(section) = section {
        read(&section, &mut limits);
        section.finish();
    }
    limits
}

/// Reads what is there.
fn read(section: &Section<'_>, limits: &mut RateLimits) {
    for (class, limit) in RateClass::ALL.into_iter().zip(&mut limits.each) {
        if let Some(most) = section.integer(class.as_str(), 0..=RateLimits::MOST.into()) {
            *limit = u32::try_from(most.value).unwrap_or(*limit);
        }
    }
    if let Some(burst) = section.number("burst", 0.1..=RateLimits::LONGEST_BURST.into()) {
        limits.burst = hundredths(burst);
    }
    if let Some(slip) = section.integer("slip", 0..=MOST_SLIP) {
        limits.slip = u8::try_from(slip.value).unwrap_or(limits.slip);
    }
    if let Some(exempt) = section.texts("exempt", exempt) {
        limits.exempt = exempt.into_iter().flat_map(|it| it.value).collect();
    }
    if let Some(is_dry_run) = section.boolean("dry-run") {
        limits.is_dry_run = is_dry_run.value;
    }
}

/// Hundredths of a number between 0.1 and [`RateLimits::LONGEST_BURST`].
fn hundredths(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of at most four digits"
    )]
    let hundredths = (number * 100.0).round() as u32;
    hundredths
}

/// The networks of one word of `exempt`.
fn exempt(text: &str) -> Result<Vec<IpNet>, String> {
    if text == PRIVATE {
        return Ok(private().collect());
    }
    let network = values::network(text);
    network
        .map(|network| vec![network])
        .map_err(|error| format!("{error}, or {PRIVATE:?}"))
}

/// Networks that are nobody's on the Internet.
fn private() -> impl Iterator<Item = IpNet> {
    let networks = PRIVATE_NETWORKS.iter();
    networks.filter_map(|network| network.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_private_network_is_read() {
        assert_eq!(private().count(), PRIVATE_NETWORKS.len());
    }
}
