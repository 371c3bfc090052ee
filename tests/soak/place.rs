//! Where the daemon runs: a state folder on a small disk of its own, and a clock that a file sets.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::faketime;
use crate::program::command;
use crate::wait::{SOON, until};

/// A folder, and the process that holds the mount of its state folder.
pub(crate) struct Place {
    /// The folder.
    folder: TempDir,
    /// Lives in the mount namespace.
    holder: Child,
}

impl Place {
    /// Makes it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("state")).expect("a folder");
        let line =
            "mount -t tmpfs -o size=4m tmpfs state && touch state/.mounted && exec sleep infinity";
        let holder = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "-m", "sh", "-c", line])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("setpriv (util-linux) starts");
        let place = Self { folder, holder };
        until("a disk of its own: needs root", SOON, || {
            let mounted = place.disk().join(".mounted");
            mounted.exists().then_some(()).ok_or("no mount".to_owned())
        });
        place.set_clock("+0");
        place
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder as this process can reach it.
    fn disk(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        let state = self.path().join("state");
        root.join(state.strip_prefix("/").expect("an absolute path"))
    }

    /// Fills the disk, or gives its space back.
    pub(crate) fn set_full(&self, is_full: bool) {
        let filler = self.disk().join("filler");
        if is_full {
            let zeros = vec![0; 8 << 20];
            // It ends when there is no space left, which is what is wanted.
            drop(
                std::fs::File::create(filler)
                    .map(|mut file| std::io::Write::write_all(&mut file, &zeros)),
            );
        } else {
            drop(std::fs::remove_file(filler));
        }
    }

    /// Sets the daemon's clock, as an offset that libfaketime reads.
    pub(crate) fn set_clock(&self, offset: &str) {
        crate::program::replace(&self.path().join("clock"), &format!("{offset}\n"));
    }

    /// Starts the daemon and waits until its sockets are bound.
    pub(crate) fn start(&self) -> Daemon {
        let program = command(self.path());
        let settings = faketime::settings(&self.path().join("clock"));
        let mut nsenter = Command::new("nsenter");
        nsenter
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .arg(format!("--wd={}", self.path().display()))
            .arg("env")
            .args(settings.map(|(key, value)| format!("{key}={}", value.display())))
            .arg(program.get_program())
            .args(["serve", "gazetteer.toml"]);
        Daemon::start_command(&mut nsenter)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
