//! `gazetteer clusters`

use std::process::ExitCode;

use anyhow::Context;

use super::admin_client::get;
use super::age::age;
use super::arguments::{Daemon, Output};
use super::output;
use super::overrides::{frozen_line, in_force};
use super::table::table;
use crate::admin::Cluster;

/// The heads of the columns.
const HEADS: [&str; 7] = [
    "NAME", "STATUS", "VERSION", "AGE", "REGION", "ZONES", "SERVICES",
];

/// Prints the members of the running daemon.
pub(super) fn clusters(daemon: &Daemon, form: Output) -> anyhow::Result<ExitCode> {
    let body = get(daemon, "/v1/clusters", &[])?;
    let clusters: Vec<Cluster> = serde_json::from_str(&body).context("answer of the daemon")?;
    output::print(&match form {
        Output::Text => {
            let in_force = in_force(daemon)?;
            let frozen = in_force.frozen.as_ref().map(frozen_line);
            let troubles = in_force.troubles.iter();
            let troubles = troubles.map(|trouble| format!("state-dir: {trouble}\n"));
            let lines: String = frozen.into_iter().chain(troubles).collect();
            lines + &text(&clusters)
        }
        Output::Json => serde_json::to_string_pretty(&clusters)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Members in columns.
pub(super) fn text(clusters: &[Cluster]) -> String {
    if clusters.is_empty() {
        return "no members\n".to_owned();
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![HEADS.map(str::to_owned).to_vec()];
    for cluster in clusters {
        let zones = Some(cluster.zones.join(",")).filter(|zones| !zones.is_empty());
        let drain = cluster.drain.as_ref();
        let drain = drain.map_or_else(String::new, |drain| format!(",{drain}"));
        rows.push(vec![
            cluster.name.clone(),
            cluster.status.clone() + &drain,
            or_dash(cluster.version.clone()),
            or_dash(cluster.age_seconds.map(age)),
            or_dash(cluster.region.clone()),
            or_dash(zones),
            cluster.services.to_string(),
        ]);
    }
    let mut text = table(&rows);
    for cluster in clusters {
        let warnings = cluster.warnings.iter();
        let lines = cluster
            .reason
            .iter()
            .map(|reason| format!("{}: {reason}\n", cluster.name))
            .chain(warnings.map(|warning| format!("{}: warning: {warning}\n", cluster.name)));
        for line in lines {
            // Apart from the table, which programs may read to its end.
            if !text.contains("\n\n") {
                text.push('\n');
            }
            text += &line;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let cluster = |name: &str, zones: &[&str], services| Cluster {
            name: name.to_owned(),
            status: "Ready".to_owned(),
            drain: (services > 0).then(|| "Drained".to_owned()),
            reason: None,
            status_age_seconds: 1,
            version: None,
            age_seconds: Some(61),
            region: Some("europe-west1".to_owned()),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            services,
            warnings: Vec::new(),
        };
        let shown = text(&[cluster("a", &[], 0), cluster("gce-b", &["x", "y"], 12)]);
        assert_eq!(
            shown,
            "NAME    STATUS          VERSION   AGE   REGION         ZONES   SERVICES\n\
             a       Ready           -         61s   europe-west1   -       0\n\
             gce-b   Ready,Drained   -         61s   europe-west1   x,y     12\n"
        );
        assert_eq!(text(&[]), "no members\n");
        let held = Cluster {
            status: "Held".to_owned(),
            reason: Some("no heartbeat".to_owned()),
            warnings: vec!["w".to_owned(), "v".to_owned()],
            ..cluster("b", &[], 1)
        };
        let shown = text(&[cluster("a", &[], 0), held]);
        assert!(
            shown.ends_with("1\n\nb: no heartbeat\nb: warning: w\nb: warning: v\n"),
            "{shown}"
        );
    }
}
