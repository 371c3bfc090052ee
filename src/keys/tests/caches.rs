//! No cache ever finds an answer bogus: rolls, changes of the algorithm and the end of signing, at servers
//! that learn of files late, under a parent that changes when and as it likes.

use proptest::prelude::*;

use crate::config::KeyTimes;
use crate::dnssec::{Algorithm, KeyRole};
use crate::keys::{
    DsEvidence, KeyDelays, KeyEdit, KeyLife, LARGEST_TTL, TendedZone, ZonePlaces, plan, succession,
};
use crate::model::UnixSeconds;

/// The grid of all times, in seconds.
const STEP: u64 = 600;

/// Steps of an hour.
const HOUR: u64 = 6;

/// When it all begins: late enough that nothing is before 1970.
const START: u64 = 10_000;

/// Sets of keys, by their places in the order in which they were made.
type Keys = u8;

/// What one server answers.
#[derive(Debug, Clone, Copy, Default)]
struct Answers {
    dnskey: Keys,
    signs_dnskey: Keys,
    signs_rest: Keys,
}

/// What happens; all times are in steps.
#[derive(Debug, Clone)]
struct Story {
    dnskey_ttl: u64,
    propagation: u64,
    ds_ttl: u64,
    /// The algorithms of the keys, one after the other.
    algorithms: Vec<Algorithm>,
    /// After how long a roll begins where one may.
    pauses: u64,
    /// After how long each of the two servers of the parent takes what the CDS records ask for.
    parents: [u64; 2],
    /// The parent keeps the DS records it had for so long beside the new ones.
    keeps: u64,
}

/// A world in which a story is told.
struct World {
    delays: KeyDelays,
    /// The files, and from which step on.
    files: Vec<(u64, Vec<KeyLife>)>,
    /// What each server of the parent has at each step.
    ds: [Vec<Keys>; 2],
    /// What servers with the newest and with the oldest files answer at each step.
    answers: [Vec<Answers>; 2],
}

fn seconds(step: u64) -> UnixSeconds {
    UnixSeconds(step * STEP)
}

fn index(step: u64) -> usize {
    usize::try_from(step - START).unwrap()
}

impl World {
    fn tell(story: &Story, steps: u64) -> Self {
        let delays = KeyDelays {
            dnskey_ttl: story.dnskey_ttl * STEP,
            propagation: story.propagation * STEP,
        };
        let key = |place: usize, times| KeyLife {
            algorithm: story.algorithms[place],
            tag: u16::try_from(place).unwrap(),
            can_sign: true,
            times,
        };
        let mut keys = vec![key(0, KeyTimes::first(seconds(START)))];
        let mut world = Self {
            delays,
            files: vec![(0, keys.clone())],
            ds: Default::default(),
            answers: Default::default(),
        };
        let mut made = 1;
        // What the parent is asked for, and since when.
        let (mut asked, mut since): (Keys, u64) = (0, START);
        let mut may_roll = START;
        for step in START..START + steps {
            let now = seconds(step);
            let places = ZonePlaces::at(&keys, delays, now);
            let wanted = if places.asks_delete {
                0
            } else {
                set(&keys, &places, KeyRole::InCds)
            };
            if wanted != asked {
                (asked, since) = (wanted, step);
            }
            for (parent, delay) in story.parents.iter().enumerate() {
                let had = world.ds[parent].last().copied().unwrap_or_default();
                let has = match step - since {
                    passed if passed < *delay => had,
                    passed if passed < delay + story.keeps && asked != 0 => had | asked,
                    _ => asked,
                };
                world.ds[parent].push(has);
            }
            if step % HOUR == 0 {
                let before = keys.clone();
                world.tend(&mut keys, story, step);
                if succession(&keys, Algorithm::Ed25519, delays, now).is_err() {
                    may_roll = step + story.pauses;
                } else if step >= may_roll && made < story.algorithms.len() {
                    let times = succession(&keys, story.algorithms[made], delays, now).unwrap();
                    keys.push(key(made, times));
                    made += 1;
                } else if step >= may_roll {
                    for key in &mut keys {
                        key.times.unsign = Some(now);
                    }
                }
                if before != keys {
                    world.files.push((step, keys.clone()));
                }
            }
            for (answers, lag) in [(0, 0), (1, story.propagation)] {
                let answer = world.answer(step, step.saturating_sub(lag));
                world.answers[answers].push(answer);
            }
        }
        world
    }

    /// What the daemon or a verb would write at a step.
    fn tend(&self, keys: &mut Vec<KeyLife>, story: &Story, step: u64) {
        let [one, other] = [&self.ds[0], &self.ds[1]].map(|ds| *ds.last().unwrap());
        let tended = keys.iter().map(|key| {
            let bit = 1 << key.tag;
            let evidence = match (one & bit != 0, other & bit != 0) {
                (true, true) => DsEvidence::Everywhere(story.ds_ttl * STEP),
                (false, false) => DsEvidence::Nowhere,
                _ => DsEvidence::Unclear,
            };
            (*key, evidence)
        });
        let tended: Vec<_> = tended.collect();
        let zone = TendedZone {
            keys: &tended,
            has_no_ds: one | other == 0,
            algorithm: Algorithm::default(),
            age: None,
            delays: self.delays,
        };
        for edit in plan(&zone, seconds(step)) {
            match edit {
                KeyEdit::Times(tag, times) => {
                    let key = keys.iter_mut().find(|key| key.tag == tag).unwrap();
                    key.times = times;
                }
                KeyEdit::Delete(tag) => keys.retain(|key| key.tag != tag),
                KeyEdit::Succeed(..) => panic!("nobody asked for it"),
            }
        }
    }

    /// What a server answers at a step by the files of another one.
    fn answer(&self, step: u64, of: u64) -> Answers {
        let (_, keys) = self
            .files
            .iter()
            .rev()
            .find(|(from, _)| *from <= of)
            .unwrap();
        let places = ZonePlaces::at(keys, self.delays, seconds(step));
        Answers {
            dnskey: set(keys, &places, KeyRole::InDnskey),
            signs_dnskey: set(keys, &places, KeyRole::SignsDnskey),
            signs_rest: set(keys, &places, KeyRole::SignsRest),
        }
    }
}

/// The keys with a role.
fn set(keys: &[KeyLife], places: &ZonePlaces, role: KeyRole) -> Keys {
    let with = keys.iter().zip(&places.keys);
    let with = with.filter(|(_, place)| place.roles.has(role));
    with.fold(0, |set, (key, _)| set | 1 << key.tag)
}

/// Steps at which something may have been asked that is in a cache at `step`.
fn asked(step: u64, ttl: u64) -> impl Iterator<Item = u64> {
    let oldest = ttl.saturating_sub(1);
    let ages = [0, 1.min(oldest), oldest / 2, oldest];
    ages.into_iter()
        .map(move |age| step.saturating_sub(age).max(START))
}

/// Whether a validator that has these in its cache is content, also one that wants every algorithm.
fn is_content(ds: Keys, keys: Answers, data: Answers, algorithms: &[Algorithm]) -> bool {
    if ds == 0 {
        return true;
    }
    let of = |algorithm: Algorithm| {
        let all = algorithms.iter().enumerate();
        let alike = all.filter(|(_, other)| **other == algorithm);
        alike.fold(0, |set: Keys, (place, _)| set | 1 << place)
    };
    let secure = ds & keys.dnskey & keys.signs_dnskey;
    secure != 0
        && keys.dnskey & data.signs_rest != 0
        && Algorithm::ALL.into_iter().all(|algorithm| {
            let alike = of(algorithm);
            // The keys of an algorithm that the DS or the DNSKEY RRset has promise its signatures.
            (ds & alike == 0 || secure & alike != 0)
                && (keys.dnskey & alike == 0 || keys.dnskey & data.signs_rest & alike != 0)
        })
}

/// Looks at all caches at all steps.
fn check(story: &Story, steps: u64) {
    let world = World::tell(story, steps);
    let largest = LARGEST_TTL / STEP;
    for step in START..START + steps {
        for (ds_at, parent) in asked(step, story.ds_ttl).flat_map(|at| [(at, 0), (at, 1)]) {
            let ds = world.ds[parent][index(ds_at)];
            for (keys_at, server) in asked(step, story.dnskey_ttl).flat_map(|at| [(at, 0), (at, 1)])
            {
                let keys = world.answers[server][index(keys_at)];
                for (data_at, server) in asked(step, largest).flat_map(|at| [(at, 0), (at, 1)]) {
                    let data = world.answers[server][index(data_at)];
                    assert!(
                        is_content(ds, keys, data, &story.algorithms),
                        "at {step}: DS {ds:b} of {ds_at}, keys {keys:?} of {keys_at}, data {data:?} of {data_at}; {:#?}",
                        world.files,
                    );
                }
            }
        }
    }
    // Most of it happened.
    let (_, keys) = world.files.last().unwrap();
    assert!(
        keys.len() > 1 || story.algorithms.len() == 1,
        "no roll in {story:?}"
    );
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(Algorithm::ALL.to_vec())
}

fn story() -> impl Strategy<Value = Story> {
    let times = (0_u64..=36, 0_u64..=12, 1_u64..=144, 1_u64..=72);
    let parent = ([1_u64..=144, 1_u64..=144], 0_u64..=72);
    let algorithms = prop::collection::vec(algorithm(), 2..=4);
    (times, parent, algorithms).prop_map(|(times, (parents, keeps), algorithms)| {
        let (dnskey_ttl, propagation, ds_ttl, pauses) = times;
        Story {
            dnskey_ttl,
            propagation,
            ds_ttl,
            algorithms,
            pauses,
            parents,
            keeps,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cache_finds_an_answer_bogus(story in story()) {
        check(&story, 40 * 24 * HOUR / 2);
    }
}
