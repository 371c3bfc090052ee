//! The writer of one response.

use super::header::{HEADER, flag};
use super::name_parts::Owner;
use super::opt::UDP_SIZE;
use super::query::Query;

/// Octets of a record with a pointer as owner, before its rdata.
pub(super) const HEAD: usize = 12;

/// Octets of a compression pointer.
pub(super) const POINTER: usize = 2;

/// The longest response that the client takes over UDP, header and OPT record included.
#[inline]
pub fn udp_limit(query: &Query<'_>) -> usize {
    let size = query.edns.map_or(512, |edns| edns.udp_size);
    usize::from(size.min(UDP_SIZE))
}

/// The sections of a response, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageSection {
    /// What was asked for.
    Answer,
    /// The SOA record of a negative answer.
    Authority,
    /// Addresses of names in other sections.
    Additional,
}

/// An RRset at the end of the answer section of which as much is sent as fits, with TC
/// (docs/names.md, decision 18).
#[derive(Debug, Clone, Copy)]
pub(super) struct Partial {
    /// Where it starts.
    pub(super) start: usize,
    /// Octets of each of its records.
    pub(super) record_length: usize,
}

/// Writes one response to a query into a buffer, never over a limit.
///
/// Records go answer, authority, additional. What does not fit is noted and settled in
/// [`Self::finish`]: methods that write return no error. AA is set unless told otherwise.
#[derive(Debug)]
pub struct ResponseWriter<'b> {
    /// The buffer, no longer than the limit.
    pub(super) out: &'b mut [u8],
    /// Where the next octet goes.
    pub(super) position: usize,
    /// Where an owner name waits for its record.
    pub(super) pending: Option<Owner>,
    /// Where the question ends; 0 if the buffer does not hold it.
    pub(super) question_end: usize,
    /// Up to where RRsets were walked over, to be signed.
    pub(super) walked: usize,
    /// Where the additional section starts.
    pub(super) additional_start: usize,
    /// The section that is being written.
    pub(super) section: MessageSection,
    /// Records in each section.
    pub(super) counts: [u16; 3],
    /// The RRset of addresses at the end of the answer section, of which a part may be sent.
    pub(super) partial: Option<Partial>,
    /// Something in the answer or authority section did not fit.
    pub(super) is_over: bool,
    /// Something in the additional section did not fit.
    pub(super) is_additional_over: bool,
    /// Message id.
    pub(super) id: u16,
    /// Third octet of the header.
    pub(super) flags: u8,
    /// Fourth octet of the header.
    pub(super) code: u8,
}

impl<'b> ResponseWriter<'b> {
    /// A response of at most `limit` octets with the question of `query`.
    #[inline]
    pub fn new(out: &'b mut [u8], limit: usize, query: &Query<'_>) -> Self {
        let limit = limit.min(out.len()).min(usize::from(u16::MAX));
        let (mut out, _) = out.split_at_mut_checked(limit).unwrap_or_default();
        let mut question_end = HEADER + query.question.len();
        if let Some(place) = out.get_mut(HEADER..question_end) {
            place.copy_from_slice(query.question);
        } else {
            question_end = 0;
            out = &mut [];
        }
        let mut flags = flag::RESPONSE | flag::AUTHORITATIVE;
        if query.recursion_desired {
            flags |= flag::RECURSION_DESIRED;
        }
        Self {
            out,
            position: question_end,
            pending: None,
            question_end,
            walked: question_end,
            additional_start: question_end,
            section: MessageSection::Answer,
            counts: [0; 3],
            partial: None,
            is_over: false,
            is_additional_over: false,
            id: query.id,
            flags,
            code: if query.checking_disabled {
                flag::CHECKING_DISABLED
            } else {
                0
            },
        }
    }

    /// Sets the low four bits of the response code; NOERROR at first.
    #[inline]
    pub fn set_rcode(&mut self, rcode: u8) {
        self.code = self.code & 0xf0 | rcode & 0x0f;
    }

    /// Sets or clears AA.
    #[inline]
    pub fn set_authoritative(&mut self, is_authoritative: bool) {
        self.flags &= !flag::AUTHORITATIVE;
        if is_authoritative {
            self.flags |= flag::AUTHORITATIVE;
        }
    }

    /// The low four bits of the response code.
    #[inline]
    pub fn rcode(&self) -> u8 {
        self.code & 0x0f
    }

    /// Whether AA is set.
    #[inline]
    pub fn is_authoritative(&self) -> bool {
        self.flags & flag::AUTHORITATIVE != 0
    }

    /// Whether the answer section has a record.
    #[inline]
    pub fn has_answers(&self) -> bool {
        let [answers, ..] = self.counts;
        answers != 0
    }

    /// Ends the answer section.
    #[inline]
    pub fn begin_authority(&mut self) {
        self.drop_pending();
        self.section = MessageSection::Authority;
    }

    /// Ends the answer and authority sections. What is written from here is left out whole, without
    /// TC, if it does not fit (docs/names.md, D.7).
    #[inline]
    pub fn begin_additional(&mut self) {
        self.drop_pending();
        if self.section != MessageSection::Additional {
            self.section = MessageSection::Additional;
            self.additional_start = self.position;
        }
    }

    /// How many records the section has so far.
    #[inline]
    pub fn count(&self) -> u16 {
        let [answer, authority, additional] = self.counts;
        match self.section {
            MessageSection::Answer => answer,
            MessageSection::Authority => authority,
            MessageSection::Additional => additional,
        }
    }

    /// Writes a record up to its rdata, counts it, and returns the place of the rdata.
    #[inline]
    pub(super) fn record(
        &mut self,
        owner: Owner,
        rrtype: u16,
        ttl: u32,
        rdata: usize,
    ) -> Option<&mut [u8]> {
        if self.pending.is_some() {
            return self.record_after_name(owner, rrtype, ttl, rdata);
        }
        let start = self.position;
        self.record_at(start, owner, rrtype, ttl, rdata)
    }

    /// [`Self::record`] behind an owner name that was written with [`Self::owner_name`].
    #[cold]
    fn record_after_name(
        &mut self,
        owner: Owner,
        rrtype: u16,
        ttl: u32,
        rdata: usize,
    ) -> Option<&mut [u8]> {
        if self.pending != Some(owner) {
            self.drop_pending();
            return self.record_at(self.position, owner, rrtype, ttl, rdata);
        }
        self.pending = None;
        // A record with a pointer is written over the name's last two octets, which come back.
        let start = self.position - POINTER;
        let name_end = *self.out.get(start..)?.first_chunk::<POINTER>()?;
        self.record_at(start, owner, rrtype, ttl, rdata)?;
        let whole = self.out.get_mut(start..self.position)?;
        let (head, rdata) = whole.split_first_chunk_mut::<HEAD>()?;
        *head.first_chunk_mut::<POINTER>()? = name_end;
        Some(rdata)
    }

    /// Writes a record with a pointer as owner from `start` on.
    #[inline]
    fn record_at(
        &mut self,
        start: usize,
        owner: Owner,
        rrtype: u16,
        ttl: u32,
        rdata: usize,
    ) -> Option<&mut [u8]> {
        let end = start + HEAD + rdata;
        let (Some(pointer), Ok(length)) = (owner.pointer(), u16::try_from(rdata)) else {
            self.overflow();
            return None;
        };
        if end > self.out.len() {
            self.overflow();
            return None;
        }
        self.position = end;
        let [answer, authority, additional] = &mut self.counts;
        let count = match self.section {
            MessageSection::Answer => answer,
            MessageSection::Authority => authority,
            MessageSection::Additional => additional,
        };
        *count = count.saturating_add(1);
        let (head, rdata) = self
            .out
            .get_mut(start..end)?
            .split_first_chunk_mut::<HEAD>()?;
        let [pointer0, pointer1] = pointer;
        let [type0, type1] = rrtype.to_be_bytes();
        let [ttl0, ttl1, ttl2, ttl3] = ttl.to_be_bytes();
        let [length0, length1] = length.to_be_bytes();
        *head = [
            pointer0, pointer1, type0, type1, 0, 1, ttl0, ttl1, ttl2, ttl3, length0, length1,
        ];
        Some(rdata)
    }

    /// Takes back an owner name for which no record came.
    #[inline]
    pub(super) fn drop_pending(&mut self) {
        if let Some(owner) = self.pending.take() {
            self.position = owner.offset();
        }
    }

    /// Notes that something did not fit into the section.
    #[cold]
    pub(super) fn overflow(&mut self) {
        match self.section {
            MessageSection::Answer | MessageSection::Authority => self.is_over = true,
            MessageSection::Additional => self.is_additional_over = true,
        }
    }
}
