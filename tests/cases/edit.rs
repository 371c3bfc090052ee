//! Changes of TOML tables, so that every state of a case goes through the real parser.

use std::net::IpAddr;

use toml::{Table, Value};

/// Replaces texts such as `203.0.113.1..203.0.113.9` in arrays by all addresses from the first to the
/// last.
fn expand(value: &mut Value) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| expand(value)),
        Value::Array(values) => {
            let old = std::mem::take(values);
            for mut value in old {
                if let Some(all) = value.as_str().and_then(range) {
                    values.extend(all.map(|ip| Value::String(ip.to_string())));
                } else {
                    expand(&mut value);
                    values.push(value);
                }
            }
        }
        _ => {}
    }
}

/// All addresses of `first..last`.
fn range(text: &str) -> Option<Box<dyn Iterator<Item = IpAddr>>> {
    let (first, last) = text.split_once("..")?;
    match (first.parse().ok()?, last.parse().ok()?) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let all = first.to_bits()..=last.to_bits();
            Some(Box::new(all.map(|bits| IpAddr::V4(bits.into()))))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let all = first.to_bits()..=last.to_bits();
            Some(Box::new(all.map(|bits| IpAddr::V6(bits.into()))))
        }
        _ => None,
    }
}

/// A key and its value, from `key = value`.
fn assignment(text: &str) -> Result<(String, Value), String> {
    let table: Table = text.parse().map_err(|error| format!("{text}: {error}"))?;
    let mut first = table
        .into_iter()
        .next()
        .ok_or_else(|| format!("{text}: no assignment"))?;
    expand(&mut first.1);
    Ok(first)
}

/// The tables of an array of tables; none if the key is missing.
pub(crate) fn tables<'a>(table: &'a mut Table, key: &str) -> Vec<&'a mut Table> {
    let array = table.get_mut(key).and_then(Value::as_array_mut);
    array
        .into_iter()
        .flatten()
        .filter_map(Value::as_table_mut)
        .collect()
}

/// Whether a table has this name, or apex where it has no name.
fn is_named(table: &Table, name: &str) -> bool {
    let own = table.get("name").or_else(|| table.get("apex"));
    own.and_then(Value::as_str) == Some(name)
}

/// The services of a facts file, or the one of `namespace/name`.
fn services<'a>(facts: &'a mut Table, only: Option<&str>) -> Vec<&'a mut Table> {
    let mut services = tables(facts, "service");
    if let Some((namespace, name)) = only.and_then(|only| only.split_once('/')) {
        services.retain(|service| {
            is_named(service, name)
                && service.get("namespace").and_then(Value::as_str) == Some(namespace)
        });
    }
    services
}

/// Splits `[namespace/name] rest`.
fn selector(words: &str) -> (Option<&str>, &str) {
    match words.split_once(' ') {
        Some((first, rest)) if first.contains('/') => (Some(first), rest),
        None if words.contains('/') => (Some(words), ""),
        _ => (None, words),
    }
}

/// Adds the tables of `text`: arrays grow, other keys are set.
pub(crate) fn add(table: &mut Table, text: &str) -> Result<(), String> {
    let new: Table = text.parse().map_err(|error| format!("{error}"))?;
    for (key, mut value) in new {
        expand(&mut value);
        match (table.get_mut(&key).and_then(Value::as_array_mut), value) {
            (Some(old), Value::Array(new)) => old.extend(new),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
    Ok(())
}

/// Changes a facts file: `verb` and the words after the member.
pub(crate) fn facts(facts: &mut Table, verb: &str, words: &str, block: &str) -> Result<(), String> {
    let (only, rest) = selector(words);
    match verb {
        "down" => {
            let (key, value) = assignment("endpoints = [{ address = '10.0.0.1', ready = false }]")?;
            for service in services(facts, only) {
                service.insert(key.clone(), value.clone());
            }
        }
        "up" => {
            for service in services(facts, only) {
                service.remove("endpoints");
            }
        }
        "set" => {
            let (key, value) = assignment(rest)?;
            for service in services(facts, only) {
                service.insert(key.clone(), value.clone());
            }
        }
        "unset" => {
            for service in services(facts, only) {
                service.remove(rest);
            }
        }
        "delete" => {
            let gone: Vec<_> = services(facts, only)
                .into_iter()
                .map(|gone| gone.clone())
                .collect();
            if let Some(all) = facts.get_mut("service").and_then(Value::as_array_mut) {
                all.retain(|service| !service.as_table().is_some_and(|one| gone.contains(one)));
            }
        }
        "add" => add(facts, block)?,
        _ => return Err(format!("no event: {verb}")),
    }
    Ok(())
}

/// Changes a configuration: the words after `configure`.
pub(crate) fn configuration(config: &mut Table, words: &str, block: &str) -> Result<(), String> {
    let (kind, rest) = words.split_once(' ').unwrap_or((words, ""));
    match kind {
        "add" => add(config, block),
        "listen" => {
            let (key, value) = assignment(rest)?;
            let listen = config.get_mut("listen").and_then(Value::as_table_mut);
            listen.ok_or("no [listen]")?.insert(key, value);
            Ok(())
        }
        "remove" => {
            let (kind, name) = rest.split_once(' ').ok_or("remove kind name")?;
            let all = config.get_mut(kind).and_then(Value::as_array_mut);
            let all = all.ok_or_else(|| format!("no [[{kind}]]"))?;
            let before = all.len();
            all.retain(|one| !one.as_table().is_some_and(|one| is_named(one, name)));
            (all.len() < before)
                .then_some(())
                .ok_or_else(|| format!("no {kind} {name}"))
        }
        _ => {
            let (name, rest) = rest.split_once(' ').ok_or("kind name key = value")?;
            let (key, value) = assignment(rest)?;
            let mut found = tables(config, kind);
            found.retain(|one| is_named(one, name));
            let one = found.pop().ok_or_else(|| format!("no {kind} {name}"))?;
            one.insert(key, value);
            Ok(())
        }
    }
}
