//! What a case says beyond facts and states: the time, probes, conditions, drains, holds.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gazetteer::config::Config;
use gazetteer::model::{Evidence, FULL_SHARE, NamespacedName, ProbeTarget, UnixSeconds, Verdict};
use gazetteer::snapshot::{Condition, Generation, Serial, Shares, SnapshotBuilder};

/// The time at which every case begins.
const BEGINNING: UnixSeconds = UnixSeconds(1_800_000_000);

/// What the events so far said.
pub(crate) struct HealthEvents {
    /// The time.
    pub(crate) now: UnixSeconds,
    probes: BTreeMap<SocketAddr, Option<(Verdict, String)>>,
    conditions: BTreeMap<(String, NamespacedName), Option<Condition>>,
    drains: BTreeMap<String, u16>,
    hold_left: BTreeMap<String, u32>,
}

impl HealthEvents {
    /// Nothing was said.
    pub(crate) fn new() -> Self {
        Self {
            now: BEGINNING,
            probes: BTreeMap::new(),
            conditions: BTreeMap::new(),
            drains: BTreeMap::new(),
            hold_left: BTreeMap::new(),
        }
    }

    /// Applies an event if it is one of these. Returns whether it is.
    pub(crate) fn apply(&mut self, verb: &str, rest: &str) -> Result<bool, String> {
        let mut words = rest.splitn(3, ' ');
        let mut word = || words.next().ok_or("a word is missing");
        match verb {
            "time" => {
                let seconds: u64 = word()?.parse().map_err(|_| "no number of seconds")?;
                self.now = UnixSeconds(BEGINNING.0 + seconds);
            }
            "probe" => {
                let target = word()?.parse().map_err(|_| "no address and port")?;
                let verdict = match word()? {
                    "unknown" => None,
                    "up" => Some(Verdict::Up),
                    "suspect" => Some(Verdict::Suspect),
                    "down" => Some(Verdict::Down),
                    "damped" => Some(Verdict::Damped),
                    other => return Err(format!("no verdict: {other}")),
                };
                let seen = words.next().unwrap_or_default().trim_matches('"');
                let found = verdict.map(|verdict| (verdict, seen.to_owned()));
                self.probes.insert(target, found);
            }
            "condition" => {
                let key = (word()?.to_owned(), key(word()?)?);
                let condition = match words.next().unwrap_or_default() {
                    "none" => None,
                    "damped" => Some(self.condition(Some(60), "withdrawn 4 times in 10 minutes")),
                    why => Some(self.condition(None, why)),
                };
                self.conditions.insert(key, condition);
            }
            "drain" => {
                let target = word()?.to_owned();
                let percent = word()?.strip_suffix('%').and_then(|text| text.parse().ok());
                let percent: u32 = percent.filter(|p| *p <= 100).ok_or("no percentage")?;
                let share = u32::from(FULL_SHARE) * percent / 100;
                self.drains
                    .insert(target, u16::try_from(share).unwrap_or(FULL_SHARE));
            }
            "hold-left" => {
                let federation = word()?.to_owned();
                let left = word()?.parse().map_err(|_| "no number of seconds")?;
                self.hold_left.insert(federation, left);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A condition that begins now.
    fn condition(&self, damped_for: Option<u64>, why: &str) -> Condition {
        Condition {
            since: self.now,
            damped_until: damped_for.map(|seconds| UnixSeconds(self.now.0 + seconds)),
            why: why.into(),
        }
    }

    /// Brings a builder, which has all facts, to this state.
    pub(crate) fn fill(&self, builder: &mut SnapshotBuilder, config: &Config) {
        let members = || config.fleet.members.iter();
        if !self.probes.is_empty() {
            // What is to be probed is known with a snapshot.
            drop(builder.snapshot(Generation(0), Serial(0)));
            let targets: Vec<ProbeTarget> = builder.targets().iter().cloned().collect();
            for target in targets {
                let Some(found) = self.probes.get(&target.address) else {
                    continue;
                };
                let evidence = found.as_ref().map(|(verdict, seen)| Evidence {
                    verdict: *verdict,
                    since: BEGINNING,
                    seen: seen.as_str().into(),
                    unproven_since: None,
                });
                builder.set_evidence(&target, evidence);
            }
        }
        for ((member, name), condition) in &self.conditions {
            for (index, known) in members() {
                if known.name.as_str() == member {
                    builder.set_condition(index, name, condition.clone());
                }
            }
        }
        let mut shares = Shares::default();
        for (target, share) in self.drains.iter().filter(|(_, share)| **share < FULL_SHARE) {
            if let Some(name) = target.strip_prefix("service/") {
                shares.services.extend(key(name).map(|key| (key, *share)));
            }
            let drained = members().filter(|(_, known)| known.name.as_str() == target);
            shares
                .members
                .extend(drained.map(|(index, _)| (index, *share)));
        }
        builder.set_shares(shares);
        let left = |name: &str| self.hold_left.get(name).copied();
        let federations = config.fleet.federations.iter();
        builder.set_hold_left(federations.map(|one| left(one.name.as_str())).collect());
    }
}

/// Reads `namespace/name`.
fn key(text: &str) -> Result<NamespacedName, String> {
    let (namespace, name) = text.split_once('/').ok_or("no namespace/name")?;
    let label = |text: &str| text.parse().map_err(|error| format!("{text}: {error}"));
    Ok(NamespacedName {
        namespace: label(namespace)?,
        name: label(name)?,
    })
}
