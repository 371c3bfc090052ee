//! A folder with a configuration of two members, and the daemon on it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use hickory_proto::rr::RecordType;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::dns::{self, Answer, Client};
use crate::program::{self, command};
use crate::wait::{SOON, until};

/// The global name of the service that both members have.
pub(crate) const NAME: &str = "my-service.my-namespace.my-federation.svc.example.com";
/// Its address in the first member, until a test changes that.
pub(crate) const FIRST: &str = "203.0.113.11";
/// Its address in the second member.
pub(crate) const SECOND: &str = "203.0.113.21";

/// The global name of a service of the namespace.
pub(crate) fn name(service: &str) -> String {
    format!("{service}.my-namespace.my-federation.svc.example.com")
}

/// A service of a facts file, with more lines of its table.
pub(crate) fn service(name: &str, addresses: &[&str], more: &str) -> String {
    format!(
        "[[service]]\nnamespace = \"my-namespace\"\nname = \"{name}\"\naddresses = {addresses:?}\n{more}\n"
    )
}

/// A folder with everything that a daemon is started on. Without changes both members are files.
pub(crate) struct Stage {
    /// The folder.
    folder: TempDir,
    /// Keys at the top of the configuration.
    pub(crate) top: String,
    /// The admin address.
    pub(crate) admin: String,
    /// Keys of `[listen]`.
    pub(crate) listen: String,
    /// Keys of the federation.
    pub(crate) federation: String,
    /// Keys of the member `m1`.
    pub(crate) m1: String,
    /// Keys of the member `m2`.
    pub(crate) m2: String,
}

impl Stage {
    /// Two files with one service each; nothing is probed.
    pub(crate) fn new() -> Self {
        let stage = Self {
            folder: tempfile::tempdir().expect("a folder"),
            top: "state-dir = \"state\"".to_owned(),
            admin: "127.0.0.1:0".to_owned(),
            listen: "dns = [\"127.0.0.1:0\"]".to_owned(),
            federation: "probe = { kind = \"none\" }\nsync-timeout = \"2s\"".to_owned(),
            m1: "source = { file = \"m1.toml\" }\nregion = \"eu\"\nzones = [\"eu-1\"]".to_owned(),
            m2: "source = { file = \"m2.toml\" }\nregion = \"us\"\nzones = [\"us-1\"]".to_owned(),
        };
        stage.put("m1.toml", &service("my-service", &[FIRST], ""));
        stage.put("m2.toml", &service("my-service", &[SECOND], ""));
        stage
    }

    /// The first member is the API server of the kubeconfig `kubeconfig` in the folder.
    pub(crate) fn of_api() -> Self {
        let source = "source = { kubeconfig = \"kubeconfig\", context = \"fake\" }";
        Self {
            m1: format!("{source}\nregion = \"eu\"\nzones = [\"eu-1\"]"),
            ..Self::new()
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a file by rename.
    pub(crate) fn put(&self, file: &str, text: &str) {
        program::replace(&self.path().join(file), text);
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self) {
        let Self {
            top,
            admin,
            listen,
            federation,
            m1,
            m2,
            ..
        } = self;
        let text = format!(
            r#"version = "v1"
shutdown-delay = "0s"
{top}

[listen]
admin = "{admin}"
{listen}

[[federation]]
name = "my-federation"
apex = "example.com"
nameservers = [{{ name = "ns1.example.com", addresses = ["192.0.2.53"] }}]
{federation}

[[member]]
name = "m1"
{m1}

[[member]]
name = "m2"
{m2}
"#
        );
        self.put("gazetteer.toml", &text);
    }

    /// Writes the configuration, starts the daemon and waits until it is ready.
    pub(crate) fn start(&self) -> Daemon {
        self.configure();
        Daemon::start(self.path(), "gazetteer.toml").ready()
    }

    /// The same by a line of the shell, in which `"$@"` is the daemon.
    pub(crate) fn start_by(&self, line: &str, environment: &[(&str, &OsStr)]) -> Daemon {
        self.configure();
        let daemon = command(self.path());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line, "sh"]).arg(daemon.get_program());
        shell.args(["serve", "gazetteer.toml"]);
        shell.current_dir(self.path()).env_clear();
        shell.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        shell.envs(environment.iter().copied());
        Daemon::start_command(&mut shell).ready()
    }

    /// Runs the program on the folder to its end: whether it was content, and all that it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = program::run(self.path(), arguments);
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        (output.status.success(), printed)
    }
}

impl Daemon {
    /// The A answer at a name, over UDP.
    pub(crate) fn answer(&self, name: &str) -> Result<Answer, String> {
        Client::new(self.dns).ask(name, RecordType::A)
    }

    /// The A answer at a name, over TCP.
    pub(crate) fn answer_tcp(&self, name: &str) -> Result<Answer, String> {
        dns::ask_tcp(self.dns, name, RecordType::A)
    }

    /// Waits until the A answer at a name has these addresses and no others.
    pub(crate) fn until_answers(&self, name: &str, expected: &[&str]) {
        let what = format!("{name} answers {expected:?}");
        until(&what, SOON, || self.check(name, expected));
    }

    /// Whether the A answer at a name has these addresses and no others now.
    pub(crate) fn check(&self, name: &str, expected: &[&str]) -> Result<(), String> {
        let wanted = expected.iter().map(|text| text.parse().expect("address"));
        let wanted: BTreeSet<IpAddr> = wanted.collect();
        let answer = self.answer(name)?;
        if answer.addresses == wanted {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    }

    /// What `/v1/clusters` says of a member.
    pub(crate) fn member(&self, name: &str) -> Result<Value, String> {
        let (_, body) = self.get("/v1/clusters").ok_or("no reply of admin")?;
        let all: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        let mut members = all.as_array().into_iter().flatten();
        let found = members.find(|member| member["name"] == name);
        found.cloned().ok_or(body)
    }

    /// Waits until a member is in a state with all of these words in its reason or its warnings,
    /// and returns what is said of it.
    pub(crate) fn until_member(&self, name: &str, status: &str, words: &[&str]) -> Value {
        let what = format!("{name} is {status} with {words:?}");
        until(&what, 3 * SOON, || {
            let member = self.member(name)?;
            let said = format!("{}{}", member["reason"], member["warnings"]);
            if member["status"] == status && words.iter().all(|word| said.contains(word)) {
                Ok(member)
            } else {
                Err(member.to_string())
            }
        })
    }

    /// The lines of the log that were not read yet.
    pub(crate) fn new_logs(&self) -> Vec<String> {
        self.logs.try_iter().collect()
    }

    /// Fails if it has ended.
    pub(crate) fn assert_alive(&mut self) {
        let ended = self.process.try_wait().expect("it is our child");
        assert!(ended.is_none(), "{ended:?}: {:?}", self.new_logs());
    }

    /// Fails if it has ended, and is not waited for yet.
    pub(crate) fn assert_runs(&self) {
        let path = format!("/proc/{}/stat", self.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            !stat.contains(") Z "),
            "it has ended: {:?}",
            self.new_logs()
        );
    }

    /// A field of `/proc/PID/status`, in its unit.
    pub(crate) fn status(&self, field: &str) -> String {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.expect("a field of the kernel's").trim().to_owned()
    }
}
