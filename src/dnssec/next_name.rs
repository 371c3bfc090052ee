//! The name right behind another in canonical order (RFC 4034 section 6.1, RFC 4471).

use crate::wire::{MAX_NAME, split_label};

/// The longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// The octet below those of upper-case letters, which canonical order takes for lower-case ones.
const BEFORE_UPPER: u8 = b'A' - 1;

/// The octet above them.
const AFTER_UPPER: u8 = b'Z' + 1;

/// A name in wire form, with the root.
#[derive(Debug, Clone, Copy)]
pub struct NextName {
    octets: [u8; MAX_NAME],
    length: usize,
}

impl NextName {
    /// The next name behind `owner`: its first possible child, `\000.` before it, or, when that is too
    /// long, the next name at all. Both are in lower case, with the root; `apex` is where order ends.
    pub fn after(owner: &[u8], apex: &[u8]) -> Self {
        Self::joined(&[1, 0], owner).unwrap_or_else(|| Self::beyond(owner, apex))
    }

    /// The next name behind `owner` that is not below it: with `\000` at the end of its first label, or,
    /// when that is too long, the next name at all.
    pub fn beyond(owner: &[u8], apex: &[u8]) -> Self {
        let Some((label, rest)) = split_label(owner) else {
            return Self::whole(apex);
        };
        let mut longer = [0; 1 + MAX_LABEL];
        let length = label.len() + 1;
        if owner.len() < MAX_NAME
            && let Ok(octet) = u8::try_from(length)
            && let Some(place) = longer.get_mut(..=length)
            && length <= MAX_LABEL
            && let [first, content @ .., _] = place
        {
            *first = octet;
            content.copy_from_slice(label);
            if let Some(name) = Self::joined(place, rest) {
                return name;
            }
        }
        Self::incremented(owner, apex)
    }

    /// The next name when none fits behind `owner` with more octets: an octet of it is higher.
    fn incremented(owner: &[u8], apex: &[u8]) -> Self {
        let mut name = owner;
        while name.len() > apex.len() {
            let Some((label, rest)) = split_label(name) else {
                break;
            };
            let mut higher = [0; 1 + MAX_LABEL];
            let kept = label.iter().rposition(|octet| *octet != u8::MAX);
            if let Some(last) = kept
                && let Some(place) = higher.get_mut(..last + 2)
                && let [first, content @ ..] = place
                && let (Ok(length), Some(label)) = (u8::try_from(last + 1), label.get(..=last))
            {
                *first = length;
                content.copy_from_slice(label);
                if let Some(octet) = content.last_mut() {
                    *octet = match *octet {
                        BEFORE_UPPER => AFTER_UPPER,
                        octet => octet.saturating_add(1),
                    };
                }
                if let Some(name) = Self::joined(place, rest) {
                    return name;
                }
            }
            name = rest;
        }
        Self::whole(apex)
    }

    /// Labels before a name, if that is not too long.
    fn joined(labels: &[u8], name: &[u8]) -> Option<Self> {
        let mut octets = [0; MAX_NAME];
        let length = labels.len() + name.len();
        let (first, second) = octets
            .get_mut(..length)?
            .split_at_mut_checked(labels.len())?;
        first.copy_from_slice(labels);
        second.copy_from_slice(name);
        Some(Self { octets, length })
    }

    /// A name as it is; the root if it is too long.
    fn whole(name: &[u8]) -> Self {
        Self::joined(&[], name).unwrap_or(Self {
            octets: [0; MAX_NAME],
            length: 1,
        })
    }

    /// The octets, root label included.
    pub fn as_wire(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const APEX: &[u8] = b"\x07example\x03com\0";

    /// The labels of a name from the right.
    fn labels(name: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = name;
        let mut labels = Vec::new();
        while let Some((label, after)) = split_label(rest) {
            labels.insert(0, label.to_ascii_lowercase());
            rest = after;
        }
        labels
    }

    /// Canonical order (RFC 4034 section 6.1).
    fn compare(one: &[u8], other: &[u8]) -> Ordering {
        labels(one).cmp(&labels(other))
    }

    fn name(labels: &[Vec<u8>]) -> Vec<u8> {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend_from_slice(label);
        }
        wire.extend_from_slice(APEX);
        wire
    }

    #[test]
    fn a_child_a_longer_label_and_a_higher_octet() {
        let owner = name(&[b"a".to_vec()]);
        assert_eq!(
            NextName::after(&owner, APEX).as_wire(),
            name(&[vec![0], b"a".to_vec()])
        );
        assert_eq!(
            NextName::beyond(&owner, APEX).as_wire(),
            name(&[b"a\0".to_vec()])
        );
        let full = vec![b'a'; 63];
        let longest =
            |first: &[u8]| name(&[first.to_vec(), full.clone(), full.clone(), full.clone()]);
        let first = vec![b'a'; 49];
        assert_eq!(longest(&first).len(), 255);
        let mut higher = first.clone();
        *higher.last_mut().unwrap() = b'b';
        assert_eq!(
            NextName::after(&longest(&first), APEX).as_wire(),
            longest(&higher)
        );
        let mut before_upper = first.clone();
        *before_upper.last_mut().unwrap() = b'@';
        *higher.last_mut().unwrap() = b'[';
        assert_eq!(
            NextName::after(&longest(&before_upper), APEX).as_wire(),
            longest(&higher)
        );
        let last = vec![u8::MAX; 63];
        let end = name(&[vec![u8::MAX; 49], last.clone(), last.clone(), last]);
        assert_eq!(NextName::after(&end, APEX).as_wire(), APEX);
    }

    proptest! {
        #[test]
        fn the_next_name_is_behind_and_nothing_lies_between(
            first in vec(any::<u8>().prop_map(|octet| octet.to_ascii_lowercase()), 1..=63),
            others in vec(vec(any::<u8>().prop_map(|octet| octet.to_ascii_lowercase()), 61..=63), 0..=3),
            extra in vec(any::<u8>(), 1..3),
        ) {
            let mut all = vec![first];
            all.extend(others);
            let owner = name(&all);
            prop_assume!(owner.len() <= MAX_NAME);
            let next = NextName::after(&owner, APEX);
            let next = next.as_wire();
            prop_assert!(next.len() <= MAX_NAME);
            let is_last = next == APEX;
            prop_assert!(is_last || compare(&owner, next) == Ordering::Less);
            // No name that fits lies between: not a child, not one with a longer first label.
            let mut child = vec![u8::try_from(extra.len()).unwrap()];
            child.extend_from_slice(&extra);
            child.extend_from_slice(&owner);
            let mut longer = all.clone();
            longer[0].extend_from_slice(&extra);
            for candidate in [Some(child), (longer[0].len() <= 63).then(|| name(&longer))].into_iter().flatten() {
                if candidate.len() <= MAX_NAME && !is_last {
                    prop_assert!(compare(&candidate, next) != Ordering::Less);
                }
            }
            let beyond = NextName::beyond(&owner, APEX);
            let beyond = beyond.as_wire();
            prop_assert!(beyond.len() <= MAX_NAME);
            prop_assert!(beyond == APEX || compare(&owner, beyond) == Ordering::Less);
        }
    }
}
