//! Where the names of SOA and NS records are in a message, so that later ones point to earlier ones
//! (RFC 1035 section 4.1.4).

use crate::snapshot::SharedSuffix;
use crate::wire::{NameBuf, NameParts, Owner};

/// Names of an apex and of its name servers: at most 13 may be configured.
const MOST: usize = 1 + 13;

/// Where in the message the names of an apex and of its name servers are, in lower case.
pub(in crate::answer) struct WrittenNames {
    owners: [Option<Owner>; MOST],
    /// How many were written.
    count: usize,
}

impl WrittenNames {
    /// The apex; `None` where the message has not its name in lower case.
    pub(in crate::answer) fn new(apex: Option<Owner>) -> Self {
        let mut owners = [None; MOST];
        if let Some(place) = owners.first_mut() {
            *place = apex;
        }
        Self { owners, count: 1 }
    }

    /// The name with a pointer in place of its ending, if that is there.
    pub(in crate::answer) fn shortened<'n>(
        &self,
        name: &'n NameBuf,
        ending: Option<&SharedSuffix>,
    ) -> NameParts<'n> {
        let wire = name.as_wire();
        let place = ending.and_then(|ending| Some((ending.own, ending.place?)));
        let found = place.and_then(|(own, (index, at))| {
            let owner = self.get(index)?.skip(at);
            Some(NameParts::new([wire.get(..own)?], Some(owner)))
        });
        found.unwrap_or_else(|| NameParts::name(wire))
    }

    /// The next name is written at `owner`.
    pub(in crate::answer) fn push(&mut self, owner: Owner, ending: Option<&SharedSuffix>) {
        // One that was written whole has the apex at its end.
        if let (Some(apex @ None), Some(ending)) = (self.owners.first_mut(), ending)
            && ending.place == Some((0, 0))
        {
            *apex = Some(owner.skip(ending.own));
        }
        if let Some(place) = self.owners.get_mut(self.count) {
            *place = Some(owner);
        }
        self.count += 1;
    }

    /// Where a name is: 0 is the apex, the name servers follow.
    pub(in crate::answer) fn get(&self, index: usize) -> Option<Owner> {
        self.owners.get(index).copied().flatten()
    }
}
