//! What a member exports: `exports`.

use std::sync::Arc;

use super::super::api::{Api, Refusal};
use super::super::followed::list_all;
use super::checker::{Attempts, Checked};
use super::files::{count, or_ok};
use super::finding::CheckFinding;
use super::rights::ListedKinds;
use crate::model::{Federation, Fleet, Member, NamespacedName, Service, ServiceKind, Shown};
use crate::sources::kubernetes::{ServiceSurvey, SurveyedServices};

/// So many names are said.
const NAMED: usize = 3;

/// Lists all services with their endpoints and exports, and says which exported ones nobody can be led
/// to.
pub(super) async fn check_exports(
    api: &Api,
    listed: &ListedKinds,
    fleet: &Fleet,
    member: &Member,
    attempts: &Attempts,
) -> Checked<SurveyedServices> {
    let surveyed = match survey(api, listed, attempts).await {
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
    attempts: &Attempts,
) -> Result<SurveyedServices, Refusal> {
    let mut survey = ServiceSurvey::default();
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
    Ok(survey.finish())
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
        let is_inside = service.kind != ServiceKind::LoadBalancer && service.inside.is_some();
        let is_outside = !service.addresses.is_empty() || !service.hostnames.is_empty();
        is_outside || is_inside || member.gateway.is_some()
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
