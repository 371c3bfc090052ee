//! The world of a case: its files, the states of its members, and the snapshots that follow.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gazetteer::config::{self, Config, Problem};
use gazetteer::dnssec::Algorithm;
use gazetteer::model::{
    Export, GeoDatabase, Joined, MemberIdx, MemberOrigin, MemberState, MemberStatus,
    NamespacedName, Service, TopologyFacts, UnixSeconds,
};
use gazetteer::names::Label;
use gazetteer::snapshot::{
    Generation, Partitioner, Resolved, Serial, Settings, Snapshot, SnapshotBuilder,
};
use gazetteer::wire::NameBuf;
use ipnet::IpNet;
use toml::{Table, Value};

use crate::edit;
use crate::mmdb;
use crate::overlay::HealthEvents;
use crate::schema;
use crate::signing::SignedApexes;
use crate::validate::TrustedZone;

/// The serial of the first snapshot; each change adds one.
const FIRST_SERIAL: u32 = 1001;

/// Facts, parsed.
type Facts = Vec<(NamespacedName, Arc<Service>)>;

/// The world as the steps so far made it.
pub(crate) struct World {
    path: PathBuf,
    config: Table,
    facts: BTreeMap<String, Table>,
    exports: BTreeMap<String, Export>,
    states: BTreeMap<String, MemberState>,
    learnt: BTreeMap<String, TopologyFacts>,
    hostnames: BTreeMap<NameBuf, Option<Resolved>>,
    networks: BTreeMap<String, Vec<IpNet>>,
    database: Option<GeoDatabase>,
    health_events: HealthEvents,
    signed: SignedApexes,
    changed: bool,
    published: Option<Published>,
}

/// What the last query saw.
struct Published {
    text: String,
    config: Arc<Config>,
    builder: SnapshotBuilder,
    snapshot: Arc<Snapshot>,
}

/// A snapshot that every change so far led to, and one of the present state alone.
pub(crate) struct View {
    pub(crate) config: Arc<Config>,
    pub(crate) folded: Arc<Snapshot>,
    pub(crate) rebuilt: Snapshot,
}

impl World {
    /// The world of a folder, all members ready.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let path = folder.join("gazetteer.toml");
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let config: Table = text.parse().map_err(|error| format!("{error}"))?;
        let mut world = Self {
            path,
            config,
            facts: BTreeMap::new(),
            exports: BTreeMap::new(),
            states: BTreeMap::new(),
            learnt: BTreeMap::new(),
            hostnames: BTreeMap::new(),
            networks: BTreeMap::new(),
            database: None,
            health_events: HealthEvents::new(),
            signed: SignedApexes::default(),
            changed: true,
            published: None,
        };
        for member in world.members() {
            let path = folder.join(format!("{member}.toml"));
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let facts = text.parse().map_err(|error| format!("{error}"))?;
            world.facts.insert(member, facts);
        }
        Ok(world)
    }

    /// The members that the configuration has now.
    fn members(&mut self) -> Vec<String> {
        edit::tables(&mut self.config, "member")
            .into_iter()
            .filter_map(|member| member.get("name").and_then(Value::as_str))
            .map(str::to_owned)
            .collect()
    }

    /// Has all apexes signed with an algorithm.
    pub(crate) fn sign_all(&mut self, algorithm: Algorithm) {
        self.signed.sign_all(algorithm);
    }

    /// The zones that are signed.
    pub(crate) fn trusted(&self) -> Vec<TrustedZone> {
        self.signed.trusted()
    }

    /// The time.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.health_events.now
    }

    /// Applies one event.
    pub(crate) fn apply(&mut self, words: &str, block: &str) -> Result<(), String> {
        self.changed = true;
        if words == "database" {
            self.database = Some(database(block)?);
            return Ok(());
        }
        let (verb, rest) = words.split_once(' ').ok_or("an event of one word")?;
        if self.health_events.apply(verb, rest)? {
            return Ok(());
        }
        match verb {
            "sign" => return self.signed.apply(rest),
            "configure" => return edit::configuration(&mut self.config, rest, block),
            "resolved" => {
                let (hostname, resolved) = resolved(rest)?;
                self.hostnames.insert(hostname, Some(resolved));
                return Ok(());
            }
            "forgotten" => {
                let hostname: NameBuf = rest.parse().map_err(|_| "no name")?;
                self.hostnames.insert(hostname, None);
                return Ok(());
            }
            _ => {}
        }
        let (member, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let members = self.members();
        let chosen: Vec<_> = members
            .into_iter()
            .filter(|name| member == "*" || name == member)
            .collect();
        if chosen.is_empty() {
            return Err(format!("no member {member}"));
        }
        for member in chosen {
            match verb {
                "export" => {
                    self.exports.insert(member, export(rest)?);
                }
                "state" => {
                    self.states.insert(member, state(rest)?);
                }
                "networks" => {
                    let networks = rest.split_whitespace().map(str::parse);
                    let networks = networks.collect::<Result<_, _>>();
                    self.networks
                        .insert(member, networks.map_err(|_| "no network")?);
                }
                "learnt" => learn(self.learnt.entry(member).or_default(), rest)?,
                _ => edit::facts(self.facts.entry(member).or_default(), verb, rest, block)?,
            }
        }
        Ok(())
    }

    /// Whether a change of the configuration is refused with a problem that contains `text`; the
    /// world stays as it is.
    pub(crate) fn refuses(&self, text: &str, words: &str, block: &str) -> Result<(), String> {
        let words = words.strip_prefix("configure ").ok_or("only configure")?;
        let mut config = self.config.clone();
        edit::configuration(&mut config, words, block)?;
        let written = toml::to_string(&config).map_err(|error| error.to_string())?;
        let read = |config| config::read_statics(config, written.as_bytes());
        match config::parse(&written, &self.path).and_then(read) {
            Ok(_) => Err("the configuration is accepted".to_owned()),
            Err(problems) => {
                let messages: Vec<_> = problems.into_iter().map(|one| one.message).collect();
                let found = messages.iter().any(|message| message.contains(text));
                found
                    .then_some(())
                    .ok_or_else(|| format!("refused for another reason: {messages:?}"))
            }
        }
    }

    /// The snapshots of the present state.
    pub(crate) fn view(&mut self) -> Result<View, String> {
        let text = toml::to_string(&self.config).map_err(|error| error.to_string())?;
        let last = self.published.take();
        let serial = last.as_ref().map_or(FIRST_SERIAL, |last| {
            last.snapshot.serial().0 + u32::from(self.changed)
        });
        // A new configuration starts a new builder, as the daemon's writer does.
        let (config, mut builder) = match last {
            Some(last) if last.text == text => (last.config, last.builder),
            _ => {
                let read = |config| config::read_statics(config, text.as_bytes());
                let config = config::parse(&text, &self.path).and_then(read);
                let config = Arc::new(config.map_err(lines)?);
                schema::judge(&self.config)?;
                let builder = new_builder(&config);
                (config, builder)
            }
        };
        self.signed.take_apexes(&config);
        let facts = self.parse_facts(&config)?;
        self.fill(&mut builder, &config, &facts);
        let mut rebuilt = new_builder(&config);
        restore(&mut rebuilt, &config, &facts);
        self.fill(&mut rebuilt, &config, &facts);
        let stamp = (Generation(u64::from(serial)), Serial(serial));
        let snapshot = Arc::new(builder.snapshot(stamp.0, stamp.1));
        self.changed = false;
        self.published = Some(Published {
            text,
            config: config.clone(),
            builder,
            snapshot: snapshot.clone(),
        });
        Ok(View {
            config,
            folded: snapshot,
            rebuilt: rebuilt.snapshot(stamp.0, stamp.1),
        })
    }

    /// The facts of every configured member, in configuration order.
    fn parse_facts(&self, config: &Config) -> Result<Vec<Facts>, String> {
        let mut all = Vec::new();
        for (_, member) in config.fleet.members.iter() {
            let name = member.name.as_str();
            if !self.state(name).1 {
                all.push(Facts::new());
                continue;
            }
            let table = self.facts.get(name).cloned().unwrap_or_default();
            let services = toml::to_string(&table).map_err(|error| error.to_string())?;
            // A file without a service is not without an octet.
            let text = format!("# Facts of {name}.\n{services}");
            let path = self.path.with_file_name(format!("{name}.toml"));
            let facts = config::facts::parse(&text, &path).map_err(lines)?;
            let export = self.exports.get(name);
            let facts = facts.into_iter().map(|(key, mut service)| {
                if let Some(export) = export {
                    Arc::make_mut(&mut service.spec).export = *export;
                }
                (key, Arc::new(service))
            });
            all.push(facts.collect());
        }
        Ok(all)
    }

    /// The state of a member, and whether it has facts.
    fn state(&self, member: &str) -> (MemberState, bool) {
        let state = self
            .states
            .get(member)
            .copied()
            .unwrap_or(MemberState::Ready);
        let has_facts = !matches!(state, MemberState::Syncing(_) | MemberState::NeverSynced);
        (state, has_facts)
    }

    /// Brings a builder to the present state.
    fn fill(&self, builder: &mut SnapshotBuilder, config: &Config, facts: &[Facts]) {
        let members = config.fleet.members.iter();
        for ((index, member), facts) in members.zip(facts) {
            let name = member.name.as_str();
            let kept: HashSet<_> = facts.iter().map(|(key, _)| key).collect();
            let gone: Vec<_> = builder
                .facts(index)
                .map(|(key, _)| key.clone())
                .filter(|key| !kept.contains(key))
                .collect();
            for key in gone {
                builder.remove(index, &key);
            }
            for (key, service) in facts {
                builder.upsert(index, key, service.clone());
            }
            if let Some(learnt) = self.learnt.get(name) {
                builder.set_topology(index, learnt.clone());
            }
            let networks = self.networks.get(name).cloned().unwrap_or_default();
            builder.set_networks(index, networks.into());
            builder.set_status(
                index,
                MemberStatus {
                    name: member.name.clone(),
                    origin: MemberOrigin::default(),
                    state: self.state(name).0,
                    reason: None,
                    outlook: None,
                    since: UnixSeconds(0),
                    version: None,
                    first_synced: None,
                    warnings: Vec::new(),
                },
            );
        }
        for (hostname, resolved) in &self.hostnames {
            builder.set_hostname(hostname, resolved.clone());
        }
        builder.set_database(self.database.clone());
        builder.set_zone_keys(self.signed.keys());
        self.health_events.fill(builder, config);
    }
}

/// Gives a builder all facts at once, as a start does.
fn restore(builder: &mut SnapshotBuilder, config: &Config, facts: &[Facts]) {
    let partitioner = Partitioner::new(Arc::clone(&config.fleet));
    let members = (0u8..).map(MemberIdx).zip(facts);
    let partitioned = members.map(|(index, facts)| partitioner.partition(index, facts.clone()));
    let partitioned = partitioned.collect();
    builder.restore(partitioner, partitioned);
}

/// Problems, one on a line.
fn lines(problems: Vec<Problem>) -> String {
    let lines: Vec<_> = problems
        .into_iter()
        .map(|problem| format!("line {}: {}", problem.line, problem.message))
        .collect();
    lines.join("\n")
}

/// A builder without facts.
fn new_builder(config: &Config) -> SnapshotBuilder {
    let listen = &config.listen;
    let settings = Settings {
        nsid: listen.nsid.clone(),
        has_client_name: listen.has_client_name,
        trusted: listen.trusted.clone(),
        listeners: listen.dns.iter().map(|dns| dns.member.clone()).collect(),
        allowed: listen.dns.iter().map(|dns| dns.allow.clone()).collect(),
        zones_allowed: config.zones_allowed(),
        diagnostics: config.clients.diagnostics.clone(),
        rate_limits: config.clients.rate_limits.clone(),
        max_without_cookie: config.clients.max_without_cookie,
        report_channel: config.clients.report_channel.clone(),
    };
    SnapshotBuilder::new(config.fleet.clone(), settings)
}

/// The GeoIP database of lines `network key=value…`.
fn database(lines: &str) -> Result<GeoDatabase, String> {
    GeoDatabase::read(database_octets(lines)?).map_err(|error| error.to_string())
}

/// The octets of the file of that database.
pub(crate) fn database_octets(lines: &str) -> Result<Vec<u8>, String> {
    let records: Vec<_> = lines.lines().map(record).collect::<Result<_, _>>()?;
    Ok(mmdb::write(&records))
}

/// Reads `network key=value…`.
fn record(line: &str) -> Result<mmdb::Record<'_>, String> {
    let mut words = line.split_whitespace();
    let network = words.next().and_then(|word| word.parse().ok());
    let says = words.map(|word| word.split_once('=').ok_or("no key=value"));
    let says = says.collect::<Result<_, _>>()?;
    Ok((network.ok_or("no network")?, says))
}

/// Reads `HOST TTL address…`.
fn resolved(words: &str) -> Result<(NameBuf, Resolved), String> {
    let mut words = words.split_whitespace();
    let hostname = words
        .next()
        .and_then(|name| name.parse().ok())
        .ok_or("no name")?;
    let ttl = words
        .next()
        .and_then(|ttl| ttl.parse().ok())
        .ok_or("no TTL")?;
    let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
    for word in words {
        match word.parse().map_err(|_| format!("no address: {word}"))? {
            std::net::IpAddr::V4(address) => ipv4.push(address),
            std::net::IpAddr::V6(address) => ipv6.push(address),
        }
    }
    let resolved = Resolved {
        ipv4: ipv4.into(),
        ipv6: ipv6.into(),
        ttl: Duration::from_secs(ttl),
    };
    Ok((hostname, resolved))
}

/// Adds `region zone…` to what was learnt.
fn learn(facts: &mut TopologyFacts, words: &str) -> Result<(), String> {
    let mut labels = words
        .split_whitespace()
        .map(|word| Label::from_topology(word).map_err(|error| format!("{word}: {error}")));
    facts.region = Some(labels.next().ok_or("no region")??);
    facts.zones = labels.collect::<Result<_, _>>()?;
    if let Some(region) = &facts.region {
        facts.known.insert((region.clone(), None));
        for zone in &facts.zones {
            facts.known.insert((region.clone(), Some(zone.clone())));
        }
    }
    Ok(())
}

/// Reads a state.
fn state(word: &str) -> Result<MemberState, String> {
    Ok(match word {
        "ready" => MemberState::Ready,
        "held" => MemberState::Held,
        "lost" => MemberState::Lost,
        "returning" => MemberState::Returning,
        "syncing" => MemberState::Syncing(Joined::AtStart),
        "joining" => MemberState::Syncing(Joined::WhileRunning),
        "never-synced" => MemberState::NeverSynced,
        _ => return Err(format!("no state: {word}")),
    })
}

/// Reads what services say of their export.
fn export(word: &str) -> Result<Export, String> {
    Ok(match word {
        "unsaid" => Export::Unsaid,
        "exported" => Export::Exported,
        "refused" => Export::Refused,
        _ => return Err(format!("no export: {word}")),
    })
}
