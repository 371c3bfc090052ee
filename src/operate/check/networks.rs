//! Networks that several members have: `networks`.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::names::Label;

/// Networks that two members have: of each pair, in the order of their names, the first one of each.
pub(super) type SharedNetworks<'n> = BTreeMap<(&'n Label, &'n Label), (IpNet, IpNet)>;

/// Finds networks that lie in those of other members. Costs what sorting them costs.
pub(super) fn shared<'n>(networks: impl Iterator<Item = (&'n Label, IpNet)>) -> SharedNetworks<'n> {
    let mut all: Vec<_> = networks
        .map(|(member, net)| (net.trunc(), member))
        .collect();
    // A network stands before all that lie in it.
    all.sort_unstable_by_key(|(net, member)| (net.network(), net.prefix_len(), *member));
    let mut around: Vec<(IpNet, &Label)> = Vec::new();
    let mut found = SharedNetworks::new();
    for (net, member) in all {
        while around
            .last()
            .is_some_and(|(outer, _)| !outer.contains(&net))
        {
            around.pop();
        }
        for (outer, other) in &around {
            if *other == member {
                continue;
            }
            let (pair, nets) = if *other < member {
                ((*other, member), (*outer, net))
            } else {
                ((member, *other), (net, *outer))
            };
            found.entry(pair).or_insert(nets);
        }
        // As many around it as members have the same network: one of each is enough.
        let is_there = around
            .iter()
            .any(|(outer, other)| *other == member && outer.contains(&net));
        if !is_there {
            around.push((net, member));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_lie_in_anothers_are_found() {
        let names: Vec<Label> = ["a", "b", "c"]
            .iter()
            .map(|it| it.parse().unwrap())
            .collect();
        let [a, b, c] = &names[..] else {
            unreachable!()
        };
        let nets = [
            (a, "10.0.0.0/8"),
            (b, "10.1.0.0/16"),
            (b, "10.1.2.0/24"),
            (c, "10.1.2.3/32"),
            (c, "11.0.0.0/8"),
            (a, "12.0.0.0/8"),
            (c, "fd00::/64"),
            (a, "fd00::/64"),
        ];
        let nets = nets.map(|(member, net)| (member, net.parse::<IpNet>().unwrap()));
        let found = shared(nets.into_iter());
        let pairs: Vec<_> = found.keys().map(|(x, y)| format!("{x}{y}")).collect();
        assert_eq!(pairs, ["ab", "ac", "bc"]);
        let alone = [(a, "10.0.0.0/8"), (a, "10.1.0.0/16"), (b, "11.0.0.0/8")];
        let alone = alone.map(|(member, net)| (member, net.parse::<IpNet>().unwrap()));
        assert!(shared(alone.into_iter()).is_empty());
    }
}
