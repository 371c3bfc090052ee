//! Programs that look at the delegated zone and say what is wrong with it.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{Internet, ROOT, ZONE};
use crate::files;
use crate::process::debian;
use crate::report_line;

/// What Zonemaster said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    /// `NOTICE`, `WARNING`, `ERROR` and others.
    pub(crate) level: String,
    /// The test case.
    pub(crate) case: String,
    /// What was found.
    pub(crate) tag: String,
}

impl Internet {
    /// What delv says of a name at a resolver: its first line tells whether all of it is validated.
    pub(crate) fn delv(&self, resolver: Ipv4Addr, name: &str, kind: &str) -> String {
        let words: Vec<_> = self.anchor().split_whitespace().collect();
        let place = words.iter().position(|word| *word == "DNSKEY");
        let place = place.expect("a DNSKEY record");
        let numbers = words[place + 1..place + 4].join(" ");
        let key = words[place + 4..].concat();
        let anchors = self.folder().join("anchors");
        let text = format!("trust-anchors {{\n  . static-key {numbers} \"{key}\";\n}};\n");
        files::write(&anchors, text);
        let output = Command::new(debian("delv", "bind9-dnsutils"))
            .arg("-a")
            .arg(anchors)
            .args(["+root=.", &format!("@{resolver}"), name, kind])
            .output();
        let output = output.expect("delv runs");
        [output.stdout, output.stderr]
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .concat()
    }

    /// What dnsviz finds wrong with names at a level, such as `warning`; nothing is well. The chain of
    /// trust must reach all of them from the root. All is done under a command, such as one that sets a
    /// clock.
    pub(crate) fn dnsviz(&self, names: &[&str], level: &str, before: &[OsString]) -> String {
        let program = debian("dnsviz", "dnsviz");
        let [v4, v6] = ROOT;
        let probe = self.folder().join("dnsviz.json");
        let servers = format!(".+:ns={v4},ns=[{v6}]");
        let mut arguments = vec!["probe", "-A", "-a", ".", "-x", &servers, "-o"];
        let file = probe.display().to_string();
        arguments.push(&file);
        arguments.extend_from_slice(names);
        // Of Debian 12, `grok` does not take the anchor that `print` takes: it looks for another version
        // of pygraphviz. What is wrong it finds without.
        let found = || {
            under(before, &program, &arguments);
            under(before, &program, &["grok", "-P", "-l", level, "-r", &file])
        };
        let mut wrong = found();
        for _ in 0..2 {
            // That a server takes longer than dnsviz waits says something of a busy machine alone.
            if wrong.contains("\"TIMEOUT\"") {
                report_line("dnsviz was not answered in time, and asks again");
                wrong = found();
            }
        }

        let anchor = self.folder().join("root.key");
        files::write(&anchor, format!("{}\n", self.anchor()));
        let anchor = anchor.display().to_string();
        let chain = under(
            before,
            &program,
            &["print", "-P", "-t", &anchor, "-r", &file],
        );
        // A signature whose key is not published yet says nothing: that is so in a roll to another algorithm
        // (RFC 6781, section 4.1.4).
        let others = chain.lines().filter(|line| !line.contains(" RRSIG: "));
        let unsure = others.filter(|line| {
            let states = line.split('[').skip(1);
            let mut states = states.filter_map(|rest| rest.split(']').next());
            // What is secure is a dot, with an exclamation or question mark after it if something is odd.
            states.any(|state| !state.starts_with('.'))
        });
        let unsure: Vec<_> = unsure.collect();
        assert!(unsure.is_empty(), "not secure: {unsure:#?}\n{chain}");
        wrong.trim().to_owned()
    }
}

/// What Zonemaster says of the zone, from `NOTICE` on.
pub(crate) fn zonemaster(hints: &Path) -> (usize, Vec<Remark>) {
    let program = debian("zonemaster-cli", "zonemaster-cli");
    let hints = hints.display().to_string();
    let arguments = [
        "--hints",
        &hints,
        "--level",
        "INFO",
        "--json",
        "--no-progress",
        ZONE,
    ];
    let text = under(&[], &program, &arguments);
    let said: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let said = said.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let remarks = said.iter().map(|one| Remark {
        level: text(&one["level"]),
        case: text(&one["testcase"]),
        tag: text(&one["tag"]),
    });
    let (good, odd): (Vec<_>, Vec<_>) = remarks.partition(|remark| remark.level == "INFO");
    (good.len(), odd)
}

/// Runs a program under a command; what it printed. It must end well.
fn under(before: &[OsString], program: &Path, arguments: &[&str]) -> String {
    let mut command = before.to_vec();
    command.push(program.into());
    command.extend(arguments.iter().map(OsString::from));
    let (first, rest) = command.split_first().expect("a program");
    let output = Command::new(first).args(rest).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("a program runs");
    let errors = String::from_utf8_lossy(&stderr);
    assert!(
        status.success(),
        "{} {arguments:?}: {errors}",
        program.display()
    );
    String::from_utf8_lossy(&stdout).into_owned()
}
