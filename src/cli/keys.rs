//! `gazetteer keys`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::keys_arguments::{
    FormatArgument, KeyArgument, KeysArguments, KeysCommand, NewKeyArguments,
};
use super::keys_list::{delays, ds, list, shown};
use super::{output, rights};
use crate::config::{self, Config, DsSeen, KeyFile, KeyTimes};
use crate::dnssec::{Algorithm, SigningKey};
use crate::keys::{
    self, KeyEdit, KeyState, KeysLock, PlacedKeys, StoredKey, StoredKeys, succession,
};
use crate::sources::keys::{KeysOfConfig, tend};
use crate::telemetry::clock;
use crate::wire::NameBuf;

/// Runs a command of `keys`.
pub(super) fn keys(arguments: &KeysArguments) -> anyhow::Result<ExitCode> {
    rights::make_files_private();
    let config = match config::load(&arguments.config) {
        Ok(config) => config,
        Err(problems) => {
            for problem in problems {
                output::complain(&problem.to_string());
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let text = match &arguments.command {
        KeysCommand::Generate(new) => generate(&config, new)?,
        KeysCommand::Roll(new) => roll(&config, new)?,
        KeysCommand::List { zone, output } => list(&config, zone.as_ref(), *output)?,
        KeysCommand::Ds {
            zone,
            digest,
            output,
        } => ds(&config, zone, (*digest).into(), *output)?,
        KeysCommand::DsSeen { key, ttl } => ds_seen(&config, key, *ttl)?,
        KeysCommand::Import { files, zone } => {
            let file = keys::only_one(files).map_err(|error| anyhow!(error))?;
            let key = keys::import(file, zone)?;
            import(&config, zone, key)?
        }
        KeysCommand::Export {
            key,
            format,
            folder,
        } => {
            let stored = StoredKeys::read(&config.dnssec.keys)?;
            let key = &find(&stored, key)?.key;
            let private = key.private.as_deref();
            let private = private.context("its private half is another signer's")?;
            let files = match format {
                FormatArgument::Bind => keys::bind_pair(key, private)?.into(),
                FormatArgument::Pem => vec![keys::pem_file(key, private)?],
            };
            let mut written = Vec::new();
            for (name, text) in files {
                let path = folder.join(name);
                keys::write_private(&path, text.as_bytes())?;
                written.push(path.display().to_string());
            }
            lines(&written)
        }
        KeysCommand::Tend => tended(&config)?,
        KeysCommand::Unsign { zone } => unsign(&config, zone)?,
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the first key of a zone.
fn generate(config: &Config, new: &NewKeyArguments) -> anyhow::Result<String> {
    let lock = KeysLock::take(&config.dnssec.keys)?;
    let stored = lock.keys()?;
    let now = clock::now();
    let placed = PlacedKeys::at(&stored, &new.zone, delays(config), now);
    if let Some(live) = live(&placed).next() {
        bail!(
            "{} is there already; `gazetteer keys roll {}` replaces it",
            live.key.label(),
            shown(&new.zone)
        );
    }
    let private = lock.generate(&stored, &new.zone, algorithm(config, new))?;
    let key = key_of(&new.zone, private, KeyTimes::first(now));
    let path = lock.add(&key)?;
    Ok(made(config, &key, &path.display().to_string()))
}

/// Makes a successor.
fn roll(config: &Config, new: &NewKeyArguments) -> anyhow::Result<String> {
    let lock = KeysLock::take(&config.dnssec.keys)?;
    let stored = lock.keys()?;
    let now = clock::now();
    let placed = PlacedKeys::at(&stored, &new.zone, delays(config), now);
    let algorithm = algorithm(config, new);
    let times = succession(&placed.lives, algorithm, delays(config), now);
    let times = times.with_context(|| shown(&new.zone))?;
    let done = lock.apply(&stored, &new.zone, &[KeyEdit::Succeed(algorithm, times)])?;
    Ok(lines(&done))
}

/// Takes in a key: as the first of its zone, or as a successor.
fn import(config: &Config, zone: &NameBuf, private: SigningKey) -> anyhow::Result<String> {
    let lock = KeysLock::take(&config.dnssec.keys)?;
    let stored = lock.keys()?;
    let now = clock::now();
    let placed = PlacedKeys::at(&stored, zone, delays(config), now);
    let tag = private.dnskey().tag();
    if let Some(same) = stored.of(zone).find(|it| it.key.dnskey.tag() == tag) {
        bail!(
            "zone {} has a key with the tag {tag}: {}",
            shown(zone),
            same.path.display()
        );
    }
    let times = if live(&placed).next().is_none() {
        KeyTimes::first(now)
    } else {
        let algorithm = private.dnskey().algorithm();
        let times = succession(&placed.lives, algorithm, delays(config), now);
        times.with_context(|| shown(zone))?
    };
    let key = key_of(zone, private, times);
    let path = lock.add(&key)?;
    Ok(made(config, &key, &path.display().to_string()))
}

/// Takes an operator's word that the parent has a DS record.
fn ds_seen(config: &Config, key: &KeyArgument, ttl: Duration) -> anyhow::Result<String> {
    let lock = KeysLock::take(&config.dnssec.keys)?;
    let stored = lock.keys()?;
    let found = find(&stored, key)?;
    let (zone, now) = (&found.key.zone, clock::now());
    let placed = PlacedKeys::at(&stored, zone, delays(config), now);
    let mut keys = placed.keys.iter().zip(&placed.places.keys);
    let tag = found.key.dnskey.tag();
    let place = keys.find(|(it, _)| it.key.dnskey.tag() == tag);
    let state = place.map_or(KeyState::Removed, |(_, place)| place.state);
    if state != KeyState::Ready {
        bail!(
            "{} is {state}: a DS record counts once a key is ready",
            found.key.label()
        );
    }
    let seen = DsSeen {
        at: now,
        ttl: ttl.as_secs().max(1),
    };
    let times = KeyTimes {
        ds_seen: Some(seen),
        ..found.key.times
    };
    let done = lock.apply(&stored, zone, &[KeyEdit::Times(tag, times)])?;
    Ok(lines(&done))
}

/// Begins to unsign a zone.
fn unsign(config: &Config, zone: &NameBuf) -> anyhow::Result<String> {
    let lock = KeysLock::take(&config.dnssec.keys)?;
    let stored = lock.keys()?;
    let now = clock::now();
    let placed = PlacedKeys::at(&stored, zone, delays(config), now);
    let edits: Vec<_> = live(&placed)
        .filter(|it| it.key.times.unsign.is_none())
        .map(|it| {
            let unsign = Some(now);
            let times = KeyTimes {
                unsign,
                ..it.key.times
            };
            KeyEdit::Times(it.key.dnskey.tag(), times)
        })
        .collect();
    if edits.is_empty() {
        bail!(
            "{}: no key that signs, or it is being unsigned already",
            shown(zone)
        );
    }
    lock.apply(&stored, zone, &edits)?;
    Ok(format!(
        "{}: asks its parent to delete the DS records, and is signed until they are gone\n",
        shown(zone)
    ))
}

/// Tends the keys of all zones.
fn tended(config: &Config) -> anyhow::Result<String> {
    let Some(keys) = KeysOfConfig::of(config) else {
        bail!("no [[zone]] is to be signed");
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().context("runtime")?;
    let done = runtime.block_on(tend(&keys, true))?;
    Ok(lines(&done))
}

/// What a command says of a new key.
fn made(config: &Config, key: &KeyFile, path: &str) -> String {
    let mut said = vec![format!("{}: {path}", key.label())];
    if !config.signed_zones().any(|(apex, _)| *apex == key.zone) {
        let zone = shown(&key.zone);
        said.push(format!(
            "note: zone {zone} is not signed: give it `dnssec = {{}}` in a [[zone]]"
        ));
    }
    lines(&said)
}

/// Lines as a text, which has nothing where there is none.
fn lines(lines: &[String]) -> String {
    let ends = lines.iter().flat_map(|line| [line.as_str(), "\n"]);
    ends.collect()
}

/// The keys of a zone that sign, or will.
fn live<'k>(placed: &PlacedKeys<'k>) -> impl Iterator<Item = &'k StoredKey> {
    let keys = placed.keys.iter().copied().zip(&placed.places.keys);
    let live =
        keys.filter(|(it, place)| it.key.private.is_some() && place.state != KeyState::Removed);
    live.map(|(it, _)| it)
}

/// The key that is meant.
fn find<'k>(stored: &'k StoredKeys, wanted: &KeyArgument) -> anyhow::Result<&'k StoredKey> {
    let is_it = |it: &&StoredKey| {
        it.key.dnskey.tag() == wanted.tag
            && wanted.zone.as_ref().is_none_or(|zone| it.key.zone == *zone)
    };
    let found: Vec<_> = stored.0.iter().filter(is_it).collect();
    match found.as_slice() {
        [key] => Ok(key),
        [] => bail!("no key has the tag {}", wanted.tag),
        _ => bail!(
            "keys of several zones have the tag {}: give --zone",
            wanted.tag
        ),
    }
}

/// A key with its file.
fn key_of(zone: &NameBuf, private: SigningKey, times: KeyTimes) -> KeyFile {
    KeyFile {
        zone: zone.clone(),
        dnskey: private.dnskey().clone(),
        private: Some(private.into()),
        times,
    }
}

/// The algorithm of a new key.
fn algorithm(config: &Config, new: &NewKeyArguments) -> Algorithm {
    let mut zones = config.signed_zones();
    let configured = zones.find(|(apex, _)| **apex == new.zone);
    let configured = configured.map(|(_, signing)| signing.algorithm);
    new.algorithm.or(configured).unwrap_or_default()
}
