//! The types that a name has, as NSEC records say them (RFC 4034 section 4.1.2).

/// Octets of the first window up to NXNAME, the highest type here.
const MOST: usize = 17;

/// A set of types, all below 136.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TypeSet([u8; MOST]);

impl TypeSet {
    /// These types.
    pub fn of(types: &[u16]) -> Self {
        let mut set = Self::default();
        for rrtype in types {
            set.insert(*rrtype);
        }
        set
    }

    /// Where the bit of a type is.
    fn place(rrtype: u16) -> (usize, u8) {
        (usize::from(rrtype / 8), 0x80 >> (rrtype % 8))
    }

    /// Adds a type.
    pub fn insert(&mut self, rrtype: u16) {
        let (octet, bit) = Self::place(rrtype);
        if let Some(place) = self.0.get_mut(octet) {
            *place |= bit;
        }
    }

    /// Takes a type away.
    pub fn remove(&mut self, rrtype: u16) {
        let (octet, bit) = Self::place(rrtype);
        if let Some(place) = self.0.get_mut(octet) {
            *place &= !bit;
        }
    }

    /// The bit map of the one window that it needs, with its head.
    pub fn bit_map(&self) -> ([u8; 2], &[u8]) {
        let zeros = self.0.iter().rev().take_while(|octet| **octet == 0).count();
        let length = MOST - zeros;
        let head = [0, u8::try_from(length).unwrap_or_default()];
        (head, self.0.get(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_4034_has_its_bit_map() {
        // Section 4.3, without the type of the second window.
        let set = TypeSet::of(&[1, 15, 46, 47]);
        let expected: [u8; 6] = [0x40, 0x01, 0x00, 0x00, 0x00, 0x03];
        assert_eq!(set.bit_map(), ([0, 6], &expected[..]));
        let absent = TypeSet::of(&[46, 47, 128]);
        assert_eq!(absent.bit_map().0, [0, 17]);
        let mut none = TypeSet::of(&[1]);
        none.remove(1);
        assert_eq!(none.bit_map(), ([0, 0], &[][..]));
    }
}
