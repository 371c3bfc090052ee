//! What a host cluster says of members, asked once: for those who only look.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::super::kubernetes::{HostClients, ObjectCredentials};
use super::OtherOrigins;
use super::host::HostMembers;
use crate::config::{HostCluster, ObjectMember};

/// What a host cluster says of members.
#[derive(Debug, Default)]
pub struct HostSurvey {
    /// The members, in no order.
    pub members: Vec<ObjectMember>,
    /// Objects that should be members and cannot be reached, each with the reason. No secret is shown.
    pub wrong: Vec<String>,
    /// How many objects are none of ours.
    pub ignored: usize,
    /// What could not be read, each with the reason.
    pub failed: Vec<String>,
}

/// Asks a host cluster which members there are, by the same functions as the daemon. How they are reached
/// is put into `credentials`. Takes as long as the host does: whoever waits sets a limit.
pub async fn survey_host(host: &HostCluster, credentials: ObjectCredentials) -> HostSurvey {
    let runs = (Handle::current(), HostClients::default());
    let mut seen = HostMembers::new(runs, credentials, Arc::default());
    seen.follow(Some(host));
    let mut awaited = seen.asked();
    let mut failed = Vec::new();
    while !awaited.is_empty() {
        let change = seen.changed().await;
        if let Some((kind, failure)) = change.of_list()
            && let Some(at) = awaited.iter().position(|other| *other == kind)
        {
            awaited.swap_remove(at);
            failed.extend(failure.map(|why| format!("{kind}: {why}")));
        }
        seen.note(change, OtherOrigins::default());
    }
    let (wrong, ignored) = seen.refused();
    HostSurvey {
        members: seen.members(),
        wrong,
        ignored,
        failed,
    }
}
