//! Everything that the one writer knows, and the dispatch of what it hears.

pub(super) mod begin;
pub(super) mod housekeeping;
pub(super) mod reconfigure;
pub(super) mod restored;
pub(super) mod signing;

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};

use self::begin::Beginning;
use super::disk::Disk;
use super::members::FleetMembers;
use super::now::Now;
use super::outbox::Outbox;
use super::overrides::OverrideState;
use super::shards::FleetShards;
use crate::config::Config;
use crate::keys::KeysByZone;
use crate::model::{Change, Delta, GeoDatabase, Identity, MemberIdx};
use crate::publish::disk::fact::Fact;
use crate::publish::disk::findings_log::FindingsLog;
use crate::publish::members::states::ContactEvent;
use crate::publish::outbox::transitions::TransitionLog;
use crate::publish::overrides::lingering::Lingering;
use crate::publish::shards::addresses::KnownAddresses;
use crate::publish::shards::findings::KnownFindings;
use crate::publish::shards::lists::{Lists, WAITING};
use crate::snapshot::{Resolved, Serial, Snapshot};
use crate::telemetry::DeltaOutcome;

/// What has become of a delta.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Folded {
    /// It was folded, or ignored for good.
    Done,
    /// The configuration does not know its member; a newer one may.
    Unknown(Delta),
}

/// Everything that the writer knows.
#[derive(Debug)]
pub(super) struct World {
    /// The configuration.
    pub(super) config: Arc<Config>,
    /// What is known of members.
    pub(super) members: FleetMembers,
    /// What is known of their shards.
    pub(super) shards: FleetShards,
    /// What operators have decided.
    pub(super) overrides: OverrideState,
    /// Lists that are being folded.
    pub(super) lists: Lists,
    /// What says where on the globe addresses are.
    pub(super) database: Option<GeoDatabase>,
    /// What zones are signed with, as it was last told.
    pub(super) keys: Arc<KeysByZone>,
    /// The last snapshot had networks that several members claim.
    is_contested: bool,
    /// When it is next written down that facts are live.
    pub(super) seen: Instant,
    /// The last SOA serial that went out.
    pub(super) serial: Option<Serial>,
    /// Where everything goes.
    pub(super) out: Outbox,
}

impl World {
    /// The world as it begins, with somewhere to write to.
    pub(super) fn new(
        config: Arc<Config>,
        beginning: Beginning,
        outlets: (Disk, FindingsLog, TransitionLog),
        mut overrides: OverrideState,
        known: KnownFindings,
        now: Now,
    ) -> Self {
        let Beginning {
            builder,
            profiles,
            index,
            states,
            serial,
            longest_ttl,
            hostnames,
            discarded,
        } = beginning;
        overrides.lingering = Lingering::new(serial, longest_ttl, &builder, now.instant);
        let mut out = Outbox::new(builder, outlets);
        for member in discarded {
            out.keep(member, Fact::Discarded);
        }
        let addresses = KnownAddresses::new(known, hostnames);
        Self {
            members: FleetMembers::new(profiles, index, states),
            shards: FleetShards::new(addresses, &config.fleet, now.instant),
            config,
            overrides,
            lists: Lists::default(),
            database: None,
            keys: Arc::default(),
            is_contested: false,
            seen: now.instant,
            serial,
            out,
        }
    }

    /// Looks whether the wall clock was set. All times that another process goes by are given anew then,
    /// on disk and here, so that nothing lasts longer or shorter for it. Returns whether it was.
    pub(super) fn compare_clocks(&mut self, now: Now) -> bool {
        let by = self.overrides.clock.compare(now);
        if by != 0 {
            self.out.record.clock_set(by, now.instant);
            self.shards.addresses.findings.clock_set(by);
            self.members.clock_set(by);
        }
        by != 0
    }

    /// Folds a change, or keeps it back for a moment.
    pub(super) fn fold(&mut self, delta: Delta, now: Now) -> Folded {
        let Self { shards, out, .. } = self;
        match delta {
            Delta::Hostname {
                hostname,
                ipv4,
                ipv6,
                ttl,
            } => {
                let is_empty = ipv4.is_empty() && ipv6.is_empty();
                let resolved = (!is_empty).then_some(Resolved { ipv4, ipv6, ttl });
                shards.addresses.resolve(&hostname, resolved, out);
            }
            Delta::Unresolved { hostname, why } => {
                out.is_dirty |= out.builder.set_unresolved(&hostname, why);
            }
            Delta::Probed(found) => shards.probed(found, out, now),
            Delta::FirstProbes => shards.addresses.findings.end_first_probes(),
            Delta::GeoDatabase(database) => self.locate(Some(database)),
            Delta::Member {
                member,
                epoch,
                change,
            } => {
                let Some(&index) = self.members.index.get(&member) else {
                    return Folded::Unknown(Delta::Member {
                        member,
                        epoch,
                        change,
                    });
                };
                if self.members.is_newest(index, epoch) {
                    out.metrics.delta(DeltaOutcome::Folded);
                    self.take(index, change, now);
                } else {
                    out.metrics.delta(DeltaOutcome::Stale);
                }
            }
        }
        Folded::Done
    }

    /// Folds a change of a member, after its list if one is being folded.
    fn take(&mut self, member: MemberIdx, change: Change, now: Now) {
        let Some(listing) = self.lists.0.get_mut(&member) else {
            return self.change(member, change, now);
        };
        listing.waiting.push_back(change);
        while let Some(listing) = self.lists.0.get(&member)
            && listing.waiting.len() >= WAITING
        {
            self.fold_list(member, now);
        }
    }

    /// Folds a change of a member.
    fn change(&mut self, member: MemberIdx, change: Change, now: Now) {
        let Self {
            members,
            shards,
            out,
            ..
        } = self;
        match change {
            Change::Identity(identity) => self.identify(member, identity, now),
            Change::Synced(services) => {
                let listing = shards.begin_list(member, services, out);
                self.lists.0.insert(member, listing);
                self.fold_list(member, now);
            }
            Change::Upsert(name, service) => shards.hear((member, name), Some(service), out, now),
            Change::Remove(name) => shards.hear((member, name), None, out, now),
            Change::Topology(topology) => {
                if members.learn(member, topology, out) {
                    self.overrides.applied = None;
                }
            }
            Change::Networks(networks) => members.learn_networks(member, networks, out),
            Change::Whole(is_whole) => shards.mark(member, is_whole, out, now),
            Change::Lost(loss) => members.lost(member, &loss, shards, out, now),
            Change::Returning => members.returning(member, shards, out, now),
            Change::Resumed => {
                members.on_contact_event(member, ContactEvent::Resumed, shards, out, now);
            }
        }
    }

    /// Folds a slice of each list.
    pub(super) fn fold_lists(&mut self, now: Now) {
        let members: Vec<MemberIdx> = self.lists.0.keys().copied().collect();
        for member in members {
            self.fold_list(member, now);
        }
    }

    /// Folds a slice of a list. After its end its member is in sync, and what it said since is folded.
    fn fold_list(&mut self, member: MemberIdx, now: Now) {
        let Some(mut listing) = self.lists.0.remove(&member) else {
            return;
        };
        let Self {
            members,
            shards,
            out,
            ..
        } = self;
        if !shards.apply_slice(member, &mut listing, out, now) {
            self.lists.0.insert(member, listing);
            return;
        }
        let waiting = std::mem::take(&mut listing.waiting);
        if let Some(kept) = members.listed(member, now) {
            let is_first = kept.1;
            shards.end_list(member, listing, kept, out, now);
            members.on_contact_event(member, ContactEvent::Synced, shards, out, now);
            if is_first {
                members.show(member, out);
            }
        }
        for change in waiting {
            // A list among them may be long too.
            self.take(member, change, now);
        }
    }

    /// Folds everything that waits for its turn or for a moment.
    pub(super) fn fold_all(&mut self, now: Now) {
        while !self.lists.is_empty() {
            self.fold_lists(now);
        }
        self.shards.apply_all_pending(&mut self.out, now);
        self.shards.fold_all_releases(&mut self.out, now);
    }

    /// A source says which cluster its member is.
    fn identify(&mut self, member: MemberIdx, identity: Identity, now: Now) {
        if let Some(old) = self.members.was_other(member, &identity) {
            let name = self.out.name(member);
            warn!(member = name.map(tracing::field::display), from = %old.origin, to = %identity.origin,
                "discarding facts: the source now is another cluster");
            self.discard(member, now);
        }
        self.members.identify(member, identity, &mut self.out);
    }

    /// Discards the facts of a member: they are another cluster's.
    pub(super) fn discard(&mut self, member: MemberIdx, now: Now) {
        let Self {
            members,
            shards,
            out,
            ..
        } = self;
        shards.discard(member, out, now);
        members.discard(member, shards, out, now);
        self.overrides.applied = None;
    }

    /// Another GeoIP database is there, if any is wanted.
    pub(super) fn locate(&mut self, database: Option<GeoDatabase>) {
        self.database = database.filter(|_| self.config.geoip.is_some());
        self.out.builder.set_database(self.database.clone());
        self.out.is_dirty = true;
    }

    /// Says once that several members claim the same networks, and once that it is over.
    pub(super) fn tell_contested(&mut self, snapshot: &Snapshot) {
        let contested = snapshot.vantages().contested();
        if contested.is_empty() == self.is_contested {
            self.is_contested = !self.is_contested;
            if let Some(first) = contested.first() {
                warn!(networks = contested.len(), such_as = %first.cidr,
                    "several members claim the same networks, which therefore decide nothing; \
                     `clusters -o json` says who");
            } else {
                info!("no two members claim the same network any more");
            }
        }
    }
}
