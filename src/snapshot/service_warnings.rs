//! Warnings about services whose facts do not count as their members say them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apex::FederationIdx;
use crate::model::{MemberIdx, NamespacedName};

/// How many services of a member are named; the rest is counted.
const NAMED: usize = 10;

/// What is said of one service, by federation.
type ServiceFacts = Vec<(FederationIdx, Box<[Box<str>]>)>;

/// Warnings about services, by member.
#[derive(Debug, Default)]
pub(super) struct ServiceWarnings {
    members: BTreeMap<MemberIdx, BTreeMap<NamespacedName, ServiceFacts>>,
    published: Arc<Vec<(MemberIdx, String)>>,
    has_changed: bool,
}

impl ServiceWarnings {
    /// What was said of a service in one federation, and what is said of it now.
    pub(super) fn replace(
        &mut self,
        (name, federation): (&NamespacedName, FederationIdx),
        old: &[(MemberIdx, Box<str>)],
        new: &[(MemberIdx, Box<str>)],
    ) {
        if old == new {
            return;
        }
        self.has_changed = true;
        for (member, _) in old {
            let Some(services) = self.members.get_mut(member) else {
                continue;
            };
            if let Some(said) = services.get_mut(name) {
                said.retain(|(of, _)| *of != federation);
                if said.is_empty() {
                    services.remove(name);
                }
            }
            if services.is_empty() {
                self.members.remove(member);
            }
        }
        // Those of one member stand together.
        for of_member in new.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((member, _)) = of_member.first() else {
                continue;
            };
            let texts = of_member.iter().map(|(_, text)| text.clone());
            let services = self.members.entry(*member).or_default();
            let said = services.entry(name.clone()).or_default();
            said.push((federation, texts.collect()));
        }
    }

    /// Everything that is said, for people: of each member the first services by name.
    pub(super) fn published(&mut self) -> Arc<Vec<(MemberIdx, String)>> {
        if std::mem::take(&mut self.has_changed) {
            let mut published = Vec::new();
            for (member, services) in &self.members {
                for (name, said) in services.iter().take(NAMED) {
                    let mut texts: Vec<_> = said.iter().flat_map(|(_, texts)| texts).collect();
                    // Federations are said the same as a rule.
                    texts.sort_unstable();
                    texts.dedup();
                    let lines = texts.iter().map(|text| format!("service {name}: {text}"));
                    published.extend(lines.map(|line| (*member, line)));
                }
                if let Some(more @ 1..) = services.len().checked_sub(NAMED) {
                    let line =
                        format!("{more} more services have such warnings: explain tells them");
                    published.push((*member, line));
                }
            }
            self.published = Arc::new(published);
        }
        Arc::clone(&self.published)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_services_are_named_and_the_rest_is_counted() {
        let mut warned = ServiceWarnings::default();
        let name = |number: usize| NamespacedName {
            namespace: "n".parse().unwrap(),
            name: format!("s{number:02}").parse().unwrap(),
        };
        let said = |text: &str| [(MemberIdx(1), Box::from(text))];
        for federation in [0, 1].map(FederationIdx::new) {
            for number in 0..NAMED + 2 {
                warned.replace((&name(number), federation), &[], &said("x"));
            }
        }
        let published = warned.published();
        assert_eq!(published.len(), NAMED + 1);
        assert_eq!(published[0], (MemberIdx(1), "service n/s00: x".to_owned()));
        assert!(published[NAMED].1.starts_with("2 more"), "{published:?}");
        for number in 1..NAMED + 2 {
            let of = |federation| (FederationIdx::new(federation), name(number));
            for (federation, name) in [0, 1].map(of) {
                warned.replace((&name, federation), &said("x"), &[]);
            }
        }
        assert_eq!(warned.published().len(), 1);
        let other = said("y");
        warned.replace((&name(0), FederationIdx::new(0)), &said("x"), &other);
        assert_eq!(warned.published().len(), 2);
    }
}
