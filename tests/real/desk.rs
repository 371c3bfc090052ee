//! An operator's desk: kubeconfigs with contexts of any name, a configuration, and the commands that an
//! operator gives.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::files;
use crate::fleet::Fleet;
use crate::member::Member;
use crate::process::program;

/// A name as people give them to contexts.
pub(crate) const CONTEXT: &str = "default/a:6443/kube:admin@x y";

/// A desk.
pub(crate) struct Desk {
    /// Its folder.
    pub(crate) folder: PathBuf,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit status.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) text: String,
    /// What it complained of.
    pub(crate) errors: String,
}

impl Ran {
    /// What a command came to.
    pub(crate) fn of(output: &Output) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            code: output.status.code(),
            text: text(&output.stdout),
            errors: text(&output.stderr),
        }
    }

    /// What it printed; it must have gone well.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.text, self.errors);
        self.text
    }

    /// What it complained of; it must have been refused.
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.text, self.errors);
        self.errors
    }
}

impl Desk {
    /// A desk with the administrator's contexts of these clusters.
    pub(crate) fn new(fleet: &Fleet, contexts: &[(&str, &Member, Value)]) -> Self {
        let folder = fleet.daemon_folder();
        let user = |member: &Member| {
            let text = std::fs::read_to_string(member.kubeconfig()).expect("kubeconfig");
            let kubeconfig: Value = serde_json::from_str(&text).expect("kubeconfig");
            kubeconfig["users"][0]["user"].clone()
        };
        let all = |entry: &dyn Fn(&(&str, &Member, Value)) -> Value| -> Value {
            contexts.iter().map(entry).collect()
        };
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": all(&|(name, _, cluster)| json!({"name": name, "cluster": cluster})),
            "users": all(&|(name, member, _)| json!({"name": name, "user": user(member)})),
            "contexts": all(&|(name, ..)| json!({"name": name, "context": {"cluster": name, "user": name}})),
        });
        files::write(&folder.join("operator"), kubeconfig.to_string());
        let configuration = "version = \"v1\"\nstate-dir = \"state\"\nlisten.dns = [\"127.0.0.1:0\"]\n\
            [[federation]]\nname = \"fed\"\napex = \"example.com\"\n\
            nameservers = [{ name = \"ns1.example.net\" }]\n";
        files::write(&folder.join("gazetteer.toml"), configuration);
        Self { folder }
    }

    /// A desk with the context [`CONTEXT`] of one member.
    pub(crate) fn of(fleet: &Fleet, member: &Member) -> Self {
        Self::new(fleet, &[(CONTEXT, member, verified(member))])
    }

    /// The same, where a daemon of the configuration has an admin address.
    pub(crate) fn with_admin(self) -> Self {
        let file = self.folder.join("gazetteer.toml");
        let text = std::fs::read_to_string(&file).expect("a configuration");
        let text = text.replacen("\n[[", "\nlisten.admin = \"127.0.0.1:0\"\n[[", 1);
        files::write(&file, text);
        self
    }

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
            .args(arguments)
            .current_dir(&self.folder)
            .env("KUBECONFIG", self.folder.join("operator"))
            .output();
        Ran::of(&output.expect("the program runs"))
    }

    /// Joins the member `m` by the context [`CONTEXT`].
    pub(crate) fn join(&self, more: &[&str]) -> Ran {
        self.for_m("join", more)
    }

    /// Takes the member `m` away.
    pub(crate) fn unjoin(&self, more: &[&str]) -> Ran {
        self.for_m("unjoin", more)
    }

    /// Gives a command for the member `m` by the context [`CONTEXT`].
    fn for_m(&self, verb: &str, more: &[&str]) -> Ran {
        let context = ["--context", CONTEXT, "--config", "gazetteer.toml"];
        self.run(&[&[verb, "m"], &context[..], more].concat())
    }

    /// Runs kubectl.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(program("kubectl"))
            .args(arguments)
            .current_dir(&self.folder)
            .env("KUBECONFIG", self.folder.join("operator"))
            .output();
        Ran::of(&output.expect("kubectl runs"))
    }

    /// Runs a line in a shell that finds the program and kubectl.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let folder = |path: &Path| path.parent().expect("a folder").display().to_string();
        let kubectl = folder(&program("kubectl"));
        let gazetteer = folder(Path::new(env!("CARGO_BIN_EXE_gazetteer")));
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("/bin/sh")
            .args(["-c", line])
            .current_dir(&self.folder)
            .env("KUBECONFIG", self.folder.join("operator"))
            .env("PATH", format!("{gazetteer}:{kubectl}:{path}"))
            .output();
        Ran::of(&output.expect("a shell runs"))
    }

    /// A file of the members folder.
    pub(crate) fn member_file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join("members.d").join(name)).ok()
    }

    /// The token that the daemon is given for the member `m`.
    pub(crate) fn token(&self) -> String {
        let text = self.member_file("m.kubeconfig").expect("a kubeconfig");
        let kubeconfig: Value = serde_saphyr::from_str(&text).expect("YAML");
        let token = kubeconfig["users"][0]["user"]["token"].as_str();
        token.expect("a token").to_owned()
    }
}

/// A kubeconfig's cluster that verifies.
pub(crate) fn verified(member: &Member) -> Value {
    json!({"server": member.url(), "certificate-authority": member.pki().authority})
}

/// The names of bindings that joins have made in a member.
pub(crate) fn installed(member: &Member) -> Vec<String> {
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings\
        ?labelSelector=gazetteer.dev/installation";
    let listed = member.api.get(path).expect("bindings");
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    let names = items
        .iter()
        .filter_map(|one| one["metadata"]["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Every object that joins have made in a member, with its version.
pub(crate) fn made(member: &Member) -> Vec<(String, String)> {
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let paths = [
        "/api/v1/serviceaccounts".to_owned(),
        "/api/v1/secrets".to_owned(),
        format!("{rbac}/clusterroles"),
        format!("{rbac}/clusterrolebindings"),
        format!("{rbac}/roles"),
        format!("{rbac}/rolebindings"),
    ];
    let mut made = Vec::new();
    for path in paths {
        let path = format!("{path}?labelSelector=app.kubernetes.io/managed-by%3Dgazetteer");
        let listed = member.api.get(&path).expect("a list");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for object in listed["items"].as_array().into_iter().flatten() {
            let metadata = &object["metadata"];
            made.push((
                format!("{path} {}", text(&metadata["name"])),
                text(&metadata["resourceVersion"]),
            ));
        }
    }
    made
}
