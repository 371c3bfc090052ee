//! Changes of files on a real file system, by events alone and by the poll alone.

use std::os::unix::fs::symlink;
use std::path::Path;

use notify::EventKind;

use super::entries::Touched;
use super::*;
use crate::model::limits::FACTS_FILE;

/// No look without an event.
const EVENTS_ONLY: Pace = Pace {
    settle: Duration::from_millis(5),
    poll: Duration::from_secs(3600),
    coarse: Duration::from_secs(3600),
};

/// Writes a file in place.
#[expect(clippy::disallowed_methods, reason = "tests write as editors do")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// The next changes as path and content, in order; a missing file has none.
async fn next(watch: &mut FileWatch) -> Vec<(PathBuf, Option<String>)> {
    let changes = tokio::time::timeout(Duration::from_secs(20), watch.changed());
    let text =
        |content: Result<Vec<u8>, ReadError>| Some(String::from_utf8(content.ok()?).unwrap());
    let changes = changes.await.expect("a change in time");
    changes
        .into_iter()
        .map(|change| (change.path, text(change.content)))
        .collect()
}

#[tokio::test]
async fn first_call_reports_every_file_and_later_ones_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    write(&a, "1");
    write(&b, "1");
    let mut watch =
        FileWatch::with_pace([a.clone(), b.clone(), c.clone()], &FACTS_FILE, EVENTS_ONLY);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        next(&mut watch).await,
        [
            (a.clone(), some("1")),
            (b.clone(), some("1")),
            (c.clone(), None)
        ]
    );
    write(&a, "1");
    write(&b, "2");
    assert_eq!(next(&mut watch).await, [(b.clone(), some("2"))]);
    let new = folder.path().join("new");
    write(&new, "3");
    std::fs::rename(&new, &c).unwrap();
    assert_eq!(next(&mut watch).await, [(c.clone(), some("3"))]);
    std::fs::remove_file(&a).unwrap();
    assert_eq!(next(&mut watch).await, [(a.clone(), None)]);
}

#[tokio::test]
async fn swap_of_a_config_map_link_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mount");
    for (version, text) in [("..1", "one"), ("..2", "two")] {
        std::fs::create_dir_all(root.join(version)).unwrap();
        write(&root.join(version).join("facts.toml"), text);
    }
    symlink("..1", root.join("..data")).unwrap();
    symlink("..data/facts.toml", root.join("facts.toml")).unwrap();
    // Reached through one more link, in another folder.
    let path = folder.path().join("link.toml");
    symlink(root.join("facts.toml"), &path).unwrap();
    let mut watch = FileWatch::with_pace([path.clone()], &FACTS_FILE, EVENTS_ONLY);
    assert_eq!(next(&mut watch).await, [(path.clone(), Some("one".into()))]);
    symlink("..2", root.join("..tmp")).unwrap();
    std::fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    assert_eq!(next(&mut watch).await, [(path.clone(), Some("two".into()))]);
    write(&root.join("..2/facts.toml"), "three");
    assert_eq!(next(&mut watch).await, [(path, Some("three".into()))]);
}

#[tokio::test]
async fn other_files_in_the_folder_are_no_reason_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other] = ["a", "b"].map(|name| folder.path().join(name));
    write(&path, "1");
    let mut watch = FileWatch::with_pace([path.clone()], &FACTS_FILE, EVENTS_ONLY);
    next(&mut watch).await;
    let entries = Arc::clone(&watch.entries);
    let event = |path: &Path| notify::Event::new(EventKind::Any).add_path(path.to_owned());
    let is_reason = |event: &notify::Event| Touched::by(event, &entries) != Touched::default();
    assert!(!is_reason(&event(&other)));
    assert!(is_reason(&event(&path)));
    assert!(is_reason(&event(folder.path())));
    assert!(is_reason(&notify::Event::new(EventKind::Any)));
}

#[tokio::test]
async fn file_in_a_folder_that_comes_later_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x/y/file");
    let mut watch = FileWatch::with_pace([path.clone()], &FACTS_FILE, EVENTS_ONLY);
    assert_eq!(next(&mut watch).await, [(path.clone(), None)]);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write(&path, "here");
    assert_eq!(next(&mut watch).await, [(path, Some("here".into()))]);
}

#[tokio::test]
async fn files_are_read_again_only_if_they_may_have_changed() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other] = ["a", "b"].map(|name| folder.path().join(name));
    write(&path, "1");
    let coarse = Duration::ZERO;
    let pace = Pace {
        coarse,
        ..EVENTS_ONLY
    };
    let none: [PathBuf; 0] = [];
    let mut watch = FileWatch::with_pace([path.clone(), other.clone()], &FACTS_FILE, pace);
    assert_eq!(watch.touched().await, [path.clone(), other.clone()]);
    next(&mut watch).await;
    assert_eq!(watch.touched().await, none);
    // Of another length, as its time may be the same.
    write(&path, "22");
    assert_eq!(watch.touched().await, std::slice::from_ref(&path));
    next(&mut watch).await;
    assert_eq!(watch.touched().await, none);
    write(&other, "3");
    assert_eq!(watch.touched().await, std::slice::from_ref(&other));
    // What has just changed may change once more at the same time.
    let both = [path, other];
    let mut watch = FileWatch::with_pace(both.clone(), &FACTS_FILE, EVENTS_ONLY);
    next(&mut watch).await;
    assert_eq!(watch.touched().await, both);
}

#[tokio::test]
async fn an_event_has_the_files_looked_at_that_it_is_of() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = ["a", "b"].map(|name| folder.path().join(name)).into();
    for path in &paths {
        write(path, "1");
    }
    let mut watch = FileWatch::with_pace(paths.clone(), &FACTS_FILE, EVENTS_ONLY);
    next(&mut watch).await;
    let mut touch = |paths: &[&Path]| {
        let touched = paths.iter().map(|path| path.to_path_buf()).collect();
        watch.shared.lock().touched = Touched::Paths(touched);
        let due: Vec<_> = watch.due().into_iter().collect();
        watch.due.clear();
        due
    };
    assert!(touch(&[]).is_empty());
    assert_eq!(touch(&[&paths[1]]), paths[1..]);
    assert_eq!(touch(&[folder.path()]), paths);
}

#[tokio::test]
async fn files_that_are_followed_later_are_reported_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    write(&a, "1");
    write(&b, "1");
    let mut watch = FileWatch::with_pace([a.clone(), b.clone()], &FACTS_FILE, EVENTS_ONLY);
    next(&mut watch).await;
    watch.follow(&[b.clone(), c.clone()].into());
    assert_eq!(next(&mut watch).await, [(c.clone(), None)]);
    write(&a, "2");
    write(&b, "2");
    assert_eq!(next(&mut watch).await, [(b, Some("2".into()))]);
}

#[tokio::test]
async fn poll_sees_changes_without_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let poll = Duration::from_millis(5);
    let mut watch = FileWatch::with_pace(
        [path.clone()],
        &FACTS_FILE,
        Pace {
            poll,
            ..EVENTS_ONLY
        },
    );
    watch.events = None;
    assert_eq!(next(&mut watch).await, [(path.clone(), None)]);
    write(&path, "here");
    assert_eq!(next(&mut watch).await, [(path, Some("here".into()))]);
}
