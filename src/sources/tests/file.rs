//! What follows from what a facts file says.

use std::time::Duration;

use super::*;
use crate::config::facts;
use crate::model::limits::{FACTS_TABLE, PROBLEMS};

/// How soon a file is read again in tests.
const PAUSE: Duration = Duration::from_millis(10);

/// The mark at the end of a file that is whole.
const END: &str = "[end]\ncomplete = true\n";

/// A file of `name=weight` words; `!` is a mistake.
fn file(words: &str) -> String {
    let service = |word: &str| {
        let Some((name, weight)) = word.split_once('=') else {
            return "[[service]]\n\n".to_owned();
        };
        format!("[[service]]\nnamespace = \"ns\"\nname = \"{name}\"\nweight = {weight}\n")
    };
    let services: String = words.split_whitespace().map(service).collect();
    format!("# Facts.\n{services}")
}

/// What such a file says.
fn services(words: &str) -> Vec<(NamespacedName, Arc<crate::model::Service>)> {
    let services = facts::parse(&file(words), Path::new("f")).unwrap();
    let shared = |(name, service)| (name, Arc::new(service));
    services.into_iter().map(shared).collect()
}

/// `Upsert` of one of its words.
fn upsert(word: &str) -> Change {
    let (name, service) = services(word).remove(0);
    Change::Upsert(name, service)
}

/// `Remove` of a name.
fn remove(name: &str) -> Change {
    Change::Remove(services(&format!("{name}=1")).remove(0).0)
}

/// `Synced` with these words.
fn synced(words: &str) -> Change {
    Change::Synced(services(words))
}

/// Facts of a file of `m`.
fn facts_of_m() -> TextFacts {
    TextFacts::new("m".parse().unwrap(), Arc::default())
}

/// What follows from a text.
fn read(facts: &mut TextFacts, text: &str) -> Vec<Change> {
    facts.read(Path::new("f"), Ok(text.as_bytes().to_vec()))
}

#[test]
fn only_differences_follow_a_good_file() {
    let mut facts = facts_of_m();
    let mut check = |words: &str, expected: &[Change]| {
        assert_eq!(read(&mut facts, &file(words)), expected, "{words}");
    };
    check("a=1 b=1", &[Change::Whole(false), synced("a=1 b=1")]);
    check("b=1 a=1", &[]);
    check("a=2 b=1", &[upsert("a=2")]);
    check("c=1 b=1", &[upsert("c=1"), remove("a")]);
    check(
        "d=1 e=1 c=2 b=1",
        &[upsert("d=1"), upsert("e=1"), upsert("c=2")],
    );
    check("c=2", &[remove("b"), remove("d"), remove("e")]);
    check("", &[remove("c")]);
}

#[test]
fn wrong_and_missing_files_hold_the_facts() {
    let mut facts = facts_of_m();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none");
    let missing = || super::read::read(&path, &FACTS_FILE);
    let none = format!("{}: No such file or directory (os error 2)", path.display());
    let lost = |why: &str| Change::Lost(Loss::File(why.into()));
    assert_eq!(facts.read(Path::new("f"), missing()), [lost(&none)]);
    let back = [Change::Returning, synced("a=1")];
    let first = [&[Change::Whole(false)], &back[..]].concat();
    assert_eq!(read(&mut facts, &file("a=1")), first);
    let wrong = read(&mut facts, &file("a=2 !"));
    assert_eq!(wrong, [lost("f:6:1: name: required (and 1 more)")]);
    assert_eq!(facts.read(Path::new("f"), missing()), []);
    assert_eq!(read(&mut facts, &file("a=1")), back);
    assert_eq!(read(&mut facts, &file("a=3")), [upsert("a=3")]);
    let twice = read(&mut facts, &file("a=3 b=1 a=3"));
    assert_eq!(
        twice,
        [lost("f:12:8: service \"ns/a\": already defined on line 4")]
    );
}

#[test]
fn what_is_more_than_is_read_is_counted() {
    let mut facts = facts_of_m();
    let counted = |facts: &TextFacts, limit: &Limit| {
        let head = format!(
            "gazetteer_limit_exceeded_total{{limit=\"{}\"}} ",
            limit.name
        );
        let text = facts.metrics.render(crate::model::UnixSeconds(0));
        let counted = text.lines().find_map(|line| line.strip_prefix(&head));
        counted.unwrap().parse::<u64>().unwrap()
    };
    let path = Path::new("f");
    // As long as an address space, and no octet on the disk.
    let sparse = tempfile::NamedTempFile::new().unwrap();
    sparse.as_file().set_len(FACTS_FILE.most + 1).unwrap();
    facts.read(path, super::read::read(sparse.path(), &FACTS_FILE));
    assert_eq!(counted(&facts, &FACTS_FILE), 1);
    read(&mut facts, &file(&"!".repeat(PROBLEMS.length() + 1)));
    assert_eq!(counted(&facts, &PROBLEMS), 0);
    read(&mut facts, &file(&"! ".repeat(PROBLEMS.length() + 1)));
    assert_eq!(counted(&facts, &PROBLEMS), 1);
    read(
        &mut facts,
        &format!(
            "[[service]]\nname = \"{}\"\n",
            "a".repeat(FACTS_TABLE.length())
        ),
    );
    assert_eq!(counted(&facts, &FACTS_TABLE), 1);
}

#[test]
fn a_file_of_no_octets_is_a_loss_and_one_of_a_comment_is_a_list() {
    let mut facts = facts_of_m();
    read(&mut facts, &file("a=1"));
    let why = "f:1:1: 0 octets long; a file without services holds a comment";
    assert_eq!(read(&mut facts, ""), [Change::Lost(Loss::File(why.into()))]);
    assert_eq!(read(&mut facts, "\n"), [Change::Returning, synced("")]);
}

#[test]
fn a_file_that_lost_its_mark_is_a_loss_until_it_is_accepted() {
    let mut facts = facts_of_m();
    let whole = file("a=1 b=1") + END;
    let first = read(&mut facts, &whole);
    assert_eq!(first, [synced("a=1 b=1"), Change::Whole(true)]);
    assert_eq!(read(&mut facts, &(file("a=1") + END)), [remove("b")]);
    // Cut anywhere, it says nothing.
    // The end of the last line is not missed.
    for length in 0..whole.len() - 1 {
        let changes = read(&mut facts, &whole[..length]);
        let is_loss = |change: &Change| matches!(change, Change::Lost(_));
        assert!(changes.iter().all(is_loss), "{length}: {changes:?}");
        assert_eq!(facts.standing, TextStanding::Wrong);
    }
    let back = read(&mut facts, &(file("a=1") + END));
    assert_eq!(back, [Change::Returning, synced("a=1")]);
    let cut = read(&mut facts, &file("b=1"));
    assert!(matches!(cut[..], [Change::Lost(Loss::Mark(_))]), "{cut:?}");
    facts.accept_unmarked();
    // All of it is right at once, and what follows is as of any file without the mark.
    let taken = read(&mut facts, &file("b=1"));
    assert_eq!(taken, [Change::Returning, synced("b=1")]);
    let next = read(&mut facts, &file("b=2"));
    assert_eq!(next, [Change::Whole(false), upsert("b=2")]);
}

#[tokio::test]
async fn a_replaced_file_becomes_deltas_until_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("facts");
    let replace = |words: &str| {
        let mut new = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        std::io::Write::write_all(&mut new, file(words).as_bytes()).unwrap();
        new.persist(&path).unwrap();
    };
    replace("a=1");
    let (deltas, mut received) = mpsc::channel(1);
    let (waiting, waited_for) = tokio::sync::watch::channel(Arc::default());
    let (_confirm, confirmed) = tokio::sync::watch::channel(Arc::default());
    let member: Label = "m".parse().unwrap();
    let driver = Driver {
        facts: TextFacts::new(member.clone(), Arc::default()),
        epoch: Epoch(7),
        deltas,
        unconfirmed: Unconfirmed::new(member.clone(), waited_for, PAUSE),
        confirmed: Confirmed::new(member.clone(), confirmed),
        member,
        said: None,
    };
    let cancel = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(driver.run_until(path.clone(), Pace::default(), cancel.clone()));
    let mut next = async || {
        let delta = tokio::time::timeout(Duration::from_secs(20), received.recv()).await;
        match delta.expect("a delta in time").expect("a delta") {
            Delta::Member {
                member,
                epoch: Epoch(7),
                change,
            } if member.as_str() == "m" => change,
            other => panic!("{other:?}"),
        }
    };
    let Change::Identity(identity) = next().await else {
        panic!("no identity first");
    };
    assert_eq!(identity.origin, path.display().to_string());
    assert_eq!(next().await, Change::Whole(false));
    assert_eq!(next().await, synced("a=1"));
    replace("a=2");
    assert_eq!(next().await, upsert("a=2"));
    waiting.send_replace(Arc::new(["m".parse().unwrap()].into()));
    // The same file read twice is no second list: the next thing said is of what is written.
    tokio::time::sleep(3 * PAUSE).await;
    replace("a=2");
    assert_eq!(next().await, synced("a=2"), "the same, written again");
    waiting.send_replace(Arc::default());
    replace("a=3");
    assert_eq!(next().await, upsert("a=3"));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(next().await, Change::Lost(Loss::File(_))));
    cancel.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), tasks.join_next()).await;
    ended.expect("ends in time").unwrap().unwrap();
}
