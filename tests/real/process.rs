//! Programs that a test runs: they never outlive it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::files;

/// One of the programs that `tests/real/build.sh` builds, in the folder that it prints.
pub(crate) fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("GAZETTEER_REAL_BIN").unwrap_or_else(|| {
        panic!("GAZETTEER_REAL_BIN is not set: {HINT}");
    });
    let program = Path::new(&folder).join(name);
    assert!(
        program.is_file(),
        "{} is missing: {HINT}",
        program.display()
    );
    program
}

/// What to do about a missing program.
const HINT: &str = "set it to the folder that tests/real/build.sh prints";

/// Where Debian or the search path has a program of a package of Debian.
pub(crate) fn debian(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let programs = folders.map(|folder| folder.join(program));
    let mut found = programs.filter(|program| program.is_file());
    let found = found.next();
    found.unwrap_or_else(|| panic!("{program} is missing: install Debian's package {package}"))
}

/// A running program; dropping it kills it.
pub(crate) struct Process {
    /// What reports call it.
    name: String,
    /// The child; its id is the program's, since `setpriv` becomes the program.
    child: Child,
    /// Where its output goes.
    log: PathBuf,
}

/// A command to start, and where to send the child.
pub(crate) type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Starts a command on the one thread that starts everything: the kernel's parent-death signal
/// fires when the *thread* that started a child ends, so that thread must live as long as the test.
fn start(command: Command) -> std::io::Result<Child> {
    let (reply, answer) = mpsc::channel();
    starter().send((command, reply)).expect("starter thread");
    answer.recv().expect("starter thread")
}

/// That thread. It has the namespaces of the first that asks for it.
pub(crate) fn starter() -> &'static mpsc::Sender<Order> {
    static STARTER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                // The one that asked may have panicked meanwhile; the child then ends with us.
                drop(reply.send(command.spawn()));
            }
        });
        orders
    })
}

impl Process {
    /// Starts a program with its standard error, and standard output too unless it is piped, added
    /// to a log.
    pub(crate) fn spawn(
        name: &str,
        program: &Path,
        arguments: &[OsString],
        log: &Path,
        pipe_output: bool,
    ) -> Self {
        let errors = File::options().create(true).append(true).open(log);
        let errors = errors.expect("log file");
        let output = errors.try_clone().expect("log file");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(errors)
            .stdout(if pipe_output {
                Stdio::piped()
            } else {
                output.into()
            });
        let child = start(command)
            .unwrap_or_else(|error| panic!("{name} cannot start by setpriv (util-linux): {error}"));
        Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        }
    }

    /// Its piped standard output, once.
    pub(crate) fn take_output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("piped output")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("process id");
        kill(Pid::from_raw(id), signal)
            .unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.name));
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end by SIGTERM and waits for its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().expect("exit status");
        status.code()
    }

    /// Fails, with the end of its log, if it has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!(
                "{} ended: {status}\n{}",
                self.name,
                files::tail(&self.log, 20)
            )),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that runs a program with these variables: its own name and arguments follow.
pub(crate) fn with_environment(settings: [(&str, OsString); 4]) -> Vec<OsString> {
    let settings = settings.into_iter().map(|(key, value)| {
        let mut setting = OsString::from(key);
        setting.push("=");
        setting.push(value);
        setting
    });
    [OsString::from("env")]
        .into_iter()
        .chain(settings)
        .collect()
}
