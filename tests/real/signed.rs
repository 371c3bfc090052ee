//! A gazetteer with a signed apex, delegated to by the zone above in a small Internet.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::desk::Ran;
use crate::files;
use crate::gazetteer::Gazetteer;
use crate::internet::{COM, DNS, Internet, SERVERS, ZONE};

/// Members, each with its region, its zone, and the last octet of its address.
const MEMBERS: [(&str, &str, &str, u8); 3] = [
    ("ew1b", "europe-west1", "europe-west1-b", 11),
    ("ew1d", "europe-west1", "europe-west1-d", 12),
    ("ue1b", "us-east1", "us-east1-b", 21),
];

/// Files of a gazetteer, and the commands that an operator gives for it.
pub(crate) struct SignedWorld {
    /// The folder of the files.
    pub(crate) folder: PathBuf,
    /// A command that all of it runs under, such as one that sets a clock.
    before: Vec<OsString>,
}

impl SignedWorld {
    /// Writes its files: everything is ready, and the zone is to be signed and has no key. `more` is in
    /// the configuration before its tables, and the whole runs under a command.
    pub(crate) fn new(folder: &Path, more: &str, before: Vec<OsString>) -> Self {
        let folder = folder.join("gazetteer");
        let mut text =
            format!("version = \"v1\"\nstate-dir = \"state\"\n{more}\n[listen]\ndns = [");
        for address in SERVERS.iter().flatten() {
            write!(text, "\"{}\", ", SocketAddr::from((*address, DNS))).expect("text");
        }
        write!(
            text,
            "]\nadmin = \"127.0.0.1:9153\"\n\n\
             [[federation]]\nname = \"fed\"\napex = \"{ZONE}\"\nprobe = {{ kind = \"none\" }}\n\
             hostmaster = \"hostmaster.{ZONE}\"\nnameservers = ["
        )
        .expect("text");
        for (number, [v4, v6]) in SERVERS.iter().enumerate() {
            let number = number + 1;
            write!(
                text,
                "{{ name = \"ns{number}.{ZONE}\", addresses = [\"{v4}\", \"{v6}\"] }}, "
            )
            .expect("text");
        }
        write!(
            text,
            "]\n\n[[zone]]\napex = \"{ZONE}\"\ndnssec = {{ parent = [\"{}\", \"{}\"] }}\n",
            COM[0], COM[1]
        )
        .expect("text");
        for (name, region, zone, _) in MEMBERS {
            write!(
                text,
                "\n[[member]]\nname = \"{name}\"\nregion = \"{region}\"\nzones = [\"{zone}\"]\n\
                 source = {{ file = \"{name}.toml\" }}\n"
            )
            .expect("text");
        }
        files::write(&folder.join("gazetteer.toml"), text);
        let world = Self { folder, before };
        world.set_ready("europe-west1", true);
        world.set_ready("us-east1", true);
        world
    }

    /// Has the members of a region ready, or not.
    pub(crate) fn set_ready(&self, region: &str, is_ready: bool) {
        for (name, _, _, octet) in MEMBERS.iter().filter(|(_, of, ..)| *of == region) {
            let mut text = String::new();
            for service in ["web", "api"] {
                write!(
                    text,
                    "[[service]]\nnamespace = \"shop\"\nname = \"{service}\"\n\
                     ports = [{{ name = \"http\", protocol = \"TCP\", port = 80 }}]\n\
                     addresses = [\"203.0.113.{octet}\", \"2001:db8::{octet}\"]\n\
                     endpoints = [{{ address = \"10.1.0.5\", ready = {is_ready} }}]\n"
                )
                .expect("text");
            }
            files::write(&self.folder.join(format!("{name}.toml")), text);
        }
    }

    /// Starts the daemon inside an Internet.
    pub(crate) fn start(&self, internet: &Internet) -> Gazetteer {
        let daemon = self.launch(internet);
        daemon.until_ready();
        daemon
    }

    /// The same, which need not be ready.
    pub(crate) fn launch(&self, internet: &Internet) -> Gazetteer {
        let mut launcher = internet.launcher();
        launcher.extend_from_slice(&self.before);
        Gazetteer::launched(self.folder.clone(), launcher)
    }

    /// Runs a command of the program on its configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.before.clone();
        command.push(env!("CARGO_BIN_EXE_gazetteer").into());
        command.extend(arguments.iter().map(OsString::from));
        let (first, rest) = command.split_first().expect("a program");
        let output = Command::new(first)
            .args(rest)
            .current_dir(&self.folder)
            .env("GAZETTEER_CONFIG", "gazetteer.toml")
            .output();
        Ran::of(&output.expect("the program runs"))
    }

    /// Gives a command about keys; what it printed.
    pub(crate) fn keys(&self, arguments: &[&str]) -> String {
        self.run(&[&["keys"], arguments].concat()).well()
    }

    /// The keys of the zone.
    pub(crate) fn listed(&self) -> Vec<Value> {
        let text = self.keys(&["list", ZONE, "-o", "json"]);
        serde_json::from_str(&text).expect("JSON")
    }

    /// The rdata of the DS record that the zone above is to have.
    pub(crate) fn ds(&self) -> String {
        let text = self.keys(&["ds", ZONE]);
        let line = text.lines().next().unwrap_or_default();
        let (_, rdata) = line.split_once(" DS ").unwrap_or_else(|| panic!("{text}"));
        rdata.to_owned()
    }
}
