//! Who writes to the APIs of members.

use crate::report;
use crate::source::sources;

/// Files that may make use of the room that writes to members: commands of an operator, and no part of
/// the daemon.
const OPERATORS: &[&str] = &[
    "src/cli/join.rs",
    "src/cli/join_arguments.rs",
    "src/cli/unjoin.rs",
];

/// What a request that writes to an API is made of.
const WRITES: &[&str] = &[
    "http::Method",
    "kube::api::DeleteParams",
    "kube::api::Patch",
    "kube::api::PatchParams",
    "kube::api::PostParams",
    "kube::Api",
];

#[test]
fn only_commands_of_operators_write_to_members() {
    let mut findings = Vec::new();
    for source in sources("src") {
        let is_operator = OPERATORS.contains(&source.path.as_str());
        let room = source.room();
        if room != Some("operate") && !is_operator {
            let paths = source.crate_paths().into_iter();
            let paths = paths.filter(|(_, other)| other == "operate");
            findings.extend(paths.map(|(line, _)| format!("{}:{line}: operate", source.path)));
        }
        if room == Some("sources") {
            for path in WRITES {
                let lines = source.mentions(path).into_iter();
                findings.extend(lines.map(|line| format!("{}:{line}: {path}", source.path)));
            }
        }
    }
    report(
        "the daemon reads members, and only commands of operators write to them",
        &findings,
    );
}
