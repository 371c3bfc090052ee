//! What a member exports: `exports`.

use std::sync::Arc;

use super::super::api::{Api, Refusal};
use super::super::followed::{list_all, list_one};
use super::checker::{Attempts, Checked};
use super::files::{count, or_ok};
use super::finding::CheckFinding;
use super::mending::Mending;
use super::rights::ListedKinds;
use crate::config::MemberSource;
use crate::model::{Federation, Fleet, Member, NamespacedName, Service, ServiceKind, Shown};
use crate::sources::kubernetes::{CredentialFacts, ServiceSurvey, SurveyedServices};

/// So many names are said.
const NAMED: usize = 3;

/// Lists all services with their endpoints and exports, and says which exported ones nobody can be led
/// to.
pub(super) async fn check_exports(
    api: &Api,
    listed: &ListedKinds,
    fleet: &Fleet,
    (member, source): (&Member, &MemberSource),
    attempts: &Attempts,
) -> Checked<SurveyedServices> {
    let surveyed = match survey(api, listed, source, attempts).await {
        Ok(surveyed) => surveyed,
        Err(refusal) => {
            let said = refusal.to_string();
            return Checked::failed(CheckFinding::failure(Shown(&said).to_string()));
        }
    };
    Checked {
        findings: judge(&surveyed, fleet, member),
        value: Some(surveyed),
    }
}

/// Lists them.
async fn survey(
    api: &Api,
    listed: &ListedKinds,
    source: &MemberSource,
    attempts: &Attempts,
) -> Result<SurveyedServices, Refusal> {
    let mut survey = ServiceSurvey::new(source);
    let mut objects = 0;
    for (kind, take) in [
        (
            "services",
            ServiceSurvey::services as fn(&mut ServiceSurvey, Vec<serde_json::Value>),
        ),
        ("endpointslices", ServiceSurvey::slices),
        ("serviceexports", ServiceSurvey::exports),
    ] {
        let Some(path) = listed.path(kind) else {
            continue;
        };
        let page = |page: Vec<_>| {
            objects += page.len();
            attempts.note(format!("{objects} objects listed by then"));
            take(&mut survey, page);
        };
        list_all(api, path, page).await?;
    }
    for (kind, paths) in survey.wanted() {
        let mut refusal = None;
        for path in paths {
            let page = |page: Vec<_>| {
                objects += page.len();
                attempts.note(format!("{objects} objects listed by then"));
                survey.in_front(kind, page);
            };
            // Without the kind an API says 404, which reading pages takes for nothing.
            refusal = match list_one(api, path).await {
                Ok(_) => list_all(api, path, page).await.err(),
                Err(refusal) => Some(refusal),
            };
        }
        if let Some(refusal) = refusal {
            survey.refuse(kind, &refusal.to_string());
        }
    }
    Ok(survey.finish())
}

/// Says which kinds services ask for that cannot be read, and what of them is not there.
pub(super) fn judge_ways(
    surveyed: &SurveyedServices,
    mending: &Mending<'_>,
    credential: &CredentialFacts,
) -> Vec<CheckFinding> {
    let refused = surveyed.refused.iter().map(|(kind, why)| {
        let says = format!("{kind}: {}", Shown(why));
        CheckFinding::failure(says).hint(mending.grant_front(credential))
    });
    let mut findings: Vec<CheckFinding> = refused.collect();
    if findings.is_empty() {
        let warnings = surveyed.warnings.iter().take(NAMED);
        findings.extend(warnings.map(|(service, warning)| {
            let (namespace, name) = service.split_once('/').unwrap_or_default();
            let hint = format!("kubectl --context CONTEXT -n {namespace} describe service {name}");
            CheckFinding::warning(format!("{service}: {}", Shown(warning))).hint(hint)
        }));
    }
    or_ok(findings, || {
        if surveyed.wanted.is_empty() {
            "no service asks for anything".to_owned()
        } else {
            surveyed.wanted.join(", ")
        }
    })
}

/// Whether a federation takes a service of a member.
pub(super) fn is_exported(
    fleet: &Fleet,
    member: &Member,
    (name, service): &(NamespacedName, Arc<Service>),
) -> bool {
    let mut federations = fleet.federations.iter();
    federations.any(|federation| is_exported_in(federation, member, name, service))
}

/// Whether this federation does.
pub(super) fn is_exported_in(
    federation: &Federation,
    member: &Member,
    name: &NamespacedName,
    service: &Service,
) -> bool {
    federation.takes(&member.name)
        && federation
            .ignores(Some(member), &name.namespace, service)
            .is_none()
}

/// Says which exported services have no address, and which have no ready endpoint.
fn judge(surveyed: &SurveyedServices, fleet: &Fleet, member: &Member) -> Vec<CheckFinding> {
    let exported = surveyed.services.iter();
    let exported: Vec<_> = exported
        .filter(|service| is_exported(fleet, member, service))
        .collect();
    let all = count(exported.len(), "exported service");
    let has_address = |service: &Service| {
        // What has a way of its own without an address is said by `via`.
        let is_inside = service.way_in.is_own()
            || service.kind != ServiceKind::LoadBalancer && service.inside.is_some();
        let is_outside = !service.addresses.is_empty() || !service.hostnames.is_empty();
        is_outside || is_inside || member.gateway_of(service).is_some()
    };
    let mut findings = Vec::new();
    let mut say = |what: &str, are: &[&(NamespacedName, Arc<Service>)]| {
        let Some((first, _)) = are.first() else {
            return;
        };
        let names = are.iter().take(NAMED).map(|(name, _)| name.to_string());
        let mut names: Vec<_> = names.collect();
        if are.len() > NAMED {
            names.push("…".to_owned());
        }
        let (some, names) = (are.len(), names.join(", "));
        let (namespace, name) = (&first.namespace, &first.name);
        let hint = format!("kubectl --context CONTEXT -n {namespace} describe service {name}");
        let says = format!("{some} of {all} without {what}: {names}");
        findings.push(CheckFinding::warning(says).hint(hint));
    };
    let without = |is_bad: &dyn Fn(&Service) -> bool| -> Vec<_> {
        let services = exported.iter().copied();
        services.filter(|(_, service)| is_bad(service)).collect()
    };
    say("an address", &without(&|service| !has_address(service)));
    say("a ready endpoint", &without(&|service| !service.is_ready()));
    or_ok(findings, || match exported.len() {
        0 => "no service is exported".to_owned(),
        _ => format!("{all}, each with an address and a ready endpoint"),
    })
}
