//! The way of somebody who reads the beginning of docs/dnssec.md: its commands are taken out of it.

use std::path::Path;
use std::process::Command;

use parking_lot::Mutex;

use crate::desk::Ran;
use crate::files;
use crate::internet::in_own_network;
use crate::process::{Process, debian};
use crate::wait::{SOON, START, until};

/// How the page runs the program of the clone.
const RUN: &str = "cargo run --release -- ";

/// The commands of the section about a signed zone, in their order.
fn commands() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dnssec.md");
    let text = std::fs::read_to_string(path).expect("the page");
    let (_, section) = text
        .split_once("## A signed zone in a minute\n")
        .expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let blocks = section.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// Runs a line of a shell in a folder.
fn shell(folder: &Path, line: &str) -> Ran {
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .current_dir(folder)
        .output();
    Ran::of(&output.expect("a shell runs"))
}

/// A key is made, its trust anchors are written, the example is served; dig shows signatures, and delv
/// validates a chain and the denial of a name.
pub(crate) fn page(folder: &Path) {
    debian("delv", "bind9-dnsutils");
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    for entry in std::fs::read_dir(zones).expect("the examples") {
        let path = entry.expect("an example").path();
        if path.is_file() {
            let name = path.file_name().expect("a name");
            let text = std::fs::read(&path).expect("an example");
            files::write(&folder.join("zones").join(name), text);
        }
    }
    let program = env!("CARGO_BIN_EXE_gazetteer");
    // Its ports may be taken elsewhere.
    in_own_network(|launcher| {
        let mut said = Vec::new();
        let mut daemon: Option<Mutex<Process>> = None;
        for line in commands() {
            let Some(arguments) = line.strip_prefix(RUN) else {
                let daemon = daemon.as_ref().expect("the page has it served first");
                said.push(until(&line, START, || {
                    daemon.lock().check_alive()?;
                    match shell(folder, &line) {
                        ran if ran.code == Some(0) && !ran.text.is_empty() => Ok(ran.text),
                        ran => Err(format!("{ran:?}")),
                    }
                }));
                continue;
            };
            if let Some(file) = arguments.strip_prefix("serve ") {
                let mut command = launcher.clone();
                command.push(program.into());
                command.extend(["serve".into(), folder.join(file).into()]);
                let (first, rest) = command.split_first().expect("a program");
                let log = folder.join("gazetteer.log");
                let process = Process::spawn("gazetteer", Path::new(first), rest, &log, false);
                let process = Mutex::new(process);
                until("it answers", SOON, || {
                    process.lock().check_alive()?;
                    match shell(
                        folder,
                        "dig @127.0.0.1 -p 5300 +short +tries=1 +time=1 example.com SOA",
                    ) {
                        ran if ran.text.starts_with("ns1.example.com.") => Ok(()),
                        ran => Err(format!("{ran:?}")),
                    }
                });
                daemon = Some(process);
            } else {
                shell(folder, &format!("{program} {arguments}")).well();
            }
        }
        let [dig, chain, absent] = said.as_slice() else {
            panic!("{said:#?}");
        };
        assert!(dig.contains("CNAME") && dig.contains("203.0.113."), "{dig}");
        // One for each of two CNAME records and for the addresses.
        let signatures = dig.split_whitespace().filter(|word| *word == "RRSIG");
        assert_eq!(signatures.count(), 3, "{dig}");
        assert!(chain.starts_with("; fully validated"), "{chain}");
        assert!(
            absent.starts_with("; negative response, fully validated"),
            "{absent}"
        );
    });
}
