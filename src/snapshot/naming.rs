//! Names that services ask for beside or instead of their own, as in `KubeFed` (docs/names.md, N9,
//! N10).
//!
//! A service that others want to be called like keeps its name, then comes the first of them; of
//! services that want one prefix, the first has it. First is by namespace, name and federation, so
//! that it does not matter who asked when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::apex::{ApexIdx, FederationIdx};
use super::apexes::Apexes;
use super::facts::Shards;
use super::scopes::Scopes;
use super::service::ServiceEntry;
use super::wire_labels::wire_labels;
use crate::model::{MemberIdx, NamespacedName};
use crate::names::Label;

/// Who asks for which name, and who has it.
#[derive(Debug, Default)]
pub(super) struct Naming {
    /// Services that want another name, and which.
    wanted: BTreeMap<NamespacedName, Label>,
    /// For each name, the services of its namespace that want it.
    wanting: BTreeMap<NamespacedName, BTreeSet<Label>>,
    /// Services that do not get the name that they want, and who has it.
    refused: BTreeMap<(NamespacedName, FederationIdx), Refused>,
    /// Services with a prefix, and their keys.
    prefixes: BTreeMap<(usize, Label), BTreeMap<(NamespacedName, FederationIdx), Claim>>,
    published: Arc<Published>,
    has_changed: bool,
}

/// A service that does not get the name that it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    /// Who has it.
    by: NamespacedName,
    /// The members that have the service.
    members: Vec<MemberIdx>,
}

/// A service that wants a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    /// The wire labels `service.ns.fed`.
    key: Box<[u8]>,
    /// The members that export it.
    members: Vec<MemberIdx>,
}

/// An apex, and the key of the service that has a prefix there.
type Prefixed = (ApexIdx, Box<[u8]>);

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// For each prefix, by its wire label: its apex and the key of its service.
    prefixes: HashMap<Box<[u8]>, Vec<Prefixed>, foldhash::fast::RandomState>,
    /// Services that are called otherwise, and how.
    renamed: BTreeMap<NamespacedName, Label>,
    /// What is said of members.
    pub(super) warnings: Vec<(MemberIdx, String)>,
}

impl Published {
    /// The key of the service that has a prefix, given as a wire label, in an apex.
    #[inline]
    pub(super) fn prefixed(&self, apex: ApexIdx, label: &[u8]) -> Option<&[u8]> {
        if self.prefixes.is_empty() {
            return None;
        }
        let claims = self.prefixes.get(label)?.iter();
        let mut keys = claims.filter(|(of, _)| *of == apex).map(|(_, key)| &**key);
        keys.next()
    }

    /// Whether any service wants another name than its own.
    pub(super) fn has_renamed(&self) -> bool {
        !self.renamed.is_empty()
    }

    /// The name that a service wants instead of its own.
    pub(super) fn renamed(&self, name: &NamespacedName) -> Option<&Label> {
        self.renamed.get(name)
    }
}

impl Naming {
    /// What came of it, as of now.
    pub(super) fn published(&mut self, apexes: &Apexes, scopes: &Scopes) -> Arc<Published> {
        if std::mem::take(&mut self.has_changed) {
            self.publish(apexes, scopes);
        }
        Arc::clone(&self.published)
    }

    /// Apexes have other places.
    pub(super) fn move_apexes(&mut self, to: impl Fn(ApexIdx) -> Option<ApexIdx>) {
        let before = std::mem::take(&mut self.prefixes).into_iter();
        let moved = before.filter_map(|((apex, prefix), claims)| {
            let apex = to(ApexIdx::new(apex))?;
            Some(((apex.get(), prefix), claims))
        });
        self.prefixes = moved.collect();
        self.has_changed = true;
    }

    /// Regions and zones have changed, which come before prefixes.
    pub(super) fn scopes_changed(&mut self) {
        self.has_changed |= !self.prefixes.is_empty();
    }

    /// Takes in what a service wants to be called. Gives the names other than its own that have to
    /// be compiled anew.
    pub(super) fn want(&mut self, name: &NamespacedName, facts: &Shards) -> Vec<NamespacedName> {
        let mut wishes = facts
            .iter()
            .filter_map(|(_, facts)| facts.steering.external_name.as_ref());
        let new = wishes.next().filter(|wish| **wish != name.name).cloned();
        if new.is_none() && self.wanted.is_empty() {
            return Vec::new();
        }
        let old = self.wanted.get(name).cloned();
        let named = |label: &Label| NamespacedName {
            namespace: name.namespace.clone(),
            name: label.clone(),
        };
        if old != new {
            self.has_changed = true;
            if let Some(old) = &old {
                self.wanted.remove(name);
                let target = named(old);
                if let Some(wanting) = self.wanting.get_mut(&target) {
                    wanting.remove(&name.name);
                    if wanting.is_empty() {
                        self.wanting.remove(&target);
                    }
                }
                self.refused.retain(|(of, _), _| of != name);
            }
            if let Some(new) = &new {
                self.wanted.insert(name.clone(), new.clone());
                let wanting = self.wanting.entry(named(new)).or_default();
                wanting.insert(name.name.clone());
            }
        }
        old.iter().chain(&new).map(named).collect()
    }

    /// The services that may have a name, the first in order first; the one that is called so keeps
    /// it. `None` is the one that is called so alone.
    pub(super) fn candidates(&self, name: &NamespacedName) -> Option<Vec<NamespacedName>> {
        if self.wanted.is_empty() {
            return None;
        }
        let own = (!self.wanted.contains_key(name)).then(|| name.clone());
        let others = self.wanting.get(name).into_iter().flatten();
        let others = others.map(|label| NamespacedName {
            namespace: name.namespace.clone(),
            name: label.clone(),
        });
        Some(own.into_iter().chain(others).collect())
    }

    /// Whether a service wants no other name, and no other wants its name.
    pub(super) fn keeps_its_name(&self, name: &NamespacedName) -> bool {
        self.wanted.is_empty()
            || !(self.wanted.contains_key(name) || self.wanting.contains_key(name))
    }

    /// A service does not get the name that it wants, or does.
    pub(super) fn settle(
        &mut self,
        federation: FederationIdx,
        name: &NamespacedName,
        facts: &Shards,
        refused_by: Option<&NamespacedName>,
    ) {
        if self.wanted.is_empty() {
            return;
        }
        let key = (name.clone(), federation);
        let refused = refused_by.map(|by| Refused {
            by: by.clone(),
            members: facts.iter().map(|(member, _)| *member).collect(),
        });
        if self.refused.get(&key) == refused.as_ref() {
            return;
        }
        self.has_changed = true;
        match refused {
            Some(refused) => drop(self.refused.insert(key, refused)),
            None => drop(self.refused.remove(&key)),
        }
    }

    /// The entry of a name is another one now; `None` is none.
    pub(super) fn prefix(
        &mut self,
        apex: ApexIdx,
        (name, federation): (&NamespacedName, FederationIdx),
        old: Option<&ServiceEntry>,
        new: Option<&ServiceEntry>,
    ) {
        let (before, after) = (prefix_of(old), prefix_of(new));
        let claim = |entry: &ServiceEntry| Claim {
            key: entry.key.as_slice().into(),
            members: entry.members().iter().collect(),
        };
        let claims = (old.map(claim), new.map(claim));
        if before.is_none() && after.is_none() || (before, &claims.0) == (after, &claims.1) {
            return;
        }
        self.has_changed = true;
        let place = (name.clone(), federation);
        if let Some(before) = before {
            let prefix = (apex.get(), before.clone());
            if let Some(claims) = self.prefixes.get_mut(&prefix) {
                claims.remove(&place);
                if claims.is_empty() {
                    self.prefixes.remove(&prefix);
                }
            }
        }
        if let (Some(after), Some(claim)) = (after, claims.1) {
            let claims = self.prefixes.entry((apex.get(), after.clone()));
            claims.or_default().insert(place, claim);
        }
    }

    /// Compiles what came of it.
    fn publish(&mut self, apexes: &Apexes, scopes: &Scopes) {
        let mut published = Published {
            renamed: self.wanted.clone(),
            ..Published::default()
        };
        for ((name, _), refused) in &self.refused {
            let Some(wanted) = self.wanted.get(name) else {
                continue;
            };
            let warning = format!(
                "service {name} is not published: its external-name \"{wanted}\" belongs to {}",
                refused.by
            );
            for member in &refused.members {
                published.warnings.push((*member, warning.clone()));
            }
        }
        for ((apex, prefix), claims) in &self.prefixes {
            let apex = ApexIdx::new(*apex);
            let label = wire_labels([prefix.as_str()]);
            let is_fixed = apexes
                .get(apex)
                .is_some_and(|apex| apex.fixed(&label).is_some());
            let is_taken = is_fixed || scopes.find(&label).is_some() || prefix.as_str() == "svc";
            let owner = claims.first_key_value().filter(|_| !is_taken);
            for ((name, _), claim) in claims.iter().skip(usize::from(owner.is_some())) {
                let whose = owner.map_or_else(
                    || "is the name of something else".to_owned(),
                    |((owner, _), _)| format!("belongs to {owner}"),
                );
                let warning = format!("service {name}: its dns-prefix \"{prefix}\" {whose}");
                for member in &claim.members {
                    published.warnings.push((*member, warning.clone()));
                }
            }
            if let Some((_, claim)) = owner {
                let keys = published.prefixes.entry(label);
                keys.or_default().push((apex, claim.key.clone()));
            }
        }
        // One service may be refused in several federations.
        published.warnings.sort_unstable();
        published.warnings.dedup();
        self.published = Arc::new(published);
    }
}

/// The prefix of a service that exists: that of the first member that sets one.
pub(super) fn prefix_of(entry: Option<&ServiceEntry>) -> Option<&Label> {
    let entry = entry?;
    let mut facts = entry.all_facts();
    facts.find_map(|facts| facts.steering.dns_prefix.as_ref())
}
