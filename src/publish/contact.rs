//! What follows from a change of a member's contact: logs, what is shown, what is kept.

use tracing::{info, warn};

use super::fact::Fact;
use super::states::{Happening, Transition};
use super::world::{Now, Profile, World};
use crate::model::{Loss, MemberIdx, MemberState, MemberStatus};
use crate::names::Label;

impl World {
    /// Something happened to a member's contact.
    pub(super) fn happen(&mut self, member: MemberIdx, happening: Happening, now: Now) {
        let was_braked = self.states.is_braked();
        let transitions = self.states.happen(member, happening, now.instant);
        self.follow(&transitions, was_braked, now);
    }

    /// Time has passed.
    pub(super) fn settle(&mut self, now: Now) {
        let was_braked = self.states.is_braked();
        let transitions = self.states.settle(now.instant);
        self.follow(&transitions, was_braked, now);
    }

    /// Shows what has changed in the states.
    pub(super) fn follow(&mut self, transitions: &[Transition], was_braked: bool, now: Now) {
        for transition in transitions {
            self.transit(*transition, now);
        }
        let federations = 0..self.config.fleet.federations.len();
        let expired = federations.map(|federation| self.states.expired(federation));
        self.builder.set_expired(expired.collect());
        let is_braked = self.states.is_braked();
        if was_braked != is_braked {
            self.metrics.set_braked(is_braked);
            if is_braked {
                warn!("most members were lost at once: all are held until they return");
            } else {
                info!("members have returned: holds count again");
            }
        }
    }

    /// A member came into another state.
    fn transit(&mut self, transition: Transition, now: Now) {
        let Transition { member, from, to } = transition;
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        if from != to {
            profile.since = now.wall;
            if from == MemberState::Ready && profile.kept.first_synced.is_some() {
                profile.kept.seen = Some(now.wall);
                self.keep(member, Fact::Seen(now.wall));
            }
        }
        let Some(profile) = self.profiles.get_mut(member.get()) else {
            return;
        };
        match to {
            MemberState::Ready | MemberState::Syncing(_) => profile.reason = None,
            MemberState::NeverSynced if profile.reason.is_none() => {
                profile.reason = Some("not one complete list within sync-timeout".into());
            }
            _ => {}
        }
        let reason = profile.reason.clone();
        let name = self.name(member);
        match to {
            _ if from == to => {}
            MemberState::Held | MemberState::Lost | MemberState::NeverSynced => {
                warn!(member = name.map(display), %from, %to, reason, "member");
            }
            _ => info!(member = name.map(display), %from, %to, "member"),
        }
        self.show(member);
    }

    /// Shows a member as it is now.
    pub(super) fn show(&mut self, member: MemberIdx) {
        let (Some(name), Some(profile), Some(state)) = (
            self.name(member),
            self.profiles.get(member.get()),
            self.states.state(member),
        ) else {
            return;
        };
        let status = status(&name, profile, state);
        self.builder.set_status(member, status);
        self.is_dirty = true;
    }
}

/// A member as it is shown.
pub(super) fn status(name: &Label, profile: &Profile, state: MemberState) -> MemberStatus {
    let identity = profile.kept.identity.as_ref();
    MemberStatus {
        name: name.clone(),
        state,
        reason: profile.reason.clone(),
        since: profile.since,
        version: identity.and_then(|identity| identity.version.clone()),
        first_synced: profile.kept.first_synced,
        warnings: profile.warnings.clone(),
    }
}

/// What is shown of a loss.
pub(super) fn reason(loss: &Loss) -> String {
    match loss {
        Loss::Watch(text) => format!("watch: {text}"),
        Loss::Heartbeat(text) => format!("heartbeat: {text}"),
        Loss::Refused(text) => format!("refused: {text}"),
        Loss::File(text) => format!("file: {text}"),
        Loss::Client(text) => format!("client: {text}"),
    }
}
