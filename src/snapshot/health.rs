//! What the states of the members mean for all names at once.

use super::apex::FederationIdx;
use super::apexes::Apexes;
use super::health_inputs::HealthInputs;
use crate::decide::{FleetHealth, Seeds};
use crate::model::{
    FULL_SHARE, Fleet, Joined, Member, MemberIdx, MemberOrigin, MemberSet, MemberState,
    MemberStatus, UnixSeconds,
};

/// The states of all members, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetState {
    /// Held members, those whose hold has passed in every federation, and those that an operator has
    /// taken out.
    pub health: FleetHealth,
    /// The same as each federation sees it.
    healths: Vec<FleetHealth>,
    /// Shares of members that are being drained, of [`FULL_SHARE`].
    pub shares: Box<[(MemberIdx, u16)]>,
    /// What draws follow.
    pub seeds: Seeds,
    /// What each federation knows.
    federations: Vec<FederationSync>,
    /// The status of each member, by its seat.
    pub(super) members: Vec<Option<MemberStatus>>,
}

/// What the writer knows of the contact to members, as one federation sees it: beside their states, as
/// `hold` belongs to a federation and a state to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FederationContact {
    /// Members without contact whose hold has passed.
    pub expired: MemberSet,
    /// Members without contact for so long that a bare TCP connection proves nothing of theirs.
    pub abandoned: MemberSet,
    /// Members of which nothing was heard yet, and with which an earlier process was in contact: that
    /// is believed until their source says something, or their hold has passed.
    pub presumed: MemberSet,
    /// Members that are back in contact, and suppressed since they were withdrawn too often.
    pub suppressed: MemberSet,
}

/// What a federation knows of its members (docs/names.md, decisions 8 and 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationSync {
    /// It may have members that are not known yet, since the start.
    pub lacks_members: bool,
    /// Members in their first sync.
    pub syncing: MemberSet,
    /// Those of them that the process started with.
    pub syncing_from_start: MemberSet,
    /// Members whose place is neither configured nor heard of: those in their first sync, and all
    /// while none has facts.
    pub without_location: MemberSet,
    /// Members whose facts are not live.
    pub stale: MemberSet,
    /// Those of them whose hold has passed here: `hold` belongs to a federation, a state to a
    /// member.
    pub expired: MemberSet,
    /// Members whose answers have a short TTL: those whose facts are not live, and those that are
    /// being drained.
    pub short_ttl: MemberSet,
    /// How many seconds are left of the hold that passes next.
    pub hold_left: Option<u32>,
    /// It has members, and none of them has facts.
    pub has_no_facts: bool,
}

impl FederationSync {
    /// Whether a member may have what none of those with facts has.
    #[inline]
    pub fn is_syncing(&self) -> bool {
        self.lacks_members || !self.syncing.is_empty()
    }

    /// The same, since the process started: members that were added later are left out.
    #[inline]
    pub fn is_syncing_from_start(&self) -> bool {
        self.lacks_members || !self.syncing_from_start.is_empty()
    }

    /// Whether a member may stand in a place that is not known yet.
    #[inline]
    pub fn lacks_locations(&self) -> bool {
        self.lacks_members || !self.without_location.is_empty()
    }
}

/// A member of which nothing is known.
pub(super) fn unheard(member: &Member, joined: Joined) -> MemberStatus {
    MemberStatus {
        name: member.name.clone(),
        origin: MemberOrigin::default(),
        state: MemberState::Syncing(joined),
        reason: None,
        outlook: None,
        since: UnixSeconds::default(),
        version: None,
        first_synced: None,
        warnings: Vec::new(),
    }
}

impl FleetState {
    /// Compiles the states; `members` has one entry for each seat, and `contacts` one for each
    /// federation.
    pub(super) fn compile(
        fleet: &Fleet,
        apexes: &Apexes,
        members: Vec<Option<MemberStatus>>,
        contacts: &[FederationContact],
        health_inputs: &HealthInputs,
    ) -> Self {
        let shares = &health_inputs.shares.members;
        let with_share = |wanted: &dyn Fn(u16) -> bool| -> MemberSet {
            let those = shares.iter().filter(|(_, share)| wanted(*share));
            those.map(|(member, _)| *member).collect()
        };
        let drained = with_share(&|share| share == 0);
        let draining = with_share(&|share| share > 0 && share < FULL_SHARE);
        let having = |wanted: &dyn Fn(MemberState) -> bool| -> MemberSet {
            let those = MemberIdx::all().zip(&members).filter(|(_, member)| {
                let member = member.as_ref();
                member.is_some_and(|member| wanted(member.state))
            });
            those.map(|(index, _)| index).collect()
        };
        let syncing = having(&|state| matches!(state, MemberState::Syncing(_)));
        let from_start = having(&|state| state == MemberState::Syncing(Joined::AtStart));
        let never = having(&|state| state == MemberState::NeverSynced);
        let expired = having(&|state| state == MemberState::Lost);
        let suppressed = contacts.iter().map(|contact| contact.suppressed);
        let suppressed = suppressed.fold(MemberSet::EMPTY, |all, some| all | some);
        let returning = having(&|state| state == MemberState::Returning) & !suppressed;
        let stale = expired | returning | having(&|state| state == MemberState::Held);
        let without_location = fleet
            .members
            .iter()
            .filter(|(_, member)| member.region.is_none());
        let without_location: MemberSet = without_location.map(|(index, _)| index).collect();
        let sync = |(index, federation)| {
            let mine = apexes
                .federation(FederationIdx::new(index))
                .map_or(MemberSet::EMPTY, |f| f.members);
            let has_no_facts = !mine.is_empty() && (mine & !(syncing | never)).is_empty();
            let contact = contacts.get(index).copied().unwrap_or_default();
            let unheard = if has_no_facts {
                syncing | never
            } else {
                syncing
            };
            FederationSync {
                lacks_members: fleet.may_lack_members_of(federation),
                syncing: mine & syncing,
                syncing_from_start: mine & from_start,
                without_location: mine & unheard & without_location,
                stale: mine & stale,
                expired: mine & stale & (expired | contact.expired),
                short_ttl: mine & (stale | suppressed | draining),
                hold_left: health_inputs.hold_left.get(index).copied().flatten(),
                has_no_facts,
            }
        };
        let federations: Vec<_> = fleet.federations.iter().enumerate().map(sync).collect();
        let health = FleetHealth {
            stale,
            doubtful: stale,
            expired,
            abandoned: MemberSet::EMPTY,
            suppressed,
            drained,
            draining,
        };
        let healths = federations.iter().enumerate().map(|(index, federation)| {
            let contact = contacts.get(index).copied().unwrap_or_default();
            let doubtful = stale & !contact.presumed;
            FleetHealth {
                doubtful,
                expired: federation.expired & doubtful,
                abandoned: contact.abandoned,
                suppressed: contact.suppressed,
                ..health
            }
        });
        Self {
            health,
            healths: healths.collect(),
            shares: shares.iter().copied().collect(),
            seeds: Seeds::compile(fleet),
            federations,
            members,
        }
    }

    /// Held, expired and drained members, as a federation sees them.
    #[inline]
    pub fn health_in(&self, federation: FederationIdx) -> &FleetHealth {
        self.healths.get(federation.get()).unwrap_or(&self.health)
    }

    /// What a federation knows.
    #[inline]
    pub fn federation(&self, federation: FederationIdx) -> &FederationSync {
        const NOTHING: &FederationSync = &FederationSync {
            lacks_members: false,
            syncing: MemberSet::EMPTY,
            syncing_from_start: MemberSet::EMPTY,
            without_location: MemberSet::EMPTY,
            stale: MemberSet::EMPTY,
            expired: MemberSet::EMPTY,
            short_ttl: MemberSet::EMPTY,
            hold_left: None,
            has_no_facts: false,
        };
        self.federations.get(federation.get()).unwrap_or(NOTHING)
    }
}
