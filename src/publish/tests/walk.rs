//! The states of members, walked through: every history of two and three members to a depth, and
//! random ones that are long. A step is whatever may happen to a member, time, a restart or a reload.
//!
//! What must hold of each step and at each moment ([`rules`]) is compared with what somebody knows who
//! has seen everything ([`witness`]). The invariants, by their numbers in docs/who-is-served.md:
//!
//! - I3, I6: once all members are in contact, each is ready in bounded time, whatever was before.
//! - I4: silence of a member alone withdraws nothing within its hold.
//! - I5: past its hold a lost member is withdrawn, whatever others do, and every brake ends.
//! - I7: one member's flapping neither delays another's withdrawal nor its return.
//! - I9: what is persisted is what a restart restores.
//!
//! `GAZETTEER_WALK=<steps>` walks deeper, and random histories for as many times longer: by hand.

mod case;
mod node;
mod rules;
mod witness;

use std::collections::HashSet;

use self::case::{Case, Step};
use self::node::Node;
use crate::publish::members::states::ContactEvent;

/// How far each case is walked in every run of the suite.
const DEPTH: usize = 4;

/// Random histories in every run.
const HISTORIES: u64 = 30;

/// Steps of a random history.
const LENGTH: usize = 300;

/// The depth that was asked for.
fn depth(usual: usize) -> usize {
    let asked = std::env::var("GAZETTEER_WALK");
    asked.map_or(usual, |text| text.parse().expect("a number of steps"))
}

/// Says how far a walk has come.
#[expect(clippy::print_stdout, reason = "shown by `cargo test -- --nocapture`")]
fn say(text: &str) {
    println!("{text}");
}

/// Walks every history of `steps` from the nodes `start` to a depth, each state once.
fn walk(case: &Case, start: Vec<Node>, steps: &[Step], depth: usize) {
    let mut histories: Vec<(u32, Option<Step>)> = Vec::new();
    let mut seen = HashSet::new();
    let mut frontier = Vec::new();
    for node in start {
        histories.push((0, None));
        seen.insert(node.key(case));
        frontier.push((histories.len() - 1, node));
    }
    let (mut transitions, mut went) = (0_u64, 0);
    while went < depth && !frontier.is_empty() {
        let mut next = Vec::new();
        for (index, node) in frontier {
            for step in steps {
                let mut after = node.clone();
                let mut outcome = after.step(case, *step);
                transitions += 1;
                let is_new = outcome.is_ok() && seen.insert(after.key(case));
                if is_new {
                    outcome = rules::all_is_well_in_time(case, &after);
                }
                if let Err(why) = outcome {
                    let mut history = vec![*step];
                    let mut at = index;
                    while let (before, Some(step)) = histories[at] {
                        history.push(step);
                        at = usize::try_from(before).unwrap();
                    }
                    history.reverse();
                    let states = seen.len();
                    panic!(
                        "{}: from {at} by {history:?}\n{why}\n{states} states",
                        case.name
                    );
                }
                if is_new {
                    histories.push((u32::try_from(index).unwrap(), Some(*step)));
                    next.push((histories.len() - 1, after));
                }
            }
        }
        frontier = next;
        went += 1;
    }
    let states = seen.len();
    let name = case.name;
    say(&format!(
        "{name}: {states} states, depth {went}, {transitions} steps"
    ));
}

/// Where walks begin: nothing has happened, all are in contact, or one was withdrawn so often that it
/// will be kept back.
fn beginnings(case: &Case) -> Vec<Node> {
    use ContactEvent::{Lost, Synced};
    let nothing = Node::new(case);
    let mut all = nothing.clone();
    for member in 0..case.members {
        all.step(case, Step::Happens(member, Synced)).unwrap();
    }
    let mut often = all.clone();
    let (lost, synced) = (Step::Happens(0, Lost), Step::Happens(0, Synced));
    for step in [lost, Step::Passes(200), synced, lost, Step::Passes(200)] {
        often.step(case, step).unwrap();
    }
    vec![nothing, all, often]
}

#[test]
fn every_history_to_a_depth() {
    for case in Case::all() {
        let more = usize::from(case.members == 2);
        walk(&case, beginnings(&case), &case.steps(), depth(DEPTH) + more);
    }
}

/// Whatever a third member does, one that stays lost beside one in contact is withdrawn in time.
#[test]
fn whatever_a_third_member_does() {
    use ContactEvent::{Lost, Resumed, Returning, Synced};
    for case in Case::all() {
        if case.members < 3 {
            continue;
        }
        let mut steps = vec![Step::Deadline, Step::Passes(1), Step::Passes(59)];
        steps.extend([Lost, Returning, Synced, Resumed].map(|it| Step::Happens(2, it)));
        let mut start = beginnings(&case);
        for node in &mut start {
            for step in [
                Step::Happens(0, Synced),
                Step::Happens(1, Synced),
                Step::Happens(1, Lost),
            ] {
                node.step(&case, step).unwrap();
            }
        }
        walk(&case, start, &steps, depth(DEPTH) + 4);
    }
}

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    /// Below `end` (splitmix64).
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}

/// Goes through a history. Says what does not hold, and after how many steps.
fn run(case: &Case, history: &[Step]) -> Result<(), (usize, String)> {
    let mut node = Node::new(case);
    for (index, step) in history.iter().enumerate() {
        node.step(case, *step).map_err(|why| (index + 1, why))?;
        rules::all_is_well_in_time(case, &node).map_err(|why| (index + 1, why))?;
    }
    Ok(())
}

/// Leaves out steps while anything does not hold.
fn shrunk(case: &Case, mut history: Vec<Step>) -> (Vec<Step>, String) {
    let mut reason = String::new();
    let mut length = history.len();
    while length > 0 {
        let mut at = 0;
        while at < history.len() {
            let mut shorter = history.clone();
            shorter.drain(at..(at + length).min(history.len()));
            match run(case, &shorter) {
                Err((steps, why)) => {
                    shorter.truncate(steps);
                    (history, reason) = (shorter, why);
                }
                Ok(()) => at += length,
            }
        }
        length /= 2;
    }
    (history, reason)
}

/// Each of these has broken a rule once.
#[test]
fn histories_that_were_found() {
    use ContactEvent::{Lost, Resumed, Returning, Synced};
    let synced = [Step::Happens(0, Synced), Step::Happens(1, Synced)];
    let found: [&[Step]; 10] = [
        // A brake went on with no deadline, once the other one's hold had passed.
        &[
            Step::Restart(0),
            Step::Passes(1),
            Step::Happens(0, Lost),
            Step::Deadline,
        ],
        // What was held while a member listed was withdrawn by the restart itself.
        &[
            Step::Happens(0, Lost),
            Step::Happens(0, Returning),
            Step::Happens(0, Lost),
            Step::Passes(59),
            Step::Happens(0, Returning),
            Step::Passes(59),
            Step::Restart(0),
        ],
        // Longer holds gave a member that was lost for a day a new hold, after a restart.
        &[
            Step::Happens(0, Lost),
            Step::Deadline,
            Step::Deadline,
            Step::Restart(0),
            Step::ReloadHolds,
        ],
        // A withdrawal of a day ago counted as one of now, after two restarts.
        &[
            Step::Happens(0, Lost),
            Step::Passes(66),
            Step::Restart(0),
            Step::Passes(70),
            Step::Happens(0, Resumed),
            Step::Deadline,
            Step::Restart(0),
            Step::Restart(3600),
            Step::Passes(63),
            Step::Happens(0, Synced),
        ],
        // A brake that has its end goes on again for a later loss.
        &[
            Step::Happens(0, Lost),
            Step::Happens(1, Lost),
            Step::Happens(2, Lost),
            Step::Passes(540),
            Step::Happens(2, Resumed),
            Step::Passes(59),
            Step::Happens(2, Lost),
            Step::Deadline,
            Step::Passes(1),
        ],
        // Longer holds took back that one had passed, and so took the brake off, which made that hold
        // begin anew: it does so once.
        &[
            Step::Restart(0),
            Step::Deadline,
            Step::Happens(0, Lost),
            Step::ReloadHolds,
            Step::Deadline,
            Step::Deadline,
        ],
        // A withdrawal that longer holds had taken back counted twice, after a restart.
        &[
            Step::Happens(1, Lost),
            Step::Deadline,
            Step::ReloadHolds,
            Step::Restart(0),
            Step::Happens(0, Lost),
            Step::Passes(59),
            Step::Restart(0),
        ],
        // A restart while a brake is on begins only those holds anew that it keeps from passing.
        &[
            Step::Happens(0, Lost),
            Step::Deadline,
            Step::Happens(1, Lost),
            Step::Restart(0),
            Step::ReloadHolds,
            Step::Deadline,
        ],
        // A brake goes off and on again at one moment, by losses that are older than its own.
        &[
            Step::Happens(1, Lost),
            Step::Passes(1),
            Step::Happens(0, Lost),
            Step::Happens(1, Returning),
            Step::Happens(2, Lost),
            Step::Happens(1, Lost),
        ],
        // One that counted as in contact takes a brake off, and its own hold passes at that moment.
        &[
            Step::Restart(0),
            Step::Passes(1),
            Step::Happens(0, Lost),
            Step::Happens(1, Lost),
            Step::Passes(59),
            Step::Happens(0, ContactEvent::Forgotten),
        ],
    ];
    for case in Case::all() {
        for history in found {
            let third = (case.members > 2).then_some(Step::Happens(2, Synced));
            let mut all: Vec<Step> = synced.into_iter().chain(third).collect();
            all.extend(history);
            all.retain(|step| !matches!(step, Step::Happens(m, _) if *m >= case.members));
            assert_eq!(run(&case, &all), Ok(()), "{}: {all:?}", case.name);
        }
    }
}

#[test]
fn random_histories() {
    let times = depth(1) as u64;
    for case in Case::all() {
        let all = case.steps();
        let happens = |step: &&Step| matches!(step, Step::Happens(..) | Step::Passes(_));
        let usual: Vec<Step> = all.iter().filter(happens).copied().collect();
        for seed in 0..HISTORIES * times {
            let mut random = Random(seed);
            let mut step = |_| {
                // Time passes often, and the process goes on for a while.
                let steps = if random.below(4) == 0 { &all } else { &usual };
                match random.below(3) {
                    0 => Step::Passes(1 + random.below(70) as u64),
                    _ => steps[random.below(steps.len())],
                }
            };
            let history: Vec<Step> = (0..LENGTH).map(&mut step).collect();
            if run(&case, &history).is_err() {
                let (history, why) = shrunk(&case, history);
                panic!("{}: seed {seed}: {history:?}\n{why}", case.name);
            }
        }
        let (name, histories) = (case.name, HISTORIES * times);
        say(&format!("{name}: {histories} histories of {LENGTH} steps"));
    }
}
