//! What is signed of an answer, and where signatures come from.

use super::lookup::Lookup;
use super::signature_notes::SignatureNotes;
use crate::dnssec::{Lane, SignatureTable, ZoneKeys};
use crate::snapshot::{Scope, Snapshot};
use crate::wire::{Owner, Query};

/// Where the signatures of answers come from.
#[derive(Debug, Clone, Copy, Default)]
pub enum Signatures<'t> {
    /// From nowhere: apexes that are signed answer as if they were not.
    #[default]
    None,
    /// From those that were made: what is not there makes an answer [`Outcome::NeedsSignature`].
    Table(&'t SignatureTable),
    /// What is not there is made, which takes some 20 µs for each RRset, allocates, and is put there.
    TableAndKeys(&'t SignatureTable),
    /// As a client gets them in the end: from those that were made, and what is not there is made. What came
    /// of each is noted.
    Noted(&'t SignatureNotes<'t>),
}

impl<'t> Signatures<'t> {
    /// The signatures that were made; `None` where nothing is signed.
    #[inline]
    pub(super) fn table(&self) -> Option<&'t SignatureTable> {
        match self {
            Self::None => None,
            Self::Table(table) | Self::TableAndKeys(table) => Some(table),
            Self::Noted(notes) => Some(notes.table()),
        }
    }

    /// Whether signatures that are not there are made.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::TableAndKeys(_) | Self::Noted(_))
    }
}

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A response of so many octets.
    Reply(usize),
    /// The same; a signature in it is to be made anew, as it is near its end.
    ReplyAndRenew(usize),
    /// No response.
    Nothing,
    /// A signature is not made yet: somebody who may sign has to answer. It is of a name without end
    /// when [`Lane::Absent`].
    NeedsSignature(Lane),
}

impl Outcome {
    /// The length of the response, if there is one.
    pub fn length(self) -> Option<usize> {
        match self {
            Self::Reply(length) | Self::ReplyAndRenew(length) => Some(length),
            Self::Nothing | Self::NeedsSignature(_) => None,
        }
    }
}

/// What is signed of a reply.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of a reply in the making"
)]
pub(super) struct Signing<'a> {
    /// Where signatures come from; from nowhere where nothing is signed.
    pub(super) source: Signatures<'a>,
    /// The keys of the apex that is asked, if that is signed.
    pub(super) keys: Option<&'a ZoneKeys>,
    /// The client wants signatures, and something here is signed.
    pub(super) is_wanted: bool,
    /// The DS RRset of an apex inside another is asked for, which the other answers.
    pub(super) is_at_cut: bool,
    /// The name without records, or the client's own name, is one of names without end.
    pub(super) is_endless: bool,
    /// The configured TTL of the records of a service; `None` for other names.
    pub(super) original_ttl: Option<u32>,
    /// Where a chain of CNAMEs ends, if there is one.
    pub(super) end: Option<Owner>,
    /// The level at its end, or that which is asked.
    pub(super) end_scope: Option<&'a Scope>,
    /// Signatures that are there, near their end, and not there.
    pub(super) seen: SignaturesSeen,
    /// The lane of a signature that is not there.
    pub(super) missing: Option<Lane>,
    /// An RRset is of an apex without usable keys.
    pub(super) is_unusable: bool,
}

/// How many signatures were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignaturesSeen {
    /// They were there.
    pub hits: u32,
    /// They were there, and are near their end.
    pub old: u32,
    /// They were not there.
    pub misses: u32,
    /// Seconds that the one nearest to its end has left; `u32::MAX` for none.
    pub least_left: u32,
}

impl<'a> Signing<'a> {
    /// Nothing is signed.
    const NONE: Self = Self {
        source: Signatures::None,
        keys: None,
        is_wanted: false,
        is_at_cut: false,
        is_endless: false,
        original_ttl: None,
        end: None,
        end_scope: None,
        seen: SignaturesSeen {
            hits: 0,
            old: 0,
            misses: 0,
            least_left: u32::MAX,
        },
        missing: None,
        is_unusable: false,
    };

    /// What is signed of the reply to a query.
    #[inline]
    pub(super) fn new(
        snapshot: &'a Snapshot,
        query: &Query<'_>,
        lookup: Option<&Lookup<'a, '_>>,
        signatures: Signatures<'a>,
    ) -> Self {
        if !snapshot.is_any_signed() || matches!(signatures, Signatures::None) {
            return Self::NONE;
        }
        Self {
            source: signatures,
            ..Self::of(snapshot, query, lookup)
        }
    }

    #[cold]
    fn of(snapshot: &'a Snapshot, query: &Query<'_>, lookup: Option<&Lookup<'a, '_>>) -> Self {
        let Some(lookup) = lookup else {
            return Self::NONE;
        };
        let parent = lookup.outer(query.qtype);
        Self {
            keys: snapshot.zone_keys(parent.unwrap_or(lookup.index)),
            is_wanted: query.edns.is_some_and(|edns| edns.dnssec_ok),
            is_at_cut: parent.is_some(),
            ..Self::NONE
        }
    }
}
