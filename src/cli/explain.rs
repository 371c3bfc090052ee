//! `gazetteer explain`

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::admin_client::get;
use super::age::age;
use super::arguments::{ExplainArguments, Output};
use super::kept_members::{self, KnownMembers};
use super::output;
use crate::admin::{self, Explained, Question, QuestionError};
use crate::config::{Source, facts};
use crate::names::Label;
use crate::publish;
use crate::telemetry::clock;

/// Prints how a query is answered, and why.
pub(super) fn explain(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    let listener = arguments.listener.as_ref().map(Label::as_str);
    let question = Question::new(&arguments.name, &arguments.qtype, arguments.from, listener)?;
    let explained = if let Some(file) = &arguments.config {
        let Some(explained) = from_files(file, &question) else {
            return Ok(ExitCode::FAILURE);
        };
        explained?
    } else {
        let (qtype, from) = (question.qtype.to_string(), question.from.to_string());
        let name = question.name.to_string();
        let mut parameters = vec![("name", &*name), ("type", &*qtype), ("from", &*from)];
        parameters.extend(listener.map(|member| ("listener", member)));
        let body = get(&arguments.daemon, "/v1/explain", &parameters)?;
        serde_json::from_str(&body).context("answer of the daemon")?
    };
    output::print(&match arguments.output {
        Output::Text => explained.text,
        Output::Json => serde_json::to_string_pretty(&explained)? + "\n",
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Explains from a configuration, the facts files of its members and the persisted facts of the
/// others. `None` after its problems were printed. Contacts nothing and writes nothing.
fn from_files(file: &Path, question: &Question) -> Option<Result<Explained, QuestionError>> {
    let (config, mut notes) = match kept_members::load(file) {
        Ok(KnownMembers { loaded, notes }) => (Arc::new(loaded.config), notes),
        Err(problems) => {
            for problem in problems {
                output::complain(&problem.to_string());
            }
            return None;
        }
    };
    let mut world = publish::restore(Arc::clone(&config));
    let mut read = Vec::new();
    for member in &config.sources {
        let Source::File { path } = &member.source else {
            continue;
        };
        match facts::load(path) {
            Ok(services) => {
                let services = services.into_iter();
                let shared = services
                    .map(|(name, service)| (name, Arc::new(service)))
                    .collect();
                world.replace(&member.member, shared);
                notes.push(format!("{}: from {}", member.member, path.display()));
                read.push(member.member.clone());
            }
            Err(problems) => {
                notes.extend(
                    problems
                        .iter()
                        .map(|problem| format!("{}: {problem}", member.member)),
                );
            }
        }
    }
    let now = clock::now();
    for (member, seen) in world
        .last_live()
        .filter(|(member, _)| !read.contains(member))
    {
        notes.push(match seen {
            Some(seen) => {
                let age = age(now.0.saturating_sub(seen.0));
                format!("{member}: from {}, {age} old", config.state_dir.display())
            }
            None => format!("{member}: nothing known, counts as empty"),
        });
    }
    let mut explained = match admin::explain(&world.snapshot(), question, now, None) {
        Ok(explained) => explained,
        Err(error) => return Some(Err(error)),
    };
    let lines: Vec<_> = notes.iter().map(|note| format!("note: {note}\n")).collect();
    explained.text = format!("{}\n{}", lines.concat(), explained.text);
    explained.notes.extend(notes);
    Some(Ok(explained))
}
