//! Changes to records of a response that are written already, and the RRsets that they are, as those
//! read them who sign them.

use super::codes::rrtype;
use super::cursor::Cursor;
use super::name::MAX_NAME;
use super::name_parts::Owner;
use super::record::Record;
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

/// Octets of an SOA record's rdata beside its names (RFC 1035 section 3.3.13).
const SOA_TIMES: usize = 20;

/// Octets of an SRV record's rdata before its name (RFC 2782).
const SRV_NUMBERS: usize = 6;

/// Octets of the longest rdata that has names in it.
const MOST_WITH_NAMES: usize = 2 * MAX_NAME + SOA_TIMES;

/// One RRset in a response: records of one owner and type, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct WrittenSet {
    /// Its owner.
    pub owner: Owner,
    /// Its type.
    pub rrtype: u16,
    /// Its TTL, in seconds.
    pub ttl: u32,
    /// How many records it has.
    pub count: usize,
    /// Where it starts.
    start: usize,
    /// Where it ends.
    end: usize,
}

/// The RRsets of a section that were written before a moment, and not walked over yet.
#[derive(Debug)]
pub struct SetWalk {
    at: usize,
    end: usize,
}

/// RRsets that are written.
impl ResponseWriter<'_> {
    /// Begins to walk over the RRsets that were written since the last walk. Nothing that is written
    /// from now on is among those of this walk, or of the next.
    pub fn walk(&mut self) -> SetWalk {
        self.drop_pending();
        SetWalk {
            at: self.walked,
            end: self.position,
        }
    }

    /// Ends a walk: what was written meanwhile is no RRset of the next one.
    pub fn end_walk(&mut self) {
        self.walked = self.position;
    }

    /// The next RRset of a walk.
    pub fn next_set(&self, walk: &mut SetWalk) -> Option<WrittenSet> {
        let mut set: Option<WrittenSet> = None;
        loop {
            let record = self.record_from(walk.at, walk.end);
            let (Some((owner, record, end)), set) = (record, &mut set) else {
                break;
            };
            match set {
                None => {
                    *set = Some(WrittenSet {
                        owner,
                        rrtype: record.rrtype,
                        ttl: u32::from_be_bytes(record.ttl),
                        count: 1,
                        start: walk.at,
                        end,
                    });
                }
                Some(set) if set.owner == owner && set.rrtype == record.rrtype => {
                    set.count += 1;
                    set.end = end;
                }
                Some(_) => break,
            }
            walk.at = end;
        }
        set
    }

    /// The record at an offset, its owner, and where it ends, which is no further than `end`.
    fn record_from(&self, at: usize, end: usize) -> Option<(Owner, Record<'_>, usize)> {
        let octets = self.out.get(at..end)?;
        let owner = match octets {
            [high @ 0xc0..=0xff, low, ..] => {
                Owner::at(usize::from(u16::from_be_bytes([high & 0x3f, *low])))
            }
            _ => Owner::at(at),
        };
        let (record, rest) = Record::split(octets)?;
        Some((owner, record, end - rest.len()))
    }

    /// Gives the rdata of each record of an RRset in canonical form: names uncompressed and in lower
    /// case (RFC 4034 section 6.2), the records in the order of the message.
    pub fn for_each_rdata(&self, set: &WrittenSet, mut each: impl FnMut(&[u8])) {
        let mut at = set.start;
        while let Some((_, record, end)) = self.record_from(at, set.end) {
            let (before, names, after) = match set.rrtype {
                rrtype::CNAME | rrtype::NS => (0, 1, 0),
                rrtype::SRV => (SRV_NUMBERS, 1, 0),
                rrtype::SOA => (0, 2, SOA_TIMES),
                _ => {
                    each(record.rdata);
                    at = end;
                    continue;
                }
            };
            let mut octets = [0; MOST_WITH_NAMES];
            let start = end - record.rdata.len();
            if let Some(length) = self.expand_rdata(start, (before, names, after), &mut octets) {
                each(octets.get(..length).unwrap_or_default());
            }
            at = end;
        }
    }

    /// Copies rdata at an offset: some octets, some names without their pointers and in lower case,
    /// some octets. Returns how many.
    fn expand_rdata(
        &self,
        offset: usize,
        (before, names, after): (usize, usize, usize),
        out: &mut [u8; MOST_WITH_NAMES],
    ) -> Option<usize> {
        let cursor = &mut Cursor(out);
        let written = self.out.get(..self.position)?;
        cursor.put(written.get(offset..offset + before)?)?;
        let mut at = offset + before;
        for _ in 0..names {
            at = self.copy_name(at, cursor)?;
            cursor.put(&[0])?;
        }
        cursor.put(written.get(at..at + after)?)?;
        let length = MOST_WITH_NAMES - cursor.0.len();
        // Length octets are below `A`, so that they need not be told apart.
        out.get_mut(before..length - after)?.make_ascii_lowercase();
        Some(length)
    }

    /// Lowers the TTL of an RRset.
    pub fn set_ttl(&mut self, set: &WrittenSet, ttl: u32) {
        let mut at = set.start;
        while let Some((_, record, end)) = self.record_from(at, set.end) {
            let rdata = record.rdata.len();
            // TTL and length are what stands right before the rdata.
            let place = (end - rdata).checked_sub(6);
            let place = place.and_then(|place| self.out.get_mut(place..place + 4));
            if let Some(place) = place {
                place.copy_from_slice(&ttl.to_be_bytes());
            }
            at = end;
        }
    }

    /// Writes `octets` over the last ones of what is written: the end of the last record's rdata.
    pub fn put_at_end(&mut self, octets: &[u8]) {
        let start = self.position.saturating_sub(octets.len());
        if let Some(place) = self.out.get_mut(start..self.position) {
            place.copy_from_slice(octets);
        }
    }

    /// Takes an RRset back to which nothing points that is written behind it, and which is in the section
    /// that is being written.
    pub fn remove_set(&mut self, set: &WrittenSet) {
        if let Some(written) = self.out.get_mut(..self.position) {
            written.copy_within(set.end.., set.start);
            self.position -= set.end - set.start;
            self.walked = self.walked.min(self.position);
            let [answer, authority, additional] = &mut self.counts;
            let count = match self.section {
                MessageSection::Answer => answer,
                MessageSection::Authority => authority,
                MessageSection::Additional => additional,
            };
            *count -= u16::try_from(set.count).unwrap_or(*count).min(*count);
        }
    }

    /// Takes everything back but the question.
    pub fn clear(&mut self) {
        self.pending = None;
        self.position = self.question_end;
        self.walked = self.question_end;
        self.additional_start = self.question_end;
        self.section = MessageSection::Answer;
        self.counts = [0; 3];
        self.partial = None;
        self.is_over = false;
        self.is_additional_over = false;
    }

    /// No RRset is sent in part: signatures are of whole ones.
    pub fn send_no_part(&mut self) {
        self.partial = None;
    }

    /// Sends nothing but the question, with TC.
    pub fn truncate(&mut self) {
        self.clear();
        self.is_over = true;
    }

    /// Whether something did not fit into the answer or the authority section, so that TC is set.
    pub fn is_truncated(&self) -> bool {
        self.is_over
    }
}
