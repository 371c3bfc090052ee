//! `gazetteer overrides`

use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;

use super::admin_client::get;
use super::age::age;
use super::arguments::{Daemon, Output};
use super::output;
use super::table::table;
use crate::admin::{Drained, Frozen, HostInForce, InForceNow};
use crate::telemetry::clock;

/// The heads of the columns.
const HEADS: [&str; 7] = [
    "TARGET", "STATE", "LEFT", "SINCE", "ENDS", "SAFE AT", "MEMBERS",
];

/// Prints what operators have decided.
pub(super) fn overrides(daemon: &Daemon, form: Output) -> anyhow::Result<ExitCode> {
    let in_force = in_force(daemon)?;
    output::print(&match form {
        Output::Text => text(&in_force),
        Output::Json => serde_json::to_string_pretty(&in_force)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What is in force.
pub(super) fn in_force(daemon: &Daemon) -> anyhow::Result<InForceNow> {
    let body = get(daemon, "/v1/overrides", &[])?;
    serde_json::from_str(&body).context("answer of the daemon")
}

/// What is in force, in columns.
fn text(in_force: &InForceNow) -> String {
    let mut text = in_force
        .frozen
        .as_ref()
        .map(frozen_line)
        .unwrap_or_default();
    text += &in_force.host.as_ref().map(host_line).unwrap_or_default();
    if in_force.drains.is_empty() {
        return text + "nothing is drained\n";
    }
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    // Where there is but one origin it says nothing.
    let has_host = in_force.host.is_some();
    if has_host && let Some(heads) = rows.first_mut() {
        heads.push("ORIGIN".to_owned());
    }
    for drain in &in_force.drains {
        let members = Some(drain.members.join(",")).filter(|members| !members.is_empty());
        rows.push(vec![
            drain.target.clone(),
            drain.state.clone(),
            percent(drain.share),
            dash(&drain.since),
            dash(&drain.ends),
            dash(&drain.safe_at),
            dash(&members),
        ]);
        if has_host && let Some(row) = rows.last_mut() {
            row.push(drain.origin.clone());
        }
    }
    text += &table(&rows);
    text
}

/// Says that answers are frozen.
pub(super) fn frozen_line(frozen: &Frozen) -> String {
    let ends = frozen.ends.as_ref();
    let ends = ends.map_or_else(|| "`gazetteer thaw`".to_owned(), Clone::clone);
    format!("answers are frozen since {} until {ends}\n", frozen.since)
}

/// How the `ConfigMap` of the host cluster is known.
fn host_line(host: &HostInForce) -> String {
    let version = match &host.resource_version {
        Some(version) => format!("resourceVersion {version}"),
        None => "not seen yet".to_owned(),
    };
    let old = host.age_seconds.map(|old| format!(", {} old", age(old)));
    let problem = host.problem.as_ref();
    let problem = problem.map(|problem| format!(" ({problem})"));
    let (old, problem) = (old.unwrap_or_default(), problem.unwrap_or_default());
    format!("configmap {}: {version}{old}{problem}\n", host.configmap)
}

/// A drain in full.
pub(super) fn drained(drain: &Drained) -> String {
    let over = match drain.over_seconds {
        0 => String::new(),
        over => format!(", over {}", age(over)),
    };
    let left = percent(drain.share);
    let mut text = format!("{}: {}, {left} left{over}\n", drain.target, drain.state);
    let mut line = |head: &str, value: &str| text.extend(["  ", head, value, "\n"]);
    if !drain.target.starts_with("service/") {
        let members = drain.members.join(", ");
        line(
            "members  ",
            if members.is_empty() { "none" } else { &members },
        );
    }
    if let Some(ends) = &drain.ends {
        line("ends     ", &with_distance(ends));
    }
    match &drain.safe_at {
        Some(safe_at) => line("safe at  ", &with_distance(safe_at)),
        None => line("safe at  ", "not known before `gazetteer thaw`"),
    }
    text
}

/// A moment, and how far away it is.
fn with_distance(moment: &str) -> String {
    let Ok(at) = moment.parse::<Timestamp>() else {
        return moment.to_owned();
    };
    let at = u64::try_from(at.as_second()).unwrap_or_default();
    match at.checked_sub(clock::now().0) {
        Some(left) => format!("{moment} (in {})", age(left)),
        None => format!("{moment} (passed)"),
    }
}

/// A share, 0 to 1; whatever is left shows.
fn percent(share: f64) -> String {
    format!("{:.0}%", (share * 100.0).ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_shown_in_columns() {
        let drain = |target: &str, share, members: &[&str]| Drained {
            target: target.to_owned(),
            origin: "host".to_owned(),
            state: "draining".to_owned(),
            share,
            members: members.iter().map(|member| (*member).to_owned()).collect(),
            since: Some("2026-11-21T12:00:00Z".to_owned()),
            over_seconds: 600,
            ends: None,
            safe_at: Some("2026-11-21T12:10:07Z".to_owned()),
        };
        let in_force = InForceNow {
            host: None,
            frozen: Some(Frozen {
                origin: "local".to_owned(),
                since: "2026-11-21T12:05:00Z".to_owned(),
                ends: None,
            }),
            troubles: Vec::new(),
            drains: vec![
                drain("region/eu", 0.5, &["a", "b"]),
                drain("service/n/s", 0.001, &[]),
            ],
        };
        assert_eq!(
            text(&in_force),
            "answers are frozen since 2026-11-21T12:05:00Z until `gazetteer thaw`\n\
             TARGET        STATE      LEFT   SINCE                  ENDS   SAFE AT                MEMBERS\n\
             region/eu     draining   50%    2026-11-21T12:00:00Z   -      2026-11-21T12:10:07Z   a,b\n\
             service/n/s   draining   1%     2026-11-21T12:00:00Z   -      2026-11-21T12:10:07Z   -\n"
        );
        let shown = drained(&in_force.drains[1]);
        assert!(shown.starts_with("service/n/s: draining, 1% left, over 10m\n  safe at  2026"));
        let of_host = InForceNow {
            frozen: None,
            host: Some(HostInForce {
                configmap: "gazetteer/o".to_owned(),
                resource_version: Some("12".to_owned()),
                in_contact: false,
                last_seen: Some("2026-11-21T12:00:00Z".to_owned()),
                age_seconds: Some(300),
                problem: Some("no answer".to_owned()),
            }),
            troubles: Vec::new(),
            drains: vec![drain("service/n/s", 0.0, &[])],
        };
        assert_eq!(
            text(&of_host),
            "configmap gazetteer/o: resourceVersion 12, 5m old (no answer)\n\
             TARGET        STATE      LEFT   SINCE                  ENDS   SAFE AT                MEMBERS   ORIGIN\n\
             service/n/s   draining   0%     2026-11-21T12:00:00Z   -      2026-11-21T12:10:07Z   -         host\n"
        );
        let nothing = InForceNow {
            frozen: None,
            host: None,
            troubles: Vec::new(),
            drains: Vec::new(),
        };
        assert_eq!(text(&nothing), "nothing is drained\n");
    }
}
