//! The way of somebody who has three clusters and reads README.md alone: its configuration and its commands
//! are taken out of it.

use std::path::Path;

use super::joins::bare;
use crate::desk::{Desk, verified};
use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::Gazetteer;

/// The blocks of the README's section about clusters of one's own, and how many commands it says there are.
struct Section {
    /// The configuration.
    configuration: String,
    /// The commands.
    commands: Vec<String>,
    /// How many it says.
    said: usize,
}

impl Section {
    /// Reads it.
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let text = std::fs::read_to_string(path).expect("README.md");
        let (_, section) = text
            .split_once("## Your own clusters\n")
            .expect("the section");
        let block = |language: &str| {
            let (_, rest) = section
                .split_once(&format!("```{language}\n"))
                .expect("a block");
            rest.split("```").next().expect("its end").to_owned()
        };
        let mut words = section.split_whitespace();
        let said = words.find_map(|word| word.parse().ok());
        Self {
            configuration: block("toml"),
            commands: block("sh").lines().map(str::to_owned).collect(),
            said: said.expect("a number"),
        }
    }
}

/// Three clusters, one join each: the check finds nothing wrong, and dig is answered.
pub(crate) fn readme(fleet: &Fleet) {
    let section = Section::read();
    assert_eq!(section.commands.len(), section.said);
    let joins = section.commands.iter();
    let joins = joins.filter(|line| line.starts_with("gazetteer join "));
    let contexts: Vec<_> = joins
        .map(|line| {
            let (_, rest) = line.split_once("--context ").expect("a context");
            rest.split(' ').next().expect("a context")
        })
        .collect();
    assert_eq!(contexts.len(), fleet.members.len());
    let contexts = contexts.into_iter().zip(&fleet.members);
    let contexts: Vec<_> = contexts
        .map(|(context, member)| {
            bare(member);
            member.service(
                "shop",
                "web",
                false,
                &serde_json::json!([{"ip": member.balancer(1)}]),
            );
            member.set_slice("shop", "web", true);
            (context, member, verified(member))
        })
        .collect();
    let desk = Desk::new(fleet, &contexts);
    // As it is there, but for what a machine with other tests has taken.
    let mut configuration = section.configuration.clone();
    for (given, free) in [
        ("127.0.0.1:5300", "127.0.0.1:0"),
        ("127.0.0.1:9153", "127.0.0.1:0"),
    ] {
        assert!(configuration.contains(given), "{given}");
        configuration = configuration.replace(given, free);
    }
    let configuration = configuration.replace("\n[listen]", "state-dir = \"state\"\n\n[listen]");
    files::write(&desk.folder.join("gazetteer.toml"), configuration);

    let mut daemon = None;
    for line in &section.commands {
        if line.starts_with("cargo install ") {
            continue;
        }
        if line == "gazetteer serve gazetteer.toml &" {
            daemon = Some(Gazetteer::run(desk.folder.clone()));
            continue;
        }
        let port = daemon.as_ref().map(|daemon| daemon.dns.port());
        let line = match port {
            Some(port) => line.replace("-p 5300", &format!("-p {port}")),
            None => line.clone(),
        };
        let text = desk.shell(&line).well();
        match line.split(' ').nth(1).unwrap_or_default() {
            "join" => assert!(text.contains("√ the daemon watches it: Ready"), "{text}"),
            "check" => assert!(!text.contains('×') && !text.contains("- daemon"), "{text}"),
            _ if line.starts_with("dig ") => {
                let [first, second, _] = fleet.members.each_ref().map(|one| one.balancer(1));
                let lines: Vec<_> = text.lines().collect();
                assert_eq!(lines.len(), 2, "{text}");
                assert!(text.contains(&first) && text.contains(&second), "{text}");
            }
            _ => {}
        }
    }
    drop(daemon);
    for (context, member, _) in &contexts {
        let name = context.split_once('@').map_or(*context, |(_, name)| name);
        let arguments = ["unjoin", name, "--context", context, "--yes"];
        desk.run(&[&arguments[..], &["--config", "gazetteer.toml"]].concat())
            .well();
        member.api.delete("/api/v1/namespaces/shop/services/web");
    }
}
