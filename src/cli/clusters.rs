//! `gazetteer clusters`

use std::process::ExitCode;

use anyhow::Context;

use super::admin_client::get;
use super::cluster_columns::{Column, USUAL, WIDE};
use super::clusters_arguments::{ClustersArguments, ClustersOutput};
use super::output;
use super::overrides::{frozen_line, in_force};
use super::table::table;
use crate::admin::{Cluster, Status};
use crate::model::UnixSeconds;
use crate::telemetry::clock;

/// Prints the members of the running daemon.
pub(super) fn clusters(arguments: &ClustersArguments) -> anyhow::Result<ExitCode> {
    let daemon = &arguments.daemon;
    let body = get(daemon, "/v1/clusters", &[])?;
    let clusters: Vec<Cluster> = serde_json::from_str(&body).context("answer of the daemon")?;
    let columns: Vec<(Column, &str)> = match arguments.output {
        ClustersOutput::Json => {
            output::print(&(serde_json::to_string_pretty(&clusters)? + "\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        _ if !arguments.columns.is_empty() => {
            let chosen = arguments.columns.iter();
            chosen
                .map(|column| (*column, column.chosen_head()))
                .collect()
        }
        ClustersOutput::Text => headed(&USUAL),
        ClustersOutput::Wide => headed(&[&USUAL[..], &WIDE].concat()),
    };
    let in_force = in_force(daemon)?;
    let frozen = in_force.frozen.as_ref().map(frozen_line);
    let troubles = in_force.troubles.iter();
    let troubles = troubles.map(|trouble| format!("state-dir: {trouble}\n"));
    let status: Status =
        serde_json::from_str(&get(daemon, "/v1/status", &[])?).context("answer of the daemon")?;
    let awaited = status.awaited.iter();
    let awaited = awaited
        .map(|list| format!("which members there are is not known yet: waiting for {list}\n"));
    let lines: String = frozen.into_iter().chain(troubles).chain(awaited).collect();
    output::print(&(lines + &in_columns(&clusters, &columns, clock::now())))?;
    Ok(ExitCode::SUCCESS)
}

/// Columns with their heads.
fn headed(columns: &[Column]) -> Vec<(Column, &'static str)> {
    let columns = columns.iter();
    columns.map(|column| (*column, column.head())).collect()
}

/// Members in the usual columns.
pub(super) fn text(clusters: &[Cluster]) -> String {
    in_columns(clusters, &headed(&USUAL), clock::now())
}

/// Members in columns as they are at `now`, and under them what an operator should know.
fn in_columns(clusters: &[Cluster], columns: &[(Column, &str)], now: UnixSeconds) -> String {
    if clusters.is_empty() {
        return "no members\n".to_owned();
    }
    let heads = columns.iter().map(|(_, head)| (*head).to_owned());
    let mut rows = vec![heads.collect::<Vec<_>>()];
    for cluster in clusters {
        let cells = columns.iter().map(|(column, _)| column.cell(cluster, now));
        rows.push(cells.collect());
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
            ready: true,
            contact_seconds: (services > 0).then_some(3),
            token_expires: (services > 0).then(|| "2027-01-22T12:00:00Z".to_owned()),
            origin: "folder".to_owned(),
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
        let now = UnixSeconds(1_798_027_200);
        let members = [cluster("a", &[], 0), cluster("gce-b", &["x"], 12)];
        let wide = in_columns(&members, &headed(&WIDE), now);
        assert_eq!(
            wide,
            "READY   CONTACT   TOKEN   ORIGIN\n\
             True    -         -       folder\n\
             True    3s        30d     folder\n"
        );
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
