//! `gazetteer clusters`

use std::process::ExitCode;

use anyhow::Context;

use super::admin_client::{get, locate};
use super::age::age;
use super::arguments::{Daemon, Output};
use super::output;
use crate::admin::Cluster;

/// The heads of the columns.
const HEADS: [&str; 7] = [
    "NAME", "STATUS", "VERSION", "AGE", "REGION", "ZONES", "SERVICES",
];

/// Prints the members of the running daemon.
pub(super) fn clusters(daemon: &Daemon, form: Output) -> anyhow::Result<ExitCode> {
    let body = get(locate(daemon)?, "/v1/clusters", &[])?;
    let clusters: Vec<Cluster> = serde_json::from_str(&body).context("answer of the daemon")?;
    output::print(&match form {
        Output::Text => table(&clusters),
        Output::Json => serde_json::to_string_pretty(&clusters)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Members in columns.
fn table(clusters: &[Cluster]) -> String {
    if clusters.is_empty() {
        return "no members\n".to_owned();
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![HEADS.map(str::to_owned)];
    for cluster in clusters {
        let zones = Some(cluster.zones.join(",")).filter(|zones| !zones.is_empty());
        rows.push([
            cluster.name.clone(),
            cluster.status.clone(),
            or_dash(cluster.version.clone()),
            or_dash(cluster.age_seconds.map(age)),
            or_dash(cluster.region.clone()),
            or_dash(zones),
            cluster.services.to_string(),
        ]);
    }
    let mut widths = [0; HEADS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text += cells.collect::<Vec<_>>().join("   ").trim_end();
        text.push('\n');
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
            reason: None,
            status_age_seconds: 1,
            version: None,
            age_seconds: Some(61),
            region: Some("europe-west1".to_owned()),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            services,
            warnings: Vec::new(),
        };
        let text = table(&[cluster("a", &[], 0), cluster("gce-b", &["x", "y"], 12)]);
        assert_eq!(
            text,
            "NAME    STATUS   VERSION   AGE   REGION         ZONES   SERVICES\n\
             a       Ready    -         61s   europe-west1   -       0\n\
             gce-b   Ready    -         61s   europe-west1   x,y     12\n"
        );
        assert_eq!(table(&[]), "no members\n");
    }
}
