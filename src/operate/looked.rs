//! What is asked before a member is joined: everything that can refuse.

use std::net::IpAddr;

use super::api::{Api, Refusal};
use super::apply::{ObjectChange, apply, is_ours};
use super::certificate::verification;
use super::cluster::{clusterset_id, uid, version};
use super::contexts::{Opened, open, read_authority};
use super::credential::{ApiEndpoint, CONTEXT, MemberCredential};
use super::entry::{KnownMember, Other};
use super::error::OperateError;
use super::joining::Joining;
use super::look::{Right, check_rights, same_cluster, uid_of};
use super::manifest::{JOINED_AS, MadeKind, Mode, Names, Object, ROLE, objects, path};
use super::name::member_name;
use super::place::MemberStore;
use super::progress::{Progress, StepMark};
use crate::model::Shown;
use crate::names::Label;
use crate::sources::kubernetes::TokenClaims;

/// A member that was looked at.
pub(super) struct Looked {
    /// Its API by the operator's rights.
    pub(super) api: Api,
    /// Where it is for the daemon.
    pub(super) endpoint: ApiEndpoint,
    /// As it is called in errors.
    pub(super) context: String,
    /// Which cluster it is.
    pub(super) uid: String,
    /// The daemon's side.
    pub(super) place: MemberStore,
    /// What it is called.
    pub(super) name: Label,
    /// What its objects are called.
    pub(super) names: Names,
    /// How its token is to live.
    pub(super) mode: Mode,
    /// What is written down of it.
    pub(super) known: KnownMember,
    /// Its objects.
    pub(super) objects: Vec<Object>,
}

/// Everything that can refuse.
pub(super) async fn look(
    joining: &Joining,
    progress: &mut Progress<'_>,
) -> Result<Looked, OperateError> {
    let (opened, context) = reach(joining, progress).await?;
    let Opened { api, endpoint } = opened;
    let uid = uid(&api).await;
    let uid = uid.map_err(|refusal| unreachable(&context, &api, &refusal))?;
    let place = MemberStore::open(&joining.place).await?;
    let name = name(joining, &api, progress).await?;
    place.check_name(&name)?;
    let names = Names {
        installation: Some(place.installation()?),
        namespace: joining.namespace.clone(),
        account: joining.account.clone(),
    };
    let known = place.known(&name).await?;
    if let Some(foreign) = &known.foreign {
        let why = format!("{foreign} is there, and join has not made it: remove it first");
        return Err(OperateError::Refused(why));
    }
    if let Some(other) = same_cluster(&place, &name, &uid).await? {
        return Err(already(&other));
    }
    place.check_writable(&name).await?;
    let mode = mode(joining, &known);
    let objects = objects(&names, Some(&name), mode);
    let looked = Looked {
        api,
        endpoint,
        context,
        uid,
        place,
        name,
        names,
        mode,
        known,
        objects,
    };
    check_identity(joining, &looked).await?;
    check_what_is_allowed(&looked).await?;
    progress.found(StepMark::Ok, "you may make what is needed");
    Ok(looked)
}

/// Reaches the API, and says how its certificate is verified.
async fn reach(
    joining: &Joining,
    progress: &mut Progress<'_>,
) -> Result<(Opened, String), OperateError> {
    let mut trust = joining.trust.clone();
    if let Some(file) = &joining.authority {
        trust.authority = Some(read_authority(file)?);
    }
    let opened = open(&joining.choice, &trust).await?;
    let context = Shown(&joining.choice.context).to_string();
    let api = &opened.api;
    let version = version(api).await;
    let version = version.map_err(|refusal| unreachable(&context, api, &refusal))?;
    let (url, version) = (&api.client.url, Shown(&version));
    let says = format!("context \"{context}\": {url}, Kubernetes {version}");
    progress.found(StepMark::Ok, says);
    let file = joining.authority.as_ref();
    let source = file.map_or_else(
        || "the kubeconfig".to_owned(),
        |file| file.display().to_string(),
    );
    let verified = verification(&opened.endpoint, &source);
    let (mark, says) = verified.map_err(OperateError::Kubeconfig)?;
    progress.found(mark, says);
    let server = &opened.endpoint.server;
    if is_loopback(server) {
        let server = Shown(server);
        let says = format!("{server} is on loopback: only a daemon on this machine reaches it");
        progress.found(StepMark::Warning, says);
    }
    Ok((opened, context))
}

/// That an API cannot be asked.
fn unreachable(context: &str, api: &Api, refusal: &Refusal) -> OperateError {
    let said = refusal.to_string();
    let hint = if said.contains("certificate") {
        ": give --ca-file, or --tls-server-name"
    } else {
        ""
    };
    let url = &api.client.url;
    OperateError::Refused(format!("context \"{context}\": {url}: {said}{hint}"))
}

/// Whether a URL leads back to where it is asked from.
fn is_loopback(server: &str) -> bool {
    let uri = server.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What the member is called.
async fn name(
    joining: &Joining,
    api: &Api,
    progress: &mut Progress<'_>,
) -> Result<Label, OperateError> {
    let own = clusterset_id(api).await;
    match (&joining.name, own) {
        (Some(name), own) => {
            if let Some(own) = own.filter(|own| own != name.as_str()) {
                let own = Shown(&own);
                let says =
                    format!("its clusterset calls it \"{own}\", and so do names of pods there");
                progress.found(StepMark::Warning, says);
            }
            Ok(name.clone())
        }
        (None, Some(own)) => member_name(&own).map_err(OperateError::Refused),
        (None, None) => {
            let why = "give a name: this cluster has no cluster.clusterset.k8s.io";
            Err(OperateError::Refused(why.to_owned()))
        }
    }
}

/// How the token is to live: as the operator says, else as it does.
fn mode(joining: &Joining, known: &KnownMember) -> Mode {
    let claims = known.credential.as_ref();
    let claims = claims.and_then(|credential| TokenClaims::of(&credential.token));
    let is_long_lived = claims.is_some_and(|claims| claims.expires.is_none());
    match joining.mode {
        Some(mode) => mode,
        None if is_long_lived && joining.lifetime.is_none() => Mode::LongLived,
        None if known.is_ending => Mode::Ending,
        None => Mode::Renewed,
    }
}

/// Refuses a cluster that is another member of the installation, and a name that is another cluster's.
async fn check_identity(joining: &Joining, looked: &Looked) -> Result<(), OperateError> {
    let Looked { names, name, .. } = looked;
    let account = names.account();
    let path = path(MadeKind::ServiceAccount, Some(&names.namespace), &account);
    let there = looked.api.get(&path).await;
    let there = there.map_err(|refusal| unreachable(&looked.context, &looked.api, &refusal))?;
    let there = there.filter(|account| is_ours(account, names));
    let joined_as = there.as_ref().and_then(|account| {
        let annotation = &account["metadata"]["annotations"][JOINED_AS];
        annotation.as_str()?.parse::<Label>().ok()
    });
    if let Some(other) = joined_as.as_ref().filter(|other| *other != name)
        && looked.place.known(other).await?.is_there()
    {
        return Err(already(other));
    }
    let Some(credential) = looked
        .known
        .credential
        .as_ref()
        .filter(|_| !joining.replaces)
    else {
        return Ok(());
    };
    let written = Other {
        name: name.clone(),
        text: credential.render(),
        path: "kubeconfig".into(),
        context: CONTEXT.to_owned(),
    };
    let is_same = match uid_of(&written).await {
        Some(uid) => uid == looked.uid,
        // It cannot be asked with a token that is void: then what joined as it, or is at the same place by
        // the same authority, is the same.
        None => joined_as.as_ref() == Some(name) || is_same_api(credential, &looked.endpoint),
    };
    if is_same {
        return Ok(());
    }
    let why = format!("member \"{name}\" is another cluster so far: give --replace");
    Err(OperateError::Refused(why))
}

/// Whether a credential is for the API that was reached, as its certificate shows.
fn is_same_api(credential: &MemberCredential, reached: &ApiEndpoint) -> bool {
    let is_verified = reached.authority.is_some() && !reached.is_unverified;
    is_verified && credential.endpoint == *reached
}

/// That a cluster has a name already.
fn already(member: &Label) -> OperateError {
    OperateError::Refused(format!("this cluster is member \"{member}\" already"))
}

/// Refuses what the API would refuse: by rights, and by a dry run, which sees admission too.
async fn check_what_is_allowed(looked: &Looked) -> Result<(), OperateError> {
    let mut rights = Vec::new();
    for object in &looked.objects {
        rights.extend(["get", "create", "patch"].map(|verb| Right::to(verb, object)));
    }
    if looked.mode != Mode::LongLived {
        rights.push(Right::to_token(&looked.names.namespace));
    }
    check_rights(&looked.api, &looked.context, &rights).await?;
    for object in &looked.objects {
        let tried = make_one(looked, object, true).await;
        tried.map_err(|refusal| OperateError::Refused(format!("{}: {refusal}", object.shown())))?;
    }
    Ok(())
}

/// Makes an object, or tries to. A binding to a role that a dry run did not make cannot be tried.
pub(super) async fn make_one(
    looked: &Looked,
    object: &Object,
    is_dry: bool,
) -> Result<ObjectChange, Refusal> {
    if is_dry {
        let role = match object.kind {
            MadeKind::ClusterRoleBinding => Some(path(MadeKind::ClusterRole, None, ROLE)),
            MadeKind::RoleBinding => {
                let namespace = Some(looked.names.namespace.as_str());
                Some(path(MadeKind::Role, namespace, &object.name))
            }
            _ => None,
        };
        if let Some(role) = role
            && looked.api.get(&role).await?.is_none()
        {
            return Ok(ObjectChange::Created);
        }
    }
    apply(&looked.api, &looked.names, object, is_dry).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognized() {
        for server in [
            "https://127.0.0.1:6443",
            "https://localhost",
            "https://[::1]:1/x",
        ] {
            assert!(is_loopback(server), "{server}");
        }
        for server in ["https://203.0.113.7", "https://localhost.example.com", "x"] {
            assert!(!is_loopback(server), "{server}");
        }
    }
}
