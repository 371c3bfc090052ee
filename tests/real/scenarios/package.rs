//! The Debian package, in a Debian of its own, where no systemd runs: what it installs, keeps and leaves.

use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use tokio::time::Instant;

use crate::artefacts::{artefact, run};
use crate::files;
use crate::report_line;
use crate::rooted::{Rooted, STATE};

/// The configuration of the package, below its root.
const FILE: &str = "etc/gazetteer/gazetteer.toml";

/// A script of the repository.
fn script(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Makes the package of a version into a folder.
fn made(folder: &Path, version: &str) -> PathBuf {
    let program = artefact("gazetteer").display().to_string();
    let package = folder.join(format!("gazetteer_{version}.deb"));
    let file = package.display().to_string();
    run(script("deploy/package.sh"), &[&program, &file, version]);
    package
}

/// Two builds are equal, and lintian has no error.
pub(crate) fn is_clean(folder: &Path) {
    let package = artefact("gazetteer.deb");
    let version = format!("{}-1", env!("CARGO_PKG_VERSION"));
    let again = made(folder, &version);
    let octets = |path: &Path| std::fs::read(path).expect("a package");
    assert!(octets(&package) == octets(&again), "two builds differ");
    let judged = Command::new("lintian")
        .args([
            "--allow-root",
            "--fail-on",
            "error",
            "--tag-display-limit",
            "0",
        ])
        .arg(&package)
        .output()
        .expect("lintian runs");
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{said}");
}

/// A Debian.
struct Debian {
    root: PathBuf,
}

impl Debian {
    /// A fresh one, without the package.
    fn new(folder: &Path) -> Self {
        let archive = run(script("tests/real/debian.sh"), &[]);
        let root = folder.join("debian");
        std::fs::create_dir(&root).expect("a folder");
        let place = root.display().to_string();
        run(
            "tar",
            &["--extract", "--file", archive.trim(), "--directory", &place],
        );
        Self { root }
    }

    /// Runs a program in it.
    fn run(&self, command: &str) -> String {
        let root = self.root.display().to_string();
        let mut arguments = vec![
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
            // As systemd sets it: without /proc nobody knows who is root.
            "STATE_DIRECTORY=/var/lib/gazetteer",
        ];
        arguments.extend(["/usr/sbin/chroot", &root]);
        arguments.extend(command.split(' '));
        run("env", &arguments)
    }

    /// Installs a package as people do; without what it recommends, as that would have to be fetched.
    fn install(&self, package: &Path) {
        let name = package.file_name().expect("a name").to_string_lossy();
        std::fs::copy(package, self.root.join(&*name)).expect("a copy");
        self.run(&format!(
            "apt-get install --yes --no-install-recommends ./{name}"
        ));
        std::fs::remove_file(self.root.join(&*name)).expect("the copy");
    }

    /// Starts the daemon as its unit does.
    fn serve(&self, log: &Path) -> Rooted {
        self.run(&format!(
            "install -d -o gazetteer -g gazetteer -m 0700 {STATE}"
        ));
        let network = format!("/proc/{}/task/{}/ns/net", std::process::id(), gettid());
        Rooted::start(&self.root, "gazetteer:gazetteer", Some(&network), log)
    }

    /// All files but those that a package manager writes for itself, and the users.
    fn files(&self) -> BTreeSet<String> {
        let all = run(
            "find",
            &[&self.root.display().to_string(), "-xdev", "-printf", "%P\n"],
        );
        let own = [
            "var/lib/dpkg",
            "var/lib/apt",
            "var/cache",
            "var/log",
            "var/lib/systemd",
            "run/",
            "etc/passwd",
            "etc/group",
            "etc/shadow",
            "etc/gshadow",
            "etc/subuid",
            "etc/subgid",
            "etc/.pwd",
        ];
        let all = all
            .lines()
            .filter(|path| !own.iter().any(|own| path.starts_with(own)));
        all.map(str::to_owned).collect()
    }
}

/// Installed, edited, upgraded, removed and purged, beside a resolver of that machine: nothing is stopped
/// or seized, an edit is kept, and a purge leaves no file.
pub(crate) fn lives(folder: &Path) {
    let folder = folder.to_owned();
    crate::process::starter();
    // The network belongs to the thread, and to what it starts itself.
    let own = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        run("ip", &["link", "set", "lo", "up"]);
        live(&folder);
    });
    if let Err(panic) = own.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The same, in a network of its own.
fn live(folder: &Path) {
    let resolver = Beside::start();
    let debian = Debian::new(folder);
    let before = debian.files();
    let first = artefact("gazetteer.deb");
    let from = Instant::now();
    debian.install(&first);
    let installed = from.elapsed();
    resolver.check();
    assert_installed(&debian);
    let log = folder.join("gazetteer.log");
    let name = "my-service.my-namespace.my-federation.svc.example.com";
    let daemon = debian.serve(&log);
    daemon.until_answers(name, "198.51.100.7");
    let answered = from.elapsed();
    report_line(&format!(
        "the package is installed after {installed:.1?} and answers after {answered:.1?}"
    ));
    let config = debian.root.join(FILE);
    let edited = std::fs::read_to_string(&config).expect("the example") + "\n# edited\n";
    files::write(&config, &edited);
    let kept = || {
        assert_eq!(
            std::fs::read_to_string(&config).expect("it is kept"),
            edited
        );
    };
    let second = made(folder, &format!("{}-2", env!("CARGO_PKG_VERSION")));
    debian.install(&second);
    // The daemon runs on: systemd would have restarted it.
    daemon.until_answers(name, "198.51.100.7");
    daemon.stop();
    let said = std::fs::read_to_string(&log).expect("a log");
    assert!(said.contains("configuration reloaded"), "{said}");
    assert!(!said.contains("cannot be read"), "{said}");
    let version = debian.run("dpkg-query --show --showformat=${Version} gazetteer");
    assert!(version.ends_with("-2"), "{version}");
    kept();
    resolver.check();
    debian.run("apt-get remove --yes gazetteer");
    assert!(!debian.root.join("usr/bin/gazetteer").exists());
    kept();
    debian.install(&second);
    kept();
    assert_installed(&debian);
    let fragment = debian.root.join("etc/gazetteer/members.d/a.toml");
    files::write(&fragment, "version = \"v1\"\n");
    debian.run("apt-get purge --yes gazetteer");
    let after = debian.files();
    let left: Vec<_> = after.difference(&before).collect();
    assert!(left.is_empty(), "left by the purge: {left:?}");
    let lost: Vec<_> = before.difference(&after).collect();
    assert!(lost.is_empty(), "taken away by the purge: {lost:?}");
    debian.run("getent passwd gazetteer");
    debian.install(&first);
    assert_installed(&debian);
    resolver.check();
}

/// Files, their rights, and that nothing is enabled.
fn assert_installed(debian: &Debian) {
    let root = &debian.root;
    let group = debian.run("getent group gazetteer");
    let group: u32 = group
        .split(':')
        .nth(2)
        .expect("a number")
        .parse()
        .expect("a number");
    let folder = std::fs::metadata(root.join("etc/gazetteer/members.d")).expect("a folder");
    assert_eq!(
        (
            folder.permissions().mode() & 0o7777,
            folder.uid(),
            folder.gid()
        ),
        (0o2750, 0, group)
    );
    let conffiles = debian.run("dpkg-query --show --showformat=${Conffiles} gazetteer");
    for file in ["gazetteer.toml", "on-premises.toml"] {
        assert!(
            conffiles.contains(&format!(" /etc/gazetteer/{file} ")),
            "{conffiles}"
        );
    }
    let listed = debian.run("dpkg-query --listfiles gazetteer");
    for file in [
        "/usr/bin/gazetteer",
        "/usr/share/man/man1/gazetteer-serve.1.gz",
        "/usr/share/bash-completion/completions/gazetteer",
        "/usr/share/zsh/vendor-completions/_gazetteer",
        "/usr/share/fish/vendor_completions.d/gazetteer.fish",
        "/usr/share/gazetteer/gazetteer.schema.json",
        "/usr/share/doc/gazetteer/copyright",
    ] {
        assert!(listed.lines().any(|line| line == file), "{file}: {listed}");
    }
    for unit in ["gazetteer.service", "gazetteer.socket"] {
        let shipped = listed
            .lines()
            .any(|line| line.ends_with(&format!("lib/systemd/system/{unit}")));
        assert!(shipped, "{unit}: {listed}");
        let links = run(
            "find",
            &[
                &root.join("etc/systemd").display().to_string(),
                "-name",
                unit,
            ],
        );
        assert_eq!(links, "", "enabled");
    }
    debian.run("/usr/bin/gazetteer check /etc/gazetteer/gazetteer.toml");
}

/// A resolver of the machine, as systemd-resolved is one: it answers with what it is asked.
struct Beside {
    address: &'static str,
}

impl Beside {
    /// Starts it. It ends with the test.
    fn start() -> Self {
        let address = "127.0.0.53:53";
        let udp = UdpSocket::bind(address).expect("port 53");
        let tcp = TcpListener::bind(address).expect("port 53");
        std::thread::spawn(move || {
            let _tcp = tcp;
            let mut octets = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut octets) {
                if udp.send_to(&octets[..length], from).is_err() {
                    break;
                }
            }
        });
        Self { address }
    }

    /// It still has its port and answers.
    fn check(&self) {
        assert!(TcpListener::bind(self.address).is_err(), "its port is free");
        let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a time-out");
        client.send_to(b"here?", self.address).expect("sent");
        let mut octets = [0; 16];
        assert_eq!(client.recv(&mut octets).expect("an answer"), 5);
    }
}
