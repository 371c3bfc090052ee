//! What a member's nodes say, added to what they said before (docs/names.md, D.4).

use crate::model::{LearntTopology, Member, TopologyFacts};
use crate::publish::disk::fact::Learnt;

impl Learnt {
    /// Adds what was learnt now; what is configured for `member` wins, and is not learnt.
    ///
    /// A relist without a region keeps the last one, and nothing known is ever forgotten. Zones
    /// without any region are of no use (docs/names.md, D.11.11): returns a warning about them.
    pub(in crate::publish) fn add(
        &mut self,
        now: &LearntTopology,
        member: &Member,
    ) -> Option<String> {
        if now.region.is_some() {
            self.region.clone_from(&now.region);
        }
        self.zones.clone_from(&now.zones);
        let region = member.region.as_ref().or(self.region.as_ref());
        let Some(region) = region.cloned() else {
            let is_ignored = !self.zones.is_empty();
            self.zones.clear();
            return is_ignored.then(|| "zones without a region are ignored".to_owned());
        };
        if member.region.is_none() {
            self.known.insert((region.clone(), None));
        }
        if member.zones.is_empty() {
            let zones = self.zones.iter().cloned();
            self.known
                .extend(zones.map(|zone| (region.clone(), Some(zone))));
        }
        None
    }

    /// The same as facts of the model.
    pub(in crate::publish) fn facts(&self) -> TopologyFacts {
        TopologyFacts {
            region: self.region.clone(),
            zones: self.zones.clone(),
            known: self.known.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Label;

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    fn topology(region: Option<&str>, zones: &[&str]) -> LearntTopology {
        let zones = zones.iter().map(|zone| label(zone)).collect();
        LearntTopology {
            region: region.map(label),
            zones,
            warnings: Vec::new(),
        }
    }

    fn member(region: Option<&str>) -> Member {
        let (name, region) = (label("a"), region.map(label));
        Member {
            name,
            region,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        }
    }

    #[test]
    fn what_was_learnt_stays_known() {
        let (mut learnt, member) = (Learnt::default(), member(None));
        learnt.add(&topology(Some("r1"), &["z1", "z2"]), &member);
        learnt.add(&topology(None, &["z2"]), &member);
        assert_eq!(learnt.region, Some(label("r1")));
        assert_eq!(learnt.zones, [label("z2")].into());
        learnt.add(&topology(Some("r2"), &[]), &member);
        let known = [
            ("r1", None),
            ("r1", Some("z1")),
            ("r1", Some("z2")),
            ("r2", None),
        ];
        let known = known.map(|(region, zone)| (label(region), zone.map(label)));
        assert_eq!(learnt.known, known.into());
    }

    #[test]
    fn zones_stand_in_the_configured_region_and_never_without_one() {
        let mut learnt = Learnt::default();
        learnt.add(&topology(Some("r1"), &["z1"]), &member(Some("r9")));
        assert_eq!(learnt.known, [(label("r9"), Some(label("z1")))].into());
        let mut learnt = Learnt::default();
        assert!(
            learnt
                .add(&topology(None, &["z1"]), &member(None))
                .is_some()
        );
        assert!(learnt.zones.is_empty() && learnt.known.is_empty());
    }
}
