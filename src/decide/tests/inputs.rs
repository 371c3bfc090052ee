//! Every input of the choice of the eligible for three members, and what holds of each.

use std::net::IpAddr;

use super::*;
use crate::decide::Seeds;
use crate::model::{SrvForm, UnixSeconds};
use crate::vantage::ClientPrefix;

/// Everything that can be said of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Input {
    contact: Contact,
    /// Probes have passed of late.
    proof: Proof,
    is_damped: bool,
    family: Family,
    /// An operator drains it, and a draw leaves it out for the client.
    is_parted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Live,
    KeptBack,
    Held,
    Expired,
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    None,
    Tcp,
    More,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Whole,
    Ipv4Left,
    Ipv6Left,
}

impl Input {
    fn all() -> Vec<Self> {
        use Contact::{Abandoned, Expired, Held, KeptBack, Live};
        let mut all = Vec::new();
        for contact in [Live, KeptBack, Held, Expired, Abandoned] {
            for proof in [Proof::None, Proof::Tcp, Proof::More] {
                for family in [Family::Whole, Family::Ipv4Left, Family::Ipv6Left] {
                    for (is_damped, is_parted) in
                        [(false, false), (false, true), (true, false), (true, true)]
                    {
                        all.push(Self {
                            contact,
                            proof,
                            is_damped,
                            family,
                            is_parted,
                        });
                    }
                }
            }
        }
        // Of a member in contact no proof is asked.
        all.retain(|input| {
            let is_live = matches!(input.contact, Live | KeptBack);
            let is_abandoned = input.contact == Abandoned;
            match input.proof {
                Proof::None => true,
                Proof::Tcp => is_abandoned,
                Proof::More => !is_live,
            }
        });
        all
    }

    /// Its member is in contact, or probes prove it.
    fn is_sure(self) -> bool {
        match self.contact {
            Contact::Live | Contact::KeptBack => true,
            Contact::Held | Contact::Expired => self.proof != Proof::None,
            Contact::Abandoned => self.proof == Proof::More,
        }
    }

    /// Nothing at all speaks against it.
    fn is_plain(self) -> bool {
        self.contact == Contact::Live
            && !self.is_damped
            && !self.is_parted
            && self.family == Family::Whole
    }

    /// Its hold has passed.
    fn has_expired(self) -> bool {
        matches!(self.contact, Contact::Expired | Contact::Abandoned)
    }
}

/// What each member's part of the input is, by its place; `None` is no shard that is available.
type Inputs = [Option<Input>; 3];

/// Says who is eligible.
fn decided(inputs: &Inputs) -> Eligible {
    let those = |claim: fn(&Input) -> bool| -> MemberSet {
        let members = MemberIdx::all().zip(inputs);
        let those = members.filter(|(_, input)| input.as_ref().is_some_and(claim));
        those.map(|(member, _)| member).collect()
    };
    let all = those(|_| true);
    let overlay = ShardOverlay {
        damped: those(|input| input.is_damped),
        damped_by_probes: MemberSet::EMPTY,
        proven: those(|input| input.proof != Proof::None),
        by_tcp: those(|input| input.proof == Proof::Tcp),
        partial: PartialFamilies {
            ipv4: those(|input| input.family == Family::Ipv4Left),
            ipv6: those(|input| input.family == Family::Ipv6Left),
            whole_ipv4: those(|input| input.family == Family::Whole),
            whole_ipv6: those(|input| input.family == Family::Whole),
        },
    };
    let shards = ShardHealth {
        available: all,
        last_known: all,
        may_suppress: overlay.may_suppress(),
    };
    let doubtful = those(|input| !matches!(input.contact, Contact::Live | Contact::KeptBack));
    let fleet = FleetHealth {
        stale: doubtful,
        doubtful,
        expired: those(|input| input.has_expired()),
        abandoned: those(|input| input.contact == Contact::Abandoned),
        suppressed: those(|input| input.contact == Contact::KeptBack),
        drained: MemberSet::EMPTY,
        draining: those(|input| input.is_parted),
    };
    let plan = Plan {
        fence: MemberSet::ALL,
        tiers: [MemberSet::ALL].into_iter().collect(),
        is_nearest: false,
        is_weighted: false,
        max_addresses: None,
        spill_over: None,
        srv: SrvForm::Shared,
        when_all_down: WhenAllDown::NoData,
    };
    let seeds = Seeds::default();
    let prefix = ClientPrefix::of(None, IpAddr::from([192, 0, 2, 1]));
    // Of a share of nothing no draw is left.
    let shares: Vec<_> = fleet.draining.iter().map(|member| (member, 0)).collect();
    let draw = || Draw::new(b"", prefix, (UnixSeconds(1), 30), &seeds, &[], &shares);
    eligible(&plan, &shards, || Some(&overlay), &fleet, draw)
}

#[test]
fn of_every_input_for_three_members() {
    let one: Vec<Option<Input>> = [None]
        .into_iter()
        .chain(Input::all().into_iter().map(Some))
        .collect();
    let mut inputs_seen = 0_u32;
    for a in &one {
        for b in &one {
            for c in &one {
                check(&[*a, *b, *c]);
                inputs_seen += 1;
            }
        }
    }
    assert_eq!(inputs_seen, 1_295_029);
}

/// What holds of every input.
fn check(inputs: &Inputs) {
    let outcome = decided(inputs);
    let those = |claim: &dyn Fn(Input) -> bool| -> MemberSet {
        let members = MemberIdx::all().zip(inputs);
        let those = members.filter(|(_, input)| input.is_some_and(claim));
        those.map(|(member, _)| member).collect()
    };
    let (all, sure) = (those(&|_| true), those(&|input| input.is_sure()));
    let answers = outcome.members;
    let why = || format!("{inputs:?}: {outcome:?}");
    // Something that is available is never answered empty.
    assert_eq!(answers.is_empty(), all.is_empty(), "{}", why());
    // Where something sure is available, something sure answers (docs/who-is-served.md, I1).
    assert_eq!((answers & sure).is_empty(), sure.is_empty(), "{}", why());
    // Beside it nobody answers who is doubtful and past its hold (docs/who-is-served.md, I5).
    let dead = those(&|input| input.has_expired() && !input.is_sure());
    let is_wrong = !sure.is_empty() && !(answers & dead).is_empty();
    assert!(!is_wrong, "{}", why());
    // Silence alone withdraws nobody within its hold (docs/who-is-served.md, I4), and nothing else
    // does without a reason.
    let quiet = those(&|input| {
        input.contact == Contact::Held
            && !input.is_damped
            && !input.is_parted
            && input.family == Family::Whole
    });
    assert_eq!(answers & quiet, quiet, "{}", why());
    let plain = those(&|input| input.is_plain());
    assert_eq!(answers & plain, plain, "{}", why());
    // Beside somebody of whom nothing but good is known, whatever is to be set aside is.
    let aside =
        those(&|input| input.contact == Contact::KeptBack || input.is_damped || input.is_parted);
    let lost_family = those(&|input| input.family != Family::Whole);
    if !plain.is_empty() {
        assert!((answers & (aside | lost_family)).is_empty(), "{}", why());
    }
    // Everybody answers or is left out for one reason.
    let reasons = [
        outcome.withdrawn,
        outcome.suppressed,
        outcome.damped,
        outcome.lost_family,
        outcome.parted,
    ];
    let mut seen = answers;
    for reason in reasons {
        assert!((seen & reason).is_empty(), "{}", why());
        seen = seen | reason;
    }
    assert_eq!(seen, all, "{}", why());
}
