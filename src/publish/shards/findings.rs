//! What is known of addresses and ports, whatever target it was found by: which have ever passed a
//! probe from here, which passed of late, and which are down. It outlives targets by an hour, and the
//! process; that one passed of late only for as long as a pass proves anything.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::{Evidence, Finding, Findings, ProbeTarget, ProbeTargets, UnixSeconds, Verdict};
use crate::publish::disk::findings_file::{LastAsked, MOST_KEPT};
use crate::publish::now::Now;
use crate::publish::outbox::Outbox;

/// For how long something is known of what is probed no more.
const OUTLIVES: Duration = Duration::from_secs(3600);

/// How often it is looked at what is probed no more, and the time is written down.
const LOOK: Duration = Duration::from_secs(60);

/// How long to wait at a start for first probes of what is known to have passed.
const FIRST_PROBES: Duration = Duration::from_secs(2);

/// Which addresses passed of late for earlier processes: when each was last asked, and for how long
/// that proves anything yet. Of one that nobody is to ask as long as of any.
pub(in crate::publish) fn left_of_proofs(
    asked: &LastAsked,
    targets: &ProbeTargets,
    now: UnixSeconds,
) -> impl Iterator<Item = (SocketAddr, UnixSeconds, Duration)> {
    let mut proofs: HashMap<SocketAddr, Duration> = HashMap::new();
    let mut longest = Duration::ZERO;
    for target in targets {
        let proof = target.probe.proof();
        longest = longest.max(proof);
        let of_address = proofs.entry(target.address).or_default();
        *of_address = proof.max(*of_address);
    }
    asked.iter().map(move |(address, asked)| {
        let passed = Duration::from_secs(now.0.saturating_sub(asked.0));
        let proof = proofs.get(address).copied().unwrap_or(longest);
        (*address, *asked, proof.saturating_sub(passed))
    })
}

/// How many targets of an address say something of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct TargetCounts {
    /// They are down.
    down: usize,
    /// They prove that it works.
    proving: usize,
}

impl TargetCounts {
    /// One target that says this.
    fn of(evidence: Option<&Evidence>) -> Self {
        let is = |is: fn(&Evidence) -> bool| usize::from(evidence.is_some_and(is));
        Self {
            down: is(|evidence| evidence.verdict == Verdict::Down),
            proving: is(Evidence::proves),
        }
    }
}

/// An address that passed of late for no target that says so now.
#[derive(Debug, Clone, Copy)]
struct Unbacked {
    /// When it was last asked, at the latest.
    asked: UnixSeconds,
    /// Until when that counts.
    until: Instant,
}

/// What is known of addresses.
#[derive(Debug)]
pub(in crate::publish) struct KnownFindings {
    /// Of each address and port that has passed.
    findings: Findings,
    /// How many of them are down.
    all_down: usize,
    /// What the targets of each say.
    counts: HashMap<SocketAddr, TargetCounts>,
    /// Those that passed of late for no target that says so now.
    unbacked: HashMap<SocketAddr, Unbacked>,
    /// Those that are probed no more, and since when.
    gone: HashMap<SocketAddr, Instant>,
    /// When to look at them next.
    look: Instant,
    /// Until when first probes are waited for.
    first_probes: Option<Instant>,
    /// Where those who probe find it.
    told: watch::Sender<Findings>,
}

impl KnownFindings {
    /// What an earlier process has left.
    pub(in crate::publish) fn new(
        findings: Findings,
        told: watch::Sender<Findings>,
        now: Instant,
    ) -> Self {
        let all_down = findings.values().filter(|known| known.down.is_some());
        Self {
            all_down: all_down.count(),
            findings,
            counts: HashMap::new(),
            unbacked: HashMap::new(),
            gone: HashMap::new(),
            look: now,
            first_probes: None,
            told,
        }
    }

    /// Whether anything is known to be down at an address.
    pub(in crate::publish) fn is_down(&self, address: SocketAddr) -> bool {
        let finding = self.findings.get(&address);
        finding.is_some_and(|finding| finding.down.is_some())
    }

    /// Whether nothing is known to be down anywhere.
    pub(in crate::publish) fn is_none_down(&self) -> bool {
        self.all_down == 0
    }

    /// What is known.
    pub(in crate::publish) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Counts a target that said another thing before, and says how many there are now.
    fn count(
        &mut self,
        address: SocketAddr,
        before: Option<&Evidence>,
        evidence: Option<&Evidence>,
    ) -> TargetCounts {
        let (before, now) = (TargetCounts::of(before), TargetCounts::of(evidence));
        let counts = self.counts.entry(address).or_default();
        counts.down = (counts.down + now.down).saturating_sub(before.down);
        counts.proving = (counts.proving + now.proving).saturating_sub(before.proving);
        let counts = *counts;
        if counts == TargetCounts::default() {
            self.counts.remove(&address);
        }
        counts
    }

    /// Folds what a target says that said another thing before, and says what is known of its address
    /// now, if that has changed.
    fn fold(
        &mut self,
        target: &ProbeTarget,
        before: Option<&Evidence>,
        evidence: Option<&Evidence>,
        now: Now,
    ) -> Option<Finding> {
        let address = target.address;
        let counts = self.count(address, before, evidence);
        let Some(evidence) = evidence.filter(|it| it.verdict != Verdict::Unknown) else {
            // What is gone, or has never passed, says nothing new of the address.
            if counts.proving == 0 && before.is_some_and(Evidence::proves) {
                let unbacked = Unbacked {
                    asked: now.wall,
                    until: now.instant + target.probe.proof(),
                };
                self.unbacked.insert(address, unbacked);
            }
            return None;
        };
        let was_unbacked = self.unbacked.remove(&address).is_some();
        let known = self.findings.get(&address);
        let known_down = known.and_then(|known| known.down.as_ref());
        let down = match evidence.verdict {
            Verdict::Up | Verdict::Suspect if counts.down == 0 => None,
            Verdict::Up | Verdict::Suspect => known_down.cloned(),
            Verdict::Damped if counts.down > 0 => known_down.cloned(),
            verdict => {
                let same = known_down.filter(|known| known.verdict == verdict);
                Some(Evidence {
                    unproven_since: None,
                    ..same.unwrap_or(evidence).clone()
                })
            }
        };
        let new = Finding {
            down,
            is_passing: counts.proving > 0,
        };
        // What an earlier process has written says when that was: it is written anew.
        (was_unbacked || known != Some(&new)).then_some(new)
    }

    /// What passed of late for an earlier process counts for as long as a proof since it was last
    /// asked: else a process that is started again and again would prove for ever what is long dead.
    fn begin(&mut self, asked: &LastAsked, out: &mut Outbox, now: Now) {
        let targets = out.builder.targets();
        let unbacked = left_of_proofs(asked, targets, now.wall).map(|(address, asked, left)| {
            let until = now.instant + left;
            (address, Unbacked { asked, until })
        });
        self.unbacked = unbacked.collect();
        if !self.unbacked.is_empty() {
            out.record.begun(now.instant, now.wall);
        }
    }

    /// What passed of late for no target that says so, for as long as it counts. Returns what is known
    /// of it now.
    fn end_unbacked(&mut self, now: Instant) -> Vec<(SocketAddr, Finding)> {
        let over = self.unbacked.extract_if(|_, it| it.until <= now);
        let ended = over.filter_map(|(address, _)| {
            let known = self.findings.get(&address)?;
            Some((
                address,
                Finding {
                    is_passing: false,
                    ..known.clone()
                },
            ))
        });
        ended.collect()
    }

    /// The wall clock was set by so many seconds.
    pub(in crate::publish) fn clock_set(&mut self, by: i64) {
        for unbacked in self.unbacked.values_mut() {
            let asked = unbacked.asked.0.saturating_add_signed(by);
            unbacked.asked = UnixSeconds(asked);
        }
    }

    /// Sets or takes back what is known of an address.
    fn set(&mut self, address: SocketAddr, finding: Option<Finding>) {
        let is_down = finding.as_ref().is_some_and(|known| known.down.is_some());
        let before = match finding {
            Some(finding) => self.findings.insert(address, finding),
            None => self.findings.remove(&address),
        };
        let was_down = before.is_some_and(|known| known.down.is_some());
        self.all_down = (self.all_down + usize::from(is_down)) - usize::from(was_down);
    }

    /// Gives those who probe what is known now; nobody need be woken for it.
    pub(in crate::publish) fn tell(&self) {
        self.told.send_if_modified(|told| {
            told.clone_from(&self.findings);
            false
        });
    }

    /// Folds what is found of the address of a target that said another thing before. Returns what is
    /// known of it now, if that has changed.
    pub(in crate::publish) fn find(
        &mut self,
        target: &ProbeTarget,
        before: Option<&Evidence>,
        evidence: Option<&Evidence>,
        out: &mut Outbox,
        now: Now,
    ) -> Option<Finding> {
        let address = target.address;
        let finding = self.fold(target, before, evidence, now)?;
        let is_new = !self.findings.contains_key(&address);
        if is_new && self.findings.len() >= MOST_KEPT {
            // At most half of them are probed.
            self.forget_gone(Duration::ZERO, out, now);
        }
        self.set(address, Some(finding.clone()));
        Some(finding)
    }

    /// Goes on from what passed for earlier processes, which counts for as long as it proves anything;
    /// longer while answers are frozen, with what they are made of.
    pub(in crate::publish) fn restore_proofs(
        &mut self,
        asked: &LastAsked,
        is_frozen: bool,
        out: &mut Outbox,
        now: Now,
    ) {
        self.begin(asked, out, now);
        if !is_frozen {
            self.end_proofs(out, now);
        }
    }

    /// Ends what has passed for too long ago, for no target that says so.
    fn end_proofs(&mut self, out: &mut Outbox, now: Now) {
        let ended = self.end_unbacked(now.instant);
        if ended.is_empty() {
            return;
        }
        for (address, finding) in ended {
            self.set(address, Some(finding.clone()));
            out.change_finding(address, Some(finding), now);
        }
        self.tell();
    }

    /// Waits at a start for first probes of the targets of which something is known.
    pub(in crate::publish) fn await_first_probes(&mut self, targets: &ProbeTargets, now: Instant) {
        let mut targets = targets.iter();
        let findings = &self.findings;
        let is_any = targets.any(|target| findings.contains_key(&target.address));
        self.first_probes = is_any.then_some(now + FIRST_PROBES);
    }

    /// First probes are through.
    pub(in crate::publish) fn end_first_probes(&mut self) {
        self.first_probes = None;
    }

    /// Until when first probes are waited for; may be past.
    pub(in crate::publish) fn first_probes_due(&self) -> Option<Instant> {
        self.first_probes
    }

    /// Looks after what is known, once in a second.
    pub(in crate::publish) fn look_after(&mut self, out: &mut Outbox, now: Now) {
        if self.look <= now.instant {
            self.look = now.instant + LOOK;
            out.record.hold(now.instant, now.wall);
            self.forget_gone(OUTLIVES, out, now);
        }
        self.end_proofs(out, now);
    }

    /// When each address was last asked that passed of late for no target that says so now.
    pub(in crate::publish) fn asked(&self) -> LastAsked {
        let asked = self.unbacked.iter();
        asked.map(|(address, it)| (*address, it.asked)).collect()
    }

    /// Forgets what has been probed no more for longer than `after`.
    fn forget_gone(&mut self, after: Duration, out: &mut Outbox, now: Now) {
        let targets = out.builder.targets().iter();
        let probed: HashSet<SocketAddr> = targets.map(|target| target.address).collect();
        let Self { findings, gone, .. } = self;
        gone.retain(|address, _| !probed.contains(address));
        for address in findings.keys().filter(|address| !probed.contains(*address)) {
            gone.entry(*address).or_insert(now.instant);
        }
        let is_over = |_: &SocketAddr, since: &mut Instant| *since + after <= now.instant;
        let over: Vec<SocketAddr> = gone.extract_if(is_over).map(|(at, _)| at).collect();
        for address in over {
            self.set(address, None);
            self.unbacked.remove(&address);
            out.change_finding(address, None, now);
        }
        self.tell();
    }
}
