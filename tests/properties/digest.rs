//! Answers in batches beside answers one by one, and one number for all of them.
//!
//! Two builds that print the same number have answered the same questions of the same random worlds with
//! the same octets. To hold a change against what was before it, run both with many worlds:
//! `GAZETTEER_WORLDS=10000 cargo test --test properties batches -- --nocapture`; `GAZETTEER_FIRST` is
//! the number of the first world.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use gazetteer::answer::{
    Client, NoTrace, Prepared, Signatures, Transport, explain, look_up, respond,
};
use gazetteer::model::{Gateway, ListenerIdx, Policy, SrvForm, UnixSeconds};
use gazetteer::snapshot::Snapshot;
use gazetteer::wire::Qname;
use hickory_proto::rr::RecordType;
use proptest::prelude::*;
use proptest::sample::Selector;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::inside::Inside;
use crate::oracle::Oracle;
use crate::world::{World, world};
use crate::{names, trees};

/// Questions for each world, in batches.
const BATCHES: usize = 4;

/// Questions of one batch.
const BATCH: usize = 16;

/// Types of questions: A, NS, CNAME, SOA, MX, TXT, AAAA, SRV, DS, ANY.
const TYPES: [u16; 16] = [1, 1, 1, 1, 2, 5, 6, 15, 16, 28, 28, 33, 33, 33, 43, 255];

/// A hash of everything that it is given (FNV-1a, 64 bits).
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn fold(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What is made at random for one world.
struct Maker {
    runner: TestRunner,
}

impl Maker {
    /// That of a world with this number.
    fn new(number: u64) -> Self {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        Self {
            runner: TestRunner::new_with_rng(ProptestConfig::default(), rng),
        }
    }

    fn some<S: Strategy>(&mut self, of: S) -> S::Value {
        of.new_tree(&mut self.runner)
            .expect("nothing is rejected")
            .current()
    }

    fn below(&mut self, end: usize) -> usize {
        self.some(0..end)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let selector = self.some(any::<Selector>());
        *selector.select(all)
    }

    /// A world, and what the generator of worlds leaves out.
    fn world(&mut self) -> (World, Snapshot) {
        let mut world = self.some(world());
        if self.below(8) == 0 {
            for shard in world.shards.values_mut() {
                if let Inside::Pods(pods) = &mut shard.inside {
                    for last in 0..=self.below(120) {
                        let last = u8::try_from(last).expect("few");
                        pods.push((None, IpAddr::from([10, 99, 1, last]), last % 5 != 0));
                    }
                }
            }
        }
        let mut fleet = world.fleet();
        for federation in &mut fleet.federations {
            federation.max_addresses = self.one_of(&[None, None, Some(1), Some(2)]);
            if federation.policy == Policy::Nearest {
                federation.spill_over = self.one_of(&[None, None, Some(50), Some(100)]);
            }
            federation.srv = self.one_of(&[SrvForm::Shared, SrvForm::Shared, SrvForm::Members]);
        }
        let members: Vec<_> = fleet.members.iter().map(|(index, _)| index).collect();
        for index in members {
            if self.below(6) == 0
                && let Some(member) = fleet.members.get_mut(index)
            {
                member.gateway = Some(Gateway {
                    addresses: [IpAddr::from([192, 0, 2, 250])].into_iter().collect(),
                    port: self.one_of(&[None, Some(15_443)]),
                });
            }
        }
        let snapshot = world.build_of(fleet);
        (world, snapshot)
    }

    /// Who asks.
    fn client(&mut self) -> Client {
        let inside = self.below(5);
        let v4 = self.some(crate::world::client());
        let v6 = Ipv6Addr::from(0x2001_0db8_u128 << 96 | self.some(any::<u128>()) >> 40);
        Client {
            address: self.one_of(&[v4.into(), v4.into(), v6.into()]),
            listener: self.one_of(&[None, None, u32::try_from(inside).ok().map(ListenerIdx)]),
            transport: self.one_of(&[Transport::Udp, Transport::Tcp { idle: 100 }]),
            cookie: None,
            now: UnixSeconds(1_800_000_000 + u64::try_from(self.below(90)).expect("small")),
            elapsed: Duration::ZERO,
        }
    }

    /// A request for a name.
    fn request(&mut self, name: &str, qtype: u16) -> Vec<u8> {
        let id: u16 = self.some(any::<u16>());
        let edns = self.below(4);
        let mut octets = id.to_be_bytes().to_vec();
        octets.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns > 0)]);
        let is_mixed = self.below(6) == 0;
        for label in name.split('.').filter(|label| !label.is_empty()) {
            octets.push(u8::try_from(label.len()).expect("labels are short"));
            for (at, octet) in label.bytes().enumerate() {
                let is_upper = is_mixed && (at + label.len()) % 2 == 0;
                octets.push(if is_upper {
                    octet.to_ascii_uppercase()
                } else {
                    octet
                });
            }
        }
        octets.push(0);
        octets.extend(qtype.to_be_bytes());
        octets.extend([0, 1]);
        let size: u16 = self.one_of(&[512, 1232, 1232, 4096]);
        let v4: Ipv4Addr = self.some(crate::world::client());
        if edns > 0 {
            octets.extend([0, 0, 41]);
            octets.extend(size.to_be_bytes());
            octets.extend([0; 4]);
        }
        match edns {
            1 => octets.extend([0, 0]),
            2 => {
                octets.extend([0, 12, 0, 8, 0, 8, 0, 1, 32, 0]);
                octets.extend(v4.octets());
            }
            3 => {
                octets.extend([0, 15, 0, 8, 0, 7, 0, 1, 24, 0]);
                octets.extend(&v4.octets()[..3]);
                octets.extend([0, 3, 0, 0]);
            }
            _ => {}
        }
        octets
    }
}

/// Answers one by one and in batches.
fn answer(snapshot: &Snapshot, asked: &[(Vec<u8>, Client)], digest: &mut Digest) {
    let mut qnames: Vec<_> = asked.iter().map(|_| Qname::new()).collect();
    let mut prepared: Vec<_> = asked
        .iter()
        .zip(&mut qnames)
        .map(|((request, _), qname)| Some(Prepared::new(snapshot, request, qname)))
        .collect();
    look_up(&mut prepared);
    for (prepared, (request, client)) in prepared.iter_mut().flatten().zip(asked) {
        let size = match client.transport {
            Transport::Udp => 1232,
            Transport::Tcp { .. } => 65_535,
        };
        let (mut alone, mut batched) = (vec![0; size], vec![0; size]);
        let length = respond(
            snapshot,
            request,
            client,
            Signatures::None,
            &mut NoTrace,
            &mut alone,
        );
        let same = prepared.complete(client, Signatures::None, &mut NoTrace, &mut batched);
        assert_eq!(same.outcome, length);
        let length = length.length().expect("a query is answered");
        assert_eq!(alone.get(..length), batched.get(..length));
        digest.fold(alone.get(..length).unwrap_or_default());
    }
}

/// Digests of the answers and of the explanations of the worlds with these numbers.
fn digest(numbers: std::ops::Range<u64>) -> (u64, u64) {
    let (mut answers, mut explanations) = (Digest::new(), Digest::new());
    for number in numbers {
        let mut maker = Maker::new(number);
        let (world, snapshot) = maker.world();
        let oracle = Oracle::new(&world);
        let picks: Vec<_> = (0..BATCH * BATCHES / 2)
            .map(|_| {
                (
                    maker.below(1 << 16),
                    u8::try_from(maker.below(16)).expect("few"),
                )
            })
            .collect();
        let mut all = names(&oracle, &picks);
        let kinds = trees::names(&world, &oracle);
        while !kinds.is_empty() && all.len() < BATCH * BATCHES {
            all.push(kinds[maker.below(kinds.len())].clone());
        }
        for batch in all.chunks(BATCH) {
            let mut asked = Vec::new();
            for name in batch {
                let qtype = maker.one_of(&TYPES);
                let (client, request) = (maker.client(), maker.request(name, qtype));
                if maker.below(8) == 0
                    && let Ok(name) = name.parse()
                {
                    let from = (client.address, client.listener);
                    let qtype = RecordType::from(qtype);
                    let said = explain(&snapshot, &name, qtype, from, client.now, None);
                    explanations.fold(said.to_string().as_bytes());
                }
                asked.push((request, client));
            }
            answer(&snapshot, &asked, &mut answers);
        }
    }
    (answers.0, explanations.0)
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the digest is for people who compare two builds"
)]
fn batches_are_answered_as_each_question_alone() {
    let first = number("GAZETTEER_FIRST").unwrap_or_default();
    let count = number("GAZETTEER_WORLDS").unwrap_or(64);
    let (answers, explanations) = digest(first..first + count);
    println!("{first}+{count} worlds: answers {answers:016x}, explanations {explanations:016x}");
}
