//! The configuration file as a whole.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use super::alias::{AliasDraft, alias};
use super::check::{self, Drafts};
use super::dnssec::{dnssec, zone};
use super::federation::federation;
use super::fragments::{FOLDER, Fragment, RefusedFragment};
use super::geography::{cost, geoip};
use super::listen::{ListenDraft, listen};
use super::member::{MemberDraft, member};
use super::member_object::ObjectMember;
use super::membership::membership;
use super::objects::take_in_objects;
use super::parse::parse_table;
use super::problem::{FileProblems, PartProblems, Placed, Problem};
use super::rate_limit::rate_limit;
use super::read;
use super::section::Section;
use super::settings::{Account, ClientRules, Config, Membership};
use super::state_dir::default_state_dir;
use super::topology::{NetworkDraft, RegionAndZones, locality, network, region};
use super::values;
use crate::model::{Fleet, Member, Network};
use crate::names::Label;

/// How long to go on serving after SIGTERM, when the file does not say.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(5);

/// What comes of a configuration file, of fragments and of objects of the host cluster.
#[derive(Debug, Clone)]
pub struct Composition {
    /// The configuration.
    pub config: Config,
    /// Fragments and objects that are not taken.
    pub refused: Vec<RefusedFragment>,
    /// Where the file names members that are not there. They may come yet: there is somewhere else for
    /// members to come from, or these were problems.
    pub unknown: Vec<Problem>,
}

/// The configuration of a file with these fragments and these objects of the host cluster, both in any
/// order. `None` are no fragments and no folder for any: then every member is in the file, unless it
/// names a host cluster.
///
/// Errors are every problem of the file, in file order, never none of them.
pub fn compose(
    octets: Vec<u8>,
    path: &Path,
    fragments: Option<&[Fragment]>,
    objects: &[ObjectMember],
) -> Result<Composition, Vec<Problem>> {
    let text = read::text(path, octets).map_err(|error| vec![error.into()])?;
    compose_text(&text, path, fragments, objects)
}

/// The same, of a file that is text.
fn compose_text(
    text: &str,
    path: &Path,
    fragments: Option<&[Fragment]>,
    objects: &[ObjectMember],
) -> Result<Composition, Vec<Problem>> {
    let unknown = FileProblems::new(text, path);
    let (config, refused) = parse_table(text, path, |root| {
        let unknown = PartProblems::new(&unknown, 0);
        config(root, path, (fragments, objects), &unknown)
    })?;
    Ok(Composition {
        config,
        refused,
        unknown: unknown.into_problems(),
    })
}

/// The members folder of a configuration, as far as it can be told.
pub(super) fn folder_of(octets: &[u8], path: &Path) -> PathBuf {
    let beside = path.parent().unwrap_or(Path::new(""));
    let text = std::str::from_utf8(octets).unwrap_or_default();
    let (root, _) = DeTable::parse_recoverable(text);
    let membership = root.get_ref().get("membership");
    let membership = membership.and_then(|value| value.get_ref().as_table());
    let folder = membership.and_then(|table| table.get("folder"));
    let folder = folder.and_then(|value| value.get_ref().as_str());
    beside.join(folder.unwrap_or(FOLDER))
}

/// Reads the text of a configuration file; `path` is what its relative paths start from, and what
/// problems name. Reads no file; the environment only for a `state-dir` that is left out.
pub fn parse(text: &str, path: &Path) -> Result<Config, Vec<Problem>> {
    compose_text(text, path, None, &[]).map(|composed| composed.config)
}

/// Reads who the daemon is to be.
fn account(root: &Section<'_>) -> Account {
    let read = |key| root.text(key, key, values::account).map(|name| name.value);
    let (user, group) = (read("user"), read("group"));
    if group.is_some() && !root.has("user") {
        root.report.add(root.at, "group: requires user");
    }
    Account { user, group }
}

/// Reads a fragment: a member alone, in a file that is called as it is.
fn fragment(fragment: &Fragment, drafts: &Drafts) -> Result<MemberDraft, Vec<Problem>> {
    let (path, policy) = (&fragment.path, drafts.listen.listen.address_policy());
    let text = read::text(path, fragment.octets.clone()).map_err(|error| vec![error.into()])?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse_table(&text, path, |root| {
        let report = root.report;
        root.require("version");
        root.text("version", "version", values::choice(&[("v1", ())]));
        let draft = member(root, folder, policy);
        let file = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(name) = &draft.name {
            let own = name.value.as_str();
            if file.is_some_and(|file| file != own) {
                let file = file.unwrap_or_default();
                report.add(name.at, format!("name: {own:?} in a file called {file:?}"));
            } else {
                check::check_new(report, name, drafts);
            }
        }
        check::check_fragment(report, &draft, drafts);
        (report.is_empty() && draft.whole.is_some()).then_some(draft)
    })
}

/// Reads `state-dir`.
fn state_dir(root: &Section<'_>, folder: &Path) -> Option<PathBuf> {
    if root.has("state-dir") {
        root.text("state-dir", "state-dir", values::plain)
            .map(|given| folder.join(given.value))
    } else {
        root.get("state-dir");
        let default = default_state_dir();
        if default.is_none() {
            root.report.add(
                0,
                "state-dir: missing, and the platform has no state folder",
            );
        }
        default
    }
}

/// Reads `shutdown-delay`.
fn shutdown_delay(root: &Section<'_>) -> Duration {
    let delay = values::duration(Duration::ZERO..=values::HOUR);
    let delay = root.text("shutdown-delay", "shutdown-delay", delay);
    delay.map_or(SHUTDOWN_DELAY, |delay| delay.value)
}

/// Takes in the fragments that are right, in their order. Returns their members; those that are not taken
/// are `refused`.
fn take_in(
    drafts: &mut Drafts,
    fragments: &[Fragment],
    refused: &mut Vec<RefusedFragment>,
) -> Vec<Label> {
    let mut from_folder = Vec::new();
    // By the names of members, not of files: the ending counts otherwise.
    let mut files: Vec<&Fragment> = fragments.iter().collect();
    files.sort_by_key(|file| file.path.file_stem());
    for file in files {
        match fragment(file, drafts) {
            Ok(draft) => {
                from_folder.extend(draft.name.as_ref().map(|name| name.value.clone()));
                drafts.members.push(draft);
            }
            Err(problems) => refused.push(RefusedFragment {
                path: file.path.clone(),
                problems,
            }),
        }
    }
    from_folder
}

/// Each of these once.
fn once(resolvers: Vec<Placed<SocketAddr>>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let resolvers = resolvers.into_iter().map(|resolver| resolver.value);
    resolvers
        .filter(|resolver| seen.insert(*resolver))
        .collect()
}

/// Reads the root table, and takes in the fragments that are right. Members that are named and not there
/// are `unknown`, unless that is a mistake.
fn config(
    root: Section<'_>,
    path: &Path,
    (fragments, objects): (Option<&[Fragment]>, &[ObjectMember]),
    unknown: &PartProblems<'_>,
) -> Option<(Config, Vec<RefusedFragment>)> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let report = root.report;
    root.require("version");
    root.text("version", "version", values::choice(&[("v1", ())]));
    let state_dir = state_dir(&root, folder);
    let resolvers = root.texts("resolver", values::resolver).unwrap_or_default();
    let shutdown_delay = shutdown_delay(&root);
    let account = account(&root);
    let has_others = fragments.is_some() || root.has("membership");
    let (members_folder, host) = membership(root.table("membership"), folder);
    let listen = listen(root.table("listen"), folder);
    let rate_limits = rate_limit(root.table("rate-limit"));
    let policy = listen.listen.address_policy();
    let tables = |key| root.tables(key).into_iter();
    let mut drafts = Drafts {
        has_others,
        listen,
        federations: tables("federation")
            .map(|section| federation(section, policy))
            .collect(),
        members: tables("member")
            .map(|section| member(section, folder, policy))
            .collect(),
        regions: tables("region").map(region).collect(),
        networks: tables("network").map(network).collect(),
        locality: root.table("locality").map(locality),
        costs: tables("cost").map(cost).collect(),
        zones: tables("zone")
            .map(|section| zone(section, folder))
            .collect(),
        aliases: tables("alias").map(alias).collect(),
    };
    let dnssec = dnssec(root.table("dnssec"), folder, state_dir.as_deref());
    let geoip = root
        .table("geoip")
        .and_then(|section| geoip(section, folder));
    root.finish();
    check::check(report, &drafts);
    if !report.is_empty() {
        return None;
    }
    let mut refused = Vec::new();
    let from_folder = take_in(&mut drafts, fragments.unwrap_or_default(), &mut refused);
    let from_host = take_in_objects(&mut drafts, objects, &mut refused);
    check::check_member_names(unknown, &drafts);
    let networks = drafts
        .networks
        .iter()
        .flat_map(NetworkDraft::networks)
        .chain(
            drafts
                .members
                .iter()
                .flat_map(|draft| draft.networks.clone()),
        )
        .collect();
    let members = std::mem::take(&mut drafts.members);
    let (members, sources): (Vec<_>, _) =
        members.into_iter().filter_map(|draft| draft.whole).unzip();
    let zones = std::mem::take(&mut drafts.zones);
    let (fleet, listen) = fleet(drafts, members, networks);
    let config = Config {
        membership: Membership {
            folder: members_folder,
            host,
            from_folder,
            from_host,
            withheld: Vec::new(),
            warnings: Vec::new(),
        },
        path: path.to_owned(),
        state_dir: state_dir?,
        resolvers: once(resolvers),
        listen: listen.listen,
        clients: ClientRules {
            rate_limits,
            ..listen.rules
        },
        fleet: Arc::new(fleet),
        sources,
        geoip,
        shutdown_delay,
        dnssec,
        zones: zones.into_iter().filter_map(|it| it.whole).collect(),
        account,
    };
    Some((config, refused))
}

/// What is said about names, and the rest of `listen`.
fn fleet(drafts: Drafts, members: Vec<Member>, networks: Vec<Network>) -> (Fleet, ListenDraft) {
    let (regions, costs) = (drafts.regions.into_iter(), drafts.costs.into_iter());
    let federations = drafts.federations.into_iter();
    let fleet = Fleet {
        federations: federations.filter_map(|draft| draft.whole).collect(),
        members: members.into(),
        regions: regions.filter_map(|draft| draft.whole).collect(),
        networks,
        locality: drafts.locality.as_ref().map(RegionAndZones::standing),
        costs: costs.filter_map(|draft| draft.whole).collect(),
        addresses: drafts.listen.listen.address_policy(),
        awaited: BTreeSet::new(),
        statics: Vec::new(),
        aliases: drafts
            .aliases
            .iter()
            .filter_map(AliasDraft::whole)
            .collect(),
    };
    (fleet, drafts.listen)
}
