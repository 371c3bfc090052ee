//! A real Prometheus that scrapes running daemons: rules, and the queries of dashboards.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use parking_lot::Mutex;
use serde_json::Value;

use crate::files;
use crate::fleet::Fleet;
use crate::gazetteer::{Gazetteer, Place, Setup, global};
use crate::loopback;
use crate::process::Process;
use crate::wait::{SOON, START, until};

/// The port of Prometheus, and of each daemon's admin address, each on an address of its own.
const PORT: u16 = 9090;

/// A program of Debian's package, where this machine has it, or where `.ci/run` unpacks it, beside what
/// `tests/real/build.sh` builds.
fn program(name: &str) -> PathBuf {
    let built = std::env::var_os("GAZETTEER_REAL_BIN").map(PathBuf::from);
    let unpacked =
        built.and_then(|built| Some(built.parent()?.join("prometheus/usr/bin").join(name)));
    let own = Path::new("/usr/bin").join(name);
    let mut found = unpacked
        .into_iter()
        .chain([own])
        .filter(|program| program.is_file());
    let found = found.next();
    found.unwrap_or_else(|| {
        panic!("{name} is missing: unpack Debian's package prometheus as .ci/run does")
    })
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs promtool, which must be content; what it prints.
fn promtool(arguments: &[&str], files: &[PathBuf]) -> String {
    let output = Command::new(program("promtool"))
        .args(arguments)
        .args(files)
        .output();
    let output = output.expect("promtool runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{text}");
    text
}

/// The rules are right, and each alert fires when its tests say, and not before.
pub(crate) fn rules(_folder: &Path) {
    let rules = repository("deploy/prometheus/rules.yaml");
    promtool(&["check", "rules", "--lint-fatal"], &[rules]);
    let tests = ["tests.yaml", "tests-hours.yaml"];
    let tests = tests.map(|name| repository("deploy/prometheus").join(name));
    promtool(&["test", "rules"], &tests);
}

/// A running Prometheus.
struct Prometheus {
    /// Its API.
    address: SocketAddr,
    /// Its process.
    _process: Process,
}

impl Prometheus {
    /// Starts one with these rules, on these daemons.
    fn start(folder: &Path, rules: &Path, address: SocketAddr, admin: &[SocketAddr]) -> Self {
        let targets: Vec<_> = admin.iter().map(|one| format!("\"{one}\"")).collect();
        let configuration = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\n\
             scrape_configs:\n- job_name: gazetteer\n  static_configs:\n  - targets: [{}]\n",
            rules.display(),
            targets.join(", ")
        );
        let file = folder.join("prometheus.yml");
        files::write(&file, configuration);
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("series").display()),
            format!("--web.listen-address={address}"),
            "--log.level=warn".to_owned(),
        ];
        let log = folder.join("prometheus.log");
        let process = Process::spawn(
            "prometheus",
            &program("prometheus"),
            &arguments.map(Into::into),
            &log,
            false,
        );
        let process = Mutex::new(process);
        until("prometheus is ready", START, || {
            process.lock().check_alive()?;
            get(&format!("http://{address}/-/ready")).map(drop)
        });
        Self {
            address,
            _process: process.into_inner(),
        }
    }

    /// How many series a query gives.
    fn series(&self, query: &str) -> Result<usize, String> {
        let mut escaped = String::new();
        for octet in query.bytes() {
            write!(escaped, "%{octet:02X}").expect("text");
        }
        let text = get(&format!(
            "http://{}/api/v1/query?query={escaped}",
            self.address
        ))?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let series = answer["data"]["result"].as_array();
        series.map(Vec::len).ok_or(text)
    }

    /// How many alerts its rules have; an error where one cannot be evaluated, or was not yet.
    fn evaluated(&self) -> Result<usize, String> {
        let text = get(&format!("http://{}/api/v1/rules", self.address))?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let groups = answer["data"]["groups"].as_array().ok_or(text)?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        let rules: Vec<_> = rules.flatten().collect();
        match rules.iter().find(|rule| rule["health"] != "ok") {
            Some(rule) => Err(rule.to_string()),
            None => Ok(rules.len()),
        }
    }

    /// Waits until an alert fires so often.
    fn until_firing(&self, name: &str, times: usize) {
        until(&format!("{name} fires {times} times"), 2 * SOON, || {
            let alerts = self.alerts()?;
            let firing = |(alert, state): &&(String, String)| alert == name && state == "firing";
            match alerts.iter().filter(firing).count() {
                count if count == times => Ok(()),
                count => Err(format!("{count}: {alerts:?}")),
            }
        });
    }

    /// That no alert is pending or firing.
    fn silent(&self) -> Result<(), String> {
        let alerts = self.alerts()?;
        if alerts.is_empty() {
            Ok(())
        } else {
            Err(format!("{alerts:?}"))
        }
    }

    /// The alerts that are pending or firing: names and states.
    fn alerts(&self) -> Result<Vec<(String, String)>, String> {
        let text = get(&format!("http://{}/api/v1/alerts", self.address))?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let alerts = answer["data"]["alerts"].as_array().ok_or(text)?.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let states =
            alerts.map(|alert| (text(&alert["labels"]["alertname"]), text(&alert["state"])));
        Ok(states.collect())
    }
}

/// What a URL says.
fn get(url: &str) -> Result<String, String> {
    let mut response = ureq::get(url).call().map_err(|error| error.to_string())?;
    response
        .body_mut()
        .read_to_string()
        .map_err(|error| error.to_string())
}

/// Every query of every panel: where it stands, and the query with its variables filled in.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for name in ["fleet", "health", "dns"] {
        let path = repository("deploy/grafana").join(format!("gazetteer-{name}.json"));
        let text = std::fs::read_to_string(path).expect("a dashboard");
        let board: Value = serde_json::from_str(&text).expect("JSON");
        for panel in board["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().expect("a query");
                let query = query.replace("$__rate_interval", "20s");
                let query = query.replace("$instance", ".*").replace("$member", ".*");
                queries.push((format!("{name}: {}", panel["title"]), query));
            }
        }
    }
    assert!(queries.len() > 40, "{} queries", queries.len());
    queries
}

/// Three daemons on real members are scraped: promtool is content with what they show, every query of
/// every panel has a series, and no alert is pending. A member whose API is killed makes an alert fire,
/// which ends with the API's return.
pub(crate) fn watches(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("watched", "web", 1);
    ew1d.simple_service("watched", "web", 1);
    let [server, a, b, c] = loopback::addresses([1, 2, 3, 4], &[PORT]);
    let admin = [a, b, c].map(|host| SocketAddr::from((host, PORT)));
    let daemons = admin.map(|admin| {
        let place = Place {
            admin: admin.to_string(),
            ..Place::default()
        };
        // What other scenarios have left is no service here.
        let setup = Setup::all(fleet).federation("namespaces = [\"watched\"]");
        Gazetteer::start(fleet, &setup.place(place))
    });
    let name = global("watched", "web");
    let both = format!("A {} {}", ew1b.balancer(1), ew1d.balancer(1));
    for daemon in &daemons {
        daemon.until_answers(&name, &both);
    }
    for admin in &admin {
        silent(&get(&format!("http://{admin}/metrics")).expect("metrics"));
    }

    let folder = fleet.daemon_folder();
    let (rules, count) = rules_at_once(&folder);
    let address = SocketAddr::from((server, PORT));
    let prometheus = Prometheus::start(&folder, &rules, address, &admin);
    for (panel, query) in queries() {
        until(&format!("{panel} has a series: {query}"), 2 * SOON, || {
            for daemon in &daemons {
                daemon.check(&name, &both)?;
            }
            match prometheus.series(&query)? {
                0 => Err("none".to_owned()),
                _ => Ok(()),
            }
        });
    }
    let evaluated = until("every rule is evaluated", SOON, || prometheus.evaluated());
    assert_eq!(evaluated, count);
    until("nothing is wrong", SOON, || prometheus.silent());

    ew1b.kill_server();
    prometheus.until_firing("GazetteerMemberHeld", 3);
    ew1b.start_server();
    prometheus.until_firing("GazetteerMemberHeld", 0);
}

/// The rules, whose alerts fire at once instead of in minutes, in a file of this folder; and how many
/// alerts there are.
fn rules_at_once(folder: &Path) -> (PathBuf, usize) {
    let rules = std::fs::read_to_string(repository("deploy/prometheus/rules.yaml")).expect("rules");
    let at_once = rules
        .lines()
        .filter(|line| !line.trim_start().starts_with("for: "));
    let file = folder.join("rules.yaml");
    files::write(&file, at_once.collect::<Vec<_>>().join("\n"));
    (file, rules.matches("- alert: ").count())
}

/// What happens to facts is told by alerts, which end with it: a file that is gone, and one that has lost
/// all its services at once.
pub(crate) fn alerts(folder: &Path) {
    let facts = |services: usize| {
        let mut text = String::new();
        for number in 0..services {
            write!(
                text,
                "[[service]]\nnamespace = \"shop\"\nname = \"web{number}\"\n\
                 addresses = [\"203.0.113.{number}\"]\n"
            )
            .expect("text");
        }
        text
    };
    let [server, host] = loopback::addresses([1, 2], &[PORT]);
    let admin = SocketAddr::from((host, PORT));
    let mut text = format!(
        "version = \"v1\"\nstate-dir = \"state\"\nlisten.dns = [\"127.0.0.1:0\"]\n\
         listen.admin = \"{admin}\"\n[[federation]]\nname = \"fed\"\napex = \"example.com\"\n\
         probe = {{ kind = \"none\" }}\nnameservers = [{{ name = \"ns1.example.net\" }}]\n"
    );
    for name in ["a", "b"] {
        let member = "[[member]]\nname = \"NAME\"\nsource = { file = \"NAME.toml\" }\n";
        text += &member.replace("NAME", name);
        files::write(&folder.join(format!("{name}.toml")), facts(20));
    }
    files::write(&folder.join("gazetteer.toml"), text);
    let gazetteer = Gazetteer::run(folder.to_owned());
    gazetteer.until_ready();
    let (rules, _) = rules_at_once(folder);
    let address = SocketAddr::from((server, PORT));
    let prometheus = Prometheus::start(folder, &rules, address, &[admin]);
    until("nothing is wrong", SOON, || {
        match prometheus.series("up == 1")? {
            0 => Err("it is not scraped yet".to_owned()),
            _ => prometheus.silent(),
        }
    });

    let (a, away) = (folder.join("a.toml"), folder.join("a.away"));
    std::fs::rename(&a, &away).expect("it is there");
    prometheus.until_firing("GazetteerMemberHeld", 1);
    std::fs::rename(&away, &a).expect("it is there");
    prometheus.until_firing("GazetteerMemberHeld", 0);

    let b = folder.join("b.toml");
    files::write(&b, "# All gone.\n");
    prometheus.until_firing("GazetteerBrakeActive", 1);
    files::write(&b, facts(20));
    prometheus.until_firing("GazetteerBrakeActive", 0);
    until("nothing is wrong", SOON, || prometheus.silent());
}

/// promtool finds nothing to say about metrics.
fn silent(metrics: &str) {
    let mut promtool = Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    let mut input = promtool.stdin.take().expect("piped");
    input.write_all(metrics.as_bytes()).expect("promtool reads");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
