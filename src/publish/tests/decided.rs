//! What operators have decided, over damaged files and clocks that jump.

use std::time::Duration;

use super::fixture::{Running, config, named, service};
use super::overrides::{drain, drains, freeze, pass, set_wall, start, wall};
use crate::model::limits::DRAINS;
use crate::model::{Change, Drain, FULL_SHARE, Overrides};
use crate::publish::CommandRefused;
use crate::publish::overrides::overrides_file;

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_changes_dates_and_no_answer() {
    const YEARS: i64 = 10 * 365 * 86_400;
    for jump in [YEARS, -YEARS] {
        let folder = tempfile::tempdir().unwrap();
        let running = start(folder.path()).await;
        running.ask(drain("a", 60, Some(600))).await.unwrap();
        running.ask(drain("b", 0, Some(600))).await.unwrap();
        pass(30).await;
        set_wall(jump);
        pass(2).await;
        let [first, second] = &drains(&running)[..] else {
            panic!("both are in force");
        };
        let expected = u32::from(FULL_SHARE) * 28 / 60;
        assert!(u32::from(first.share).abs_diff(expected) < 600, "{first:?}");
        // Dates follow the clock: what is left is what it was.
        let left = second.drain.until.unwrap().0 - wall().0;
        assert!((567..=569).contains(&left), "{left}");
        running.stop().await;
        // So a restart goes on where it was.
        let running = Running::start_at(config(&["a", "b"], folder.path()), wall);
        let left = drains(&running)[1].drain.until.unwrap().0 - wall().0;
        assert!((566..=569).contains(&left), "{left}");
        set_wall(-jump);
        pass(1).await;
        assert_eq!(drains(&running).len(), 2);
        running.ask(freeze(Some(60))).await.unwrap();
        set_wall(jump);
        pass(58).await;
        assert!(running.handle.overrides.borrow().frozen.is_some());
        pass(3).await;
        assert!(running.handle.overrides.borrow().frozen.is_none());
        pass(600).await;
        assert_eq!(drains(&running), []);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_drains_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let drains = (0..DRAINS.most).map(|n| Drain {
        target: format!("service/ns/s{n}").parse().unwrap(),
        from: FULL_SHARE,
        begun: Some(wall()),
        over: Duration::ZERO,
        until: None,
        safe_at: Some(wall()),
    });
    let many = Overrides {
        frozen: None,
        drains: drains.collect(),
    };
    overrides_file::write(&overrides_file::path(folder.path()), &many).unwrap();
    let running = start(folder.path()).await;
    let fact = Change::Upsert(named("s7"), service("192.0.2.9", 1));
    running.change("b", fact).await;
    let refused = running.ask(drain("a", 0, None)).await;
    assert!(
        matches!(refused, Err(CommandRefused::TooMany)),
        "{refused:?}"
    );
    running
        .ask(drain("service/ns/s7", 0, Some(9)))
        .await
        .unwrap();
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path()).unwrap();
    let file = std::fs::File::create(folder.path().join("overrides.json")).unwrap();
    std::io::Write::write_all(&mut &file, b"{\"version\": 1, \"dra").unwrap();
    let running = start(folder.path()).await;
    assert_eq!(drains(&running), []);
    let troubles = running.handle.overrides.borrow().troubles.clone();
    let [trouble] = &troubles[..] else {
        panic!("it is said");
    };
    assert!(
        trouble.starts_with("overrides.json: cannot be read"),
        "{trouble}"
    );
    let metric = "gazetteer_publish_state_dir_errors 1";
    assert!(running.metrics.render(wall()).contains(metric));
    pass(60).await;
    let damaged = std::fs::read(folder.path().join("overrides.json")).unwrap();
    assert_eq!(damaged, b"{\"version\": 1, \"dra", "it stays where it is");
    running.ask(drain("a", 0, None)).await.unwrap();
    pass(1).await;
    assert!(running.handle.overrides.borrow().troubles.is_empty());
    running.stop().await;
    // What was there is not lost, in case somebody can still read it.
    assert!(folder.path().join("overrides.json.bad").exists());
    let file = std::fs::File::create(folder.path().join("overrides.json")).unwrap();
    std::io::Write::write_all(&mut &file, b"{\"version\": 2}").unwrap();
    let running = Running::start_at(config(&["a", "b"], folder.path()), wall);
    assert_eq!(drains(&running).len(), 1, "the last good form is in force");
    assert_eq!(running.handle.overrides.borrow().troubles.len(), 1);
    running.stop().await;
}
