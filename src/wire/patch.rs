//! Changes to records of a response that are written already.

use super::record::skip_name;
use super::response::{HEAD, POINTER, ResponseWriter};

/// Where records were about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where the record starts.
    start: usize,
    /// Where it would start if its owner were a pointer.
    aligned: usize,
}

/// Changes to records that are written.
impl ResponseWriter<'_> {
    /// Here: the next record, with the owner name that waits for it.
    #[inline]
    pub fn mark(&self) -> Mark {
        match self.pending {
            Some(owner) => Mark {
                start: owner.offset(),
                aligned: self.position.saturating_sub(POINTER),
            },
            None => Mark {
                start: self.position,
                aligned: self.position,
            },
        }
    }

    /// How many records of `record_length` octets were written since `mark`.
    #[inline]
    pub fn records_since(&self, mark: Mark, record_length: usize) -> usize {
        self.position
            .saturating_sub(mark.aligned)
            .checked_div(record_length)
            .unwrap_or_default()
    }

    /// Whether one of the records since `mark` has this rdata. All have the length
    /// `record_length`, an owner name counting as a pointer.
    #[inline]
    pub fn contains_rdata(&self, mark: Mark, record_length: usize, rdata: &[u8]) -> bool {
        let records = self
            .out
            .get(mark.aligned..self.position)
            .unwrap_or_default();
        // The two usual lengths are compared as one number each.
        if let (16, Ok(rdata)) = (record_length, <&[u8; 4]>::try_from(rdata)) {
            let (records, _) = records.as_chunks::<16>();
            return records
                .iter()
                .any(|record| record.last_chunk() == Some(rdata));
        }
        if let (28, Ok(rdata)) = (record_length, <&[u8; 16]>::try_from(rdata)) {
            let (records, _) = records.as_chunks::<28>();
            return records
                .iter()
                .any(|record| record.last_chunk() == Some(rdata));
        }
        records
            .chunks_exact(record_length.max(1))
            .any(|record| record.ends_with(rdata))
    }

    /// Rotates the records since `mark` to the left: the record number `by`, modulo their number,
    /// comes first. They are one RRset of A or AAAA records, so all have the length
    /// `record_length` of 16 or 28, an owner name counting as a pointer; others stay as they are.
    #[inline]
    pub fn rotate(&mut self, mark: Mark, record_length: usize, by: usize) {
        let count = self.records_since(mark, record_length);
        let Some(by) = by.checked_rem(count).filter(|by| *by != 0) else {
            return;
        };
        let end = mark.aligned + count * record_length;
        let records = self.out.get_mut(mark.aligned..end).unwrap_or_default();
        match record_length {
            16 => rotate_rdata::<16, 4>(records, by),
            28 => rotate_rdata::<28, 16>(records, by),
            _ => {}
        }
    }

    /// Sets the TTL of every record since `from`.
    #[inline]
    pub fn patch_ttls(&mut self, from: Mark, ttl: u32) {
        self.patch_ttls_between(from, self.mark(), ttl);
    }

    /// Sets the TTL of every record between two marks.
    pub fn patch_ttls_between(&mut self, from: Mark, to: Mark, ttl: u32) {
        let mut at = from.start;
        while at < to.start {
            let Some(next) = self.patch_ttl_at(at, ttl) else {
                return;
            };
            at = next;
        }
    }

    /// Sets the TTL of the one record that was written first after `mark`.
    #[inline]
    pub fn set_ttl_at(&mut self, mark: Mark, ttl: u32) {
        self.patch_ttl_at(mark.start, ttl);
    }

    /// Sets the TTL of the record that starts at an offset; returns where the next one starts.
    #[inline]
    fn patch_ttl_at(&mut self, at: usize, ttl: u32) -> Option<usize> {
        let record = self.out.get_mut(at..self.position)?;
        let name_length = match record {
            [0xc0..=0xff, ..] => POINTER,
            _ => record.len() - skip_name(record)?.len(),
        };
        let (_, rest) = record.split_at_mut_checked(name_length)?;
        let [_, _, _, _, place @ .., length0, length1] = rest.first_chunk_mut::<10>()?;
        *place = ttl.to_be_bytes();
        let rdata = usize::from(u16::from_be_bytes([*length0, *length1]));
        Some(at + name_length + HEAD - POINTER + rdata)
    }
}

/// Rotates records to the left that differ in their rdata alone, which is at their end.
#[inline]
fn rotate_rdata<const RECORD: usize, const RDATA: usize>(records: &mut [u8], by: usize) {
    let (records, _) = records.as_chunks_mut::<RECORD>();
    // Two parts reversed each, then the whole, are rotated.
    if let Some((left, right)) = records.split_at_mut_checked(by) {
        reverse_rdata::<RECORD, RDATA>(left);
        reverse_rdata::<RECORD, RDATA>(right);
        reverse_rdata::<RECORD, RDATA>(records);
    }
}

/// Reverses the order of the rdata of records.
#[inline]
fn reverse_rdata<const RECORD: usize, const RDATA: usize>(mut records: &mut [[u8; RECORD]]) {
    while let [first, inner @ .., last] = records {
        if let (Some(first), Some(last)) = (
            first.last_chunk_mut::<RDATA>(),
            last.last_chunk_mut::<RDATA>(),
        ) {
            std::mem::swap(first, last);
        }
        records = inner;
    }
}
