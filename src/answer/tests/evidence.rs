//! What explanations say of members that are out, or may be going.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::RecordType;

use super::{federation, label, name, service, set_state, world_of};
use crate::answer::{Candidate, Explanation, explain};
use crate::model::{
    Check, Evidence, Export, FULL_SHARE, Fleet, HttpCheck, Inside, ListenerIdx, MemberIdx,
    MemberSet, MemberState, MemberStatus, Network, Place, Pod, Policy, Probe, ProbeTarget, Service,
    ServiceKind, SrvForm, UnixSeconds, Verdict,
};
use crate::snapshot::{Condition, Generation, Serial, Settings, Shares, SnapshotBuilder};
use crate::wire::NameBuf;

/// The world with probes.
fn world() -> SnapshotBuilder {
    world_of(crate::model::Federation {
        probe: Probe::default(),
        ..federation()
    })
}

fn explained(builder: &mut SnapshotBuilder, text: &str, qtype: RecordType) -> Explanation {
    let snapshot = builder.snapshot(Generation(1), Serial(1));
    let name = text.parse().unwrap();
    let from = IpAddr::from([192, 0, 2, 1]);
    explain(
        &snapshot,
        &name,
        qtype,
        (from, None),
        UnixSeconds(1_800_000_001),
        None,
    )
}

/// What is said of member `a` of `s.n`.
fn first(builder: &mut SnapshotBuilder) -> Candidate {
    let explanation = explained(builder, "s.n.fed.svc.example.com", RecordType::A);
    explanation.candidates.into_iter().next().unwrap()
}

/// What probes say of a target.
fn evidence(verdict: Verdict, seen: &str) -> Evidence {
    Evidence {
        verdict,
        since: UnixSeconds(1_800_000_000),
        seen: seen.into(),
        unproven_since: None,
    }
}

fn check(builder: &mut SnapshotBuilder, answers: bool, reason: &str, evidence: &[&str]) {
    let first = first(builder);
    assert_eq!((first.answers, &*first.reason), (answers, reason));
    assert_eq!(first.evidence, evidence);
}

#[test]
fn a_client_inside_is_told_of() {
    let mut fleet = Fleet::clone(world().fleet());
    fleet.networks.push(Network {
        cidr: "192.0.2.0/24".parse().unwrap(),
        place: Place {
            member: Some(label("a")),
            ..Place::default()
        },
    });
    let settings = Settings {
        trusted: vec!["192.0.2.0/24".parse().unwrap()],
        ..Settings::default()
    };
    let mut world = SnapshotBuilder::new(Arc::new(fleet), settings);
    for member in 0..3 {
        set_state(&mut world, member, MemberState::Ready);
    }
    let mut own = Service::clone(&service([203, 0, 113, 1], 1, 80));
    let cluster_ip = IpAddr::from([10, 0, 0, 7]);
    own.inside = Some(Arc::new(Inside::ClusterIps(
        [cluster_ip].into_iter().collect(),
    )));
    world.upsert(MemberIdx(0), &name(), Arc::new(own.clone()));
    let explanation = explained(&mut world, "s.n.fed.svc.example.com", RecordType::A);
    let text = explanation.to_string();
    assert!(
        text.contains("the client is inside a (by its source address)"),
        "{text}"
    );
    assert_eq!(explanation.candidates[0].addresses, [cluster_ip]);
    let how = "eligible at the level asked, and the client is inside it: by its cluster IPs";
    check(&mut world, true, how, &[]);

    let pod = Pod {
        hostname: Some(label("web-0")),
        address: cluster_ip,
        is_ready: true,
    };
    own.inside = Some(Arc::new(Inside::of_pods(vec![pod])));
    Arc::make_mut(&mut own.spec).kind = ServiceKind::Headless;
    Arc::make_mut(&mut own.spec).export = Export::Exported;
    world.upsert(MemberIdx(0), &name(), Arc::new(own));
    let explanation = explained(&mut world, "web-0.a.s.n.fed.svc.example.com", RecordType::A);
    assert_eq!(explanation.subject, "pods in member a");
    let first = &explanation.candidates[0];
    assert_eq!(
        (first.answers, &*first.addresses),
        (true, [cluster_ip].as_slice())
    );
    assert_eq!(
        first.reason,
        "the name means its pods, and the client is inside it"
    );
}

#[test]
fn a_probe_that_fails_is_named() {
    let mut world = world();
    drop(world.snapshot(Generation(1), Serial(1)));
    let address = "203.0.113.1:80".parse().unwrap();
    let target = {
        let mut targets = world.targets().iter();
        targets.find(|target| target.address == address).cloned()
    };
    let target = target.unwrap();
    assert!(world.set_evidence(&target, Some(evidence(Verdict::Down, "refused"))));
    assert!(!world.set_evidence(&target, Some(evidence(Verdict::Down, "refused"))));
    let down = "tcp probe of 203.0.113.1:80: down since 2027-01-15T08:00:00Z: refused";
    check(&mut world, false, "every address fails its probes", &[down]);
    world.set_evidence(&target, Some(evidence(Verdict::Suspect, "no answer")));
    let suspect = "tcp probe of 203.0.113.1:80: suspect since 2027-01-15T08:00:00Z: no answer";
    check(&mut world, true, "eligible at the level asked", &[suspect]);
    let old = Evidence {
        unproven_since: Some(UnixSeconds(1_800_000_007)),
        ..evidence(Verdict::Suspect, "no answer")
    };
    world.set_evidence(&target, Some(old));
    let nothing = "; proves nothing since 2027-01-15T08:00:07Z: no pass within 7s";
    let old = format!("{suspect}{nothing}");
    check(&mut world, true, "eligible at the level asked", &[&old]);
    world.set_evidence(&target, Some(evidence(Verdict::Up, "connected")));
    set_state(&mut world, 0, MemberState::Lost);
    let status = MemberStatus {
        reason: Some("no heartbeat".to_owned()),
        outlook: None,
        since: UnixSeconds(1_800_000_000),
        ..world.status(MemberIdx(0)).unwrap().clone()
    };
    world.set_status(MemberIdx(0), status);
    let lost = "Lost since 2027-01-15T08:00:00Z: no heartbeat";
    let passes = "probes of its addresses pass: its hold does not withdraw it";
    check(
        &mut world,
        true,
        "eligible at the level asked",
        &[lost, passes],
    );
}

#[test]
fn what_only_tcp_proves_is_told_from_what_more_proves() {
    let http = Check::Http(HttpCheck {
        tls: None,
        host: None,
        path: "/".into(),
        status: (200, 299),
    });
    let check = |check: Check, verdicts: &[(u8, Verdict)], proven: &[u8], by_tcp: &[u8]| {
        let mut world = world_of(crate::model::Federation {
            probe: Probe {
                check,
                ..Probe::default()
            },
            ..federation()
        });
        drop(world.snapshot(Generation(1), Serial(1)));
        let targets: Vec<ProbeTarget> = world.targets().iter().cloned().collect();
        for (last, verdict) in verdicts {
            let address = IpAddr::from([203, 0, 113, *last]);
            let mut targets = targets.iter();
            let target = targets.find(|target| target.address.ip() == address);
            world.set_evidence(target.unwrap(), Some(evidence(*verdict, "seen")));
        }
        let snapshot = world.snapshot(Generation(2), Serial(2));
        let key: NameBuf = "s.n.fed".parse().unwrap();
        let key = key.as_wire().strip_suffix(&[0]).unwrap();
        let overlay = snapshot.entry(key).unwrap().overlay();
        let sets = overlay.map(|overlay| overlay.sets).unwrap_or_default();
        let members = |of: &[u8]| of.iter().copied().map(MemberIdx).collect::<MemberSet>();
        assert_eq!(
            (sets.proven, sets.by_tcp),
            (members(proven), members(by_tcp)),
            "{verdicts:?}"
        );
    };
    let both = [(1, Verdict::Up), (3, Verdict::Suspect)];
    check(Check::Tcp, &both, &[0, 2], &[0, 2]);
    check(http.clone(), &both, &[0, 2], &[]);
    let one = [(1, Verdict::Up), (3, Verdict::Down)];
    check(Check::Tcp, &one, &[0], &[0]);
    check(http, &one, &[0], &[]);
}

#[test]
fn conditions_and_drains_are_named() {
    let mut world = world();
    let condition = |until: Option<u64>, why: &str| Condition {
        since: UnixSeconds(1_800_000_000),
        damped_until: until.map(UnixSeconds),
        why: why.into(),
    };
    let often = condition(Some(1_800_000_060), "withdrawn 4 times in 10 minutes");
    world.set_condition(MemberIdx(0), &name(), Some(often));
    let reason = "suppressed: withdrawn too often, and another shard is available";
    let kept = "withdrawn 4 times in 10 minutes since 2027-01-15T08:00:00Z, \
                suppressed until 2027-01-15T08:01:00Z";
    check(&mut world, false, reason, &[kept]);
    let out = condition(None, "no ready endpoint");
    world.set_condition(MemberIdx(0), &name(), Some(out));
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 0, 80));
    let since = "no ready endpoint since 2027-01-15T08:00:00Z";
    check(&mut world, false, "0 of 1 endpoints ready", &[since]);
    world.set_condition(MemberIdx(0), &name(), None);
    world.upsert(MemberIdx(0), &name(), service([203, 0, 113, 1], 1, 80));
    let mut shares = Shares {
        members: vec![(MemberIdx(0), 0)],
        ..Shares::default()
    };
    world.set_shares(shares.clone());
    let none = "the operator drains the member: 0 % left";
    check(&mut world, false, "drained by the operator", &[none]);
    // So little is left that no draw falls to it.
    shares.members = vec![(MemberIdx(0), FULL_SHARE / 100)];
    world.set_shares(shares);
    let reason = "being drained: left out for this client at this time";
    let little = "the operator drains the member: 0 % left";
    check(&mut world, false, reason, &[little]);
}

#[test]
fn draws_are_explained() {
    let mut world = world_of(crate::model::Federation {
        policy: Policy::Weighted,
        ..federation()
    });
    let notes = explained(&mut world, "s.n.fed.svc.example.com", RecordType::A).notes;
    assert_eq!(
        notes,
        [
            "the draw is for 192.0.2.0/24 and time slot 60000000, \
             of 30 s from 2027-01-15T08:00:00Z",
            "weights, and shares of the draws: a 1 (50 %), c 1 (50 %)"
        ]
    );
}

#[test]
fn members_that_are_listed_draw_nothing_and_a_disagreement_is_told() {
    let mut world = world_of(crate::model::Federation {
        policy: Policy::Weighted,
        ..federation()
    });
    for (member, form) in [(0, SrvForm::Members), (2, SrvForm::Shared)] {
        let mut said = Service::clone(&service([203, 0, 113, member + 1], 1, 80));
        Arc::make_mut(&mut said.spec).steering.srv = Some(form);
        world.upsert(MemberIdx(member), &name(), Arc::new(said));
    }
    let text = "_http._tcp.s.n.fed.svc.example.com";
    let explanation = explained(&mut world, text, RecordType::SRV);
    assert_eq!(
        explanation.notes,
        ["members disagree on srv: the first in configuration order counts"]
    );
    let answers = explanation.candidates.iter().map(|one| one.answers);
    assert_eq!(answers.filter(|answers| *answers).count(), 2);
}

#[test]
fn who_has_no_record_of_the_type_does_not_answer() {
    let mut world = world();
    let mut check = |name: &str, qtype, expected: bool| {
        let explanation = explained(&mut world, name, qtype);
        let answers = explanation.candidates.iter().any(|one| one.answers);
        assert_eq!(answers, expected, "{name} {qtype}");
    };
    check("_http._tcp.s.n.fed.svc.example.com", RecordType::SRV, true);
    check("_http._tcp.s.n.fed.svc.example.com", RecordType::A, false);
    check("s.n.fed.svc.example.com", RecordType::A, true);
    check("s.n.fed.svc.example.com", RecordType::AAAA, false);
    check("s.n.fed.svc.example.com", RecordType::MX, false);
    check("a.s.n.fed.svc.example.com", RecordType::A, true);
    check("_http._tcp.a.s.n.fed.svc.example.com", RecordType::A, false);
}

#[test]
fn a_client_of_a_bound_listener_is_explained_as_it_is_answered() {
    let settings = Settings {
        listeners: vec![None, Some(label("a"))],
        ..Settings::default()
    };
    let fleet = Fleet::clone(world().fleet());
    let mut world = SnapshotBuilder::new(Arc::new(fleet), settings);
    for member in 0..3 {
        set_state(&mut world, member, MemberState::Ready);
    }
    let mut own = Service::clone(&service([203, 0, 113, 1], 1, 80));
    let cluster_ip = IpAddr::from([10, 0, 0, 7]);
    own.inside = Some(Arc::new(Inside::ClusterIps(
        [cluster_ip].into_iter().collect(),
    )));
    world.upsert(MemberIdx(0), &name(), Arc::new(own));
    let snapshot = world.snapshot(Generation(1), Serial(1));
    let listener = snapshot.vantages().listener_of(MemberIdx(0));
    assert_eq!(listener, Some(ListenerIdx(1)));
    assert_eq!(snapshot.vantages().listener_of(MemberIdx(1)), None);
    let name = "s.n.fed.svc.example.com".parse().unwrap();
    let from = IpAddr::from([192, 0, 2, 1]);
    let explanation = explain(
        &snapshot,
        &name,
        RecordType::A,
        (from, listener),
        UnixSeconds(1_800_000_001),
        None,
    );
    assert_eq!(explanation.candidates[0].addresses, [cluster_ip]);
    let text = explanation.to_string();
    assert!(text.contains("the client is inside a"), "{text}");
}
