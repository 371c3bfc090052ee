//! Objects of the host cluster that are members: one is refused for itself when it is wrong.

use super::check::{self, Drafts};
use super::fragments::RefusedFragment;
use super::member::{MemberDraft, object_member};
use super::member_object::{MemberObject, ObjectMember};
use super::parse::parse_table;
use super::problem::{Placed, Problem};
use super::values;
use crate::names::Label;

/// Takes in the objects that are right, in the order of origins and of the names of members. Returns their
/// members; those that are not taken are `refused`.
pub(super) fn take_in_objects(
    drafts: &mut Drafts,
    objects: &[ObjectMember],
    refused: &mut Vec<RefusedFragment>,
) -> Vec<(Label, MemberObject)> {
    let mut from_host = Vec::new();
    let mut objects: Vec<&ObjectMember> = objects.iter().collect();
    objects.sort_by_key(|one| (one.object.list(), &one.name, &one.object));
    for one in objects {
        match draft(one, drafts) {
            Ok((name, draft)) => {
                from_host.push((name, one.object.clone()));
                drafts.members.push(draft);
            }
            Err(problems) => refused.push(RefusedFragment {
                path: one.path(),
                problems,
            }),
        }
    }
    from_host
}

/// Reads the member of an object.
fn draft(one: &ObjectMember, drafts: &Drafts) -> Result<(Label, MemberDraft), Vec<Problem>> {
    let (path, policy) = (one.path(), drafts.listen.listen.address_policy());
    let name = values::label(&one.name);
    let wrong = |reason: String| {
        vec![Problem::whole(
            &path,
            format!("member {:?}: {reason}", one.name),
        )]
    };
    let name = name.map_err(wrong)?;
    let draft = parse_table(&one.keys, &path, |root| {
        let report = root.report;
        let placed = Placed {
            value: name.clone(),
            at: 0,
        };
        let draft = object_member(root, placed, &one.object, policy);
        if let Some(name) = &draft.name {
            check::check_new(report, name, drafts);
        }
        check::check_fragment(report, &draft, drafts);
        (report.is_empty() && draft.whole.is_some()).then_some(draft)
    })?;
    Ok((name, draft))
}
