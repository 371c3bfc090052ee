//! Names in an apex with static records, beside those of federations: static records come first, but for
//! wildcards, which answer for what nothing else has.

use crate::answer::lookup::Lookup;
use crate::answer::subject::Subject;
use crate::snapshot::{Snapshot, StaticMatch, StaticRecords};
use crate::wire::Qname;

/// Says what a name is. `of_federations` says what it is among the names of federations.
#[cold]
pub(super) fn classify<'s>(
    snapshot: &'s Snapshot,
    (qname, lookup): (&Qname, &mut Lookup<'s, '_>),
    records: &'s StaticRecords,
    of_federations: for<'x> fn(&'x Snapshot, &mut Lookup<'x, '_>) -> Subject<'x>,
) -> Subject<'s> {
    let left = qname.label_count() - lookup.apex.labels;
    match records.tree.find(qname, left) {
        StaticMatch::Cut { node, skip } => Subject::Delegated { node, skip },
        StaticMatch::Dname { node, skip } => Subject::Renamed { node, skip },
        StaticMatch::Exact(node) => {
            if let Some(alias) = records.alias(qname.between(0, left)) {
                let entry = snapshot.entry(&alias.key);
                return Subject::Aliased { alias, entry, node };
            }
            if left > 0 && !node.sets().is_empty() {
                let is_wildcard = false;
                return Subject::Static { node, is_wildcard };
            }
            match of_federations(snapshot, lookup) {
                Subject::Absent { .. } | Subject::NotReady => Subject::EmptyNonTerminal,
                subject => subject,
            }
        }
        StaticMatch::Absent { wildcard, skip } => match of_federations(snapshot, lookup) {
            absent @ Subject::Absent { .. } => {
                let own = wildcard.filter(|_| {
                    // The name of one label more than the closest encloser of static records: where federations
                    // have it, the closest encloser of all is further down.
                    let mut next = Qname::new();
                    let is_below = skip > 1 && next.read(qname.suffix(skip - 1)).is_some();
                    !is_below || is_absent(snapshot, &next, of_federations)
                });
                own.map_or(absent, |node| {
                    let is_wildcard = true;
                    Subject::Static { node, is_wildcard }
                })
            }
            subject => subject,
        },
    }
}

/// Whether federations do not have a name.
fn is_absent(
    snapshot: &Snapshot,
    name: &Qname,
    of_federations: for<'x> fn(&'x Snapshot, &mut Lookup<'x, '_>) -> Subject<'x>,
) -> bool {
    let Some(mut lookup) = Lookup::whole(snapshot, name) else {
        return true;
    };
    matches!(
        of_federations(snapshot, &mut lookup),
        Subject::Absent { .. }
    )
}
