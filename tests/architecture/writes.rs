//! Who writes to the APIs of members.

use std::collections::BTreeSet;

use crate::report;
use crate::source::sources;

/// Files that may make use of the room that writes to members: commands of an operator, and no part of
/// the daemon.
const OPERATORS: &[&str] = &[
    "src/cli/check.rs",
    "src/cli/check_arguments.rs",
    "src/cli/check_live.rs",
    "src/cli/checked_daemon.rs",
    "src/cli/checked_keys.rs",
    "src/cli/host_arguments.rs",
    "src/cli/host_order.rs",
    "src/cli/join.rs",
    "src/cli/join_arguments.rs",
    "src/cli/unjoin.rs",
];

/// What a request to a member that is neither get, list nor watch is built with: methods of HTTP, and the
/// parameters and the client of kube's own requests.
const WRITES: &[&str] = &[
    "post",
    "put",
    "patch",
    "delete",
    "delete_collection",
    "Method",
    "PostParams",
    "PatchParams",
    "DeleteParams",
    "Api",
];

/// Where `sources` may do such a thing all the same: file, word, and what for.
const WRITES_ALLOWED: &[(&str, &str, &str)] = &[
    (
        "src/sources/kubernetes/driver/token_request.rs",
        "post",
        "a new token of the daemon's own ServiceAccount",
    ),
    (
        "src/sources/members/host/write_back.rs",
        "patch",
        "renewed tokens, into the Secrets of the host cluster that they are from",
    ),
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
    }
    report(
        "the daemon reads members, and only commands of operators write to them",
        &findings,
    );
}

#[test]
fn sources_read_from_members_and_ask_for_their_own_token_alone() {
    let mut findings = Vec::new();
    let mut allowed: BTreeSet<_> = WRITES_ALLOWED.iter().collect();
    for source in sources("src/sources") {
        for word in WRITES {
            let lines = source.words(word);
            let exception = WRITES_ALLOWED
                .iter()
                .find(|(path, of, _)| *path == source.path && of == word);
            if let Some(exception) = exception.filter(|_| lines.len() == 1) {
                allowed.remove(exception);
                continue;
            }
            findings.extend(
                lines
                    .iter()
                    .map(|line| format!("{}:{line}: {word}", source.path)),
            );
        }
    }
    findings.extend(
        allowed
            .iter()
            .map(|(path, word, _)| format!("{path}: has no {word} any more, strike it off")),
    );
    report(
        "no verb but get, list, watch, the token request, and patch of the host's Secrets",
        &findings,
    );
}
