//! Which part of a name stands in a message already, when others were written before it (RFC 1035
//! section 4.1.4). Worked out beforehand for the names of SOA and NS records.

use crate::wire::{NameBuf, split_label, suffixes};

/// The part of a name that needs not be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedSuffix {
    /// Octets of the name before it, without a root where there is an ending.
    pub own: usize,
    /// Which of the earlier names has it, and at which offset; `None` where none has a label of it.
    pub place: Option<(usize, usize)>,
}

impl SharedSuffix {
    /// The longest ending that a name has in common with one of the names before it.
    pub(super) fn of(name: &NameBuf, earlier: &[&NameBuf]) -> Self {
        let wire = name.as_wire();
        let suffixes = || offsets(wire).filter_map(|own| Some((own, wire.get(own..)?)));
        let found = suffixes().find_map(|(own, suffix)| {
            let mut places = earlier.iter().enumerate();
            places.find_map(|(index, other)| {
                let other = other.as_wire();
                let at = offsets(other).find(|at| other.get(*at..) == Some(suffix))?;
                Some((own, (index, at)))
            })
        });
        Self {
            own: found.map_or(wire.len(), |(own, _)| own),
            place: found.map(|(_, place)| place),
        }
    }
}

/// Where the labels of a name in wire form start, without its root.
fn offsets(wire: &[u8]) -> impl Iterator<Item = usize> {
    let names = suffixes(wire).take_while(|name| split_label(name).is_some());
    names.map(|name| wire.len() - name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_ending_is_found() {
        let name = |text: &str| text.parse::<NameBuf>().unwrap();
        let earlier = [name("fed.example.com"), name("ns1.dns.example.com")];
        let earlier: Vec<_> = earlier.iter().collect();
        let check = |text: &str, own, place| {
            assert_eq!(
                SharedSuffix::of(&name(text), &earlier),
                SharedSuffix { own, place },
                "{text}"
            );
        };
        check("fed.example.com", 0, Some((0, 0)));
        check("ns1.fed.example.com", 4, Some((0, 0)));
        check("ns2.dns.example.com", 4, Some((1, 4)));
        check("hostmaster.example.com", 11, Some((0, 4)));
        check("ns1.example.net", 17, None);
        check("xfed.example.com", 5, Some((0, 4)));
        check(".", 1, None);
    }
}
