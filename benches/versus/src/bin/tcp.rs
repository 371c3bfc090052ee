//! Queries over TCP, every answer verified, one JSON line at the end.
//!
//! `tcp --port P --queries FILE --expect E [--secs 5] [--connections 8] [--window 20] [--each yes] [--idle N]`
//!
//! A closed loop: on each connection `--window` queries are written at once, then their answers are
//! read, one connection after the other. With `--each yes` every query has a connection of its own.
//! With `--idle N` that many connections, with one answered query each, are open meanwhile; it says
//! `idle` when they are, rests as long as the load runs, and in the end asks on each once more.
#![expect(
    clippy::disallowed_methods,
    reason = "the ban on the system's clock is for the daemon, whose tests stop it"
)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use versus::answers;
use versus::arguments::{argument, number};
use versus::batch::connect;
use versus::queries::{Expect, Queries, Query};

/// Connections from one address: servers limit how many a client may have.
const PER_CLIENT: usize = 40;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection.
struct Lane {
    /// To the server.
    stream: TcpStream,
    /// The queries under way, in order of their ids.
    asked: Vec<Query>,
    /// Octets received and not yet taken.
    received: Vec<u8>,
}

/// The load.
struct Load {
    /// What is asked.
    queries: Queries,
    /// The next query.
    at: usize,
    /// Where.
    server: SocketAddrV4,
    /// What answers are held against.
    expect: Expect,
    /// Connections made.
    opened: usize,
    /// Answers.
    answers: u64,
    /// Answers that were not the ones expected.
    wrong: u64,
    /// Connections that ended, or could not be made, before all answers were there.
    broken: u64,
}

impl Load {
    /// A new connection, from a loopback address that has few.
    fn open(&mut self) -> io::Result<Lane> {
        let client = (self.opened / PER_CLIENT) as u32 % 60_000;
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + client);
        self.opened += 1;
        let stream = connect(from, self.server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Lane {
            stream,
            asked: Vec::new(),
            received: Vec::new(),
        })
    }

    /// Writes `count` queries at once.
    fn ask(&mut self, lane: &mut Lane, count: usize) -> io::Result<()> {
        let mut octets = Vec::with_capacity(count * 128);
        lane.asked.clear();
        for id in 0..count {
            let query = self.queries.list[self.at];
            self.at = (self.at + 1) % self.queries.list.len();
            let start = query.start as usize;
            octets.extend_from_slice(&query.length.to_be_bytes());
            octets.extend_from_slice(&(id as u16).to_be_bytes());
            let packet = &self.queries.octets[start..start + usize::from(query.length)];
            octets.extend_from_slice(&packet[2..]);
            lane.asked.push(query);
        }
        lane.stream.write_all(&octets)
    }

    /// Reads the answers to all that was asked, in any order (RFC 7766 section 7).
    fn take(&mut self, lane: &mut Lane) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        let mut left = lane.asked.len();
        while left > 0 {
            let read = lane.stream.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            lane.received.extend_from_slice(&buffer[..read]);
            let mut rest = &lane.received[..];
            while let Some((length, after)) = rest.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                let Some((response, after)) = after.split_at_checked(length) else {
                    break;
                };
                rest = after;
                left = left.saturating_sub(1);
                self.answers += 1;
                let id = response.first_chunk().map(|id| u16::from_be_bytes(*id));
                let query = id.and_then(|id| lane.asked.get(usize::from(id)));
                let is_right = query.is_some_and(|query| {
                    let read = answers::read(response, self.queries.question(query));
                    self.expect.is_right(query, read)
                });
                self.wrong += u64::from(!is_right);
            }
            lane.received.drain(..lane.received.len() - rest.len());
        }
        Ok(())
    }

    /// One query and its answer on each of the connections that are at rest. Returns how many had it.
    fn ask_each(&mut self, lanes: &mut [Lane]) -> usize {
        let mut answered = 0;
        for lane in lanes {
            let done = self.ask(lane, 1).and_then(|()| self.take(lane));
            answered += usize::from(done.is_ok());
        }
        answered
    }

    /// Pipelined queries, on connections that stay.
    fn pipelined(&mut self, connections: usize, window: usize, end: Instant) -> io::Result<()> {
        let mut lanes = Vec::new();
        for _ in 0..connections {
            let mut lane = self.open()?;
            self.ask(&mut lane, window)?;
            lanes.push(lane);
        }
        while Instant::now() < end {
            for lane in &mut lanes {
                let done = self.take(lane).and_then(|()| self.ask(lane, window));
                if done.is_err() {
                    self.broken += 1;
                    *lane = self.open()?;
                    self.ask(lane, window)?;
                }
            }
        }
        Ok(())
    }

    /// A connection for each query, some at once.
    fn each(&mut self, connections: usize, end: Instant) {
        let mut lanes = std::collections::VecDeque::new();
        while Instant::now() < end {
            while lanes.len() < connections {
                let lane = self.open().and_then(|mut lane| {
                    self.ask(&mut lane, 1)?;
                    Ok(lane)
                });
                match lane {
                    Ok(lane) => lanes.push_back(lane),
                    Err(_) => self.broken += 1,
                }
                if Instant::now() >= end {
                    break;
                }
            }
            if let Some(mut lane) = lanes.pop_front()
                && self.take(&mut lane).is_err()
            {
                self.broken += 1;
            }
        }
    }
}

fn main() -> io::Result<()> {
    let queries = Queries::read(Path::new(&argument("--queries", "queries")))?;
    let offset: usize = number("--offset", "0")?;
    let SocketAddr::V4(server) = SocketAddr::from((Ipv4Addr::LOCALHOST, number("--port", "53")?))
    else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let mut load = Load {
        at: offset % queries.list.len(),
        queries,
        server,
        expect: Expect::parse(&argument("--expect", "fixed"))?,
        opened: 0,
        answers: 0,
        wrong: 0,
        broken: 0,
    };
    let idle: usize = number("--idle", "0")?;
    let mut resting = Vec::new();
    for _ in 0..idle {
        resting.push(load.open()?);
    }
    let asked = load.ask_each(&mut resting);
    if idle > 0 {
        println!("idle");
        let mut go = String::new();
        io::stdin().read_line(&mut go)?;
    }
    let (before, secs) = (load.answers, number("--secs", "5")?);
    let (connections, window) = (number("--connections", "8")?, number("--window", "20")?);
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(secs);
    if connections == 0 {
        thread::sleep(end - begin);
    } else if argument("--each", "no") == "yes" {
        load.each(connections, end);
    } else {
        load.pipelined(connections, window, end)?;
    }
    let (secs, answers) = (begin.elapsed().as_secs_f64(), load.answers - before);
    let again = load.ask_each(&mut resting);
    println!(
        "{{\"secs\":{secs:.3},\"answers\":{answers},\"qps\":{:.0},\"wrong\":{},\"broken\":{},\
         \"opened\":{},\"idle\":{idle},\"idle_answered\":{asked},\"idle_answered_again\":{again}}}",
        answers as f64 / secs,
        load.wrong,
        load.broken,
        load.opened,
    );
    Ok(())
}
