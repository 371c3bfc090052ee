//! What the running daemon says of itself, as far as `check --live` asks.

use jiff::Timestamp;

use super::daemon_arguments::Daemon;
use super::join_daemon::Asking;
use crate::admin::{Cluster, Drained, InForceNow, Status};
use crate::config::{Config, default_state_dir};
use crate::model::{MemberOrigin, UnixSeconds};
use crate::operate::{CheckedDaemon, CheckedDrain, CheckedHostMember, quoted};

/// Metrics that say that a brake holds something back, and in words what.
const BRAKES: [(&str, &str); 3] = [
    (
        "gazetteer_publish_held_back_withdrawals",
        "withdrawals are held back until confirmed",
    ),
    (
        "gazetteer_membership_held_back",
        "members whose files are gone stay until confirmed",
    ),
    (
        "gazetteer_publish_member_loss_brake",
        "most members are lost at once, and none is withdrawn",
    ),
];

/// Asks the daemon of a configuration. The error is that none was found, and where it was looked for.
pub(super) fn ask(said: &Daemon, config: &Config) -> Result<CheckedDaemon, String> {
    let asking = Asking::of(said, Some(config));
    let status: Status = asking.ask("/v1/status", &[])?;
    let in_force: InForceNow = asking.ask("/v1/overrides", &[])?;
    let clusters: Vec<Cluster> = asking.ask("/v1/clusters", &[])?;
    let metrics = asking.text("/metrics")?;
    let awaited = status.awaited.iter();
    let awaited = awaited.map(|list| format!("which members there are: waiting for {list}"));
    let unwatched = clusters
        .iter()
        .filter(|cluster| cluster.status == "Syncing");
    let unwatched = unwatched.map(|cluster| {
        let reason = cluster.reason.as_ref().map(|reason| format!(": {reason}"));
        format!("{} is Syncing{}", cluster.name, reason.unwrap_or_default())
    });
    Ok(CheckedDaemon {
        is_ready: status.ready,
        state_dir: status.state_dir,
        arguments: arguments(said, config),
        host_members: clusters.iter().filter_map(host_member).collect(),
        unwatched: awaited.chain(unwatched).collect(),
        troubles: in_force.troubles,
        frozen: in_force.frozen.map(|frozen| frozen.since),
        drains: in_force.drains.iter().filter_map(drain).collect(),
        held_back: metrics.lines().filter_map(held_back).collect(),
    })
}

/// Arguments with which commands find the daemon that was found here, after a blank.
fn arguments(said: &Daemon, config: &Config) -> String {
    let folder = said.state.state_dir.as_ref();
    match (said.admin, folder) {
        (Some(admin), _) => format!(" --admin {admin}"),
        (None, None) if Some(&config.state_dir) == default_state_dir().as_ref() => String::new(),
        (None, folder) => {
            let folder = folder.unwrap_or(&config.state_dir).display().to_string();
            format!(" --state-dir {}", quoted(&folder))
        }
    }
}

/// A member of the host cluster.
fn host_member(cluster: &Cluster) -> Option<CheckedHostMember> {
    let origin = cluster.origin.as_str();
    let (kind, object) = origin.split_once('/')?;
    let origin = match kind {
        "secret" => MemberOrigin::Secret(object.to_owned()),
        "profile" => MemberOrigin::Profile(object.to_owned()),
        _ => return None,
    };
    let reason = cluster.reason.as_ref().map(|reason| format!(": {reason}"));
    Some(CheckedHostMember {
        name: cluster.name.parse().ok()?,
        origin,
        is_ready: cluster.status == "Ready",
        says: format!("{}{}", cluster.status, reason.unwrap_or_default()),
    })
}

/// A drain that has begun.
fn drain(drain: &Drained) -> Option<CheckedDrain> {
    let since: Timestamp = drain.since.as_ref()?.parse().ok()?;
    Some(CheckedDrain {
        target: drain.target.clone(),
        since: UnixSeconds(u64::try_from(since.as_second()).ok()?),
    })
}

/// What a line of the metrics says of a brake that is on: in words, and the command that lets what it
/// holds back through.
fn held_back(line: &str) -> Option<(String, Option<String>)> {
    let (sample, value) = line.rsplit_once(' ')?;
    let value: f64 = value.parse().ok().filter(|value| *value > 0.0)?;
    let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
    let (name, says) = BRAKES.into_iter().find(|(known, _)| *known == name)?;
    let member = labels.strip_prefix("member=\"");
    let member = member.and_then(|rest| rest.split('"').next());
    let whose = member
        .map(|member| format!("{member}: "))
        .unwrap_or_default();
    if name == "gazetteer_publish_member_loss_brake" {
        return Some((says.to_owned(), None));
    }
    let whom = member.unwrap_or("members");
    let command = format!("gazetteer confirm {whom}");
    Some((format!("{whose}{value} {says}"), Some(command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brakes_are_read_from_metrics() {
        let of_member = "gazetteer_publish_held_back_withdrawals{member=\"m1\"} 12";
        let (says, command) = held_back(of_member).unwrap();
        assert_eq!(says, "m1: 12 withdrawals are held back until confirmed");
        assert_eq!(command.as_deref(), Some("gazetteer confirm m1"));
        let (_, command) = held_back("gazetteer_membership_held_back 3").unwrap();
        assert_eq!(command.as_deref(), Some("gazetteer confirm members"));
        assert!(held_back("gazetteer_publish_member_loss_brake 1").is_some());
        for none in [
            "gazetteer_publish_member_loss_brake 0",
            "# HELP gazetteer_membership_held_back members",
            "gazetteer_other 1",
            "",
        ] {
            assert!(held_back(none).is_none(), "{none}");
        }
    }
}
