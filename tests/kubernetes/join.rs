//! `gazetteer join` against an API server with faults on demand.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb, write};

/// A name as people give them to contexts.
pub(super) const CONTEXT: &str = "default/a:6443/kube:admin@x y";

/// A folder with a configuration and an operator's kubeconfig.
pub(super) struct Desk {
    /// The folder.
    pub(super) folder: tempfile::TempDir,
}

impl Desk {
    /// A kubeconfig of these clusters, each under the name of its context.
    pub(super) fn new(clusters: &[(&str, Value)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = Self { folder };
        let all = |entry: fn(&str, &Value) -> Value| -> Value {
            let entries = clusters.iter().map(|(name, cluster)| entry(name, cluster));
            entries.collect()
        };
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": all(|name, cluster| json!({"name": name, "cluster": cluster})),
            "users": all(|name, _| json!({"name": name, "user": {"token": "operator-secret"}})),
            "contexts": all(|name, _| json!({"name": name, "context": {"cluster": name, "user": name}})),
        });
        write(&desk.path("operator"), &kubeconfig.to_string());
        let configuration = "version = \"v1\"\nstate-dir = \"state\"\nlisten.dns = [\"127.0.0.1:0\"]\n\
            [[federation]]\nname = \"f\"\napex = \"example.com\"\n\
            nameservers = [{ name = \"ns.example.net\" }]\n";
        write(&desk.path("gazetteer.toml"), configuration);
        desk
    }

    /// As it is with one API, under the name [`CONTEXT`].
    pub(super) fn of(api: &FakeApi) -> Self {
        Self::new(&[(CONTEXT, cluster(api))])
    }

    /// A file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of a file of the members folder.
    pub(super) fn member_file(&self, name: &str) -> String {
        let path = self.path("members.d").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs the program as an operator does.
    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_gazetteer"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("KUBECONFIG", self.path("operator"))
            .output()
            .expect("the program runs");
        Ran::from(&output)
    }

    /// `gazetteer join m` with the context [`CONTEXT`].
    pub(super) fn join(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["join", "m", "--context", CONTEXT];
        if !more.contains(&"--host-context") {
            arguments.extend(["--config", "gazetteer.toml"]);
        }
        arguments.extend(more);
        self.run(&arguments)
    }
}

/// The cluster of a kubeconfig.
pub(super) fn cluster(api: &FakeApi) -> Value {
    json!({"server": api.url()})
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Ran {
    /// Its exit status.
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) text: String,
    /// What it complained of.
    pub(super) errors: String,
}

impl From<&Output> for Ran {
    fn from(output: &Output) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            code: output.status.code(),
            text: text(&output.stdout),
            errors: text(&output.stderr),
        }
    }
}

impl Ran {
    /// The same, which must have gone well.
    pub(super) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.text, self.errors);
        self
    }

    /// Its error, which must be there.
    pub(super) fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.text, self.errors);
        self.errors
    }
}

/// An API server of a cluster.
pub(super) fn api() -> FakeApi {
    let api = FakeApi::start();
    furnish(&api, "uid-1");
    api
}

/// Gives a cluster what identifies it, and a node.
pub(super) fn furnish(api: &FakeApi, uid: &str) {
    api.apply(
        Resource::Services,
        json!({"metadata": {"namespace": "default", "name": "kubernetes", "uid": uid}}),
    );
    api.apply(
        Resource::Nodes,
        json!({
            "metadata": {"name": "node", "labels": {
                "topology.kubernetes.io/region": "europe-west1",
                "topology.kubernetes.io/zone": "europe-west1-b",
            }},
            "spec": {"podCIDR": "10.1.0.0/24"},
        }),
    );
}

/// The version that a cluster's objects have come to.
fn version(api: &FakeApi) -> Vec<Value> {
    let of = |resource| {
        api.read(|state| -> Vec<Value> {
            let all = state.objects(resource).into_iter();
            all.map(|object| object["metadata"]["resourceVersion"].clone())
                .collect()
        })
    };
    [
        Resource::ServiceAccounts,
        Resource::ClusterRoles,
        Resource::ClusterRoleBindings,
        Resource::Roles,
        Resource::RoleBindings,
        Resource::Secrets,
    ]
    .map(of)
    .concat()
}

/// Every file of the members folder, by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).expect("the members folder");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let text = std::fs::read_to_string(&path).expect("text");
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_join_makes_little_and_carries_no_name_of_the_operator_over() {
    let api = api();
    let desk = Desk::of(&api);
    let dry = desk.join(&["--dry-run"]).well();
    assert!(dry.text.contains("would be created"), "{}", dry.text);
    assert!(!desk.path("members.d").exists(), "{}", dry.text);
    assert_eq!(version(&api).len(), 0);
    let ran = desk.join(&[]).well();
    for line in [
        "√ context \"default/a:6443/kube:admin@x y\": http://127.0.0.1:",
        "√ you may make what is needed",
        "  clusterrole gazetteer                                    created",
        "(asked 30d, granted 30d), renewed by the daemon",
        "√ lists and watches services, endpointslices, nodes, serviceexports",
        "√ region europe-west1 (1 of 1 nodes), zones europe-west1-b, 1 network",
        "m.kubeconfig",
        "- no daemon was asked",
    ] {
        assert!(ran.text.contains(line), "{line}\n{}", ran.text);
    }
    assert!(ran.text.ends_with("\nm: joined\n"), "{}", ran.text);
    let written = files(&desk.path("members.d"));
    let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [".installation", "m.kubeconfig", "m.toml"]);
    let (_, kubeconfig) = &written[1];
    let mode = std::fs::metadata(desk.path("members.d/m.kubeconfig")).expect("a file");
    assert_eq!(mode.mode() & 0o777, 0o640);
    let objects = api.read(|state| {
        let all = [
            Resource::ServiceAccounts,
            Resource::ClusterRoles,
            Resource::ClusterRoleBindings,
            Resource::Roles,
            Resource::RoleBindings,
        ];
        let all = all.map(|resource| state.objects(resource));
        assert!(all.iter().all(|of| of.len() == 1), "{all:?}");
        format!("{all:?}")
    });
    for text in [objects.as_str(), kubeconfig, &written[2].1] {
        for word in ["a:6443", "admin", "x y", "operator-secret"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[test]
fn a_second_join_changes_nothing() {
    let api = api();
    let desk = Desk::of(&api);
    desk.join(&[]).well();
    let (versions, before) = (version(&api), files(&desk.path("members.d")));
    let tokens = |api: &FakeApi| api.read(|state| state.count(Resource::Tokens, Verb::Create));
    assert_eq!(tokens(&api), 1);
    let again = desk.join(&[]).well();
    assert!(again.text.ends_with("\nm: unchanged\n"), "{}", again.text);
    assert!(!again.text.contains("created"), "{}", again.text);
    assert!(
        again.text.contains("renewed by the daemon, kept"),
        "{}",
        again.text
    );
    assert_eq!(version(&api), versions);
    assert_eq!(files(&desk.path("members.d")), before);
    assert_eq!(tokens(&api), 1);
    // What an operator adds to a fragment stays, and a new token is not a new fragment.
    let path = desk.path("members.d/m.toml");
    let added = desk.member_file("m.toml") + "namespaces = [\"shop\"]\n";
    write(&path, &added);
    desk.join(&["--renew"]).well();
    assert_eq!(tokens(&api), 2);
    assert_eq!(desk.member_file("m.toml"), added);
    assert_ne!(desk.member_file("m.kubeconfig"), before[1].1);
    let json = desk.join(&["-o", "json"]).well();
    let json: Value = serde_json::from_str(&json.text).expect("JSON");
    assert_eq!(json["changed"], false, "{json}");
    assert_eq!(json["token"]["kept"], true, "{json}");
    assert_eq!(json["token"]["granted_seconds"], 30 * 86_400, "{json}");
}

#[test]
fn a_join_that_is_cut_short_is_completed_by_the_next() {
    let mut api = api();
    let desk = Desk::of(&api);
    api.script(|script| script.dies_after = Some(Resource::ClusterRoleBindings));
    // The server is gone once the binding is made.
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| desk.join(&[]));
        while !joining.is_finished() {
            if api.read(|state| !state.objects(Resource::ClusterRoleBindings).is_empty()) {
                break;
            }
            std::thread::yield_now();
        }
        api.kill();
        let ran = joining.join().expect("the thread ends");
        ran.refused();
    });
    let names: Vec<_> = files(&desk.path("members.d")).into_iter().collect();
    assert_eq!(names.len(), 1, "only the installation: {names:?}");
    assert!(api.read(|state| state.objects(Resource::Roles).is_empty()));
    api.script(|script| {
        script.dies_after = None;
        script.hangs = false;
    });
    api.resume();
    let ran = desk.join(&[]).well();
    assert!(
        ran.text.contains("unchanged") && ran.text.contains("created"),
        "{}",
        ran.text
    );
    assert_eq!(files(&desk.path("members.d")).len(), 3);
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_made() {
    let api = api();
    let other = FakeApi::start();
    furnish(&other, "uid-2");
    let mut skips = cluster(&api);
    skips["insecure-skip-tls-verify"] = json!(true);
    let desk = Desk::new(&[
        (CONTEXT, cluster(&api)),
        ("skips", skips),
        ("other", cluster(&other)),
    ]);
    let join = |name: &str, context: &str, more: &[&str]| {
        let arguments = [
            "join",
            name,
            "--context",
            context,
            "--config",
            "gazetteer.toml",
        ];
        desk.run(&[&arguments, more].concat())
    };
    let said = join("m", "a@b", &[]).refused();
    assert!(
        said.contains("context \"a@b\" is not in ") && said.contains("(has: "),
        "{said}"
    );
    let said = join("m", "skips", &[]).refused();
    assert!(
        said.contains(
            "does not verify the API's certificate: give --ca-file, or --tls-server-name"
        ),
        "{said}"
    );
    api.script(|script| script.denied = vec![("create", "clusterroles")]);
    let said = join("m", CONTEXT, &[]).refused();
    assert!(
        said.contains("you may not create clusterroles in \"default/a:6443/kube:admin@x y\": RBAC says as scripted; nothing was changed"),
        "{said}"
    );
    api.script(|script| script.denied.clear());
    let usage = join("GCE_1", CONTEXT, &[]);
    assert_eq!(usage.code, Some(2));
    assert!(
        usage.errors.contains("not a DNS label; perhaps \"gce-1\""),
        "{}",
        usage.errors
    );
    let usage = join("m", CONTEXT, &["--lifetime", "5m"]);
    assert_eq!(usage.code, Some(2));
    assert!(
        usage.errors.contains("not within 10m to 366d"),
        "{}",
        usage.errors
    );
    let said = desk.run(&["join", "--context", CONTEXT, "--config", "gazetteer.toml"]);
    let said = said.refused();
    assert!(
        said.contains("give a name: this cluster has no cluster.clusterset.k8s.io"),
        "{said}"
    );
    assert!(version(&api).is_empty());
    assert!(!desk.path("members.d").exists());
    // One cluster is one member, and one name is one cluster.
    join("m", CONTEXT, &[]).well();
    let said = join("n", CONTEXT, &[]).refused();
    assert!(
        said.contains("this cluster is member \"m\" already"),
        "{said}"
    );
    let said = join("m", "other", &[]).refused();
    assert!(
        said.contains("member \"m\" is another cluster so far: give --replace"),
        "{said}"
    );
    assert!(version(&other).is_empty());
    join("m", "other", &["--replace"]).well();
    let kubeconfig = desk.member_file("m.kubeconfig");
    assert!(kubeconfig.contains(&other.url()), "{kubeconfig}");
}

#[test]
fn a_name_may_come_from_the_clusterset() {
    let api = api();
    api.apply(
        Resource::ClusterProperties,
        json!({"metadata": {"name": "cluster.clusterset.k8s.io"}, "spec": {"value": "cs-1"}}),
    );
    let desk = Desk::of(&api);
    let ran = desk.run(&["join", "--context", CONTEXT, "--config", "gazetteer.toml"]);
    let ran = ran.well();
    assert!(ran.text.ends_with("\ncs-1: joined\n"), "{}", ran.text);
    desk.member_file("cs-1.toml");
    let other = Desk::of(&api);
    let ran = other.join(&[]).well();
    assert!(
        ran.text.contains("‼ its clusterset calls it \"cs-1\""),
        "{}",
        ran.text
    );
}

#[test]
fn a_token_that_nobody_renews_must_live_for_a_week() {
    let api = api();
    let desk = Desk::of(&api);
    api.script(|script| script.longest_token = 3_600);
    let said = desk.join(&["--no-renew"]).refused();
    assert!(
        said.contains("the token was granted for 1h, and nobody would renew it"),
        "{said}"
    );
    assert!(!desk.path("members.d/m.toml").exists());
    let ran = desk.join(&[]).well();
    assert!(ran.text.contains("(asked 30d, granted 1h)"), "{}", ran.text);
    // Without the right to renew, that right goes, and stays away.
    api.script(|script| script.longest_token = 0);
    let ran = desk.join(&["--no-renew", "--renew"]).well();
    assert!(ran.text.contains("renewed by nobody"), "{}", ran.text);
    assert!(api.read(|state| state.objects(Resource::Roles).is_empty()));
}

#[test]
fn a_new_member_without_renewal_says_so_to_the_daemon() {
    let api = api();
    let desk = Desk::of(&api);
    desk.join(&["--no-renew", "--region", "r", "--zones", "a,b"])
        .well();
    let fragment = desk.member_file("m.toml");
    assert!(fragment.contains("renew = false"), "{fragment}");
    assert!(
        fragment.contains("region = \"r\"\nzones = [\"a\", \"b\"]\n"),
        "{fragment}"
    );
    assert!(api.read(|state| state.objects(Resource::Roles).is_empty()));
    let again = desk.join(&[]).well();
    assert!(again.text.ends_with("m: unchanged\n"), "{}", again.text);
}

#[test]
fn a_long_lived_token_is_replaced_before_it_goes() {
    let api = api();
    let desk = Desk::of(&api);
    desk.join(&["--long-lived"]).well();
    let secrets = |api: &FakeApi| {
        api.read(|state| -> Vec<String> {
            let all = state.objects(Resource::Secrets).into_iter();
            all.filter_map(|secret| Some(secret["metadata"]["name"].as_str()?.to_owned()))
                .collect()
        })
    };
    let (first, kubeconfig) = (secrets(&api), desk.member_file("m.kubeconfig"));
    assert_eq!(first.len(), 1);
    let again = desk.join(&[]).well();
    assert!(again.text.ends_with("m: unchanged\n"), "{}", again.text);
    let ran = desk.join(&["--renew"]).well();
    let second = secrets(&api);
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
    assert_ne!(desk.member_file("m.kubeconfig"), kubeconfig);
    let made = ran.text.find("created").expect("one is made");
    let gone = ran.text.find("removed").expect("one goes");
    assert!(made < gone, "{}", ran.text);
    desk.join(&["--renew"]).well();
    assert_eq!(secrets(&api), first);
}

#[test]
fn a_credential_that_does_not_watch_is_not_handed_on() {
    let api = api();
    let desk = Desk::of(&api);
    api.set(Resource::EndpointSlices, Verb::Watch, Reply::denied());
    let said = desk.join(&[]).refused();
    assert!(said.contains("watch endpointslices: forbidden"), "{said}");
    assert!(said.contains("the daemon's side was not touched"), "{said}");
    assert!(!desk.path("members.d/m.kubeconfig").exists());
}

#[test]
fn the_objects_can_be_printed_without_any_cluster() {
    let desk = Desk::new(&[]);
    let plain = desk.run(&["join", "--print-rbac"]).well();
    assert!(plain.text.contains("name: gazetteer\n"), "{}", plain.text);
    let own = desk
        .run(&["join", "--print-rbac", "--config", "gazetteer.toml"])
        .well();
    assert_ne!(plain.text, own.text);
    let again = desk
        .run(&["join", "--print-rbac", "--config", "gazetteer.toml"])
        .well();
    assert_eq!(again.text, own.text);
}
