//! The daemon under test: its files, its process, and questions to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::dns::{self, Answer, Client};
use crate::files;
use crate::fleet::Fleet;
use crate::member::Member;
use crate::process::Process;
use crate::wait::{SOON, START, until};

/// The apex of every scenario.
pub(crate) const APEX: &str = "example.com";

/// A member as one gazetteer knows it.
pub(crate) struct Seat {
    /// Its name in the configuration.
    name: String,
    /// The kubeconfig's entry of its cluster.
    cluster: Value,
    /// How gazetteer says who it is.
    credentials: Credentials,
    /// A DNS address that is bound to it; its cluster domain is then `cluster.local`.
    dns: Option<SocketAddr>,
}

/// The credentials of a kubeconfig's user.
enum Credentials {
    /// A token, kept in a file that the kubeconfig names.
    TokenFile(String),
    /// The kubeconfig's entry of the user.
    User(Value),
}

impl Seat {
    /// A member with a fresh token of the service account of `deploy/rbac.yaml`.
    pub(crate) fn of(fleet: &Fleet, member: &Member) -> Self {
        let (namespace, account) = fleet.account();
        Self {
            name: member.name.to_owned(),
            cluster: json!({
                "server": member.url(), "certificate-authority": member.pki().authority,
            }),
            credentials: Credentials::TokenFile(member.token(namespace, account)),
            dns: None,
        }
    }

    /// A member that is spoken to in clear.
    pub(crate) fn plain(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            cluster: json!({"server": url}),
            credentials: Credentials::User(json!({})),
            dns: None,
        }
    }

    /// The same member at another URL.
    pub(crate) fn at(mut self, url: &str) -> Self {
        self.cluster["server"] = json!(url);
        self
    }

    /// The same member, whose pods ask at this address.
    pub(crate) fn with_dns(mut self, address: SocketAddr) -> Self {
        self.dns = Some(address);
        self
    }

    /// The same member, whatever certificate it shows.
    pub(crate) fn unverified(mut self) -> Self {
        self.cluster = json!({"server": self.cluster["server"], "insecure-skip-tls-verify": true});
        self
    }

    /// The same member with another token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.credentials = Credentials::TokenFile(token.to_owned());
        self
    }

    /// The same member with another user, as a kubeconfig has it.
    pub(crate) fn with_user(mut self, user: Value) -> Self {
        self.credentials = Credentials::User(user);
        self
    }
}

/// What a gazetteer is started with.
pub(crate) struct Setup {
    /// Its members, in configuration order.
    seats: Vec<Seat>,
    /// More keys of the federation, in TOML.
    federation: String,
    /// More keys at the top of the file, in TOML.
    top: String,
    /// Where it runs.
    place: Place,
}

/// Where a gazetteer runs and listens.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Where it answers; a restart uses it again.
    pub(crate) dns: String,
    /// Its admin address.
    pub(crate) admin: String,
    /// A command that runs the program, with its arguments: the program's own follow.
    pub(crate) launcher: Vec<OsString>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            dns: "127.0.0.1:0".to_owned(),
            admin: "127.0.0.1:0".to_owned(),
            launcher: Vec::new(),
        }
    }
}

impl Setup {
    /// All members of the fleet.
    pub(crate) fn all(fleet: &Fleet) -> Self {
        Self::with(
            fleet
                .members
                .iter()
                .map(|member| Seat::of(fleet, member))
                .collect(),
        )
    }

    /// These members, and the defaults for all else.
    pub(crate) fn with(seats: Vec<Seat>) -> Self {
        Self {
            seats,
            federation: String::new(),
            top: String::new(),
            place: Place::default(),
        }
    }

    /// Elsewhere than on free ports of loopback.
    pub(crate) fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// With one more key of the federation.
    pub(crate) fn federation(mut self, key: &str) -> Self {
        self.federation += key;
        self
    }

    /// With one more key at the top of the file.
    pub(crate) fn top(mut self, key: &str) -> Self {
        self.top += key;
        self
    }
}

/// A running gazetteer.
pub(crate) struct Gazetteer {
    /// Its files.
    pub(crate) folder: PathBuf,
    /// Its process.
    process: Process,
    /// A command that runs the program, with its arguments.
    launcher: Vec<OsString>,
    /// The ready lines so far.
    lines: Arc<Mutex<Vec<Value>>>,
    /// Where it answers.
    pub(crate) dns: SocketAddr,
    /// A client of it.
    client: Client,
}

impl Gazetteer {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(fleet: &Fleet, setup: &Setup) -> Self {
        let gazetteer = Self::launch(fleet, setup);
        gazetteer.until_ready();
        gazetteer
    }

    /// Starts it and waits until its sockets are bound.
    pub(crate) fn launch(fleet: &Fleet, setup: &Setup) -> Self {
        let folder = fleet.daemon_folder();
        write_files(&folder, setup, &setup.place.dns);
        Self::launched(folder, setup.place.launcher.clone())
    }

    /// Starts the program on the files of a folder.
    pub(crate) fn run(folder: PathBuf) -> Self {
        Self::launched(folder, Vec::new())
    }

    /// Starts the program on the files of a folder, by a command.
    pub(crate) fn launched(folder: PathBuf, launcher: Vec<OsString>) -> Self {
        let mut command = launcher.clone();
        command.push(env!("CARGO_BIN_EXE_gazetteer").into());
        command.extend(["serve".into(), folder.join("gazetteer.toml").into()]);
        let (program, arguments) = command.split_first().expect("a program");
        let log = folder.join("gazetteer.log");
        let mut process = Process::spawn("gazetteer", Path::new(program), arguments, &log, true);
        let output = BufReader::new(process.take_output());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                sink.lock()
                    .push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let shared = Mutex::new(process);
        let dns = until("gazetteer's first ready line", START, || {
            shared.lock().check_alive()?;
            let lines = lines.lock();
            let first = lines.first().ok_or("no line")?;
            let address = first["dns"][0].as_str().ok_or_else(|| first.to_string())?;
            address
                .parse::<SocketAddr>()
                .map_err(|error| format!("{address}: {error}"))
        });
        let process = shared.into_inner();
        Self {
            folder,
            process,
            launcher,
            lines,
            dns,
            client: Client::new(dns),
        }
    }

    /// Waits for the line that says `"ready":true`.
    pub(crate) fn until_ready(&self) {
        until("gazetteer's line with \"ready\":true", START, || {
            let lines = self.lines.lock();
            if lines.iter().any(|line| line["ready"] == true) {
                Ok(())
            } else {
                Err(format!(
                    "{:?}",
                    lines.iter().map(Value::to_string).collect::<Vec<_>>()
                ))
            }
        });
    }

    /// Kills it and starts it again on the same files and address.
    pub(crate) fn restart_after_kill(self) -> Self {
        let Self {
            folder,
            mut process,
            launcher,
            dns,
            ..
        } = self;
        process.kill();
        let path = folder.join("gazetteer.toml");
        let text = std::fs::read_to_string(&path).expect("configuration");
        files::write(
            &path,
            text.replace("\"127.0.0.1:0\"]", &format!("\"{dns}\"]")),
        );
        Self::launched(folder, launcher)
    }

    /// The sizes of the files of its state.
    pub(crate) fn state_sizes(&self) -> BTreeMap<PathBuf, u64> {
        let files = files_below(&self.folder.join("state"));
        let sizes = files.into_iter().filter_map(|path| {
            let size = path.metadata().ok()?.len();
            Some((path, size))
        });
        sizes.collect()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same files, at a fixed address.
    pub(crate) fn launch_again(&mut self) {
        *self = Self::launched(self.folder.clone(), self.launcher.clone());
    }

    /// Ends it as an operator would, and gives its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.process.terminate()
    }

    /// Writes other files under the running daemon, keeping its address.
    pub(crate) fn rewrite(&self, setup: &Setup) {
        write_files(&self.folder, setup, &self.dns.to_string());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to reload.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Replaces the token of a member.
    pub(crate) fn set_token(&self, member: &str, token: &str) {
        files::write(&token_path(&self.folder, member), token);
    }

    /// One answer over UDP.
    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> Result<Answer, String> {
        self.client.ask(name, kind)
    }

    /// Waits until the A answer at a name reads so (see [`Answer`]), also over TCP.
    pub(crate) fn until_answers(&self, name: &str, expected: &str) {
        until(&format!("{name} answers {expected}"), SOON, || {
            same(&self.ask(name, RecordType::A)?, expected)
        });
        until(&format!("{name} answers {expected} over TCP"), SOON, || {
            same(&dns::ask_tcp(self.dns, name, RecordType::A)?, expected)
        });
    }

    /// Waits until the A answer at a name reads so, for as long as that may take.
    pub(crate) fn until_within(&self, name: &str, expected: &str, within: Duration) {
        until(&format!("{name} answers {expected}"), within, || {
            self.check(name, expected)
        });
    }

    /// Waits until so many files of the state folder name a namespace, which nothing else tells.
    pub(crate) fn until_state_holds(&self, namespace: &str, count: usize) {
        until(
            &format!("{namespace} is persisted for {count} members"),
            SOON,
            || {
                let mut files = files_below(&self.folder.join("state"));
                files.retain(|path| holds(path, namespace.as_bytes()));
                if files.len() >= count {
                    Ok(())
                } else {
                    Err(format!("only in {files:?}"))
                }
            },
        );
    }

    /// Whether the A answer at a name reads so now.
    pub(crate) fn check(&self, name: &str, expected: &str) -> Result<(), String> {
        same(&self.ask(name, RecordType::A)?, expected)
    }

    /// Waits until the A answer at a name reads so, and says or does not say that it is held.
    pub(crate) fn until_held(&self, name: &str, expected: &str, held: bool) {
        let say = if held { "with EDE 3" } else { "without EDE 3" };
        until(
            &format!("{name} answers {expected} {say}"),
            3 * SOON,
            || {
                let answer = self.ask(name, RecordType::A)?;
                same(&answer, expected)?;
                if answer.held() == held {
                    Ok(())
                } else {
                    Err(format!("{answer} {:?}", answer.errors))
                }
            },
        );
    }
}

/// Whether a file holds some octets.
fn holds(path: &Path, octets: &[u8]) -> bool {
    let content = std::fs::read(path).unwrap_or_default();
    content.windows(octets.len()).any(|window| window == octets)
}

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Whether an answer reads as expected.
fn same(answer: &Answer, expected: &str) -> Result<(), String> {
    if answer.to_string() == expected {
        Ok(())
    } else {
        Err(format!("{answer} {:?}", answer.errors))
    }
}

/// The global name of a service.
pub(crate) fn global(namespace: &str, service: &str) -> String {
    format!("{service}.{namespace}.fed.svc.{APEX}")
}

/// The name of a service in a region, a zone, or a zone of a region.
pub(crate) fn within(namespace: &str, service: &str, place: &str) -> String {
    format!("{service}.{namespace}.fed.svc.{place}.{APEX}")
}

/// Where a member's token is.
fn token_path(folder: &Path, member: &str) -> PathBuf {
    folder.join(format!("{member}.token"))
}

/// Writes the configuration, the kubeconfig and the tokens.
fn write_files(folder: &Path, setup: &Setup, listen: &str) {
    let (mut clusters, mut users, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
    let mut members = String::new();
    let mut bound = String::new();
    for seat in &setup.seats {
        let name = &seat.name;
        let user = match &seat.credentials {
            Credentials::TokenFile(token) => {
                let path = token_path(folder, name);
                files::write(&path, token);
                json!({"tokenFile": path})
            }
            Credentials::User(user) => user.clone(),
        };
        clusters.push(json!({"name": name, "cluster": seat.cluster}));
        users.push(json!({"name": name, "user": user}));
        let context = json!({"cluster": name, "user": name});
        contexts.push(json!({"name": format!("admin@{name}"), "context": context}));
        let mut domain = "";
        if let Some(address) = seat.dns {
            domain = "cluster-domain = \"cluster.local\"\n";
            write!(
                bound,
                ", {{ address = \"{address}\", member = \"{name}\" }}"
            )
            .expect("text");
        }
        write!(
            members,
            "[[member]]\nname = \"{name}\"\n{domain}\
             source = {{ kubeconfig = \"members.kubeconfig\", context = \"admin@{name}\" }}\n\n"
        )
        .expect("text");
    }
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": clusters, "users": users, "contexts": contexts,
    });
    files::write(&folder.join("members.kubeconfig"), kubeconfig.to_string());
    let Setup {
        federation,
        top,
        place: Place { admin, .. },
        ..
    } = setup;
    // Load balancers here are documentation addresses, of which no probe could say anything, unless a
    // setup says how they are to be probed.
    let probe = if federation.contains("probe") {
        ""
    } else {
        "probe = { kind = \"none\" }\n"
    };
    let text = format!(
        "version = \"v1\"\nstate-dir = \"state\"\n{top}\n\
         [listen]\ndns = [\"{listen}\"{bound}]\nadmin = \"{admin}\"\n\n\
         [[federation]]\nname = \"fed\"\napex = \"{APEX}\"\n\
         nameservers = [{{ name = \"ns1.{APEX}\", addresses = [\"192.0.2.53\"] }}]\n\
         hostmaster = \"hostmaster.{APEX}\"\n{probe}{federation}\n\n{members}"
    );
    files::write(&folder.join("gazetteer.toml"), text);
}
