//! One cluster under two names, as by a kubeconfig that was copied: `join` refuses that, and whoever
//! leaves must leave the other what it needs.

use super::credential::MemberCredential;
use super::error::OperateError;
use super::place::MemberStore;
use crate::names::Label;
use crate::sources::kubernetes::TokenClaims;

/// The other member that uses the ServiceAccount of a member, in the same API, if one does.
pub(super) async fn twin(
    place: &MemberStore,
    name: &Label,
    own: Option<&MemberCredential>,
) -> Result<Option<Label>, OperateError> {
    let whose = |credential: &MemberCredential| {
        let account = TokenClaims::of(&credential.token)?.subject?;
        Some((credential.endpoint.server.clone(), account))
    };
    let Some(own) = own.and_then(whose) else {
        return Ok(None);
    };
    let others = place.others(name).await?;
    let mut twins = others.into_iter().filter(|other| {
        let theirs = MemberCredential::read(&other.text);
        theirs.as_ref().and_then(whose).as_ref() == Some(&own)
    });
    Ok(twins.next().map(|other| other.name))
}
