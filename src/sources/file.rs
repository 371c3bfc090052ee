//! A member whose facts are in a file (design: config).
//!
//! A file replaces the facts before it only when it is right as a whole. A missing or wrong file is
//! the loss of its member: the last facts are held (names: D.11(12)).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Lifetime;
use super::unconfirmed::Unconfirmed;
use super::watch::{FileWatch, Pace};
use crate::config::file_origin;
use crate::config::read::{self, ReadError};
use crate::model::limits::FACTS_FILE;
use crate::model::{CONFIRM_DELAY, Change, Delta, Epoch, Identity, Loss, NamespacedName, Service};
use crate::names::Label;

/// Reads the text of a facts file; the path is for the problems.
type Parse<P> = fn(&str, &Path) -> Result<Vec<(NamespacedName, Service)>, Vec<P>>;

/// Sends the facts in `path` as those of the member of `lifetime`, then every change of them, until
/// that ends or until nobody receives. Waits while nobody does; the file is then read in its newest
/// state. While the writer waits for it, the file is read again, and sent as a whole.
pub async fn run(path: PathBuf, lifetime: Lifetime) {
    let Lifetime {
        source,
        epoch,
        deltas,
        unconfirmed,
        cancel,
    } = lifetime;
    let driver = Driver {
        unconfirmed: Unconfirmed::new(source.member.clone(), unconfirmed, CONFIRM_DELAY),
        facts: Facts::new(source.member, crate::config::facts::parse),
        epoch,
        deltas,
    };
    driver.run_until(path, Pace::default(), cancel).await;
}

/// What joins the file and the writer.
struct Driver<P> {
    /// What the file said.
    facts: Facts<P>,
    /// The lifetime of this source.
    epoch: Epoch,
    /// Where changes go.
    deltas: mpsc::Sender<Delta>,
    /// When to read the file again.
    unconfirmed: Unconfirmed,
}

impl<P: Display> Driver<P> {
    /// Runs until `cancel`.
    async fn run_until(self, path: PathBuf, pace: Pace, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.run(path, pace)).await;
    }

    /// Runs until nobody receives.
    async fn run(mut self, path: PathBuf, pace: Pace) {
        let identity = Identity {
            origin: file_origin(&path),
            ..Identity::default()
        };
        if !self.send(Change::Identity(identity)).await {
            return;
        }
        let mut watch = FileWatch::with_pace([path], &FACTS_FILE, pace);
        loop {
            let changed = tokio::select! {
                changed = watch.changed() => changed,
                () = self.unconfirmed.wait() => {
                    watch.forget();
                    self.facts.must_list = true;
                    continue;
                }
            };
            for changed in changed {
                for change in self.facts.read(&changed.path, changed.content) {
                    if !self.send(change).await {
                        return;
                    }
                }
            }
        }
    }

    /// Sends a change; says whether anybody receives.
    async fn send(&self, change: Change) -> bool {
        let delta = Delta::Member {
            member: self.facts.member.clone(),
            epoch: self.epoch,
            change,
        };
        self.deltas.send(delta).await.is_ok()
    }
}

/// What a file said, from reading to reading. Pure but for its log.
struct Facts<P> {
    /// The member.
    member: Label,
    /// How to read a text.
    parse: Parse<P>,
    /// The last good list; `None` before the first.
    good: Option<BTreeMap<NamespacedName, Arc<Service>>>,
    /// Whether the file was missing or wrong when it was last read.
    lost: bool,
    /// Whether to say everything, changed or not.
    must_list: bool,
}

impl<P: Display> Facts<P> {
    /// Before the first reading.
    fn new(member: Label, parse: Parse<P>) -> Self {
        Self {
            member,
            parse,
            good: None,
            lost: false,
            must_list: false,
        }
    }

    /// What follows from a content of the file at `path`.
    fn read(&mut self, path: &Path, content: Result<Vec<u8>, ReadError>) -> Vec<Change> {
        match self.list(path, content) {
            Ok(list) => self.accept(list),
            Err(why) if self.lost => {
                info!(member = %self.member, %why, "facts file still unusable");
                Vec::new()
            }
            Err(why) => {
                self.lost = true;
                warn!(member = %self.member, %why, held = self.good.is_some(), "lost");
                vec![Change::Lost(Loss::File(why))]
            }
        }
    }

    /// The services in a content, or why there are none. Every problem is logged.
    fn list(
        &self,
        path: &Path,
        content: Result<Vec<u8>, ReadError>,
    ) -> Result<BTreeMap<NamespacedName, Arc<Service>>, String> {
        let text = content.and_then(|octets| read::text(path, octets));
        let text = text.map_err(|error| error.to_string())?;
        let services = (self.parse)(&text, path).map_err(|problems| {
            for problem in &problems {
                warn!(member = %self.member, %problem, "wrong facts file");
            }
            let first = problems.first().map(ToString::to_string);
            match (first, problems.len()) {
                (Some(first), 1) => first,
                (Some(first), count) => format!("{first} (and {} more)", count - 1),
                (None, _) => format!("{}: wrong", path.display()),
            }
        })?;
        let shared = |(key, service)| (key, Arc::new(service));
        Ok(services.into_iter().map(shared).collect())
    }

    /// What follows from a right file: all of it after a loss, otherwise what differs. A service
    /// that moves to another name is never absent, so removals come last.
    fn accept(&mut self, list: BTreeMap<NamespacedName, Arc<Service>>) -> Vec<Change> {
        let member = &self.member;
        let all = |list: &BTreeMap<NamespacedName, Arc<Service>>| {
            debug!(%member, services = list.len(), "listed");
            let pairs = list.iter();
            Change::Synced(
                pairs
                    .map(|(key, service)| (key.clone(), Arc::clone(service)))
                    .collect(),
            )
        };
        let changes = match &self.good {
            _ if self.lost => vec![Change::Returning, all(&list)],
            _ if self.must_list => vec![all(&list)],
            None => vec![all(&list)],
            Some(good) => differences(good, &list),
        };
        self.good = Some(list);
        self.lost = false;
        self.must_list = false;
        changes
    }
}

/// The changes that lead from one list to another.
fn differences(
    from: &BTreeMap<NamespacedName, Arc<Service>>,
    to: &BTreeMap<NamespacedName, Arc<Service>>,
) -> Vec<Change> {
    let changed = to
        .iter()
        .filter(|(key, service)| from.get(key) != Some(service));
    let upserts = changed.map(|(key, service)| Change::Upsert(key.clone(), Arc::clone(service)));
    let gone = from.keys().filter(|key| !to.contains_key(key));
    upserts.chain(gone.cloned().map(Change::Remove)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Addresses, Endpoints, Export, HostNames, ServiceKind, Spec, Steering};

    /// A file of `name=ready` words; `!` in it is two problems.
    fn parse(text: &str, _: &Path) -> Result<Vec<(NamespacedName, Service)>, Vec<String>> {
        if text.contains('!') {
            return Err(vec!["f:1:2: bad".into(), "f:1:3: worse".into()]);
        }
        let service = |word: &str| {
            let (name, ready) = word.split_once('=').unwrap();
            (key(name), service(ready.parse().unwrap()))
        };
        Ok(text.split_whitespace().map(service).collect())
    }

    /// `ns/<name>`.
    fn key(name: &str) -> NamespacedName {
        NamespacedName {
            namespace: "ns".parse().unwrap(),
            name: name.parse().unwrap(),
        }
    }

    /// A service that differs by its ready endpoints.
    fn service(ready: u32) -> Service {
        let spec = Spec {
            kind: ServiceKind::LoadBalancer,
            export: Export::Exported,
            allow_without_endpoints: false,
            federations: None,
            ports: Box::default(),
            steering: Steering::default(),
        };
        Service {
            spec: Arc::new(spec),
            addresses: Addresses::default(),
            hostnames: HostNames::default(),
            endpoints: Endpoints { ready, total: 9 },
            inside: None,
        }
    }

    /// How soon a file is read again in tests.
    const PAUSE: Duration = Duration::from_millis(10);

    /// `Upsert` of `ns/<name>`.
    fn upsert(name: &str, ready: u32) -> Change {
        Change::Upsert(key(name), Arc::new(service(ready)))
    }

    /// `Synced` with these services.
    fn synced(services: &[(&str, u32)]) -> Change {
        let pair = |&(name, ready): &(&str, u32)| (key(name), Arc::new(service(ready)));
        Change::Synced(services.iter().map(pair).collect())
    }

    #[test]
    fn only_differences_follow_a_good_file() {
        let mut facts = Facts::new("m".parse().unwrap(), parse);
        let mut check = |text: &str, expected: &[Change]| {
            let got = facts.read(Path::new("f"), Ok(text.as_bytes().to_vec()));
            assert_eq!(got, expected, "{text}");
        };
        check("a=1 b=1", &[synced(&[("a", 1), ("b", 1)])]);
        check("a=1 b=1 ", &[]);
        check("a=2 b=1", &[upsert("a", 2)]);
        check("c=1 b=1", &[upsert("c", 1), Change::Remove(key("a"))]);
        check("", &[Change::Remove(key("b")), Change::Remove(key("c"))]);
    }

    #[test]
    fn wrong_and_missing_files_hold_the_facts() {
        let mut facts = Facts::new("m".parse().unwrap(), parse);
        let lost = |why: &str| Change::Lost(Loss::File(why.into()));
        let folder = tempfile::tempdir().unwrap();
        let missing = || Err(folder.path().join("none"));
        let mut check = |text: Result<&str, PathBuf>, expected: &[Change]| {
            let content = text.clone().map(|text| text.as_bytes().to_vec());
            let content = content.or_else(|path| read::read(&path, &FACTS_FILE));
            let got = facts.read(Path::new("f"), content);
            assert_eq!(got, expected, "{text:?}");
        };
        let path = folder.path().join("none");
        let none = format!("{}: No such file or directory (os error 2)", path.display());
        check(missing(), &[lost(&none)]);
        check(Ok("a=1"), &[Change::Returning, synced(&[("a", 1)])]);
        check(Ok("a=2 !"), &[lost("f:1:2: bad (and 1 more)")]);
        check(missing(), &[]);
        check(Ok("a=1"), &[Change::Returning, synced(&[("a", 1)])]);
        check(Ok("a=3"), &[upsert("a", 3)]);
    }

    #[tokio::test]
    async fn a_replaced_file_becomes_deltas_until_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts");
        let replace = |text: &str| {
            let mut file = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            file.persist(&path).unwrap();
        };
        replace("a=1");
        let (deltas, mut received) = mpsc::channel(1);
        let (waiting, waited_for) = tokio::sync::watch::channel(Arc::default());
        let driver = Driver {
            facts: Facts::new("m".parse().unwrap(), parse),
            epoch: Epoch(7),
            deltas,
            unconfirmed: Unconfirmed::new("m".parse().unwrap(), waited_for, PAUSE),
        };
        let cancel = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(driver.run_until(path.clone(), Pace::default(), cancel.clone()));
        let mut next = async || {
            let delta = tokio::time::timeout(Duration::from_secs(20), received.recv()).await;
            match delta.expect("a delta in time").expect("a delta") {
                Delta::Member {
                    member,
                    epoch: Epoch(7),
                    change,
                } if member.as_str() == "m" => change,
                other => panic!("{other:?}"),
            }
        };
        let Change::Identity(identity) = next().await else {
            panic!("no identity first");
        };
        assert_eq!(identity.origin, path.display().to_string());
        assert_eq!(next().await, synced(&[("a", 1)]));
        replace("a=2");
        assert_eq!(next().await, upsert("a", 2));
        waiting.send_replace(Arc::new(["m".parse().unwrap()].into()));
        assert_eq!(next().await, synced(&[("a", 2)]));
        assert_eq!(next().await, synced(&[("a", 2)]), "for as long as it takes");
        waiting.send_replace(Arc::default());
        std::fs::remove_file(&path).unwrap();
        let lost = async {
            loop {
                match next().await {
                    Change::Lost(Loss::File(_)) => break,
                    other => assert_eq!(other, synced(&[("a", 2)]), "one may be under way"),
                }
            }
        };
        lost.await;
        cancel.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(20), tasks.join_next()).await;
        ended.expect("ends in time").unwrap().unwrap();
    }
}
