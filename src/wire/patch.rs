//! Changes to records of a response that are written already.

use super::response::{POINTER, ResponseWriter};

/// Where records were about to be written: where the next one would start if its owner were a pointer.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

/// Changes to records that are written.
impl ResponseWriter<'_> {
    /// Here: the next record, with the owner name that waits for it.
    #[inline]
    pub fn mark(&self) -> Mark {
        let name_end = self.pending.map_or(0, |_| POINTER);
        Mark(self.position.saturating_sub(name_end))
    }

    /// How many records of `record_length` octets were written since `mark`.
    #[inline]
    pub fn records_since(&self, mark: Mark, record_length: usize) -> usize {
        self.position
            .saturating_sub(mark.0)
            .checked_div(record_length)
            .unwrap_or_default()
    }

    /// Whether one of the records since `mark` has this rdata. All have the length
    /// `record_length`, an owner name counting as a pointer.
    #[inline]
    pub fn contains_rdata(&self, mark: Mark, record_length: usize, rdata: &[u8]) -> bool {
        let records = self.out.get(mark.0..self.position).unwrap_or_default();
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
        let end = mark.0 + count * record_length;
        let records = self.out.get_mut(mark.0..end).unwrap_or_default();
        match record_length {
            16 => rotate_rdata::<16, 4>(records, by),
            28 => rotate_rdata::<28, 16>(records, by),
            _ => {}
        }
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
