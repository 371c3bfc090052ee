//! Splitting the part of a qname that lies left of its apex (docs/names.md, D.2).
//!
//! Purely syntactic: which labels mean what. Whether such a service, region or member exists is the
//! snapshot's to say.

use crate::wire::Qname;

/// What the labels left of an apex mean. All slices are lower-case wire labels without a root;
/// only [`Prefix::Member`] and its like hold the bare octets of one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'q> {
    /// The apex itself.
    Apex,
    /// No marker `svc` in the last three labels: a topology, a name server, or nothing.
    Plain {
        /// All labels left of the apex.
        labels: &'q [u8],
    },
    /// A name of the service tree.
    Tree {
        /// The labels between the marker and the apex; empty for the global level.
        topology: &'q [u8],
        /// The labels left of the marker.
        below: Below<'q>,
    },
}

/// The labels left of the marker `svc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below<'q> {
    /// None: `svc[.topology]`.
    Marker,
    /// `fed`
    Federation(&'q [u8]),
    /// `ns.fed`
    Namespace(&'q [u8]),
    /// `[prefix.]service.ns.fed`
    Service {
        /// The labels `service.ns.fed`: the key of the service table. In a clusterset it is
        /// `service.ns`, and a namespace is `ns`.
        key: &'q [u8],
        /// What stands left of it.
        prefix: Prefix<'q>,
    },
}

/// The labels left of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix<'q> {
    /// None: the service name itself.
    None,
    /// `_proto`: an empty non-terminal if any port has this protocol.
    Protocol(&'q [u8]),
    /// `_port._proto`: an SRV owner.
    Port(&'q [u8]),
    /// `member`: a pinned name (docs/names.md, decision 7).
    Member(&'q [u8]),
    /// `hostname.member`: a pod of a headless service.
    Pod {
        /// The host name's label, bare.
        hostname: &'q [u8],
        /// The member's label, bare.
        member: &'q [u8],
    },
    /// `_proto.member`
    MemberProtocol {
        /// The member's label, bare.
        member: &'q [u8],
        /// The label `_proto`.
        protocol: &'q [u8],
    },
    /// `_port._proto.member`: the SRV owner of a pinned name.
    MemberPort {
        /// The member's label, bare.
        member: &'q [u8],
        /// The labels `_port._proto`.
        port: &'q [u8],
    },
    /// No form that the grammar knows: such a name never exists.
    Unknown,
}

/// The marker label, in wire form.
const MARKER: &[u8; 4] = b"\x03svc";

/// Splits the first `left` labels of `qname`, which are those left of its apex.
#[inline]
pub fn split(qname: &Qname, left: usize) -> Form<'_> {
    if left == 0 {
        return Form::Apex;
    }
    let nearest = left.saturating_sub(3);
    let Some(marker) = (nearest..left)
        .rev()
        .find(|label| qname.suffix(*label).starts_with(MARKER))
    else {
        return Form::Plain {
            labels: qname.between(0, left),
        };
    };
    Form::Tree {
        topology: qname.between(marker + 1, left),
        below: below(qname, marker),
    }
}

/// Splits the first `left` labels of `qname`, which are those left of an apex that begins with the
/// labels of a federation and the marker (docs/names.md, D.8): its names have no topology.
#[inline]
pub fn split_local(qname: &Qname, left: usize) -> Form<'_> {
    if left == 0 {
        return Form::Apex;
    }
    Form::Tree {
        topology: &[],
        below: below(qname, left + 1),
    }
}

/// Splits the first `left` labels of `qname`, which are those left of the domain of a clusterset:
/// its names have neither federation nor topology (docs/names.md, D.3, N8).
#[inline]
pub fn split_clusterset(qname: &Qname, left: usize) -> Form<'_> {
    let Some(marker) = left.checked_sub(1) else {
        return Form::Apex;
    };
    if !qname.suffix(marker).starts_with(MARKER) {
        return Form::Plain {
            labels: qname.between(0, left),
        };
    }
    let below = match (marker, marker.checked_sub(2)) {
        (0, _) => Below::Marker,
        (_, None) => Below::Namespace(qname.between(0, marker)),
        (_, Some(service)) => Below::Service {
            key: qname.between(service, marker),
            prefix: prefix(qname, service),
        },
    };
    Form::Tree {
        topology: &[],
        below,
    }
}

/// Splits the first `count` labels, which are those left of the marker.
#[expect(
    clippy::inline_always,
    reason = "a few instructions of every answer, called from several places"
)]
#[inline(always)]
fn below(qname: &Qname, count: usize) -> Below<'_> {
    let Some(federation) = count.checked_sub(1) else {
        return Below::Marker;
    };
    let Some(namespace) = count.checked_sub(2) else {
        return Below::Federation(qname.between(federation, count));
    };
    let Some(service) = count.checked_sub(3) else {
        return Below::Namespace(qname.between(namespace, count));
    };
    Below::Service {
        key: qname.between(service, count),
        prefix: prefix(qname, service),
    }
}

/// Splits the first `count` labels, which are those left of a service.
#[inline]
fn prefix(qname: &Qname, count: usize) -> Prefix<'_> {
    let is_underscored = |label: usize| qname.label(label).first() == Some(&b'_');
    match count {
        0 => Prefix::None,
        1 if is_underscored(0) => Prefix::Protocol(qname.between(0, 1)),
        1 => Prefix::Member(qname.label(0)),
        2 if is_underscored(0) && is_underscored(1) => Prefix::Port(qname.between(0, 2)),
        2 if is_underscored(0) => Prefix::MemberProtocol {
            member: qname.label(1),
            protocol: qname.between(0, 1),
        },
        2 if !is_underscored(1) => Prefix::Pod {
            hostname: qname.label(0),
            member: qname.label(1),
        },
        3 if is_underscored(0) && is_underscored(1) && !is_underscored(2) => Prefix::MemberPort {
            member: qname.label(2),
            port: qname.between(0, 2),
        },
        _ => Prefix::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `name`, of which all labels lie left of the apex, and prints the form in one line.
    fn check(name: &str, expected: &str) {
        let qname = Qname::from_name(&name.parse().unwrap());
        let text = |wire: &[u8]| {
            let mut octets = wire.to_vec();
            octets.push(0);
            let mut name = Qname::new();
            name.read(&octets).unwrap();
            let labels: Vec<_> = (0..name.label_count())
                .map(|label| name.label(label))
                .collect();
            String::from_utf8(labels.join(&b'.')).unwrap()
        };
        let bare = |label: &[u8]| String::from_utf8(label.to_vec()).unwrap();
        let got = match split(&qname, qname.label_count()) {
            Form::Apex => "apex".to_owned(),
            Form::Plain { labels } => format!("plain {}", text(labels)),
            Form::Tree { topology, below } => {
                let below = match below {
                    Below::Marker => "svc".to_owned(),
                    Below::Federation(federation) => format!("fed {}", text(federation)),
                    Below::Namespace(namespace) => format!("ns {}", text(namespace)),
                    Below::Service { key, prefix, .. } => {
                        let prefix = match prefix {
                            Prefix::None => String::new(),
                            Prefix::Protocol(protocol) => format!(" proto {}", text(protocol)),
                            Prefix::Port(port) => format!(" port {}", text(port)),
                            Prefix::Member(member) => format!(" member {}", bare(member)),
                            Prefix::Pod { hostname, member } => {
                                format!(" member {} pod {}", bare(member), bare(hostname))
                            }
                            Prefix::MemberProtocol { member, protocol } => {
                                format!(" member {} proto {}", bare(member), text(protocol))
                            }
                            Prefix::MemberPort { member, port } => {
                                format!(" member {} port {}", bare(member), text(port))
                            }
                            Prefix::Unknown => " unknown".to_owned(),
                        };
                        format!("service {}{prefix}", text(key))
                    }
                };
                let at = if topology.is_empty() {
                    "global".to_owned()
                } else {
                    text(topology)
                };
                format!("{below} at {at}")
            }
        };
        assert_eq!(got, expected, "{name}");
    }

    #[test]
    fn every_form_is_recognised() {
        check(".", "apex");
        check("europe-west1", "plain europe-west1");
        check("svc", "svc at global");
        check("svc.r", "svc at r");
        check("fed.svc", "fed fed at global");
        check("ns.fed.svc.z.r", "ns ns.fed at z.r");
        check("s.ns.fed.svc", "service s.ns.fed at global");
        check("S.NS.fed.SVC.r", "service s.ns.fed at r");
        check("s.ns.fed.svc.z.r", "service s.ns.fed at z.r");
        check("_tcp.s.ns.fed.svc", "service s.ns.fed proto _tcp at global");
        check(
            "_http._tcp.s.ns.fed.svc.r",
            "service s.ns.fed port _http._tcp at r",
        );
        check("m.s.ns.fed.svc", "service s.ns.fed member m at global");
        check(
            "_tcp.m.s.ns.fed.svc",
            "service s.ns.fed member m proto _tcp at global",
        );
        check(
            "web-0.m.s.ns.fed.svc",
            "service s.ns.fed member m pod web-0 at global",
        );
        check(
            "_http._tcp.m.s.ns.fed.svc",
            "service s.ns.fed member m port _http._tcp at global",
        );
    }

    #[test]
    fn the_rightmost_marker_of_the_last_three_labels_counts() {
        check("svc.svc.svc.svc", "service svc.svc.svc at global");
        check("svc.svc.svc.svc.r", "service svc.svc.svc at r");
        check("s.ns.fed.svc.a.z.r", "plain s.ns.fed.svc.a.z.r");
        check("a.b", "plain a.b");
    }

    #[test]
    fn the_federation_of_a_local_name_is_in_its_apex() {
        let qname = |name: &str| Qname::from_name(&name.parse().unwrap());
        assert_eq!(split_local(&qname("f.svc.cluster.local"), 0), Form::Apex);
        let below = |name: &str, left| match split_local(&qname(name), left) {
            Form::Tree { topology, below } => {
                assert!(topology.is_empty());
                format!("{below:?}")
            }
            other => panic!("{other:?}"),
        };
        let namespace = below("n.f.svc.cluster.local", 1);
        assert_eq!(namespace, format!("{:?}", Below::Namespace(b"\x01n\x01f")));
        let port = Below::Service {
            key: b"\x01s\x01n\x01f",
            prefix: Prefix::Port(b"\x02_p\x04_tcp"),
        };
        let name = "_p._tcp.s.n.f.svc.cluster.local";
        assert_eq!(below(name, 4), format!("{port:?}"));
    }

    #[test]
    fn names_in_a_clusterset_leave_the_federation_out() {
        let form = |name: &str| {
            let qname = Qname::from_name(&name.parse().unwrap());
            let left = qname.label_count() - 2;
            match split_clusterset(&qname, left) {
                Form::Tree { topology, below } => {
                    assert!(topology.is_empty());
                    format!("{below:?}")
                }
                other => format!("{other:?}"),
            }
        };
        let check = |name: &str, below: Below<'_>| {
            assert_eq!(form(name), format!("{below:?}"), "{name}");
        };
        assert_eq!(form("clusterset.local"), "Apex");
        assert!(form("n.pod.clusterset.local").starts_with("Plain"));
        check("svc.clusterset.local", Below::Marker);
        check("n.svc.clusterset.local", Below::Namespace(b"\x01n"));
        let service = |prefix| Below::Service {
            key: b"\x01s\x01n",
            prefix,
        };
        check("s.n.svc.clusterset.local", service(Prefix::None));
        let port = Prefix::Port(b"\x02_p\x04_tcp");
        check("_p._tcp.s.n.svc.clusterset.local", service(port));
        check(
            "h.m.s.n.svc.clusterset.local",
            service(Prefix::Pod {
                hostname: b"h",
                member: b"m",
            }),
        );
    }

    #[test]
    fn other_prefixes_are_unknown() {
        check(
            "a.web-0.m.s.ns.fed.svc",
            "service s.ns.fed unknown at global",
        );
        check("m._tcp.s.ns.fed.svc", "service s.ns.fed unknown at global");
        check(
            "_a._b._c.s.ns.fed.svc",
            "service s.ns.fed unknown at global",
        );
        check(
            "a._http._tcp.m.s.ns.fed.svc",
            "service s.ns.fed unknown at global",
        );
    }
}
