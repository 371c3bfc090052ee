//! `gazetteer unjoin`: what `join` made is taken away again, and nothing else.

use std::path::PathBuf;

use serde_json::Value;

use super::api::{Api, Refusal};
use super::apply::{ObjectChange, is_ours, remove};
use super::cluster::version;
use super::contexts::{ApiTrust, ContextChoice, context_of, open};
use super::entry::KnownMember;
use super::error::OperateError;
use super::installation::Installation;
use super::manifest::{INSTALLATION, JOINED_AS, MANAGED, MadeKind, Names, ROLE, path, shown};
use super::place::{MemberStore, Where};
use super::progress::{Progress, StepMark};
use super::shell::quoted;
use super::twin::twin;
use crate::model::Shown;
use crate::names::Label;
use crate::sources::kubernetes::TokenClaims;

/// Where ServiceAccounts are, if nothing says otherwise.
const NAMESPACE: &str = "kube-system";

/// Who is to leave, and how.
#[derive(Debug, Clone)]
pub struct Unjoining {
    /// The member.
    pub name: Label,
    /// The operator's kubeconfigs.
    pub paths: Vec<PathBuf>,
    /// The operator's context of it; without one, that of its name or server.
    pub context: Option<String>,
    /// The daemon's side.
    pub place: Where,
    /// Its own side is left as it is, reachable or not.
    pub forces: bool,
    /// Nothing is removed.
    pub is_dry: bool,
}

/// A member that is to leave, looked at.
pub struct Leaving {
    /// What is to be done.
    unjoining: Unjoining,
    /// The daemon's side.
    place: MemberStore,
    /// What its objects are called.
    names: Names,
    /// What the operator's context of it is called, as far as that is known.
    context: Option<String>,
    /// Its API, and what the context is called, unless its side is left alone.
    api: Option<(Api, String)>,
    /// Another member that has the same ServiceAccount, which is therefore left alone.
    twin: Option<Label>,
}

impl Leaving {
    /// Everything that can refuse.
    pub async fn look(
        unjoining: Unjoining,
        progress: &mut Progress<'_>,
    ) -> Result<Self, OperateError> {
        let name = &unjoining.name;
        let place = MemberStore::open(&unjoining.place).await?;
        place.check_name(name)?;
        let known = place.known(name).await?;
        if let Some(foreign) = &known.foreign {
            let why = format!("{foreign} was not made by join: remove it by hand");
            return Err(OperateError::Refused(why));
        }
        if !known.is_there() && unjoining.context.is_none() {
            let why = format!("member \"{name}\" is not in {}", place.shown());
            return Err(OperateError::Refused(why));
        }
        let credential = known.credential.as_ref();
        let claims = credential.and_then(|credential| TokenClaims::of(&credential.token));
        let account = claims.and_then(|claims| claims.subject);
        let (namespace, account) = account.map_or((None, None), |(a, b)| (Some(a), Some(b)));
        let mut installation = place.installation()?;
        if installation.is_new() {
            let made = account.as_deref().and_then(Installation::of_account);
            installation = made.ok_or_else(|| {
                let place = place.shown();
                OperateError::Refused(format!(
                    "{place} has no .installation, without which nothing in the member is known as \
                     its own: restore it from a backup"
                ))
            })?;
        }
        let mut names = Names {
            installation: Some(installation),
            namespace: namespace.unwrap_or_else(|| NAMESPACE.to_owned()),
            account,
        };
        let twin = twin(&place, name, credential).await?;
        let api = if unjoining.forces || twin.is_some() {
            None
        } else {
            let reached = reach(&unjoining, &known, progress).await;
            let (api, context) = reached.map_err(|error| {
                let why = error.to_string();
                let why = why.trim_end_matches("; nothing was changed");
                OperateError::Refused(format!(
                    "{why}: --force removes the member here, and says how to clean its side"
                ))
            })?;
            find_names(&api, &mut names).await?;
            // Its own credential leads there: whatever it was called when it joined, it is this one.
            let server =
                credential.map(|credential| credential.endpoint.server.trim_end_matches('/'));
            if server != Some(&*api.client.url) {
                check_is_member(&api, &names, name, &context).await?;
            }
            Some((api, context))
        };
        let context = chosen(&unjoining, &known).ok();
        Ok(Self {
            context: context.map(|choice| choice.context),
            unjoining,
            place,
            names,
            api,
            twin,
        })
    }

    /// Takes the member from what the daemon reads.
    pub async fn leave(&self, progress: &mut Progress<'_>) -> Result<(), OperateError> {
        let Unjoining { name, is_dry, .. } = &self.unjoining;
        let did = self.place.remove(name, *is_dry).await?;
        if did.is_empty() {
            let says = format!("{name} is not in {}", self.place.shown());
            progress.found(StepMark::Skipped, says);
        }
        for (object, result) in did {
            progress.did(object, result);
        }
        Ok(())
    }

    /// Removes what the installation has in the member. What is not done, and the commands that do it,
    /// are the answer; nothing, where all is done.
    pub async fn clean(&self, progress: &mut Progress<'_>) -> Result<Vec<String>, OperateError> {
        if let Some(twin) = &self.twin {
            let says = format!(
                "its cluster is left as it is: member \"{twin}\" has the same ServiceAccount"
            );
            progress.found(StepMark::Skipped, says);
            return Ok(Vec::new());
        }
        let Some((api, context)) = &self.api else {
            return Ok(self.commands());
        };
        let cleaned = self.remove_objects(api, progress).await;
        cleaned.map_err(|(shown, refusal)| {
            let commands = self.commands().join("\n  ");
            OperateError::Api(format!(
                "{shown} in \"{context}\": {refusal}; the member has left, and these clean its side:\n  {commands}"
            ))
        })?;
        Ok(Vec::new())
    }

    /// Removes the objects: what says where the others are comes last.
    async fn remove_objects(
        &self,
        api: &Api,
        progress: &mut Progress<'_>,
    ) -> Result<(), (String, Refusal)> {
        let names = &self.names;
        let (base, is_dry) = (names.base(), self.unjoining.is_dry);
        let token = format!("{base}-token");
        let second = format!("{base}-2");
        let account = names.account();
        let all = [
            (MadeKind::RoleBinding, &token),
            (MadeKind::Role, &token),
            (MadeKind::Secret, &second),
            (MadeKind::Secret, &base),
            (MadeKind::ServiceAccount, &account),
            (MadeKind::ClusterRoleBinding, &base),
        ];
        for (kind, name) in all {
            let namespace = kind.is_namespaced().then_some(names.namespace.as_str());
            let shown = shown(kind, namespace, name);
            let path = path(kind, namespace, name);
            let removed = remove(api, names, &path, is_dry).await;
            match removed.map_err(|refusal| (shown.clone(), refusal))? {
                Some(ObjectChange::Removed) => {
                    progress.did(shown, ObjectChange::Removed.word(is_dry));
                }
                Some(_) => progress.did(shown, "kept: not this installation's"),
                None => {}
            }
        }
        let shown = shown(MadeKind::ClusterRole, None, ROLE);
        let removed = self.remove_role(api, is_dry).await;
        if let Some(word) = removed.map_err(|refusal| (shown.clone(), refusal))? {
            progress.did(shown, word);
        }
        Ok(())
    }

    /// Removes the ClusterRole, if it was made by a join and nobody else is bound to it.
    async fn remove_role(&self, api: &Api, is_dry: bool) -> Result<Option<String>, Refusal> {
        let path = path(MadeKind::ClusterRole, None, ROLE);
        let Some(role) = api.get(&path).await? else {
            return Ok(None);
        };
        let own = self.names.base();
        let (_, root, _) = MadeKind::ClusterRoleBinding.place();
        for kind in ["clusterrolebindings", "rolebindings"] {
            let bindings = api
                .get(&format!("{root}/{kind}"))
                .await?
                .unwrap_or_default();
            let bindings = bindings["items"].as_array().cloned().unwrap_or_default();
            let is_another = |binding: &Value| {
                let reference = &binding["roleRef"];
                reference["kind"] == "ClusterRole"
                    && reference["name"] == ROLE
                    && binding["metadata"]["name"] != own
            };
            if bindings.iter().any(is_another) {
                return Ok(Some("kept: others are bound to it".to_owned()));
            }
        }
        if role["metadata"]["labels"][MANAGED] != ROLE {
            return Ok(Some("kept: not made by join".to_owned()));
        }
        if !is_dry && !api.delete(&path, &role).await? {
            return Ok(None);
        }
        Ok(Some(ObjectChange::Removed.word(is_dry)))
    }

    /// The commands that clean the member's side.
    fn commands(&self) -> Vec<String> {
        let namespace = &self.names.namespace;
        let installation = self.names.installation.as_ref();
        let installation = installation.map(ToString::to_string).unwrap_or_default();
        let context = self.context.as_deref();
        let context = context.map_or_else(|| "CONTEXT".to_owned(), quoted);
        let kubectl = format!("kubectl --context {context}");
        let label = format!("{INSTALLATION}={installation}");
        vec![
            format!(
                "{kubectl} -n {namespace} delete rolebindings,roles,secrets,serviceaccounts -l {label}"
            ),
            format!("{kubectl} delete clusterrolebindings -l {label}"),
            format!(
                "{kubectl} get clusterrolebindings -o jsonpath='{{.items[*].roleRef.name}}' | \
                 tr ' ' '\\n' | grep -qx {ROLE} || {kubectl} delete clusterrole {ROLE} --ignore-not-found"
            ),
        ]
    }
}

/// The operator's context of the member: as said, else that of its name or its server.
fn chosen(unjoining: &Unjoining, known: &KnownMember) -> Result<ContextChoice, OperateError> {
    if let Some(context) = &unjoining.context {
        return Ok(ContextChoice {
            paths: unjoining.paths.clone(),
            context: context.clone(),
        });
    }
    let credential = known.credential.as_ref();
    let server = credential.map(|credential| credential.endpoint.server.as_str());
    context_of(&unjoining.paths, unjoining.name.as_str(), server)
}

/// Reaches the member's API by the operator's rights, verified as the daemon verifies it.
async fn reach(
    unjoining: &Unjoining,
    known: &KnownMember,
    progress: &mut Progress<'_>,
) -> Result<(Api, String), OperateError> {
    let endpoint = known.credential.as_ref().map(|known| &known.endpoint);
    let choice = chosen(unjoining, known)?;
    let trust = endpoint.map_or_else(ApiTrust::default, |endpoint| ApiTrust {
        server: None,
        authority: endpoint.authority.clone(),
        server_name: endpoint.server_name.clone(),
        skips_verification: endpoint.is_unverified,
    });
    let opened = open(&choice, &trust).await?;
    let context = Shown(&choice.context).to_string();
    let url = &opened.api.client.url;
    let version = version(&opened.api).await.map_err(|refusal| {
        OperateError::Refused(format!("context \"{context}\": {url}: {refusal}"))
    })?;
    let version = Shown(&version);
    let says = format!("context \"{context}\": {url}, Kubernetes {version}");
    progress.found(StepMark::Ok, says);
    Ok((opened.api, context))
}

/// Takes the ServiceAccount's name and namespace from the binding, which is called after the
/// installation alone.
async fn find_names(api: &Api, names: &mut Names) -> Result<(), OperateError> {
    let path = path(MadeKind::ClusterRoleBinding, None, &names.base());
    let binding = api.get(&path).await;
    let binding = binding.map_err(|refusal| OperateError::Refused(refusal.to_string()))?;
    let binding = binding.unwrap_or_default();
    let subject = &binding["subjects"][0];
    let name = |key: &str| subject[key].as_str().map(str::to_owned);
    if let Some((namespace, account)) = name("namespace").zip(name("name")) {
        names.namespace = namespace;
        names.account = Some(account);
    }
    Ok(())
}

/// Refuses the context of another member of the installation.
async fn check_is_member(
    api: &Api,
    names: &Names,
    member: &Label,
    context: &str,
) -> Result<(), OperateError> {
    let account = names.account();
    let path = path(MadeKind::ServiceAccount, Some(&names.namespace), &account);
    let account = api.get(&path).await;
    let account = account.map_err(|refusal| OperateError::Refused(refusal.to_string()))?;
    let account = account.filter(|account| is_ours(account, names));
    let joined_as = account.as_ref().and_then(|account| {
        let annotation = &account["metadata"]["annotations"][JOINED_AS];
        annotation.as_str()
    });
    match joined_as {
        Some(other) if other != member.as_str() => {
            let other = Shown(other);
            let why = format!("context \"{context}\" is member \"{other}\", not \"{member}\"");
            Err(OperateError::Refused(why))
        }
        _ => Ok(()),
    }
}
