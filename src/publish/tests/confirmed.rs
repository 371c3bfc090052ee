//! What an operator confirms is published before that is answered, however much it is.

use std::sync::Arc;

use super::fixture::{Running, after, available, config, label, named, service};
use crate::config::Config;
use crate::model::Change;
use crate::publish::OperatorCommand;

/// More removals than are made in one turn.
const MANY: usize = 3000;

/// A member with a brake that has so many services, all of which its next list lacks.
async fn braked(folder: &tempfile::TempDir) -> Running {
    let mut config: Config = config(&["a"], folder.path());
    let mut fleet = (*config.fleet).clone();
    fleet.federations[0].brake = 25;
    config.fleet = Arc::new(fleet);
    let running = Running::start(config);
    running.sync("a", "192.0.2.1").await;
    let all = (0..MANY).map(|number| (named(&format!("s{number}")), service("192.0.2.2", 1)));
    let all = Change::Synced(all.collect());
    running.change("a", all).await;
    after(1_000).await;
    running.change("a", Change::Synced(Vec::new())).await;
    after(1_000).await;
    running
}

/// How many services the present snapshot has.
fn left(running: &Running) -> usize {
    let snapshot = running.handle.snapshots.load_full();
    let names = (0..MANY).map(|number| format!("s{number}"));
    names
        .filter(|name| available(&snapshot, name) == [0])
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_of_many_removals_is_answered_when_all_are_published() {
    let folder = tempfile::tempdir().unwrap();
    let running = braked(&folder).await;
    assert_eq!(left(&running), MANY);
    let done = running
        .ask(OperatorCommand::Confirm(label("a")))
        .await
        .unwrap();
    assert_eq!(left(&running), 0);
    assert!(
        done.notes[0].starts_with(&format!("{} held-back", MANY + 1)),
        "{done:?}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_while_answers_are_frozen_is_answered_too() {
    let folder = tempfile::tempdir().unwrap();
    let running = braked(&folder).await;
    let lasting = None;
    running
        .ask(OperatorCommand::Freeze { lasting })
        .await
        .unwrap();
    let done = running
        .ask(OperatorCommand::Confirm(label("a")))
        .await
        .unwrap();
    assert!(
        done.frozen.is_some() && done.notes[1].contains("frozen"),
        "{done:?}"
    );
    assert_eq!(left(&running), MANY);
    running.ask(OperatorCommand::Thaw).await.unwrap();
    assert_eq!(left(&running), 0);
    running.stop().await;
}
