//! Histories as sequences of results, and random ones against what their whole log says.

use proptest::prelude::*;

use super::*;
use crate::model::{Evidence, UnixSeconds};

/// A probe with these thresholds.
fn probe(down: u8, up: u8) -> Probe {
    Probe {
        down,
        up,
        ..Probe::default()
    }
}

/// One result: a pass, or a failure with what is known of the network.
type Result = Option<Confirmation>;

/// A failure while the network works.
const FAIL: Result = Some(Confirmation::Yes);

/// A failure while nothing is heard.
const DARK: Result = Some(Confirmation::No);

/// Takes a result that came at `now`, and gives the verdict after it.
fn step(history: &mut History, probe: &Probe, result: Result, now: Duration) -> Option<Verdict> {
    match result {
        None => history.passed(probe, now),
        Some(confirmation) => history.failed(probe, now, now, |_| confirmation),
    };
    history.verdict()
}

/// The verdicts after each result, one every two seconds, each as its first letter; `D` is down, `d`
/// damped, `?` unknown.
fn verdicts(probe: &Probe, results: &str) -> String {
    verdicts_after(History::default(), probe, results)
}

/// The same of a history that goes on from what is known.
fn verdicts_after(mut history: History, probe: &Probe, results: &str) -> String {
    let mut now = Duration::ZERO;
    let letter = |result| {
        let result = match result {
            '+' => None,
            '-' => FAIL,
            _ => DARK,
        };
        now += Duration::from_secs(2);
        match step(&mut history, probe, result, now) {
            None | Some(Verdict::Unknown) => '?',
            Some(Verdict::Up) => 'U',
            Some(Verdict::Suspect) => 'S',
            Some(Verdict::Down) => 'D',
            Some(Verdict::Damped) => 'd',
        }
    };
    results.chars().map(letter).collect()
}

#[test]
fn what_is_known_stands_until_the_probe_has_had_its_say() {
    let down = Evidence {
        verdict: Verdict::Down,
        since: UnixSeconds(1),
        seen: "refused".into(),
        unproven_since: None,
    };
    let damped = Evidence {
        verdict: Verdict::Damped,
        ..down.clone()
    };
    let known = |down| Finding {
        down,
        is_passing: false,
    };
    let (up, down, damped) = (known(None), known(Some(down)), known(Some(damped)));
    let check = |known: &Finding, results: &str, expected: &str| {
        let history = History::inherited(known, None);
        let verdicts = verdicts_after(history, &probe(3, 2), results);
        assert_eq!(verdicts, expected, "{results}");
    };
    check(&up, "+---++", "USSDDU");
    check(&up, "---", "SSD");
    check(&up, "!!!!", "SSSS");
    check(&down, "----+", "DDDDU");
    check(&down, "+---+", "USSDD");
    check(&down, "!!+", "DDU");
    check(&damped, "+---", "USSD");
    check(&damped, "---++", "ddDDU");
    let check_another = |known: &Finding, results: &str, expected: &str| {
        let history = History::inherited(known, None).for_another();
        let verdicts = verdicts_after(history, &probe(3, 2), results);
        assert_eq!(verdicts, expected, "{results}");
    };
    check_another(&up, "-----+---", "SS???USSD");
    check_another(&up, "+---", "USSD");
    check_another(&up, "!!!-", "SSS?");
    check_another(&down, "----+---", "DDDDUSSD");
}

#[test]
fn what_is_known_to_pass_proves_until_the_first_failure() {
    let (probe, second) = (probe(3, 2), Duration::from_secs(1));
    let is_recent = |known: &Finding, passed: Option<u32>, failures: u32, at: u32| {
        let mut history = History::inherited(known, passed.map(|passed| passed * second));
        for _ in 0..failures {
            step(&mut history, &probe, DARK, 10 * second);
        }
        history.is_recent(&probe, at * second)
    };
    let known = |verdict: Option<Verdict>, is_passing| Finding {
        down: verdict.map(|verdict| Evidence {
            verdict,
            since: UnixSeconds(1),
            seen: "refused".into(),
            unproven_since: None,
        }),
        is_passing,
    };
    let up = known(None, true);
    assert!(is_recent(&up, Some(10), 0, 16));
    assert!(!is_recent(&up, Some(10), 0, 17));
    assert!(!is_recent(&up, Some(9), 0, 16));
    assert!(!is_recent(&up, None, 0, 11));
    assert!(!is_recent(&up, Some(10), 1, 11));
    assert!(is_recent(
        &known(Some(Verdict::Damped), true),
        Some(10),
        0,
        11
    ));
    assert!(!is_recent(
        &known(Some(Verdict::Down), true),
        Some(10),
        0,
        11
    ));
    assert!(!is_recent(&known(None, false), Some(10), 0, 11));
}

#[test]
fn verdicts_follow_results() {
    let check = |(down, up), results: &str, expected: &str| {
        assert_eq!(verdicts(&probe(down, up), results), expected, "{results}");
    };
    // What never passed is never down.
    check((3, 2), "------", "??????");
    check((3, 2), "--+--+", "??USSU");
    check((3, 2), "+---++", "USSDDU");
    check((3, 2), "+---+-++", "USSDDDDU");
    check((1, 1), "+-+", "UDU");
    // The second time it stays away for five seconds, the third for ten.
    check((1, 1), "+-+-++++", "UDUDddUU");
    check((1, 1), "+-+-+++-++++++", "UDUDddUDddddUU");
    // Kept back and failing: down, and that is no withdrawal, the five seconds are over.
    check((1, 1), "+-+-+--+", "UDUDdDDU");
    check((2, 1), "+--+--+--+", "USDUSDddDU");
    // While nothing is heard nothing worsens; a failure that counts is enough afterwards.
    check((3, 2), "+.....", "USSSSS");
    check((3, 2), "+.....-", "USSSSSD");
    check((3, 2), "+..+..-", "USSUSSD");
    check((1, 1), "+.-", "USD");
}

#[test]
fn what_waits_is_down_as_soon_as_that_is_confirmed() {
    let (probe, mut history) = (probe(2, 1), History::default());
    let at = Duration::from_secs;
    history.passed(&probe, at(0));
    history.failed(&probe, at(2), at(3), |_| Confirmation::Yes);
    let change = history.failed(&probe, at(4), at(5), |failing| {
        assert_eq!((failing.first, failing.last), (at(2), at(4)));
        Confirmation::Ask
    });
    let unconfirmed = Some(Confirmation::Ask);
    assert_eq!((change.is_new, change.unconfirmed), (false, unconfirmed));
    let change = history.judge(&probe, at(6), |_| Confirmation::Yes);
    assert!(change.is_new);
    assert_eq!(history.verdict(), Some(Verdict::Down));
}

proptest! {
    #[test]
    fn a_verdict_is_what_the_log_says(
        down in 1_u8..5,
        up in 1_u8..5,
        results in proptest::collection::vec(
            prop_oneof![Just(None), Just(FAIL), Just(DARK)],
            1..200,
        ),
    ) {
        let (probe, mut history) = (probe(down, up), History::default());
        let mut withdrawn = Vec::new();
        for (n, result) in results.iter().enumerate() {
            let now = Duration::from_secs(2 * n as u64);
            let before = history.verdict();
            let after = step(&mut history, &probe, *result, now);
            let log = &results[..=n];
            let row = |is_pass: bool| log.iter().rev().take_while(|r| r.is_none() == is_pass).count();
            let (failures, passes) = (row(false), row(true));
            prop_assert_eq!(after.is_none(), log.iter().all(Option::is_some));
            match after {
                None => prop_assert!(before.is_none()),
                Some(Verdict::Unknown) => prop_assert!(false, "it is said, and no verdict"),
                Some(Verdict::Up) => {
                    prop_assert!(passes > 0);
                    let was_away = matches!(before, Some(Verdict::Down | Verdict::Damped));
                    prop_assert!(!was_away || passes >= usize::from(up));
                }
                Some(Verdict::Suspect) => {
                    prop_assert!(failures > 0);
                    prop_assert!(failures < usize::from(down) || *result == DARK);
                }
                Some(Verdict::Down) if before != Some(Verdict::Down) => {
                    prop_assert!(failures >= usize::from(down) && *result == FAIL);
                    if before != Some(Verdict::Damped) {
                        withdrawn.push(now);
                    }
                }
                Some(Verdict::Down) => prop_assert!(passes < usize::from(up)),
                Some(Verdict::Damped) => {
                    prop_assert!(matches!(before, Some(Verdict::Down | Verdict::Damped)));
                    prop_assert!(withdrawn.len() > 1);
                }
            }
        }
        // The first two may follow each other at once, then at 5 s, 10 s …
        for (n, pair) in withdrawn.windows(3).enumerate() {
            let least = (5 << n.min(6)).min(300);
            prop_assert!(pair[2] >= pair[1] + Duration::from_secs(least));
        }
    }
}
