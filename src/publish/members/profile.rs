//! What is known of a member besides its services and its state, and how it is shown.

use super::states::MemberRecord;
use crate::model::{Epoch, Loss, MemberOrigin, MemberState, MemberStatus, UnixSeconds};
use crate::names::Label;
use crate::publish::disk::fact::MemberMeta;

/// What is known of a member besides its services and its state.
#[derive(Debug, Clone, Default)]
pub(in crate::publish) struct Profile {
    /// Where it comes from.
    pub(in crate::publish) origin: MemberOrigin,
    /// The lifetime of its source.
    pub(in crate::publish) epoch: Epoch,
    /// What is on disk besides services.
    pub(in crate::publish) kept: MemberMeta,
    /// What of its contact is on disk.
    pub(in crate::publish) contact: MemberRecord,
    /// When it came into its state.
    pub(in crate::publish) since: UnixSeconds,
    /// Why it is in its state.
    pub(in crate::publish) reason: Option<String>,
    /// Things an operator should know.
    pub(in crate::publish) warnings: Vec<String>,
    /// What the brake holds back of it.
    pub(in crate::publish) held_back: Option<String>,
    /// When it is withdrawn if nothing else happens, while it is held.
    pub(in crate::publish) outlook: Option<String>,
    /// Which other members are the same cluster.
    pub(in crate::publish) twin: Option<String>,
    /// Its file is gone, and it stays until an operator confirms that.
    pub(in crate::publish) withheld: Option<String>,
    /// What its origin says that an operator should know.
    pub(in crate::publish) of_origin: Vec<String>,
    /// It is lost since its facts file lacks the mark at its end.
    pub(in crate::publish) lacks_mark: bool,
}

impl Profile {
    /// Everything that an operator should know.
    pub(in crate::publish) fn all_warnings(&self) -> Vec<String> {
        [
            &self.warnings[..],
            self.held_back.as_slice(),
            self.twin.as_slice(),
            self.withheld.as_slice(),
            &self.of_origin[..],
        ]
        .concat()
    }
}

/// A member as it is shown.
pub(in crate::publish) fn status(
    name: &Label,
    profile: &Profile,
    state: MemberState,
) -> MemberStatus {
    let identity = profile.kept.identity.as_ref();
    MemberStatus {
        name: name.clone(),
        origin: profile.origin.clone(),
        state,
        reason: profile.reason.clone(),
        outlook: profile.outlook.clone(),
        since: profile.since,
        version: identity.and_then(|identity| identity.version.clone()),
        first_synced: profile.kept.first_synced,
        warnings: profile.all_warnings(),
    }
}

/// What is shown of a loss.
pub(in crate::publish) fn reason(loss: &Loss) -> String {
    match loss {
        Loss::Watch(text) => format!("watch: {text}"),
        Loss::Heartbeat(text) => format!("heartbeat: {text}"),
        Loss::Refused(text) => format!("refused: {text}"),
        Loss::File(text) | Loss::Mark(text) => format!("file: {text}"),
        Loss::Client(text) => format!("client: {text}"),
    }
}
