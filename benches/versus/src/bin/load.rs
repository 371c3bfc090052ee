//! The load: queries in batches from several sockets, every answer verified, one JSON line at the
//! end.
//!
//! `load --port P --queries FILE --expect fixed|unchased|steered|some|echo|absent [--secs 5] [--rate QPS]
//! [--offset N] [--dnssec yes] [--absent yes]`
//!
//! With `--dnssec yes` every query has DO and CO (RFC 3225, RFC 9824). With `--absent yes` the first label of
//! every name is random, so that no name exists and none is asked twice.
//!
//! Without `--rate` a closed loop with a fixed number in flight (`--sockets` times `--window`); with
//! it an open loop, whose latencies count from when a query was due, not from when it was sent.
#![expect(
    clippy::disallowed_methods,
    reason = "the ban on the system's clock is for the daemon, whose tests stop it"
)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Instant;

use versus::answers;
use versus::arguments::{argument, number};
use versus::batch::{Batch, Outgoing, Poll, socket, wait_readable};
use versus::histogram::{Histogram, Stretches};
use versus::queries::{Expect, Queries};

/// Datagrams in a batch.
const BATCH: usize = 32;

/// Queries that one socket remembers.
const SLOTS: usize = 1024;

/// Nanoseconds after which a closed loop takes a query for lost.
const LOST: u64 = 250_000_000;

/// Nanoseconds to wait for what is still out at the end.
const DRAIN: u64 = 1_000_000_000;

/// A query under way.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// When it was sent or due, in nanoseconds; 0 when nothing is under way.
    since: u64,
    /// Its place in the list.
    query: u32,
    /// Its id.
    id: u16,
}

/// A socket and what it waits for.
struct Lane {
    /// Connected to the server.
    socket: UdpSocket,
    /// Queries under way, by the low bits of their ids.
    slots: Vec<Slot>,
    /// The next id.
    next: u16,
    /// How many are under way.
    out: usize,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    /// Queries sent.
    sent: u64,
    /// Answers before the end.
    in_time: u64,
    /// All answers.
    answers: u64,
    /// Octets of them.
    octets: u64,
    /// Queries without an answer.
    lost: u64,
    /// Answers to nothing that was asked.
    stray: u64,
    /// Answers that were not the ones expected.
    wrong: u64,
    /// The first of them, for a look.
    first_wrong: Option<String>,
    /// Answers with RCODE 3.
    nxdomain: u64,
    /// Answers with records.
    with_records: u64,
    /// System calls that sent.
    send_calls: u64,
    /// Batches received.
    receive_calls: u64,
    /// Latencies.
    latencies: Histogram,
    /// The same, by when they were seen.
    stretches: Stretches,
}

/// The load.
struct Load {
    /// What is asked.
    queries: Queries,
    /// The next query.
    at: usize,
    /// What answers are held against.
    expect: Expect,
    /// The sockets.
    lanes: Vec<Lane>,
    /// Room to receive.
    incoming: Batch,
    /// Room to send.
    outgoing: Outgoing,
    /// What was seen.
    seen: Seen,
    /// When it began.
    begin: Instant,
    /// The state of the random numbers of first labels; 0 leaves names as they are.
    random: u64,
}

impl Load {
    /// Nanoseconds since the begin, never 0.
    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64 + 1
    }

    /// Sends `count` queries from a lane; `since` gives the time from which the latency of each
    /// counts.
    fn send(&mut self, lane: usize, count: usize, since: impl Fn(usize) -> u64) {
        let lane = &mut self.lanes[lane];
        let mut ranges = [(0, 0); BATCH];
        let count = count.min(BATCH);
        for (index, range) in ranges.iter_mut().take(count).enumerate() {
            // A slow one keeps its slot as long as there are others.
            let is_free = |id: &u16| lane.slots[usize::from(*id) % SLOTS].since == 0;
            let mut next = (0..SLOTS as u16).map(|step| lane.next.wrapping_add(step));
            let id = next.find(is_free).unwrap_or(lane.next);
            lane.next = id.wrapping_add(1);
            let slot = &mut lane.slots[usize::from(id) % SLOTS];
            if slot.since != 0 {
                self.seen.lost += 1;
                lane.out -= 1;
            }
            let query = self.queries.list[self.at];
            *slot = Slot {
                since: since(index),
                query: self.at as u32,
                id,
            };
            lane.out += 1;
            self.at = (self.at + 1) % self.queries.list.len();
            let start = query.start as usize;
            self.queries.octets[start..start + 2].copy_from_slice(&id.to_be_bytes());
            if self.random != 0 {
                scramble(&mut self.queries.octets[start + 12..], &mut self.random);
            }
            *range = (start, start + usize::from(query.length));
        }
        let octets = &self.queries.octets;
        let datagrams = ranges[..count].iter().map(|(from, to)| &octets[*from..*to]);
        self.seen.send_calls += self.outgoing.send(&lane.socket, datagrams);
        self.seen.sent += count as u64;
    }

    /// Receives what there is on every lane. Returns whether there was anything.
    fn receive(&mut self, is_over: bool) -> bool {
        let mut any = false;
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].out == 0 {
                continue;
            }
            let socket = &self.lanes[lane].socket;
            let count = self.incoming.receive(socket, BATCH, libc::MSG_DONTWAIT);
            if count == 0 {
                continue;
            }
            any = true;
            self.seen.receive_calls += 1;
            let now = self.now();
            for index in 0..count {
                self.take(lane, index, now, is_over);
            }
        }
        any
    }

    /// Takes one datagram as an answer.
    fn take(&mut self, lane: usize, index: usize, now: u64, is_over: bool) {
        let lane = &mut self.lanes[lane];
        let seen = &mut self.seen;
        let response = self.incoming.datagram(index);
        let id = response.first_chunk().map(|id| u16::from_be_bytes(*id));
        let slot = id.map(|id| (id, &mut lane.slots[usize::from(id) % SLOTS]));
        let Some((id, slot)) = slot.filter(|(id, slot)| slot.since != 0 && slot.id == *id) else {
            seen.stray += 1;
            return;
        };
        let latency = now.saturating_sub(slot.since);
        seen.latencies.add(latency);
        seen.stretches.add(now, latency);
        slot.since = 0;
        lane.out -= 1;
        seen.answers += 1;
        seen.in_time += u64::from(!is_over);
        seen.octets += response.len() as u64;
        let query = self.queries.list[slot.query as usize];
        let read = answers::read(response, self.queries.question(&query));
        if let Some((rcode, section)) = read {
            seen.nxdomain += u64::from(rcode == 3);
            seen.with_records += u64::from(section.count > 0);
        }
        if !self.expect.is_right(&query, read) {
            seen.wrong += 1;
            if seen.first_wrong.is_none() {
                let start = query.start as usize;
                let packet = &self.queries.octets[start..start + usize::from(query.length)];
                seen.first_wrong = Some(format!(
                    "id {id} query {} response {} expected {:?} read {read:?}",
                    hex(packet),
                    hex(response),
                    query.expected
                ));
            }
        }
    }

    /// Fills every lane of a closed loop up to `window`.
    fn fill(&mut self, window: usize) -> bool {
        let mut any = false;
        for lane in 0..self.lanes.len() {
            let free = window.saturating_sub(self.lanes[lane].out);
            if free >= (window / 4).max(1) {
                let now = self.now();
                self.send(lane, free, |_| now);
                any = true;
            }
        }
        any
    }

    /// Sends what is due at `rate`, of which `sent` is done. Returns what is done now.
    fn pace(&mut self, rate: f64, mut sent: u64) -> u64 {
        let due = (self.now() as f64 * rate / 1e9) as u64;
        while sent < due {
            let count = ((due - sent) as usize).min(BATCH);
            let lane = self.seen.send_calls as usize % self.lanes.len();
            self.send(lane, count, |index| {
                ((sent + index as u64) as f64 * 1e9 / rate) as u64 + 1
            });
            sent += count as u64;
        }
        sent
    }

    /// Gives up what has been out for too long.
    fn reclaim(&mut self) {
        let now = self.now();
        for lane in &mut self.lanes {
            for slot in &mut lane.slots {
                if slot.since != 0 && now > slot.since + LOST {
                    slot.since = 0;
                    lane.out -= 1;
                    self.seen.lost += 1;
                }
            }
        }
    }

    /// Runs for `secs`. Returns how long it took, without the wait for the last answers.
    fn run(&mut self, secs: f64, window: usize, rate: f64) -> io::Result<f64> {
        let poll = Poll::new(self.lanes.iter().map(|lane| &lane.socket))?;
        self.begin = Instant::now();
        let end = (secs * 1e9) as u64;
        let (mut over, mut paced, mut reclaimed) = (None, 0, 0);
        loop {
            let now = self.now();
            if now >= end && over.is_none() {
                over = Some(now);
            }
            let all_back = self.lanes.iter().all(|lane| lane.out == 0);
            if over.is_some_and(|over| all_back || now > over + DRAIN) {
                break;
            }
            let mut any = self.receive(over.is_some());
            if over.is_none() {
                if rate > 0.0 {
                    let done = self.pace(rate, paced);
                    any |= done > paced;
                    paced = done;
                } else {
                    any |= self.fill(window);
                }
            }
            if any {
                continue;
            }
            if rate == 0.0 && now > reclaimed + LOST / 2 {
                reclaimed = now;
                self.reclaim();
            }
            let next = ((paced + 1) as f64 * 1e9 / rate.max(50.0)) as u64;
            let wait = if over.is_none() {
                next.saturating_sub(self.now())
            } else {
                LOST
            };
            wait_readable(&poll, wait.min(20_000_000));
        }
        self.seen.lost += self.lanes.iter().map(|lane| lane.out as u64).sum::<u64>();
        Ok(over.unwrap_or(end) as f64 / 1e9)
    }
}

/// Replaces the first label of a name by a random one (xorshift64*).
fn scramble(name: &mut [u8], random: &mut u64) {
    let length = usize::from(name[0]);
    for octet in &mut name[1..=length] {
        *random ^= *random >> 12;
        *random ^= *random << 25;
        *random ^= *random >> 27;
        let number = random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 59;
        *octet = b"abcdefghijklmnopqrstuvwxyz234567"[number as usize];
    }
}

/// Octets as text.
fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| {
        let low = char::from_digit(u32::from(octet & 15), 16);
        let high = char::from_digit(u32::from(octet >> 4), 16);
        text + &high.into_iter().chain(low).collect::<String>()
    })
}

fn main() -> io::Result<()> {
    let port = number("--port", "53")?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let expect = Expect::parse(&argument("--expect", "fixed"))?;
    let sockets: usize = number("--sockets", "8")?;
    let lane = |_| {
        Ok(Lane {
            socket: socket(None, Some(server))?,
            slots: vec![Slot::default(); SLOTS],
            next: 0,
            out: 0,
        })
    };
    let mut queries = Queries::read(Path::new(&argument("--queries", "queries")))?;
    if argument("--dnssec", "no") == "yes" {
        queries.ask_for_signatures();
    }
    let offset: usize = number("--offset", "0")?;
    let mut load = Load {
        at: offset % queries.list.len(),
        queries,
        expect,
        lanes: (0..sockets).map(lane).collect::<io::Result<_>>()?,
        incoming: Batch::new(BATCH),
        outgoing: Outgoing::new(BATCH),
        seen: Seen::default(),
        begin: Instant::now(),
        random: if argument("--absent", "no") == "yes" { 0x9e37_79b9_7f4a_7c15 } else { 0 },
    };
    let secs = number("--secs", "5")?;
    let secs = load.run(secs, number("--window", "20")?, number("--rate", "0")?)?;
    let stretch = std::mem::take(&mut load.seen.stretches).median();
    let seen = &load.seen;
    let each = |sum: u64, count: u64| sum as f64 / count.max(1) as f64;
    let quantile = |share| seen.latencies.quantile(share);
    println!(
        "{{\"secs\":{secs:.3},\"sent\":{},\"answers\":{},\"qps\":{:.0},\"lost\":{},\"stray\":{},\
         \"wrong\":{},\"nxdomain\":{},\"with_records\":{},\"size\":{:.1},\"p50\":{:.1},\
         \"p99\":{:.1},\"p99_stretch\":{stretch:.1},\"p999\":{:.1},\"max\":{:.1},\"sent_each\":{:.1},\"received_each\":{:.1}}}",
        seen.sent,
        seen.answers,
        seen.in_time as f64 / secs,
        seen.lost,
        seen.stray,
        seen.wrong,
        seen.nxdomain,
        seen.with_records,
        each(seen.octets, seen.answers),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        seen.latencies.max(),
        each(seen.sent, seen.send_calls),
        each(seen.answers, seen.receive_calls),
    );
    if let Some(wrong) = &seen.first_wrong {
        eprintln!("first wrong answer: {wrong}");
    }
    Ok(())
}
