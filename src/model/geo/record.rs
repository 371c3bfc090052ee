//! One record of a GeoIP database, read within a bound of work (MaxMind DB file format 2.0, "Output
//! Data Section").
//!
//! The library that walks the tree passes over up to 65,536 values to find one, as its file has
//! them: 1.8 ms of a thread that answers queries. Here all that is read of a record is paid from one
//! purse of [`MOST_VALUES`].

use std::cell::Cell;

/// How many values of a record are looked at, keys included, and those that are passed over. A
/// record of a city has some 200, most of them its names in eight languages.
pub(super) const MOST_VALUES: u32 = 1024;

/// A pointer to a value elsewhere.
const POINTER: u8 = 1;

/// Text in UTF-8.
const STRING: u8 = 2;

/// A number of 64 bits with a fraction.
const DOUBLE: u8 = 3;

/// Keys and values.
const MAP: u8 = 7;

/// Values.
const ARRAY: u8 = 11;

/// Yes or no, which stands in place of the size.
const BOOLEAN: u8 = 14;

/// A place in the data section, before a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    /// The data section.
    data: &'a [u8],
    /// The place.
    at: usize,
    /// How many values may still be looked at.
    left: &'a Cell<u32>,
}

/// What stands before the content of a value.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// Its type.
    kind: u8,
    /// How many octets, values, or keys with values follow.
    size: usize,
}

impl<'a> Value<'a> {
    /// The value at a place of a data section, paid from `left`.
    pub(super) fn new(data: &'a [u8], at: usize, left: &'a Cell<u32>) -> Self {
        Self { data, at, left }
    }

    /// The value of a key, if this is a map that has it.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let (head, mut inside) = self.content()?;
        if head.kind != MAP {
            return None;
        }
        for _ in 0..head.size {
            if inside.key()? == key.as_bytes() {
                return Some(inside);
            }
            inside.skip()?;
        }
        None
    }

    /// The text, if this is one.
    pub(super) fn text(self) -> Option<&'a str> {
        let (head, mut inside) = self.content()?;
        let is_text = head.kind == STRING;
        let octets = is_text.then(|| inside.take(head.size))??;
        std::str::from_utf8(octets).ok()
    }

    /// The number with a fraction, if this is one.
    pub(super) fn double(self) -> Option<f64> {
        let (head, mut inside) = self.content()?;
        let is_double = head.kind == DOUBLE;
        let octets = is_double.then(|| inside.take(head.size))??;
        octets.try_into().ok().map(f64::from_be_bytes)
    }

    /// The head of the value here, or of that to which a pointer here leads, and what follows it. No
    /// pointer leads to another.
    fn content(mut self) -> Option<(Head, Self)> {
        let head = self.head()?;
        if head.kind != POINTER {
            return Some((head, self));
        }
        let at = self.pointer(head.size)?;
        let mut there = Self { at, ..self };
        let head = there.head()?;
        (head.kind != POINTER).then_some((head, there))
    }

    /// Reads the key of a map here; its value follows.
    fn key(&mut self) -> Option<&'a [u8]> {
        let head = self.head()?;
        match head.kind {
            STRING => self.take(head.size),
            POINTER => {
                let at = self.pointer(head.size)?;
                let mut there = Self { at, ..*self };
                let head = there.head()?;
                let is_text = head.kind == STRING;
                is_text.then(|| there.take(head.size))?
            }
            _ => None,
        }
    }

    /// Passes over the value here, with all in it.
    fn skip(&mut self) -> Option<()> {
        let mut values = 1_usize;
        while values > 0 {
            values -= 1;
            let head = self.head()?;
            match head.kind {
                POINTER => drop(self.pointer(head.size)?),
                MAP => values += 2 * head.size,
                ARRAY => values += head.size,
                BOOLEAN => {}
                _ => drop(self.take(head.size)?),
            }
        }
        Some(())
    }

    /// Reads the head of the value here, and pays for it.
    fn head(&mut self) -> Option<Head> {
        self.left.set(self.left.get().checked_sub(1)?);
        let control = *self.take(1)?.first()?;
        let kind = match control >> 5 {
            0 => self.take(1)?.first()?.checked_add(MAP)?,
            kind => kind,
        };
        let low = usize::from(control & 0x1f);
        let size = match low {
            _ if kind == POINTER => low,
            29 => 29 + self.number(1)?,
            30 => 285 + self.number(2)?,
            31 => 65_821 + self.number(3)?,
            size => size,
        };
        Some(Head { kind, size })
    }

    /// Reads where a pointer leads, whose head has these five bits.
    fn pointer(&mut self, bits: usize) -> Option<usize> {
        let high = bits & 0x7;
        Some(match bits >> 3 {
            0 => (high << 8) + self.number(1)?,
            1 => (high << 16) + self.number(2)? + 2048,
            2 => (high << 24) + self.number(3)? + 526_336,
            _ => self.number(4)?,
        })
    }

    /// Reads a whole number of so many octets.
    fn number(&mut self, octets: usize) -> Option<usize> {
        let octets = self.take(octets)?.iter();
        Some(octets.fold(0, |number, octet| (number << 8) | usize::from(*octet)))
    }

    /// Reads octets.
    fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(octets)?;
        let taken = self.data.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A string of at most 28 octets.
    fn string(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len()).unwrap();
        [&[STRING << 5 | length], text.as_bytes()].concat()
    }

    /// A map of at most 28 entries.
    fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let length = u8::try_from(entries.len()).unwrap();
        let entries = entries.iter().flat_map(|(key, value)| [&key[..], value]);
        let octets: Vec<u8> = entries.flatten().copied().collect();
        [&[MAP << 5 | length], &octets[..]].concat()
    }

    /// The code at `country`, `iso_code` of the record at a place, and what that costs.
    fn code(data: &[u8], at: usize) -> (Option<String>, u32) {
        let left = Cell::new(MOST_VALUES);
        let record = Value::new(data, at, &left);
        let code = record.get("country").and_then(|it| it.get("iso_code"));
        let code = code.and_then(Value::text).map(str::to_owned);
        (code, MOST_VALUES - left.get())
    }

    #[test]
    fn a_value_is_found_behind_others_and_behind_pointers() {
        let country = map(&[(string("iso_code"), string("DE"))]);
        let names = map(&[
            (string("de"), string("Bonn")),
            (string("en"), string("Bonn")),
        ]);
        let double = [&[DOUBLE << 5 | 8][..], &50.5_f64.to_be_bytes()].concat();
        let list = [&[2, ARRAY - MAP][..], &[1, BOOLEAN - MAP], &double].concat();
        let entries = [
            (string("city"), names),
            (string("list"), list),
            (string("country"), country.clone()),
        ];
        let record = map(&entries);
        // The map, three keys with 5, 3 and 0 values passed over, and two maps' worth of the code.
        assert_eq!(code(&record, 0), (Some("DE".to_owned()), 15));
        let mut data = [country, string("country")].concat();
        let (key, at) = (data.len() - string("country").len(), data.len());
        let pointer = |to: usize| vec![POINTER << 5, u8::try_from(to).unwrap()];
        data.extend(map(&[(pointer(key), pointer(0))]));
        assert_eq!(code(&data, at).0, Some("DE".to_owned()));
        // A pointer to a pointer leads nowhere, and so does one to itself.
        let last = data.len();
        data.extend(pointer(at + 1));
        assert_eq!(code(&data, last).0, None);
        assert_eq!(code(&pointer(0), 0).0, None);
        let left = Cell::new(MOST_VALUES);
        assert_eq!(Value::new(&double, 0, &left).double(), Some(50.5));
    }

    #[test]
    fn whatever_a_record_has_a_bounded_number_of_its_values_is_looked_at() {
        // 65,535 entries before the country.
        let many = 65_535_usize;
        let length = u16::try_from(many - 285).unwrap();
        let head = [&[(MAP << 5) | 0x1e][..], &length.to_be_bytes()].concat();
        let entry = [string("a"), string("b")].concat();
        let flat = [head.clone(), entry.repeat(many)].concat();
        assert_eq!(code(&flat, 0), (None, MOST_VALUES));
        let within = map(&[
            (string("city"), flat),
            (
                string("country"),
                map(&[(string("iso_code"), string("DE"))]),
            ),
        ]);
        assert_eq!(code(&within, 0), (None, MOST_VALUES));
        // Lists in lists, each said to be as long as can be.
        let nested = [31, ARRAY - MAP, 0xff, 0xff, 0xff].repeat(10_000);
        let nested = map(&[(string("city"), nested)]);
        assert_eq!(code(&nested, 0), (None, MOST_VALUES));
        // Wherever it is cut, it says nothing or what it said.
        let whole = map(&[(
            string("country"),
            map(&[(string("iso_code"), string("DE"))]),
        )]);
        for length in 0..whole.len() {
            assert_eq!(code(&whole[..length], 0).0, None);
        }
    }
}
