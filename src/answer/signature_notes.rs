//! What came of each signature of an answer, noted for explanations.

use std::cell::RefCell;
use std::time::Duration;

use crate::dnssec::SignatureTable;

/// Notes what comes of each signature of an answer.
#[derive(Debug)]
pub struct SignatureNotes<'t> {
    table: &'t SignatureTable,
    /// The time since any moment.
    clock: fn() -> Duration,
    notes: RefCell<Vec<SignatureNote>>,
}

/// What came of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignatureNote {
    /// The owner of the RRset, in wire form and lower case.
    owner: Box<[u8]>,
    /// The type of the RRset.
    rrtype: u16,
    /// The tag of the key.
    tag: u16,
    /// Where it came from.
    origin: SignatureOrigin,
}

/// Where a signature came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureOrigin {
    /// It was there.
    Found,
    /// It was there, and its successor is due: the answer has it, and whoever is asked next makes the other.
    OfLastSlot,
    /// It was made, which took so long.
    Made(Duration),
}

impl<'t> SignatureNotes<'t> {
    /// None yet. Signatures come from `table`; `clock` is the time since any moment, which says how long it
    /// took to make one.
    pub fn new(table: &'t SignatureTable, clock: fn() -> Duration) -> Self {
        Self {
            table,
            clock,
            notes: RefCell::default(),
        }
    }

    /// Where signatures come from.
    pub(super) fn table(&self) -> &'t SignatureTable {
        self.table
    }

    /// The time.
    pub(super) fn time(&self) -> Duration {
        (self.clock)()
    }

    /// Notes the signature of an RRset by a key.
    #[cold]
    pub(super) fn note(&self, (owner, rrtype): (&[u8], u16), tag: u16, origin: SignatureOrigin) {
        self.notes.borrow_mut().push(SignatureNote {
            owner: owner.into(),
            rrtype,
            tag,
            origin,
        });
    }

    /// What was noted last of the signature of an RRset by a key.
    pub(super) fn origin(&self, set: (&[u8], u16), tag: u16) -> Option<SignatureOrigin> {
        let notes = self.notes.borrow();
        let mut newest = notes.iter().rev();
        let note = newest.find(|note| (&*note.owner, note.rrtype, note.tag) == (set.0, set.1, tag));
        note.map(|note| note.origin)
    }
}
