//! What the running daemon says of itself, as far as `check --live` asks.

use jiff::Timestamp;

use super::join_daemon::Asking;
use crate::admin::{Cluster, Drained, InForceNow, Status};
use crate::model::UnixSeconds;
use crate::operate::{CheckedDaemon, CheckedDrain};

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

/// Asks the daemon. The error is that none was found, and where it was looked for.
pub(super) fn ask(asking: &Asking) -> Result<CheckedDaemon, String> {
    let status: Status = asking.ask("/v1/status", &[])?;
    let in_force: InForceNow = asking.ask("/v1/overrides", &[])?;
    let clusters: Vec<Cluster> = asking.ask("/v1/clusters", &[])?;
    let metrics = asking.text("/metrics")?;
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
        unwatched: unwatched.collect(),
        troubles: in_force.troubles,
        frozen: in_force.frozen.map(|frozen| frozen.since),
        drains: in_force.drains.iter().filter_map(drain).collect(),
        held_back: metrics.lines().filter_map(held_back).collect(),
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
