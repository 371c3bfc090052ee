//! The static records of an apex, compiled to be looked up (RFC 1034 section 4.3.2, RFC 4592, RFC 6672, RFC
//! 8020).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::model::{StaticSet, StaticZone};
use crate::wire::{MAX_NAME, Qname, rrtype, suffixes};

/// The static records of an apex.
#[derive(Debug, Clone, Default)]
pub struct StaticTree {
    /// Every name that exists, by its labels left of the apex.
    nodes: HashMap<Box<[u8]>, StaticNode, RandomState>,
}

/// A name that static records make exist: an owner, or a name above one.
#[derive(Debug, Clone)]
pub struct StaticNode {
    zone: Arc<StaticZone>,
    /// Which of the zone's sets are its own, by type; none of an empty non-terminal.
    sets: Range<usize>,
    /// The name that its CNAME or DNAME record leads to.
    target: Option<Box<Qname>>,
    /// Whether another zone begins here (RFC 2181 section 6): NS records below the apex.
    is_cut: bool,
}

/// What static records say of a name.
#[derive(Debug, Clone, Copy)]
pub enum StaticMatch<'s> {
    /// The name exists.
    Exact(&'s StaticNode),
    /// The name is below that of a cut, or is it: a referral, but for a DS record of the cut itself.
    Cut {
        /// The node of the cut.
        node: &'s StaticNode,
        /// How many labels of the name are left of it.
        skip: usize,
    },
    /// The name is below one with a DNAME record.
    Dname {
        /// The node with the record.
        node: &'s StaticNode,
        /// How many labels of the name are left of it.
        skip: usize,
    },
    /// The name does not exist.
    Absent {
        /// What answers for it: the wildcard below its closest encloser (RFC 4592 section 3.3.1).
        wildcard: Option<&'s StaticNode>,
        /// How many labels of the name are left of its closest encloser; at least one.
        skip: usize,
    },
}

impl StaticTree {
    /// Compiles the records of a zone. The names of `others`, labels left of the apex, exist too.
    pub(super) fn compile<'o>(
        zone: &'o Arc<StaticZone>,
        others: impl Iterator<Item = &'o [u8]>,
    ) -> Self {
        let mut nodes: HashMap<Box<[u8]>, StaticNode, RandomState> = HashMap::default();
        let empty = || StaticNode {
            zone: Arc::clone(zone),
            sets: 0..0,
            target: None,
            is_cut: false,
        };
        // The apex exists whatever it has.
        nodes.insert(Box::default(), empty());
        let mut begin = 0;
        while let Some(owner) = zone.sets.get(begin).map(|set| &set.owner) {
            let of_owner = zone
                .sets
                .iter()
                .skip(begin)
                .take_while(|set| set.owner == *owner);
            let end = begin + of_owner.count();
            let node = StaticNode {
                sets: begin..end,
                ..empty()
            };
            let target = node.set(rrtype::CNAME).or_else(|| node.set(rrtype::DNAME));
            let target = target.and_then(|set| set.rdata.first()).map(|rdata| {
                let mut name = Box::new(Qname::new());
                name.read(rdata);
                name
            });
            let is_cut = !owner.is_empty() && node.set(rrtype::NS).is_some();
            nodes.insert(
                owner.clone(),
                StaticNode {
                    target,
                    is_cut,
                    ..node
                },
            );
            begin = end;
        }
        for name in zone.sets.iter().map(|set| &*set.owner).chain(others) {
            for name in suffixes(name) {
                if !nodes.contains_key(name) {
                    nodes.insert(name.into(), empty());
                }
            }
        }
        Self { nodes }
    }

    /// What the static records say of a name that has `left` labels left of the apex. Looks from the apex
    /// downwards, as what is below a cut or a DNAME record is hidden by it.
    pub fn find(&self, qname: &Qname, left: usize) -> StaticMatch<'_> {
        for skip in (0..=left).rev() {
            let Some(node) = self.nodes.get(qname.between(skip, left)) else {
                let skip = skip + 1;
                let wildcard = self.wildcard(qname.between(skip, left));
                return StaticMatch::Absent { wildcard, skip };
            };
            if node.is_cut {
                return StaticMatch::Cut { node, skip };
            }
            if skip == 0 {
                return StaticMatch::Exact(node);
            }
            if node.set(rrtype::DNAME).is_some() {
                return StaticMatch::Dname { node, skip };
            }
        }
        StaticMatch::Absent {
            wildcard: None,
            skip: left,
        }
    }

    /// The node of a name, whatever is above it.
    pub fn node(&self, labels: &[u8]) -> Option<&StaticNode> {
        self.nodes.get(labels)
    }

    /// The wildcard below a name.
    fn wildcard(&self, encloser: &[u8]) -> Option<&StaticNode> {
        let mut octets = [0; MAX_NAME + 2];
        let (star, rest) = octets.split_at_mut_checked(2)?;
        star.copy_from_slice(b"\x01*");
        rest.get_mut(..encloser.len())?.copy_from_slice(encloser);
        self.nodes.get(octets.get(..2 + encloser.len())?)
    }
}

impl StaticNode {
    /// Its sets, by type; none of an empty non-terminal.
    pub fn sets(&self) -> &[StaticSet] {
        self.zone.sets.get(self.sets.clone()).unwrap_or_default()
    }

    /// Its set of a type.
    pub fn set(&self, rrtype: u16) -> Option<&StaticSet> {
        self.sets().iter().find(|set| set.rrtype == rrtype)
    }

    /// The name that its CNAME or DNAME record leads to.
    pub fn target(&self) -> Option<&Qname> {
        self.target.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn labels(name: &str) -> Box<[u8]> {
        let mut octets = Vec::new();
        for label in name.split('.').filter(|label| !label.is_empty()) {
            octets.push(u8::try_from(label.len()).unwrap());
            octets.extend_from_slice(label.as_bytes());
        }
        octets.into()
    }

    fn tree(records: &[(&str, u16)]) -> StaticTree {
        let place: (Arc<Path>, usize) = (Path::new("z").into(), 1);
        let mut sets: Vec<StaticSet> = records
            .iter()
            .map(|(owner, rrtype)| StaticSet {
                owner: labels(owner),
                rrtype: *rrtype,
                ttl: 60,
                rdata: vec![b"\x01t\x04test\0".as_slice().into()],
                place: place.clone(),
            })
            .collect();
        sets.sort_by(|a, b| (&a.owner, a.rrtype).cmp(&(&b.owner, b.rrtype)));
        StaticTree::compile(
            &Arc::new(StaticZone {
                apex: "example.com".parse().unwrap(),
                sets,
                files: Vec::new(),
                serial: None,
            }),
            std::iter::empty(),
        )
    }

    /// What is found, in words.
    fn found(tree: &StaticTree, name: &str) -> String {
        let mut qname = Qname::new();
        let wire = [&*labels(name), b"\x07example\x03com\0"].concat();
        qname.read(&wire).unwrap();
        let owner = |node: &StaticNode| node.sets().first().map(|set| set.rrtype);
        match tree.find(&qname, qname.label_count() - 2) {
            StaticMatch::Exact(node) => format!("exact {:?}", owner(node)),
            StaticMatch::Cut { node, skip } => format!("cut {:?} {skip}", owner(node)),
            StaticMatch::Dname { node, skip } => format!("dname {:?} {skip}", owner(node)),
            StaticMatch::Absent { wildcard, skip } => {
                format!("absent {:?} {skip}", wildcard.and_then(owner))
            }
        }
    }

    #[test]
    fn names_exist_with_all_above_them() {
        let tree = tree(&[("a.b", rrtype::A), ("c", rrtype::TXT)]);
        assert_eq!(found(&tree, "a.b"), "exact Some(1)");
        assert_eq!(found(&tree, "b"), "exact None");
        assert_eq!(found(&tree, ""), "exact None");
        assert_eq!(found(&tree, "x.a.b"), "absent None 1");
        assert_eq!(found(&tree, "y.x"), "absent None 2");
    }

    #[test]
    fn a_wildcard_answers_below_its_closest_encloser_alone() {
        let tree = tree(&[("*", rrtype::TXT), ("a.b", rrtype::A), ("*.d", rrtype::MX)]);
        assert_eq!(found(&tree, "x"), "absent Some(16) 1");
        assert_eq!(found(&tree, "y.x"), "absent Some(16) 2");
        assert_eq!(
            found(&tree, "x.b"),
            "absent None 1",
            "never past a name that exists"
        );
        assert_eq!(found(&tree, "x.d"), "absent Some(15) 1");
        assert_eq!(found(&tree, "*"), "exact Some(16)");
        assert_eq!(
            found(&tree, "x.*"),
            "absent None 1",
            "nothing is below the wildcard"
        );
    }

    #[test]
    fn what_is_below_cuts_and_dnames_is_hidden() {
        let records = [
            ("cut", rrtype::NS),
            ("a.cut", rrtype::A),
            ("d", rrtype::DNAME),
            ("a.d", rrtype::A),
        ];
        let tree = tree(&records);
        assert_eq!(found(&tree, "cut"), "cut Some(2) 0");
        assert_eq!(found(&tree, "x.a.cut"), "cut Some(2) 2");
        assert_eq!(found(&tree, "d"), "exact Some(39)");
        assert_eq!(found(&tree, "a.d"), "dname Some(39) 1");
        assert!(
            tree.node(&labels("a.cut")).is_some(),
            "glue is found all the same"
        );
        let apex = tree_at_apex();
        assert_eq!(found(&apex, "x"), "dname Some(39) 1");
        assert_eq!(found(&apex, ""), "exact Some(39)");
    }

    fn tree_at_apex() -> StaticTree {
        tree(&[("", rrtype::DNAME)])
    }
}
