//! A running daemon, ended with the test, and questions to it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::program::command;

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How long to wait before a condition is looked at again.
const AGAIN: Duration = Duration::from_millis(20);

/// A running daemon. Dropped, it is killed.
pub(crate) struct Daemon {
    /// The process.
    pub(crate) process: Child,
    /// Lines of its standard output.
    lines: Receiver<String>,
    /// Lines of its logs.
    pub(crate) logs: Receiver<String>,
    /// Where it answers queries.
    pub(crate) dns: SocketAddr,
    /// Its admin address.
    pub(crate) admin: SocketAddr,
}

impl Daemon {
    /// Starts `gazetteer serve` in `folder`, and waits until its sockets are bound.
    pub(crate) fn start(folder: &Path, file: &str) -> Self {
        Self::start_with(folder, &["serve", file])
    }

    /// As [`Daemon::start`], with other arguments.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_command(command(folder).args(arguments))
    }

    /// As [`Daemon::start`] of the example, with limits of open files.
    pub(crate) fn start_limited(folder: &Path, soft: u64, hard: u64) -> Self {
        let program = command(folder);
        let line = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" serve demo.toml");
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line).arg(program.get_program());
        Self::start_command(shell.current_dir(folder))
    }

    /// As [`Daemon::start`] of the example, with a file system in memory as its state folder, mounted
    /// with these options for it alone.
    pub(crate) fn start_mounted(folder: &Path, options: &str) -> Self {
        let program = command(folder);
        let line = format!(
            "mkdir -p state && mount -t tmpfs -o {options} none state && exec \"$0\" serve demo.toml"
        );
        let mut shell = Command::new("unshare");
        // Who is not root is so in a namespace of its own.
        shell.args(["--user", "--map-root-user", "--mount"]);
        if std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0) {
            shell = Command::new("unshare");
            shell.arg("--mount");
        }
        shell
            .args(["/bin/sh", "-c"])
            .arg(line)
            .arg(program.get_program());
        Self::start_command(shell.current_dir(folder))
    }

    /// Its first DNS address.
    pub(crate) fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Starts a command that becomes the daemon.
    pub(crate) fn start_command(command: &mut Command) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = follow(process.stdout.take().expect("piped"));
        let logs = follow(process.stderr.take().expect("piped"));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut daemon = Self {
            process,
            lines,
            logs,
            dns: nowhere,
            admin: nowhere,
        };
        let bound = daemon.line();
        assert_eq!(bound["ready"], false, "{bound}");
        let address = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
        daemon.dns = address(&bound["dns"][0]);
        daemon.admin = address(&bound["admin"]);
        daemon
    }

    /// The next line of standard output.
    fn line(&mut self) -> serde_json::Value {
        let line = self.lines.recv_timeout(DEADLINE);
        let line = line.unwrap_or_else(|error| {
            let logs: Vec<_> = self.logs.try_iter().collect();
            panic!("no line on standard output: {error}\n{}", logs.join("\n"))
        });
        serde_json::from_str(&line).expect("one line of JSON")
    }

    /// Waits for the line that says ready.
    pub(crate) fn ready(mut self) -> Self {
        let line = self.line();
        assert_eq!(line["ready"], true, "{line}");
        assert_eq!(line["dns"][0], self.dns.to_string(), "{line}");
        assert_eq!(line["admin"], self.admin.to_string(), "{line}");
        self
    }

    /// Waits for a line of the logs that has all of `words`, and returns it.
    pub(crate) fn log(&self, words: &[&str]) -> String {
        let mut others = Vec::new();
        loop {
            let line = self.logs.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|error| {
                panic!("no log line has {words:?}: {error}: {others:#?}");
            });
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            others.push(line);
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end of the process.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the daemon ends", || {
            status = self.process.try_wait().expect("it is our child");
            status.is_some()
        });
        status.expect("it has ended")
    }

    /// Its limit of open files.
    pub(crate) fn open_files(&self) -> u64 {
        let path = format!("/proc/{}/limits", self.process.id());
        let limits = std::fs::read_to_string(path).expect("it runs");
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().nth(3));
        soft.expect("a limit").parse().expect("a number")
    }

    /// The addresses in the answer for a name, over UDP; `None` without a reply.
    pub(crate) fn addresses(&self, name: &str) -> Option<BTreeSet<String>> {
        addresses_at(self.dns, name)
    }

    /// The smallest TTL in the answer for a name, over UDP; `None` without a record.
    pub(crate) fn ttl(&self, name: &str) -> Option<u32> {
        let answer = self.query(name, RecordType::A)?;
        answer.answers.iter().map(|record| record.ttl).min()
    }

    /// The owner names in the answer for a name, over UDP, in order.
    pub(crate) fn owners(&self, name: &str) -> Vec<String> {
        let answer = self.query(name, RecordType::A).expect("a reply");
        let mut owners: Vec<_> = answer
            .answers
            .iter()
            .map(|record| record.name.to_string())
            .collect();
        owners.dedup();
        owners
    }

    /// The texts in the answer for a name, over UDP; `None` without a reply.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let answer = self.query(name, RecordType::TXT)?;
        let texts = answer.answers.iter();
        Some(texts.map(|record| record.data.to_string()).collect())
    }

    /// Asks for the records of a name, over UDP.
    fn query(&self, name: &str, rrtype: RecordType) -> Option<Message> {
        query(self.dns, name, rrtype)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Status and body of a GET at the admin address; `None` when nobody listens.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        self.ask(&format!("GET {path} HTTP/1.0\r\nHost: admin\r\n\r\n"))
    }

    /// Status and body of the response to a request at the admin address.
    pub(crate) fn ask(&self, request: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.admin).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        std::io::Write::write_all(&mut stream, request.as_bytes()).ok()?;
        let mut response = String::new();
        stream.read_to_string(&mut response).ok()?;
        let (head, body) = response.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }
}

/// The addresses in the answer of a server for a name, over UDP; `None` without a reply.
pub(crate) fn addresses_at(dns: SocketAddr, name: &str) -> Option<BTreeSet<String>> {
    let answer = query(dns, name, RecordType::A)?;
    let records = answer.answers.iter();
    let addresses = records.filter(|record| record.record_type() == RecordType::A);
    Some(addresses.map(|record| record.data.to_string()).collect())
}

/// Asks a server for the records of a name, over UDP.
pub(crate) fn query(dns: SocketAddr, name: &str, rrtype: RecordType) -> Option<Message> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), rrtype));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    socket.send_to(&message.to_vec().unwrap(), dns).unwrap();
    let mut octets = [0; 4096];
    let length = socket.recv(&mut octets).ok()?;
    Some(Message::from_vec(&octets[..length]).expect("a DNS message"))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of a stream, as they come.
fn follow(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Waits until `condition` holds.
#[expect(clippy::disallowed_methods, reason = "a deadline needs a clock")]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = SystemTime::now();
    while !condition() {
        let waited = start.elapsed().unwrap_or_default();
        assert!(waited < DEADLINE, "not within {DEADLINE:?}: {what}");
        thread::sleep(AGAIN);
    }
}
