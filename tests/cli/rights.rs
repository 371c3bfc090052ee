//! What the daemon may do once its sockets are bound. Started by root, as in CI, it becomes another
//! user; started by anybody else it says that it cannot.

use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::daemon::{Daemon, eventually};
use crate::program::{beginning, replace, run, transcript, write};

/// The number of the user `nobody`, and of its group.
const NOBODY: u32 = 65_534;

/// The text of facts that are right.
const FACTS: &str = "[[service]]\nnamespace = \"n\"\nname = \"s\"\naddresses = [\"203.0.113.1\"]\n";

/// Whether this is root.
fn is_root() -> bool {
    fs::metadata("/proc/self").expect("it runs").uid() == 0
}

/// A port that only root may bind, and nobody has.
fn privileged_port() -> u16 {
    let is_free = |port: &u16| {
        let address = ("127.0.0.1", *port);
        UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
    };
    let mut ports = (600..1024).rev();
    ports.find(is_free).expect("a free port below 1024")
}

/// A folder that everybody may enter, with a configuration of one member in a file, and a state folder
/// for `nobody`.
fn world(keys: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    open(path, 0o755);
    let member = "[[member]]\nname = \"m\"\nsource = { file = \"m.toml\" }\n";
    write(&path.join("g.toml"), &(beginning(keys) + member));
    write(&path.join("m.toml"), FACTS);
    open(&path.join("g.toml"), 0o644);
    open(&path.join("m.toml"), 0o644);
    fs::create_dir(path.join("state")).expect("a folder");
    if is_root() {
        chown(path.join("state"), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    folder
}

/// Gives a file these rights.
fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Checks a line of the status of every thread of a daemon.
fn check_threads(daemon: &Daemon, head: &str, expected: &str) {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.id())).expect("it runs");
    let mut count = 0;
    for task in tasks {
        // A thread may have ended meanwhile.
        let Ok(status) = fs::read_to_string(task.expect("it runs").path().join("status")) else {
            continue;
        };
        let line = status.lines().find_map(|line| line.strip_prefix(head));
        let line = line.unwrap_or_else(|| panic!("no {head} in {status}"));
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{head} of {status}");
        count += 1;
    }
    assert!(count > 2, "{count} threads");
}

/// Checks that no thread of a daemon has a capability, or a way to one.
fn check_no_capabilities(daemon: &Daemon) {
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        check_threads(daemon, set, "0000000000000000");
    }
    check_threads(daemon, "NoNewPrivs:", "1");
}

#[test]
fn root_becomes_the_configured_user_after_binding_a_low_port() {
    let folder = world("user = \"nobody\"");
    let path = folder.path();
    let file = path.join("g.toml");
    if !is_root() {
        let refused = transcript(path, &["serve", "g.toml", "--log", "off"]);
        assert!(
            refused.contains("only root can become another user"),
            "{refused}"
        );
        return;
    }
    let text = fs::read_to_string(&file).unwrap();
    let port = privileged_port();
    write(
        &file,
        &text.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1),
    );
    let daemon = Daemon::start(path, "g.toml").ready();
    assert_eq!(daemon.dns.port(), port);
    let ids = [NOBODY; 4].map(|id| id.to_string()).join(" ");
    check_threads(&daemon, "Uid:", &ids);
    check_threads(&daemon, "Gid:", &ids);
    check_threads(&daemon, "Groups:", &NOBODY.to_string());
    check_no_capabilities(&daemon);
    daemon.log(&["privileges dropped", "user=65534", "group=65534"]);

    // What it keeps is its own and nobody else's.
    let cordon = ["cordon", "m", "--state-dir", "state"];
    assert!(run(path, &cordon).status.success());
    let kept = ["overrides.json", "lock", "control"].map(|name| path.join("state").join(name));
    for file in kept {
        let about = fs::metadata(&file).expect("it is there");
        assert_eq!((about.uid(), about.mode() & 0o077), (NOBODY, 0), "{file:?}");
    }
    let uncordon = ["uncordon", "m", "--state-dir", "state"];
    assert!(run(path, &uncordon).status.success());
    // A changed configuration is read by the user that the daemon is.
    let text = fs::read_to_string(&file).unwrap();
    replace(
        &file,
        &text.replace("apex = \"example.com\"", "apex = \"example.org\""),
    );
    open(&file, 0o644);
    daemon.signal("HUP");
    eventually("the new apex is served", || {
        let found = daemon.addresses("s.n.f.svc.example.org.");
        found.is_some_and(|found| found.contains("203.0.113.1"))
    });
    daemon.log(&["configuration reloaded"]);
    check_no_capabilities(&daemon);
}

#[test]
fn root_without_a_user_keeps_its_number_and_no_capability() {
    if !is_root() {
        return;
    }
    let folder = world("");
    chown(folder.path().join("state"), Some(0), Some(0)).unwrap();
    let daemon = Daemon::start(folder.path(), "g.toml").ready();
    check_threads(&daemon, "Uid:", "0 0 0 0");
    check_no_capabilities(&daemon);
}

#[test]
fn what_the_user_may_not_read_fails_at_the_start() {
    if !is_root() {
        return;
    }
    let folder = world("user = \"nobody\"\ngroup = \"nogroup\"");
    let path = folder.path();
    let refused = |words: &str| {
        let refused = transcript(path, &["serve", "g.toml", "--log", "off"]);
        assert!(refused.ends_with("exit 1\n"), "{refused}");
        assert!(refused.contains(words), "{words}: {refused}");
        assert!(refused.contains("user 65534"), "{refused}");
    };
    for file in ["m.toml", "g.toml"] {
        open(&path.join(file), 0o600);
        refused(&format!("{file}: cannot be read"));
        open(&path.join(file), 0o644);
    }
    let text = fs::read_to_string(path.join("g.toml")).unwrap();
    let source = "{ kubeconfig = \"kc\", context = \"c\" }";
    write(
        &path.join("g.toml"),
        &text.replace("{ file = \"m.toml\" }", source),
    );
    write(&path.join("kc"), "");
    open(&path.join("kc"), 0o600);
    refused("kc: cannot be read for member \"m\": ");
}

#[test]
fn what_a_kubeconfig_names_and_the_user_may_not_read_fails_at_the_start() {
    if !is_root() {
        return;
    }
    let folder = world("user = \"nobody\"");
    let path = folder.path();
    let text = fs::read_to_string(path.join("g.toml")).unwrap();
    let source = "{ kubeconfig = \"keys/kc\", context = \"c\" }";
    write(
        &path.join("g.toml"),
        &text.replace("{ file = \"m.toml\" }", source),
    );
    let keys = path.join("keys");
    fs::create_dir(&keys).unwrap();
    open(&keys, 0o755);
    let kubeconfig = |user: &str| {
        let text = format!(
            "clusters: [{{name: k, cluster: {{server: \"https://127.0.0.1:1\", certificate-authority: ca.crt}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}, {{name: other, user: {{tokenFile: other}}}}]\n\
             contexts: [{{name: c, context: {{cluster: k, user: u}}}}, {{name: d, context: {{cluster: k, user: other}}}}]\n"
        );
        write(&keys.join("kc"), &text);
        open(&keys.join("kc"), 0o644);
    };
    for file in ["ca.crt", "tls.crt", "tls.key", "token", "other"] {
        write(&keys.join(file), "");
        open(&keys.join(file), 0o644);
    }
    // What another context names is nobody's need, and neither is a file beside its data.
    open(&keys.join("other"), 0o600);
    for (file, user) in [
        ("ca.crt", "token: t"),
        (
            "tls.crt",
            "client-certificate: tls.crt, client-key: tls.key",
        ),
        (
            "tls.key",
            "client-certificate: tls.crt, client-key: tls.key",
        ),
        ("token", "tokenFile: token"),
    ] {
        kubeconfig(user);
        open(&keys.join(file), 0o600);
        let refused = transcript(path, &["serve", "g.toml", "--log", "off"]);
        assert!(refused.ends_with("exit 1\n"), "{refused}");
        let words =
            format!("keys/{file}: cannot be read for member \"m\": the daemon is user 65534 ");
        assert!(refused.contains(&words), "{words}: {refused}");
        open(&keys.join(file), 0o644);
    }
    open(&keys.join("token"), 0o600);
    kubeconfig("token: t, tokenFile: token");
    drop(Daemon::start(path, "g.toml"));
}

#[test]
fn an_account_that_the_system_does_not_know_is_refused() {
    let folder = world("user = \"no-such-user\"");
    let refused = transcript(folder.path(), &["serve", "g.toml", "--log", "off"]);
    let expected = "error: user \"no-such-user\": unknown user";
    assert!(refused.contains(expected), "{refused}");
    let checked = transcript(folder.path(), &["check", "g.toml"]);
    let expected = "g.toml: user \"no-such-user\": unknown user\n";
    assert!(
        checked.contains(expected) && checked.ends_with("exit 1\n"),
        "{checked}"
    );
    let folder = world("group = \"nogroup\"");
    let refused = transcript(folder.path(), &["check", "g.toml"]);
    assert!(refused.contains("group: requires user"), "{refused}");
}
