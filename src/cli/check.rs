//! `gazetteer check`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::{output, rights};
use crate::config::{self, Config, Loaded, ObjectMember, Problem, Source, facts};
use crate::keys::{KeysError, PlacedKeys, StoredKeys};
use crate::operate::CheckFinding;
use crate::sources::keys::KeysOfConfig;
use crate::sources::{cookie_secrets, geoip, kubernetes};
use crate::telemetry::clock;

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundIn {
    /// The configuration, and what it names beside members.
    Config,
    /// Facts files.
    Facts,
    /// Fragments.
    Fragments,
    /// Objects of the host cluster.
    Objects,
    /// Kubeconfigs.
    Kubeconfigs,
}

/// Something that was found.
struct FoundLine {
    /// Where.
    place: FoundIn,
    /// What, without an end of line.
    says: String,
    /// Of what the daemon would use: what it is called.
    note: Option<&'static str>,
}

/// What was found: what is wrong, and what is only worth a look.
#[derive(Default)]
pub(super) struct Found {
    /// What was found.
    lines: Vec<FoundLine>,
}

/// Prints every problem of a configuration and of the files that it names. Nothing is contacted, and
/// no plugin is run.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let (mut found, config) = Found::of(file, &[]);
    if let Some(config) = &config {
        found.kubeconfigs(config)?;
        if !found.is_wrong() {
            let (fleet, path) = (&config.fleet, file.display());
            let federations = count(fleet.federations.len(), "federation");
            let members = count(fleet.members.len(), "member");
            let fragments = match config.membership.from_folder.len() {
                0 => String::new(),
                some => format!(", {}", count(some, "fragment")),
            };
            let line = format!("{path}: OK ({federations}, {members}{fragments})");
            found.note(FoundIn::Config, "", line);
        }
    }
    output::print(&found.text())?;
    Ok(if found.is_wrong() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl Found {
    /// Looks at a configuration and all files that it names but kubeconfigs, with the members of these
    /// objects of the host cluster. The configuration, if it is right.
    pub(super) fn of(file: &Path, objects: &[ObjectMember]) -> (Self, Option<Config>) {
        let mut found = Self::default();
        let loaded = match config::load_all(file).and_then(|loaded| with(loaded, objects)) {
            Ok(loaded) => loaded,
            Err(problems) => {
                found.problems(FoundIn::Config, &problems);
                return (found, None);
            }
        };
        for problem in &loaded.unknown {
            found.note(FoundIn::Config, "warning: ", problem.to_string());
        }
        for refused in &loaded.refused {
            let is_object = objects.iter().any(|object| object.path() == refused.path);
            let place = if is_object {
                FoundIn::Objects
            } else {
                FoundIn::Fragments
            };
            found.problems(place, &refused.problems);
        }
        let config = loaded.config;
        if let Err(error) = rights::ids(&config.account) {
            found.wrong(FoundIn::Config, format!("{}: {error:#}", file.display()));
        }
        found.facts(&config);
        found.geoip(&config);
        found.keys(&config, &loaded.octets);
        found.cookie_secrets(&config);
        found.regions(&config);
        (found, Some(config))
    }

    /// What was found at a place, as findings with this hint.
    pub(super) fn findings(&self, place: FoundIn, hint: &str) -> Vec<CheckFinding> {
        let lines = self.lines.iter().filter(|line| line.place == place);
        let findings = lines.map(|line| {
            let says = line.says.clone();
            let finding = match line.note {
                Some(_) => CheckFinding::warning(says),
                None => CheckFinding::failure(says),
            };
            finding.hint(hint)
        });
        findings.collect()
    }

    /// Whether something is wrong.
    fn is_wrong(&self) -> bool {
        self.lines.iter().any(|line| line.note.is_none())
    }

    /// For people: what is wrong, then what is worth a look.
    fn text(&self) -> String {
        let mut text = String::new();
        let wrong = self.lines.iter().filter(|line| line.note.is_none());
        let notes = self.lines.iter().filter(|line| line.note.is_some());
        for line in wrong.chain(notes) {
            text.extend([line.note.unwrap_or_default(), &line.says, "\n"]);
        }
        text
    }

    /// Something is wrong.
    fn wrong(&mut self, place: FoundIn, says: String) {
        let note = None;
        self.lines.push(FoundLine { place, says, note });
    }

    /// Something is worth a look.
    fn note(&mut self, place: FoundIn, note: &'static str, says: String) {
        let note = Some(note);
        self.lines.push(FoundLine { place, says, note });
    }

    /// Problems of a file.
    fn problems(&mut self, place: FoundIn, problems: &[Problem]) {
        for problem in problems {
            self.wrong(place, problem.to_string());
        }
    }

    /// Reads facts files.
    fn facts(&mut self, config: &Config) {
        for member in &config.sources {
            let Source::File { path } = &member.source else {
                continue;
            };
            if path.exists() {
                self.problems(FoundIn::Facts, &facts::load(path).err().unwrap_or_default());
            } else {
                // No error: a file may come later, and its member's last facts are held.
                let (name, path) = (&member.member, path.display());
                let line = format!("member \"{name}\": {path} does not exist");
                self.note(FoundIn::Facts, "note: ", line);
            }
        }
    }

    /// Opens kubeconfigs.
    fn kubeconfigs(&mut self, config: &Config) -> anyhow::Result<()> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().context("runtime")?;
        for member in &config.sources {
            // What is in the cluster is there only where it is to run.
            let Source::Kubeconfig { path, .. } = &member.source else {
                continue;
            };
            let (name, shown) = (&member.member, path.display());
            if !path.exists() {
                let line = format!("member \"{name}\": {shown} does not exist");
                self.note(FoundIn::Kubeconfigs, "note: ", line);
            } else if let Err(error) = runtime.block_on(kubernetes::check(&member.source)) {
                let line = format!("{shown}: member \"{name}\": {error}");
                self.wrong(FoundIn::Kubeconfigs, line);
            }
        }
        Ok(())
    }

    /// Opens the GeoIP database.
    fn geoip(&mut self, config: &Config) {
        let Some(path) = &config.geoip else { return };
        let shown = path.display();
        if !path.exists() {
            let line = format!("geoip: {shown} does not exist");
            return self.note(FoundIn::Config, "note: ", line);
        }
        match geoip::read(path) {
            Ok(database) => {
                if let Some(why) = geoip::warning(&database) {
                    let line = format!("geoip: {shown}: {why}");
                    self.note(FoundIn::Config, "warning: ", line);
                }
            }
            Err(error) => self.wrong(FoundIn::Config, error),
        }
    }

    /// Looks for the keys of zones that are to be signed.
    fn keys(&mut self, config: &Config, octets: &[u8]) {
        let Some(wanted) = KeysOfConfig::of(config) else {
            return;
        };
        let keys = match StoredKeys::read(&wanted.folder) {
            Ok(keys) => keys,
            Err(KeysError::File { path, source }) => {
                let line = format!("keys: {}: {source}", path.display());
                return self.note(FoundIn::Config, "note: ", line);
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    self.wrong(FoundIn::Config, line.to_owned());
                }
                return;
            }
        };
        for (zone, _) in &wanted.zones {
            let now = clock::now();
            let placed = PlacedKeys::at(&keys, zone, wanted.delays, now);
            for line in placed.clock_troubles(now) {
                self.note(FoundIn::Config, "warning: ", line);
            }
            let signed_with = placed.zone_keys(zone, wanted.delays);
            if signed_with.is_some_and(|keys| !keys.is_usable()) {
                let name = zone.to_string();
                let name = name.trim_end_matches('.');
                let message = format!(
                    "zone {name} is to be signed and has no key; gazetteer keys generate {name}"
                );
                let problem = config::problem_of_zone(octets, &config.path, zone, message);
                self.wrong(FoundIn::Config, problem.to_string());
            }
        }
    }

    /// Reads the secrets of DNS cookies that servers share.
    fn cookie_secrets(&mut self, config: &Config) {
        let shared = config.clients.cookie_secrets.as_deref();
        if let Some(Err(error)) = shared.map(cookie_secrets::read_shared) {
            self.wrong(FoundIn::Config, error);
        }
    }

    /// Looks for regions that are most likely misspelt.
    fn regions(&mut self, config: &Config) {
        let but = if config.has_learners() {
            "; one that learns its region may"
        } else {
            ""
        };
        for unheld in config.unheld_regions() {
            let (place, region) = (&unheld.place, &unheld.region);
            let line = format!("{place}: no member and no [[region]] has region \"{region}\"{but}");
            self.note(FoundIn::Config, "warning: ", line);
        }
    }
}

/// A configuration with the members of objects of the host cluster too.
fn with(mut loaded: Loaded, objects: &[ObjectMember]) -> Result<Loaded, Vec<Problem>> {
    if objects.is_empty() {
        return Ok(loaded);
    }
    let path = loaded.config.path.clone();
    let fragments = Some(&*loaded.fragments);
    let composed = config::compose(loaded.octets.clone(), &path, fragments, objects)?;
    loaded.config = composed.config;
    loaded.unknown = composed.unknown;
    let refused = composed.refused.into_iter();
    let more: Vec<_> = refused
        .filter(|one| !loaded.refused.contains(one))
        .collect();
    loaded.refused.extend(more);
    Ok(loaded)
}

/// A number of things in words.
fn count(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
