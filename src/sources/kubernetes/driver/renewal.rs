//! Bound tokens of ServiceAccounts are renewed at half of the lifetime that was granted, which need not
//! be the one that was asked for: when that is, and what may come of it. Pure: it is given the time.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::client::Renewable;
use crate::model::UnixSeconds;
use crate::names::Label;

/// What became of an attempt to renew a token.
#[derive(Debug)]
pub(super) enum RenewalNews {
    /// There is a new one. It could not be written, for this reason.
    Renewed(Option<String>),
    /// Another replica has left a new one. It could not be kept, for this reason.
    Found(Option<String>),
    /// The right to ask for it is missing; the present one ends then.
    Refused(String, UnixSeconds),
    /// There is none for another reason.
    Failed(String),
}

/// When a token is to be renewed: after half of its lifetime, a tenth of that sooner or later, by the name
/// of its member, so that many are not renewed at once, and a quarter of that by `replica`, a random number
/// of each process, so that one renewal may serve all of them. One that was received in this process counts from
/// then, by our own clock, which need not be that of its API.
pub(super) fn due(member: &Label, replica: u64, token: &Renewable) -> UnixSeconds {
    let mut hasher = DefaultHasher::new();
    member.hash(&mut hasher);
    // From 900 to 1100 thousandths.
    let share = 900 + hasher.finish() % 151 + replica % 51;
    let lifetime = token.expires.0.saturating_sub(token.issued.0);
    let wait = u128::from(lifetime) * u128::from(share) / 2000;
    let from = token.received.unwrap_or(token.issued);
    UnixSeconds(
        from.0
            .saturating_add(u64::try_from(wait).unwrap_or(u64::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A token that was issued and received then, and lives so long.
    fn token(issued: u64, received: Option<u64>, lifetime: u64) -> Renewable {
        Renewable {
            namespace: "n".to_owned(),
            name: "g".to_owned(),
            asked: 30 * 24 * 3600,
            issued: UnixSeconds(issued),
            expires: UnixSeconds(issued + lifetime),
            received: received.map(UnixSeconds),
        }
    }

    #[test]
    fn an_hour_that_was_granted_is_renewed_after_27_to_33_minutes() {
        let members = (0..500).map(|number| format!("m{number}").parse().unwrap());
        let waits: BTreeSet<u64> = members
            .zip(0..)
            .map(|(member, replica): (Label, u64)| {
                due(&member, replica, &token(1_000_000, None, 3600)).0 - 1_000_000
            })
            .collect();
        assert!(
            waits.first().is_some_and(|wait| *wait >= 27 * 60),
            "{waits:?}"
        );
        assert!(
            waits.last().is_some_and(|wait| *wait <= 33 * 60),
            "{waits:?}"
        );
        assert!(waits.len() > 100, "they are spread: {waits:?}");
    }

    #[test]
    fn a_clock_that_differs_from_that_of_the_api_does_not_renew_more_often() {
        let member: Label = "m".parse().unwrap();
        let ours = 1_000_000;
        for theirs in [ours - 86_400, ours + 86_400] {
            let wait = due(&member, 50, &token(theirs, Some(ours), 3600)).0 - ours;
            assert!((27 * 60..=33 * 60).contains(&wait), "{wait}");
        }
    }
}
