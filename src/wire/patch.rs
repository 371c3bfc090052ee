//! Changes to records of a response that are written already.

use super::name_parts::Owner;
use super::response::{HEAD, MessageSection, POINTER, Partial, ResponseWriter};

/// Where records were about to be written: where the next one would start if its owner were a pointer.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The offset in the message.
    start: usize,
    /// Something before did not fit.
    is_behind_a_gap: bool,
}

/// Changes to records that are written.
impl ResponseWriter<'_> {
    /// Here: the next record, with the owner name that waits for it.
    #[inline]
    pub fn mark(&self) -> Mark {
        let name_end = self.pending.map_or(0, |_| POINTER);
        Mark {
            start: self.position.saturating_sub(name_end),
            is_behind_a_gap: self.is_over,
        }
    }

    /// What was written from `mark` on, if that is in the answer section, is one RRset of addresses
    /// whose records have the length `record_length` each, their owner a pointer. If it does not
    /// fit, as many whole records of it are sent as do, with TC: stubs without TCP use them, caches
    /// drop them (RFC 2181 section 9; docs/names.md, decision 18).
    #[inline]
    pub fn may_be_partial(&mut self, mark: Mark, record_length: usize) {
        if self.section == MessageSection::Answer && !mark.is_behind_a_gap {
            self.partial = Some(Partial {
                start: mark.start,
                record_length,
            });
        }
    }

    /// How many more records of `record_length` octets fit, without an OPT record.
    #[inline]
    pub fn room(&self, record_length: usize) -> usize {
        let left = self.out.len().saturating_sub(self.position);
        left.checked_div(record_length).unwrap_or_default()
    }

    /// Whether something did not fit into the section that is being written.
    #[inline]
    pub fn is_full(&self) -> bool {
        match self.section {
            MessageSection::Answer | MessageSection::Authority => self.is_over,
            MessageSection::Additional => self.is_additional_over,
        }
    }

    /// Where the rdata of the next record will start, if its owner is a pointer or a name that waits for
    /// it.
    #[inline]
    pub fn next_rdata(&self) -> Owner {
        Owner::at(self.mark().start + HEAD)
    }

    /// How many octets were written since `mark`.
    #[inline]
    pub fn octets_since(&self, mark: Mark) -> usize {
        self.position.saturating_sub(mark.start)
    }

    /// The rdata at the end of record `number` of those of `record_length` octets since `mark`.
    pub fn rdata_since(&self, mark: Mark, record_length: usize, number: usize) -> &[u8] {
        let start = mark.start + number * record_length;
        let record = self.out.get(start..start + record_length);
        record
            .and_then(|record| record.get(HEAD..))
            .unwrap_or_default()
    }

    /// How many records of `record_length` octets were written since `mark`.
    #[inline]
    pub fn records_since(&self, mark: Mark, record_length: usize) -> usize {
        self.octets_since(mark)
            .checked_div(record_length)
            .unwrap_or_default()
    }

    /// Whether one of the records since `mark` has this rdata. All have the length
    /// `record_length`, an owner name counting as a pointer.
    #[inline]
    pub fn contains_rdata(&self, mark: Mark, record_length: usize, rdata: &[u8]) -> bool {
        let records = self.out.get(mark.start..self.position).unwrap_or_default();
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
        let end = mark.start + count * record_length;
        let records = self.out.get_mut(mark.start..end).unwrap_or_default();
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
