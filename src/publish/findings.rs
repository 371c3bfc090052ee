//! What is known of addresses and ports, whatever target it was found by: which have ever passed a
//! probe from here, and which are down. It outlives targets by an hour, and the process.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::begin::members;
use super::findings_file::MOST_KEPT;
use super::record::Record;
use super::world::{Now, World};
use crate::model::{Evidence, Finding, Findings, Target, Verdict};

/// For how long something is known of what is probed no more.
const OUTLIVES: Duration = Duration::from_secs(3600);

/// How often it is looked at what is probed no more, and the time is written down.
const LOOK: Duration = Duration::from_secs(60);

/// How long to wait at a start for first probes of what is known to have passed.
const FIRST_PROBES: Duration = Duration::from_secs(2);

/// What is known of addresses.
#[derive(Debug)]
pub(super) struct Known {
    /// Of each address and port that has passed.
    findings: Findings,
    /// How many of them are down.
    all_down: usize,
    /// How many targets that are down each has.
    down: HashMap<SocketAddr, usize>,
    /// Those that are probed no more, and since when.
    gone: HashMap<SocketAddr, Instant>,
    /// When to look at them next.
    look: Instant,
    /// Until when first probes are waited for.
    first_probes: Option<Instant>,
    /// Where it is kept.
    pub(super) record: Record,
    /// Where those who probe find it.
    told: watch::Sender<Findings>,
}

impl Known {
    /// What an earlier process has left.
    pub(super) fn new(
        findings: Findings,
        record: Record,
        told: watch::Sender<Findings>,
        now: Instant,
    ) -> Self {
        let all_down = findings.values().filter(|known| known.down.is_some());
        Self {
            all_down: all_down.count(),
            findings,
            down: HashMap::new(),
            gone: HashMap::new(),
            look: now,
            first_probes: None,
            record,
            told,
        }
    }

    /// Whether anything is known to be down at an address.
    pub(super) fn is_down(&self, address: SocketAddr) -> bool {
        let finding = self.findings.get(&address);
        finding.is_some_and(|finding| finding.down.is_some())
    }

    /// Whether nothing is known to be down anywhere.
    pub(super) fn is_none_down(&self) -> bool {
        self.all_down == 0
    }

    /// What is known.
    pub(super) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Counts a target whose verdict was another, and says what is known of its address now, if that
    /// has changed.
    fn fold(
        &mut self,
        address: SocketAddr,
        before: Option<Verdict>,
        now: Option<&Evidence>,
    ) -> Option<Finding> {
        let verdict = now.map(|evidence| evidence.verdict);
        let is_down = |verdict| usize::from(verdict == Some(Verdict::Down));
        let count = self.down.entry(address).or_default();
        *count = (*count + is_down(verdict)).saturating_sub(is_down(before));
        let is_any_down = *count > 0;
        if !is_any_down {
            self.down.remove(&address);
        }
        let known = self.findings.get(&address);
        let new = match now {
            // What is gone, or has never passed, says nothing new of the address.
            None => return None,
            Some(evidence) => match evidence.verdict {
                Verdict::Unknown => return None,
                Verdict::Down | Verdict::Damped => Finding {
                    down: known.and_then(|known| known.down.clone()).or_else(|| {
                        Some(Evidence {
                            verdict: Verdict::Down,
                            ..evidence.clone()
                        })
                    }),
                },
                Verdict::Up | Verdict::Suspect if is_any_down => known?.clone(),
                Verdict::Up | Verdict::Suspect => Finding::default(),
            },
        };
        (known != Some(&new)).then_some(new)
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
    fn tell(&self) {
        self.told.send_if_modified(|told| {
            told.clone_from(&self.findings);
            false
        });
    }
}

impl World {
    /// Folds what is found of the address of a target whose verdict was another.
    pub(super) fn find(
        &mut self,
        target: &Target,
        before: Option<Verdict>,
        evidence: Option<&Evidence>,
        now: Now,
    ) {
        let address = target.address;
        let Some(finding) = self.known.fold(address, before, evidence) else {
            return;
        };
        let is_new = !self.known.findings.contains_key(&address);
        if is_new && self.known.findings.len() >= MOST_KEPT {
            // At most half of them are probed.
            self.forget_gone(now, Duration::ZERO);
        }
        (self.known.record).found(address, Some(&finding), now.instant);
        self.known.set(address, Some(finding.clone()));
        self.is_dirty |= self.builder.set_finding(address, Some(finding));
    }

    /// Everything that was found is folded.
    pub(super) fn tell_findings(&self) {
        self.known.tell();
    }

    /// Waits at a start for first probes of the targets of which something is known.
    pub(super) fn await_first_probes(&mut self, now: Instant) {
        let mut targets = self.builder.targets().iter();
        let findings = &self.known.findings;
        let is_any = targets.any(|target| findings.contains_key(&target.address));
        self.known.first_probes = is_any.then_some(now + FIRST_PROBES);
    }

    /// First probes are through.
    pub(super) fn first_probes(&mut self) {
        self.known.first_probes = None;
    }

    /// Until when first probes are waited for; may be past.
    pub(super) fn first_probes_due(&self) -> Option<Instant> {
        self.known.first_probes
    }

    /// Looks after what is known, once in a second.
    pub(super) fn look_after_findings(&mut self, now: Now) {
        if self.known.look <= now.instant {
            self.known.look = now.instant + LOOK;
            self.known.record.hold(now.instant, now.wall);
            self.forget_gone(now, OUTLIVES);
        }
        if (self.known.record).is_owed(&self.known.findings, now.instant) {
            let members = members(&self.config).zip(&self.profiles);
            let members =
                members.map(|((_, member), it)| (member.name.to_string(), it.contact.clone()));
            let shards = self.damping.records(now);
            let shards = shards.filter_map(|(key, record)| Some((self.key_on_disk(key)?, record)));
            let all = (&self.known.findings, members.collect(), shards.collect());
            let here = self.config.fleet.locality.as_ref();
            (self.known.record).write(here, all, now.instant, now.wall);
        }
    }

    /// Forgets what has been probed no more for longer than `after`.
    fn forget_gone(&mut self, now: Now, after: Duration) {
        let targets = self.builder.targets().iter();
        let probed: HashSet<SocketAddr> = targets.map(|target| target.address).collect();
        let Known { findings, gone, .. } = &mut self.known;
        gone.retain(|address, _| !probed.contains(address));
        for address in findings.keys().filter(|address| !probed.contains(*address)) {
            gone.entry(*address).or_insert(now.instant);
        }
        let is_over = |_: &SocketAddr, since: &mut Instant| *since + after <= now.instant;
        let over: Vec<SocketAddr> = gone.extract_if(is_over).map(|(at, _)| at).collect();
        for address in over {
            self.known.set(address, None);
            self.known.record.found(address, None, now.instant);
            self.builder.set_finding(address, None);
        }
        self.known.tell();
    }
}
