//! The types that a name has, as NSEC records say them (RFC 4034 section 4.1.2).

use smallvec::SmallVec;

/// Octets of the window of the first 256 types.
const WINDOW: usize = 32;

/// A set of types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeSet {
    /// The first 256 types: all but a few that static records alone have.
    first: [u8; WINDOW],
    /// Others, in order, each once.
    others: SmallVec<[u16; 8]>,
}

impl TypeSet {
    /// These types.
    pub fn of(types: &[u16]) -> Self {
        let mut set = Self::default();
        for rrtype in types {
            set.insert(*rrtype);
        }
        set
    }

    /// Adds a type.
    pub fn insert(&mut self, rrtype: u16) {
        let [window, low] = rrtype.to_be_bytes();
        if window == 0 {
            set(&mut self.first, low);
        } else if let Err(place) = self.others.binary_search(&rrtype) {
            self.others.insert(place, rrtype);
        }
    }

    /// Whether a type is in it.
    pub fn has(&self, rrtype: u16) -> bool {
        match rrtype.to_be_bytes() {
            [0, low] => {
                let (octet, bit) = bit(low);
                self.first.get(octet).is_some_and(|place| place & bit != 0)
            }
            _ => self.others.binary_search(&rrtype).is_ok(),
        }
    }

    /// Takes a type away.
    pub fn remove(&mut self, rrtype: u16) {
        match rrtype.to_be_bytes() {
            [0, low] => {
                let (octet, bit) = bit(low);
                if let Some(place) = self.first.get_mut(octet) {
                    *place &= !bit;
                }
            }
            _ => self.others.retain(|other| *other != rrtype),
        }
    }

    /// The bit maps of all windows that have a type, each with its head.
    pub fn bit_maps(&self) -> SmallVec<[u8; 64]> {
        let mut octets = SmallVec::new();
        put(&mut octets, 0, &self.first);
        for others in self.others.chunk_by(|a, b| a >> 8 == b >> 8) {
            let mut bits = [0; WINDOW];
            let mut window = 0;
            for rrtype in others {
                let [high, low] = rrtype.to_be_bytes();
                window = high;
                set(&mut bits, low);
            }
            put(&mut octets, window, &bits);
        }
        octets
    }
}

/// Where the bit of a type is in its window.
fn bit(low: u8) -> (usize, u8) {
    (usize::from(low / 8), 0x80 >> (low % 8))
}

/// Sets the bit of a type in its window.
fn set(window: &mut [u8; WINDOW], low: u8) {
    let (octet, bit) = bit(low);
    if let Some(place) = window.get_mut(octet) {
        *place |= bit;
    }
}

/// Writes a window without the zeros at its end; one of zeros alone is left out.
fn put(octets: &mut SmallVec<[u8; 64]>, window: u8, bits: &[u8; WINDOW]) {
    let zeros = bits.iter().rev().take_while(|octet| **octet == 0).count();
    let length = WINDOW - zeros;
    if length > 0 {
        octets.push(window);
        octets.push(u8::try_from(length).unwrap_or_default());
        octets.extend_from_slice(bits.get(..length).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_4034_has_its_bit_maps() {
        // Section 4.3: A, MX, RRSIG, NSEC and TYPE1234.
        let set = TypeSet::of(&[1234, 1, 15, 46, 47]);
        let mut expected = vec![0x00, 0x06, 0x40, 0x01, 0x00, 0x00, 0x00, 0x03, 0x04, 0x1b];
        expected.extend([0; 26]);
        expected.push(0x20);
        assert_eq!(set.bit_maps().as_slice(), expected);
        let absent = TypeSet::of(&[46, 47, 128]);
        assert_eq!(absent.bit_maps()[..2], [0, 17]);
    }

    #[test]
    fn types_come_and_go() {
        let mut set = TypeSet::of(&[1, 257, 65280]);
        assert!(set.has(1) && set.has(257) && set.has(65280) && !set.has(256));
        set.insert(257);
        set.remove(257);
        set.remove(1);
        assert_eq!(set, TypeSet::of(&[65280]));
        set.remove(65280);
        assert!(set.bit_maps().is_empty());
    }
}
