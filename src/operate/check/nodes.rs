//! Where the nodes of a member stand: `labels`.

use serde_json::Value;

use super::super::api::Api;
use super::super::followed::{NODES, list_all};
use super::checker::{Attempts, Checked};
use super::files::{count, or_ok};
use super::finding::CheckFinding;
use super::mending::Mending;
use crate::model::Shown;
use crate::names::Label;
use crate::sources::kubernetes::{NodeSurvey, survey_nodes};

/// Lists all nodes, and says how their labels are.
pub(super) async fn check_labels(
    api: &Api,
    mending: &Mending<'_>,
    attempts: &Attempts,
) -> Checked<NodeSurvey> {
    let (_, path) = NODES;
    let mut nodes: Vec<Value> = Vec::new();
    let listed = list_all(api, path, |mut page| {
        nodes.append(&mut page);
        attempts.note(format!("{} nodes listed by then", nodes.len()));
    });
    if let Err(refusal) = listed.await {
        let said = refusal.to_string();
        return Checked::failed(CheckFinding::failure(format!("nodes: {}", Shown(&said))));
    }
    let survey = survey_nodes(nodes);
    Checked {
        findings: judge(&survey, mending),
        value: Some(survey),
    }
}

/// How the labels are.
fn judge(survey: &NodeSurvey, mending: &Mending<'_>) -> Vec<CheckFinding> {
    let all = survey.nodes;
    if all == 0 {
        let says = "there are no nodes to learn from";
        return vec![CheckFinding::warning(says).hint(mending.place())];
    }
    let mut findings = Vec::new();
    for (kind, without) in [
        ("region", survey.without_region),
        ("zone", survey.without_zone),
    ] {
        if without > 0 {
            let label = format!("topology.kubernetes.io/{kind}");
            let nodes = count(all, "node");
            let says = format!("{without} of {nodes} without {label}");
            let value = kind.to_uppercase();
            findings.push(CheckFinding::warning(says).hint(format!(
                "kubectl --context CONTEXT label nodes -l '!{label}' {label}={value}"
            )));
        }
    }
    let is_zone_alone = |warning: &str| warning == "nodes with a zone and no region";
    let warnings = survey.learnt.warnings.iter();
    // That is said by the number of nodes already.
    let warnings = warnings.filter(|warning| !is_zone_alone(warning));
    findings.extend(warnings.map(|warning| {
        CheckFinding::warning(Shown(warning).to_string()).hint(
            "kubectl --context CONTEXT get nodes -L topology.kubernetes.io/region,topology.kubernetes.io/zone",
        )
    }));
    or_ok(findings, || {
        let region = survey.learnt.region.as_ref().map_or("", Label::as_str);
        let zones: Vec<_> = survey.learnt.zones.iter().map(Label::as_str).collect();
        let (zones, nodes) = (zones.join(", "), count(all, "node"));
        format!("region {region}, zones {zones} ({nodes})")
    })
}
