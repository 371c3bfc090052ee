//! What fuzz targets read of an API server: no part of the program.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::runtime::watcher::Event;

use super::super::client::Secrets;
use super::super::client::fuzzing::secrets;
use super::super::failure::Failure;
use super::super::index::{Index, Observation, TopologySource, WayRules};
use super::super::objects::{GatewayObject, IngressObject, NodeObject, ServiceObject, SliceObject};
use super::read::{self, ExportMetadata, WatchLine, Watched};
use crate::model::{Change, NamespacedName, Service};

/// What the client sends, which no failure shows.
const TOKEN: &str = "token-1234";

/// A member in sync, and what was said of it step by step.
struct Member {
    index: Index,
    said: BTreeMap<NamespacedName, Arc<Service>>,
    secrets: Secrets,
}

/// Reads what an API server sends, a line each: a letter for its kind, lower-case for a page of a
/// list and upper-case for a line of a watch, and the JSON.
pub fn read_watch(octets: &[u8]) {
    let mut member = Member::new();
    for line in octets.split(|octet| *octet == b'\n') {
        match line.split_first() {
            Some((b's', page)) => member.page::<ServiceObject>(page),
            Some((b'e', page)) => member.page::<SliceObject>(page),
            Some((b'n', page)) => member.page::<NodeObject>(page),
            Some((b'x', page)) => member.page::<ExportMetadata>(page),
            Some((b'g', page)) => member.page::<GatewayObject>(page),
            Some((b'i', page)) => member.page::<IngressObject>(page),
            Some((b'S', line)) => member.line::<ServiceObject>(line),
            Some((b'E', line)) => member.line::<SliceObject>(line),
            Some((b'N', line)) => member.line::<NodeObject>(line),
            Some((b'X', line)) => member.line::<ExportMetadata>(line),
            Some((b'G', line)) => member.line::<GatewayObject>(line),
            Some((b'I', line)) => member.line::<IngressObject>(line),
            _ => {}
        }
    }
    member.assert_synced();
    member.empty();
    member.assert_synced();
    assert!(member.said.is_empty(), "{:?} stay", member.said);
    assert_eq!(member.index.objects(), 0, "objects stay");
    assert_eq!(member.index.octets(), 0, "octets stay");
}

impl Member {
    /// A member without objects.
    fn new() -> Self {
        let mut member = Self {
            index: Index::new(TopologySource::Nodes, WayRules::default()),
            said: BTreeMap::new(),
            secrets: secrets(TOKEN),
        };
        member.empty();
        member.assert_synced();
        member
    }

    /// Lists nothing of any kind.
    fn empty(&mut self) {
        self.list::<ServiceObject>(Vec::new(), true);
        self.list::<SliceObject>(Vec::new(), true);
        self.list::<NodeObject>(Vec::new(), true);
        self.list::<ExportMetadata>(Vec::new(), true);
        self.list::<GatewayObject>(Vec::new(), true);
        self.list::<IngressObject>(Vec::new(), true);
    }

    /// Takes the first page of a list in, which may be the last.
    fn list<W: Watched>(&mut self, objects: Vec<Observation>, is_whole: bool) {
        self.observe(W::observe(Event::Init));
        for object in objects {
            self.observe(object);
        }
        if is_whole {
            self.observe(W::observe(Event::InitDone));
        }
    }

    /// Reads a page.
    fn page<W: Watched>(&mut self, octets: &[u8]) {
        match read::page::<W>("the list", octets) {
            Ok(page) => self.list::<W>(page.objects, page.more.is_none()),
            Err(failure) => assert_shows_no_secret(&failure),
        }
    }

    /// Reads a line.
    fn line<W: Watched>(&mut self, octets: &[u8]) {
        match read::line::<W>("a line", octets, &self.secrets) {
            Ok(WatchLine::Applied(read)) => self.observe(W::observe(Event::Apply(read.seen))),
            Ok(WatchLine::Deleted(read)) => self.observe(W::observe(Event::Delete(read.seen))),
            Ok(WatchLine::Bookmark { .. }) => {}
            Ok(WatchLine::Error(failure)) | Err(failure) => assert_shows_no_secret(&failure),
        }
    }

    /// Takes an event in, and what is said of it.
    fn observe(&mut self, observation: Observation) {
        for change in self.index.observe(observation) {
            match change {
                Change::Upsert(name, service) => {
                    let before = self.said.insert(name, Arc::clone(&service));
                    assert_ne!(before, Some(service), "said twice");
                }
                Change::Remove(name) => {
                    let before = self.said.remove(&name);
                    assert!(before.is_some(), "{name} goes and was not there");
                }
                _ => {}
            }
        }
        for warning in self.index.take_warnings() {
            assert!(!warning.text.is_empty());
        }
    }

    /// What was said step by step is what is said at once.
    fn assert_synced(&mut self) {
        let changes = self.index.sync().expect("every list was complete once");
        let Some(Change::Synced(all)) = changes.into_iter().last() else {
            panic!("nothing synced");
        };
        let all: BTreeMap<_, _> = all.into_iter().collect();
        assert_eq!(all, self.said);
        assert_eq!(self.index.published(), self.said.len());
    }
}

/// What the API said shows no secret.
fn assert_shows_no_secret(failure: &Failure) {
    let text = failure.text();
    assert!(!text.contains(TOKEN), "{text:?}");
}
