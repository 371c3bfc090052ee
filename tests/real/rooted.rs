//! A daemon in a root of its own, under chroot, without a container runtime or systemd.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use crate::artefacts::run;
use crate::dns::Client;
use crate::files;
use crate::process::Process;
use crate::wait::{START, until};

/// The folder of its state, in its root.
pub(crate) const STATE: &str = "/var/lib/gazetteer";

/// Where it answers, as configured.
pub(crate) struct Rooted {
    /// The daemon.
    process: Mutex<Process>,
    /// Its first address.
    pub(crate) address: SocketAddr,
    /// When it was started.
    started: Instant,
}

/// Makes the one device that the static program needs: a container runtime gives it several.
pub(crate) fn make_random(root: &Path) {
    let device = root.join("dev/urandom");
    std::fs::create_dir_all(root.join("dev")).expect("a folder");
    let device = device.display().to_string();
    run("mknod", &["--mode=666", &device, "c", "1", "9"]);
}

impl Rooted {
    /// Starts `/usr/bin/gazetteer` of a root on `/etc/gazetteer/gazetteer.toml`, as a user and group, in
    /// this network or in that of a path in `/proc`.
    pub(crate) fn start(root: &Path, user: &str, network: Option<&str>, log: &Path) -> Self {
        let state = format!("STATE_DIRECTORY={STATE}");
        let mut arguments: Vec<OsString> = vec!["-i".into(), state.into()];
        if let Some(path) = network {
            arguments.extend(["/usr/bin/nsenter".into(), format!("--net={path}").into()]);
        }
        arguments.extend(["/usr/sbin/chroot", "--userspec", user].map(Into::into));
        arguments.push(root.into());
        let program = "/usr/bin/gazetteer serve /etc/gazetteer/gazetteer.toml";
        arguments.extend(program.split(' ').map(Into::into));
        let started = Instant::now();
        let mut process = Process::spawn("gazetteer", Path::new("env"), &arguments, log, true);
        let mut output = BufReader::new(process.take_output());
        let mut line = String::new();
        output.read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{line:?}: {error}\n{}", files::tail(log, 20)));
        let address = ready["dns"][0].as_str().expect("an address");
        Self {
            process: Mutex::new(process),
            address: address.parse().expect("an address"),
            started,
        }
    }

    /// Waits until the address of a name has a part; how long it took since the start, in words.
    pub(crate) fn until_answers(&self, name: &str, part: &str) -> String {
        let client = Client::new(self.address);
        until("it answers", START, || {
            self.process.lock().check_alive()?;
            let answer = client.ask(name, RecordType::A)?.to_string();
            if answer.contains(part) {
                Ok(())
            } else {
                Err(answer)
            }
        });
        format!("{:.0?}", self.started.elapsed())
    }

    /// Ends it as a service manager does.
    pub(crate) fn stop(self) {
        assert_eq!(self.process.lock().terminate(), Some(0));
    }
}
