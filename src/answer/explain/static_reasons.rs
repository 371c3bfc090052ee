//! What a name of static records is, in words.

use crate::answer::subject::Subject;
use crate::snapshot::StaticNode;
use crate::wire::NameText;

/// What the name is.
pub(super) fn describe(subject: &Subject<'_>) -> String {
    match subject {
        Subject::Static { node, is_wildcard } => {
            let by = if *is_wildcard { ", by a wildcard" } else { "" };
            format!("an owner of static records{by}{}", place_of(node))
        }
        Subject::Aliased { alias, .. } => {
            let service = NameText(&alias.key);
            format!("an owner that has the addresses of the service {service}")
        }
        Subject::Delegated { node, .. } => format!("a name of another zone{}", place_of(node)),
        Subject::Renamed { node, .. } => format!("a name below a DNAME record{}", place_of(node)),
        _ => String::new(),
    }
}

/// Where the first record of a static owner is, as text.
fn place_of(node: &StaticNode) -> String {
    let place = node.sets().first().map(|set| &set.place);
    place.map_or_else(String::new, |(path, line)| {
        let file = path.file_name().unwrap_or_default();
        format!(" ({}:{line})", file.display())
    })
}
