//! The end of a response: what is left out if not everything fits, OPT record, header.

use super::opt::{Extent, OptReply};
use super::query::{HEADER, flag};
use super::response::{ResponseWriter, Section};

/// How much of the records is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// All.
    All,
    /// All but the additional section.
    NoAdditional,
    /// None, with TC.
    Nothing,
}

/// Finishing.
impl ResponseWriter<'_> {
    /// Writes the OPT record and the header; returns the length of the message.
    ///
    /// If not everything fits, it leaves out, in this order: the texts of extended errors, the
    /// additional section, all records (with TC), the options of the OPT record, the OPT record.
    /// 0 if not even the question fits.
    #[inline]
    pub fn finish(mut self, opt: Option<&OptReply<'_>>) -> usize {
        self.drop_pending();
        if self.question_end == 0 {
            return 0;
        }
        let mut kept = if self.is_over {
            Kept::Nothing
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
                Kept::All | Kept::NoAdditional if self.question_end < end => Kept::Nothing,
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
                Section::Additional => self.additional_start,
                Section::Answer | Section::Authority => self.position,
            },
            Kept::Nothing => self.question_end,
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
