//! `gazetteer check --live` against API servers with one fault at a time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::fake_apiserver::{FakeApi, Reply, Resource, Verb, write};
use crate::join::{CONTEXT, Desk, Ran, furnish};

/// A certificate for 127.0.0.1 and its key, in PEM.
pub(crate) type Pair = (String, String);

/// A certificate that expires in so many days.
fn certificate(days: i64) -> Pair {
    let mut made = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("names");
    let day = Timestamp::now() + (24 * days).hours();
    let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
    let [month, of_month] = [day.month(), day.day()].map(|it| u8::try_from(it).expect("small"));
    made.not_after = rcgen::date_time_ymd(day.year().into(), month, of_month);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = made.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// A member that was joined, and all that it may become.
pub(crate) struct World {
    /// Its API.
    pub(crate) api: FakeApi,
    /// The configuration.
    pub(crate) desk: Desk,
    /// Certificates that are good for long, for 20 days and for 3.
    pub(crate) pairs: [Pair; 3],
    /// Another cluster, once it is needed.
    other: Option<FakeApi>,
}

impl World {
    /// One where all is right.
    pub(crate) fn new() -> Self {
        let pairs = [400, 20, 3].map(certificate);
        let [(certificate, key), ..] = &pairs;
        let api = FakeApi::start_tls_with(certificate, key, false);
        furnish(&api, "uid-1");
        let all: Vec<_> = pairs.iter().map(|(pem, _)| pem.as_str()).collect();
        let authority = STANDARD.encode(all.concat());
        let cluster = json!({"server": api.url(), "certificate-authority-data": authority});
        let desk = Desk::new(&[(CONTEXT, cluster)]);
        desk.join(&[]).well();
        let world = Self {
            api,
            desk,
            pairs,
            other: None,
        };
        world.least();
        world.configure("");
        world.write("vm.toml", "# No service yet.\n");
        world.api.apply(
            Resource::Services,
            json!({
                "metadata": {"namespace": "shop", "name": "web", "annotations": {
                    "gazetteer.dev/export": "true", "gazetteer.dev/allow-without-endpoints": "true",
                }},
                "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
                "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.11"}]}},
            }),
        );
        world
    }

    /// Writes a file of the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) {
        write(&self.desk.path(name), text);
    }

    /// Writes the configuration, with these lines more.
    fn configure(&self, more: &str) {
        let file = "version = \"v1\"\nstate-dir = \"state\"\nlisten.dns = [\"127.0.0.1:0\"]\n\
            [[federation]]\nname = \"f\"\napex = \"example.com\"\n\
            nameservers = [{ name = \"ns.example.net\" }]\n\
            [[member]]\nname = \"vm\"\nregion = \"r\"\nsource = { file = \"vm.toml\" }\n";
        self.write("gazetteer.toml", &format!("{file}{more}"));
    }

    /// The member may do what it needs, and no more.
    fn least(&self) {
        self.api
            .script(|script| script.denied = vec![("*", "*"), ("get", "secrets")]);
    }

    /// Answers with this certificate from now on.
    fn show(&mut self, pair: usize) {
        self.api.kill();
        let (certificate, key) = self.pairs[pair].clone();
        self.api.resume_with(&certificate, &key);
    }

    /// Makes another member of an API, with the credential of the first.
    pub(crate) fn second(&self, url: &str) {
        let kubeconfig = self.desk.member_file("m.kubeconfig");
        self.write(
            "members.d/n.kubeconfig",
            &kubeconfig.replace(&self.api.url(), url),
        );
        let fragment = "version = \"v1\"\nname = \"n\"\n\
            source = { kubeconfig = \"n.kubeconfig\", context = \"gazetteer\" }\n";
        self.write("members.d/n.toml", fragment);
    }

    /// Takes the other member away.
    fn no_second(&mut self) {
        for file in ["members.d/n.toml", "members.d/n.kubeconfig"] {
            std::fs::remove_file(self.desk.path(file)).expect("the file");
        }
        self.other = None;
    }

    /// Runs the command.
    fn run(&self, more: &[&str]) -> Ran {
        let command = ["check", "gazetteer.toml", "--live"];
        self.desk.run(&[&command[..], more].concat())
    }

    /// The lines of a run, and its exit status.
    pub(crate) fn check(&self, more: &[&str]) -> (Vec<Value>, Option<i32>) {
        let ran = self.run(&[&["-o", "json"], more].concat());
        let document: Value = serde_json::from_str(&ran.text)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.text, ran.errors));
        let is_ok = ran.code == Some(0);
        assert_eq!(document["ok"], is_ok, "{document:#}");
        let lines = document["checks"].as_array().expect("checks");
        (lines.clone(), ran.code)
    }
}

/// The checks that are neither as they should be nor left out, each with its state.
pub(crate) fn bad(lines: &[Value]) -> Vec<(&str, &str)> {
    let states = lines.iter().map(|line| {
        let field = |name: &str| line[name].as_str().expect("text");
        (field("id"), field("state"))
    });
    let mut bad: Vec<_> = states
        .filter(|(_, state)| ["warning", "failure"].contains(state))
        .collect();
    bad.dedup();
    bad
}

/// Something that is done to a world.
type Deed = fn(&mut World);

/// A check, what it comes to by a fault, the fault, and what takes it away.
type Fault = (&'static str, &'static str, Deed, Deed);

/// One fault for each check.
const FAULTS: &[Fault] = &[
    (
        "config",
        "failure",
        |world| world.configure("polcy = 1\n"),
        |world| world.configure(""),
    ),
    (
        "config",
        "warning",
        |world| world.configure("[geoip]\ndatabase = \"none.mmdb\"\n"),
        |world| world.configure(""),
    ),
    (
        "facts-files",
        "failure",
        |world| world.write("vm.toml", "[[service]]\nname = \"s\"\nwait = 1\n"),
        |world| world.write("vm.toml", "# No service yet.\n"),
    ),
    (
        "fragments",
        "failure",
        |world| world.write("members.d/x.toml", "version = \"v1\"\nname = \"y\"\n"),
        |world| std::fs::remove_file(world.desk.path("members.d/x.toml")).expect("the file"),
    ),
    (
        "api-reachable",
        "failure",
        |world| world.api.kill(),
        |world| world.api.resume(),
    ),
    (
        "api-reachable",
        "failure",
        |world| {
            world.api.set(
                Resource::Ready,
                Verb::Get,
                Reply::Text(500, "etcd failed\n"),
            );
        },
        |world| world.api.heal(Resource::Ready, Verb::Get),
    ),
    (
        "api-certificate",
        "warning",
        |world| world.show(1),
        |world| world.show(0),
    ),
    (
        "api-certificate",
        "failure",
        |world| world.show(2),
        |world| world.show(0),
    ),
    (
        "api-identity",
        "failure",
        |world| world.second(&world.api.url()),
        World::no_second,
    ),
    (
        "api-clock",
        "warning",
        |world| date(world, -30),
        |world| world.api.script(|script| script.date = None),
    ),
    (
        "api-clock",
        "failure",
        |world| date(world, 300),
        |world| world.api.script(|script| script.date = None),
    ),
    (
        "credential",
        "failure",
        |world| {
            world
                .api
                .script(|script| script.token = Some("another".to_owned()));
        },
        |world| world.api.script(|script| script.token = None),
    ),
    (
        "credential",
        "warning",
        |world| {
            world
                .api
                .script(|script| script.denied.push(("create", "serviceaccounts")));
        },
        |world| world.least(),
    ),
    (
        "rights-list",
        "failure",
        |world| {
            world
                .api
                .set(Resource::EndpointSlices, Verb::List, Reply::denied());
        },
        |world| world.api.heal(Resource::EndpointSlices, Verb::List),
    ),
    (
        "rights-watch",
        "failure",
        |world| {
            world
                .api
                .set(Resource::EndpointSlices, Verb::Watch, Reply::denied());
        },
        |world| world.api.heal(Resource::EndpointSlices, Verb::Watch),
    ),
    (
        "rights-paths",
        "failure",
        |world| {
            world.api.set(Resource::Version, Verb::Get, Reply::denied());
        },
        |world| world.api.heal(Resource::Version, Verb::Get),
    ),
    (
        "rights-least",
        "warning",
        |world| world.api.script(|script| script.denied.clear()),
        |world| world.least(),
    ),
    (
        "labels",
        "warning",
        |world| {
            world.api.apply(
                Resource::Nodes,
                json!({"metadata": {"name": "bare"}, "spec": {"podCIDR": "10.1.1.0/24"}}),
            );
        },
        |world| {
            world.api.delete(Resource::Nodes, "", "bare");
        },
    ),
    (
        "exports",
        "warning",
        |world| {
            world.api.apply(
                Resource::Services,
                json!({
                    "metadata": {"namespace": "shop", "name": "new", "annotations": {"gazetteer.dev/export": "true"}},
                    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
                }),
            );
        },
        |world| {
            world.api.delete(Resource::Services, "shop", "new");
        },
    ),
    (
        "via",
        "failure",
        |world| {
            world
                .api
                .set(Resource::Gateways, Verb::List, Reply::denied());
            world.api.apply(
                Resource::Services,
                json!({
                    "metadata": {"namespace": "shop", "name": "behind", "annotations": {"gazetteer.dev/export": "true", "gazetteer.dev/via": "gateway/i/p", "gazetteer.dev/allow-without-endpoints": "true"}},
                    "spec": {"ports": [{"port": 80}]},
                }),
            );
        },
        |world| world.api.heal(Resource::Gateways, Verb::List),
    ),
    (
        "via",
        "warning",
        |_| {},
        |world| {
            world.api.delete(Resource::Services, "shop", "behind");
        },
    ),
    (
        "networks",
        "warning",
        |world| {
            let (certificate, key) = &world.pairs[0];
            let other = FakeApi::start_tls_with(certificate, key, false);
            furnish(&other, "uid-2");
            other.script(|script| script.denied = vec![("*", "*"), ("get", "secrets")]);
            world.second(&other.url());
            world.other = Some(other);
        },
        World::no_second,
    ),
    (
        "names",
        "warning",
        |world| {
            world.api.apply(
                Resource::Services,
                json!({"metadata": {"namespace": "f", "name": "x"}, "spec": {"ports": [{"port": 80}]}}),
            );
        },
        |world| {
            world.api.delete(Resource::Services, "f", "x");
        },
    ),
    (
        "clusterset-id",
        "warning",
        |world| {
            world.api.apply(
                Resource::ClusterProperties,
                json!({"metadata": {"name": "cluster.clusterset.k8s.io"}, "spec": {"value": "other"}}),
            );
        },
        |world| {
            world
                .api
                .delete(Resource::ClusterProperties, "", "cluster.clusterset.k8s.io");
        },
    ),
];

/// Sets the clock of the API so many seconds off.
fn date(world: &World, off: i64) {
    let date = Timestamp::now() + off.seconds();
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    world.api.script(|script| script.date = Some(date));
}

#[test]
fn each_fault_is_one_line_and_no_other() {
    let mut world = World::new();
    let (lines, code) = world.check(&[]);
    assert_eq!((bad(&lines), code), (vec![], Some(0)), "{lines:#?}");
    for (id, state, spoil, mend) in FAULTS {
        spoil(&mut world);
        let (lines, code) = world.check(&[]);
        assert_eq!(bad(&lines), [(*id, *state)], "{lines:#?}");
        let is_wrong = *state == "failure";
        assert_eq!(code, Some(i32::from(is_wrong)), "{id}");
        let (_, strict) = world.check(&["--strict"]);
        assert_eq!(strict, Some(1), "{id}");
        let line = lines.iter().find(|line| line["state"] == *state);
        let line = line.expect("the line");
        assert_eq!(line["doc"], format!("docs/checks.md#{id}"));
        assert!(line["hint"].is_string(), "{line:#}");
        mend(&mut world);
    }
    let (lines, _) = world.check(&[]);
    assert_eq!(bad(&lines), [], "{lines:#?}");
    let faulty: Vec<_> = FAULTS.iter().map(|(id, ..)| *id).collect();
    let seen = lines.iter().filter_map(|line| line["id"].as_str());
    // Faults of daemons and of DNS need those, and are tried where there are some.
    let elsewhere = |id: &&str| id.starts_with("daemon-") || id.starts_with("dns-");
    let missing: Vec<_> = seen
        .filter(|id| !faulty.contains(id) && !elsewhere(id))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "checks without a fault");
}

#[test]
fn a_right_to_watch_that_is_missing_is_told_apart_and_named() {
    let world = World::new();
    world
        .api
        .set(Resource::EndpointSlices, Verb::Watch, Reply::denied());
    let ran = world.run(&["--ascii"]);
    assert_eq!(ran.code, Some(1), "{}", ran.text);
    for line in [
        "\nxx rights-watch: endpointslices: forbidden: User",
        "\n    hint: gazetteer join m --context CONTEXT --config gazetteer.toml; see docs/checks.md#rights-watch\n",
        "\nok rights-list: services, endpointslices, nodes, serviceexports\n",
    ] {
        assert!(ran.text.contains(line), "{line}\n{}", ran.text);
    }
    assert!(ran.text.is_ascii(), "{}", ran.text);
    let only = world.run(&["--only", "rights-list", "-o", "short"]);
    assert_eq!(only.text, "1 check: 1 ok\n", "{}", only.errors);
}

#[test]
fn an_api_that_never_answers_costs_one_limit() {
    let world = World::new();
    world.api.script(|script| script.hangs = true);
    let (lines, code) = world.check(&["--timeout", "2s"]);
    assert_eq!(code, Some(1));
    assert_eq!(bad(&lines), [("api-reachable", "failure")], "{lines:#?}");
    let line = lines.iter().find(|line| line["state"] == "failure");
    let says = line.and_then(|line| line["says"].as_str()).expect("words");
    let expected = format!(
        "timed out after 2s: {}: /readyz: no answer",
        world.api.url()
    );
    assert_eq!(says, expected);
    let waited = lines.iter().filter_map(|line| line["ms"].as_u64());
    let waited = waited.filter(|ms| *ms >= 2_000).count();
    assert_eq!(waited, 1, "one check waits: {lines:#?}");
}

#[test]
fn what_fails_is_repeated_until_it_passes() {
    let mut world = World::new();
    world.api.kill();
    std::thread::scope(|scope| {
        let more = ["--wait", "60s", "--only", "api-reachable", "-o", "short"];
        let (folder, program) = (
            world.desk.folder.path().to_owned(),
            env!("CARGO_BIN_EXE_gazetteer"),
        );
        let waiting = scope.spawn(move || {
            let mut command = std::process::Command::new(program);
            command
                .args(["check", "gazetteer.toml", "--live"])
                .args(more);
            command.current_dir(folder).output().expect("it runs")
        });
        world.api.resume();
        let output = waiting.join().expect("the thread ends");
        assert!(output.status.success(), "{output:?}");
    });
}

#[test]
fn arguments_that_are_wrong_are_refused() {
    let world = World::new();
    for (more, said) in [
        (
            &["--member", "x"][..],
            "no member is called \"x\" (there are: m, vm)",
        ),
        (&["--through", "x=10.96.0.10"], "no member is called \"x\""),
        (&["--only", "everything"], "invalid value 'everything'"),
        (&["--parent", "0.0.0.0"], "not a reachable address"),
    ] {
        let ran = world.run(more);
        assert_eq!(ran.code, Some(2), "{more:?}");
        assert!(ran.errors.contains(said), "{more:?}: {}", ran.errors);
    }
    let ran = world.desk.run(&["check", "gazetteer.toml", "--strict"]);
    assert_eq!(ran.code, Some(2));
}
