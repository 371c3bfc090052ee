//! `gazetteer events`

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::admin_client::get;
use super::arguments::{Daemon, EventsArguments, Output};
use super::output;
use super::table::table;
use crate::admin::Transition;

/// How often new events are asked for.
const AGAIN: Duration = Duration::from_secs(1);

/// Prints the last transitions, and new ones when asked to.
pub(super) fn events(arguments: &EventsArguments) -> anyhow::Result<ExitCode> {
    let mut events = since(&arguments.daemon, 0)?;
    let mut seen = events.last().cloned();
    let first = events.len().saturating_sub(arguments.last);
    events.drain(..first);
    if !arguments.follow {
        output::print(&match arguments.output {
            Output::Text => rows(&events),
            Output::Json => serde_json::to_string_pretty(&events)? + "\n",
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut was_away = false;
    loop {
        output::print(&match arguments.output {
            Output::Text => rows(&events),
            Output::Json => lines(&events)?,
        })?;
        thread::sleep(AGAIN);
        // The last one that was seen is asked for again: a daemon that does not know it is another.
        let after = seen.as_ref().map_or(0, |seen| seen.id.saturating_sub(1));
        match since(&arguments.daemon, after) {
            Ok(found) => {
                was_away = false;
                events = new(found, seen.as_ref(), || since(&arguments.daemon, 0))?;
                seen = events.last().cloned().or(seen);
            }
            Err(error) => {
                events.clear();
                if !std::mem::replace(&mut was_away, true) {
                    output::complain(&format!("waiting: {error:#}"));
                }
            }
        }
    }
}

/// The events after number `after`.
fn since(daemon: &Daemon, after: u64) -> anyhow::Result<Vec<Transition>> {
    let body = get(daemon, "/v1/events", &[("after", &after.to_string())])?;
    serde_json::from_str(&body).context("answer of the daemon")
}

/// What is new of `found`, which begins with `seen` unless the daemon is another: then everything
/// that it has.
fn new(
    mut found: Vec<Transition>,
    seen: Option<&Transition>,
    all: impl FnOnce() -> anyhow::Result<Vec<Transition>>,
) -> anyhow::Result<Vec<Transition>> {
    match (found.first(), seen) {
        (_, None) => Ok(found),
        (Some(first), Some(seen)) if first == seen => {
            found.remove(0);
            Ok(found)
        }
        _ => all(),
    }
}

/// Events for people.
fn rows(events: &[Transition]) -> String {
    let row = |event: &Transition| {
        vec![
            event.at.clone(),
            event.kind.clone(),
            event.subject.clone(),
            format!("{} -> {}", event.from, event.to),
            event.why.clone(),
        ]
    };
    table(&events.iter().map(row).collect::<Vec<_>>())
}

/// Events for programs, one on a line.
fn lines(events: &[Transition]) -> serde_json::Result<String> {
    let lines = events.iter().map(serde_json::to_string);
    lines.map(|line| line.map(|line| line + "\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_started_again_is_heard_from_its_beginning() {
        let event = |id: u64, subject: &str| Transition {
            id,
            at: "2026-11-21T12:00:00Z".to_owned(),
            kind: "member".to_owned(),
            subject: subject.to_owned(),
            from: "Ready".to_owned(),
            to: "Held".to_owned(),
            why: String::new(),
            by: None,
        };
        let all = || Ok(vec![event(1, "x")]);
        let seen = event(7, "a");
        let check = |found: Vec<Transition>, expected: Vec<Transition>| {
            assert_eq!(new(found, Some(&seen), all).unwrap(), expected);
        };
        check(vec![seen.clone()], vec![]);
        check(vec![seen.clone(), event(8, "b")], vec![event(8, "b")]);
        check(vec![event(7, "other")], vec![event(1, "x")]);
        check(vec![], vec![event(1, "x")]);
        assert_eq!(
            new(vec![event(1, "b")], None, all).unwrap(),
            [event(1, "b")]
        );
        assert_eq!(
            rows(&[seen]),
            "2026-11-21T12:00:00Z   member   a   Ready -> Held\n"
        );
    }
}
