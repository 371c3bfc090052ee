//! The end of a response: what is left out if not everything fits, OPT record, header.

use super::header::{HEADER, flag};
use super::opt::{Extent, OptReply};
use super::response::{MessageSection, Partial, ResponseWriter};

/// How much of the records is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// All.
    All,
    /// All but the additional section.
    NoAdditional,
    /// The answer section without so many records at its end, with TC.
    Partial {
        /// How many records are left out.
        without: u16,
        /// Where the rest ends.
        end: usize,
    },
    /// None, with TC.
    Nothing,
}

/// Finishing.
impl ResponseWriter<'_> {
    /// Writes the OPT record and the header; returns the length of the message.
    ///
    /// If not everything fits, it leaves out, in this order: the texts of extended errors, the
    /// additional section, records of an RRset that [`Self::may_be_partial`] (with TC), all records
    /// (with TC), the options of the OPT record, the OPT record. 0 if not even the question fits.
    #[inline]
    pub fn finish(&mut self, opt: Option<&OptReply<'_>>) -> usize {
        self.drop_pending();
        if self.question_end == 0 {
            return 0;
        }
        let mut kept = if self.is_over {
            self.partly(opt)
        } else if self.is_additional_over {
            Kept::NoAdditional
        } else {
            Kept::All
        };
        let (end, opt_length) = loop {
            let end = self.end(kept);
            let Some(opt) = opt else {
                break (end, 0);
            };
            if let Some(length) = self.write_opt(end, opt, Extent::Whole) {
                break (end, length);
            }
            if let Some(length) = self.write_opt(end, opt, Extent::WithoutTexts) {
                break (end, length);
            }
            kept = match kept {
                Kept::All if self.end(Kept::NoAdditional) < end => Kept::NoAdditional,
                Kept::All | Kept::NoAdditional if self.question_end < end => self.partly(Some(opt)),
                Kept::Partial { .. } => Kept::Nothing,
                _ => {
                    let length = self.write_opt(end, opt, Extent::Empty);
                    break (end, length.unwrap_or_default());
                }
            };
        };
        self.write_header(kept, opt_length != 0);
        end + opt_length
    }

    /// Where the records that are kept end.
    #[inline]
    fn end(&self, kept: Kept) -> usize {
        match kept {
            Kept::All => self.position,
            Kept::NoAdditional => match self.section {
                MessageSection::Additional => self.additional_start,
                MessageSection::Answer | MessageSection::Authority => self.position,
            },
            Kept::Partial { end, .. } => end,
            Kept::Nothing => self.question_end,
        }
    }

    /// What is sent with TC: as many records of an RRset that may be sent in part as fit beside the
    /// OPT record.
    #[cold]
    fn partly(&self, opt: Option<&OptReply<'_>>) -> Kept {
        let Some(Partial {
            start,
            record_length,
        }) = self
            .partial
            .filter(|_| self.section == MessageSection::Answer)
        else {
            return Kept::Nothing;
        };
        let opt_length = opt.map_or(0, |opt| opt.length(Extent::WithoutTexts));
        let room = self.out.len().saturating_sub(start + opt_length);
        let records = |octets: usize| octets.checked_div(record_length).unwrap_or_default();
        let written = records(self.position.saturating_sub(start));
        let fitting = written.min(records(room));
        if fitting == 0 {
            return Kept::Nothing;
        }
        Kept::Partial {
            without: u16::try_from(written - fitting).unwrap_or(u16::MAX),
            end: start + fitting * record_length,
        }
    }

    /// Writes the OPT record; its length, or `None` if it does not fit.
    #[inline]
    fn write_opt(&mut self, at: usize, opt: &OptReply<'_>, extent: Extent) -> Option<usize> {
        opt.write(self.out.get_mut(at..)?, extent)
    }

    /// Writes the header.
    #[inline]
    fn write_header(&mut self, kept: Kept, has_opt: bool) {
        let [mut answer, mut authority, mut additional] = self.counts;
        match kept {
            Kept::All => {}
            Kept::NoAdditional => additional = 0,
            Kept::Partial { without, .. } => {
                answer = answer.saturating_sub(without);
                self.flags |= flag::TRUNCATED;
            }
            Kept::Nothing => {
                [answer, authority, additional] = [0; 3];
                self.flags |= flag::TRUNCATED;
            }
        }
        let [id0, id1] = self.id.to_be_bytes();
        let [answer0, answer1] = answer.to_be_bytes();
        let [authority0, authority1] = authority.to_be_bytes();
        let [additional0, additional1] =
            additional.saturating_add(u16::from(has_opt)).to_be_bytes();
        if let Some(header) = self.out.first_chunk_mut::<HEADER>() {
            *header = [
                id0,
                id1,
                self.flags,
                self.code,
                0,
                1,
                answer0,
                answer1,
                authority0,
                authority1,
                additional0,
                additional1,
            ];
        }
    }
}
