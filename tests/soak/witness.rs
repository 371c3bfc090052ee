//! Why the daemon answers as it does, by its own words, many times a second.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use crate::history::History;
use crate::world::{SERVICES, global};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// A thread that asks; it ends when it is dropped.
pub(crate) struct Witness {
    /// Ends it.
    ended: Arc<AtomicBool>,
    /// The thread.
    thread: Option<JoinHandle<Vec<Account>>>,
}

/// What was said of a service.
pub(crate) struct Account {
    /// When.
    pub(crate) at: Instant,
    /// Of which service.
    service: &'static str,
    /// What.
    said: String,
}

impl Witness {
    /// Starts it. `admin` is none while nobody can be asked.
    pub(crate) fn start(admin: Arc<Mutex<Option<SocketAddr>>>, history: Arc<History>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut accounts: Vec<Account> = Vec::new();
            let mut services = SERVICES.iter().cycle();
            while !flag.load(Ordering::SeqCst) {
                std::thread::sleep(PAUSE);
                let (Some(admin), Some(service)) = (*admin.lock(), services.next()) else {
                    continue;
                };
                let Some(said) = explain(admin, service) else {
                    continue;
                };
                let last = accounts.iter().rfind(|account| account.service == *service);
                if last.is_none_or(|last| last.said != said) {
                    history.note(&format!("{service}:{said}"));
                }
                let at = Instant::now();
                accounts.push(Account { at, service, said });
            }
            accounts
        });
        Self {
            ended,
            thread: Some(thread),
        }
    }

    /// Ends it and gives what was said.
    pub(crate) fn end(mut self) -> Vec<Account> {
        self.ended.store(true, Ordering::SeqCst);
        let thread = self.thread.take().expect("it ends once");
        thread.join().expect("a thread that asks")
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

/// What was said of a service about a moment: as near as the questions were.
pub(crate) fn said_at<'a>(accounts: &'a [Account], service: &str, at: Instant) -> Option<&'a str> {
    let of_service = accounts.iter().filter(|account| account.service == service);
    let distance = |account: &&Account| account.at.max(at) - account.at.min(at);
    let nearest = of_service.min_by_key(distance)?;
    (distance(&nearest) < Duration::from_secs(1)).then_some(&*nearest.said)
}

/// What the daemon says of every member of a service.
fn explain(admin: SocketAddr, service: &str) -> Option<String> {
    let limit = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&admin, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let name = global(service);
    write!(
        stream,
        "GET /v1/explain?name={name} HTTP/1.0\r\nHost: localhost\r\n\r\n"
    )
    .ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    let (_, body) = reply.split_once("\r\n\r\n")?;
    let explained: Value = serde_json::from_str(body).ok()?;
    let members = explained["members"].as_array()?.iter().map(|member| {
        let [name, status, reason] = ["name", "status", "reason"].map(|key| member[key].as_str());
        let texts = [name, status, reason].map(Option::unwrap_or_default);
        let evidence: Vec<_> = member["evidence"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        let evidence: Vec<_> = evidence.into_iter().filter_map(Value::as_str).collect();
        format!(" {}: {}", texts.join(": "), evidence.join("; "))
    });
    Some(members.collect::<Vec<_>>().join(" |"))
}
