//! The query file: packets ready to send, each with the answer that a server of the static zone
//! gives and the one that a server gives which knows where clients are.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use crate::answers::{Section, record, rrtype, skip_name};

/// Octets of what is expected, after each packet.
const EXPECTED: usize = 1 + 2 * 9;

/// DO (RFC 3225) and CO (RFC 9824 section 5.1) in the first octet of an OPT record's flags.
const DO_AND_CO: u8 = 0xc0;

/// An OPT record without options, of 1,232 octets.
const OPT: [u8; 11] = [0, 0, 41, 4, 0xd0, 0, 0, DO_AND_CO, 0, 0, 0];

/// What a query should bring.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// The RCODE.
    pub rcode: u8,
    /// From the static zone.
    pub fixed: Section,
    /// From a server that steers.
    pub steered: Section,
}

/// What answers are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The static zone.
    Fixed,
    /// The static zone, of a chain its first CNAME alone: RFC 1034 lets resolvers ask for the rest.
    Unchased,
    /// A server that steers.
    Steered,
    /// The RCODE, and records where there are some.
    Some,
    /// Any answer to the question.
    Echo,
    /// NXDOMAIN, whatever is expected.
    Absent,
}

impl Expect {
    /// From its name.
    pub fn parse(name: &str) -> io::Result<Self> {
        match name {
            "fixed" => Ok(Self::Fixed),
            "unchased" => Ok(Self::Unchased),
            "steered" => Ok(Self::Steered),
            "some" => Ok(Self::Some),
            "echo" => Ok(Self::Echo),
            "absent" => Ok(Self::Absent),
            other => Err(io::Error::other(format!("--expect {other}"))),
        }
    }

    /// Whether an answer, as [`crate::answers::read`] gives it, is the expected one.
    #[inline]
    pub fn is_right(self, query: &Query, read: Option<(u8, Section)>) -> bool {
        let Some((rcode, section)) = read else {
            return false;
        };
        let expected = &query.expected;
        match self {
            Self::Fixed => rcode == expected.rcode && section == expected.fixed,
            Self::Unchased => {
                let is_alias = section.count == 1 && section.sum == record(rrtype::CNAME, &[]);
                rcode == expected.rcode && (is_alias || section == expected.fixed)
            }
            Self::Steered => rcode == expected.rcode && section == expected.steered,
            Self::Some => {
                let has_records = expected.fixed.count > 0;
                rcode == expected.rcode && (section.count > 0) == has_records
            }
            Self::Echo => rcode == 0 && section.count == 1,
            Self::Absent => rcode == 3 && section.count == 0,
        }
    }
}

/// Writes query files.
pub struct Writer(BufWriter<File>);

impl Writer {
    /// A new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(BufWriter::new(File::create(path)?)))
    }

    /// Adds a query.
    pub fn add(&mut self, packet: &[u8], expected: &Expected) -> io::Result<()> {
        self.0.write_all(&(packet.len() as u16).to_be_bytes())?;
        self.0.write_all(packet)?;
        self.0.write_all(&[expected.rcode])?;
        for section in [expected.fixed, expected.steered] {
            self.0.write_all(&[section.count])?;
            self.0.write_all(&section.sum.to_be_bytes())?;
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A query in [`Queries`].
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Where its packet starts.
    pub start: u32,
    /// Octets of its packet.
    pub length: u16,
    /// Octets of its question.
    pub question: u16,
    /// What it should bring.
    pub expected: Expected,
}

/// All queries of a file.
pub struct Queries {
    /// The file.
    pub octets: Vec<u8>,
    /// Where things are in it.
    pub list: Vec<Query>,
}

impl Queries {
    /// Reads a file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut octets = Vec::new();
        File::open(path)?.read_to_end(&mut octets)?;
        let mut list = Vec::new();
        let mut start = 0;
        while start < octets.len() {
            let query = query(&octets, start).ok_or(io::ErrorKind::InvalidData)?;
            start = query.start as usize + usize::from(query.length) + EXPECTED;
            list.push(query);
        }
        Ok(Self { octets, list })
    }

    /// Sets DO and CO in every query, with an OPT record where there is none.
    pub fn ask_for_signatures(&mut self) {
        let mut octets = Vec::with_capacity(self.octets.len() + self.list.len() * OPT.len());
        for query in &mut self.list {
            let start = query.start as usize;
            let packet = &self.octets[start..start + usize::from(query.length)];
            query.start = octets.len() as u32;
            octets.extend_from_slice(packet);
            let own = &mut octets[query.start as usize..];
            let opt = 12 + usize::from(query.question);
            if own.len() > opt {
                // Root, type, size, then the TTL field: response code, version, flags.
                own[opt + 7] |= DO_AND_CO;
            } else {
                own[11] = 1;
                octets.extend_from_slice(&OPT);
                query.length += OPT.len() as u16;
            }
        }
        self.octets = octets;
    }

    /// The question of a query: its name, type and class.
    #[inline]
    pub fn question(&self, query: &Query) -> &[u8] {
        let start = query.start as usize + 12;
        &self.octets[start..start + usize::from(query.question)]
    }
}

/// Reads one query.
fn query(octets: &[u8], start: usize) -> Option<Query> {
    let length = u16::from_be_bytes([*octets.get(start)?, *octets.get(start + 1)?]);
    let start = start + 2;
    let packet = octets.get(start..start + usize::from(length))?;
    let after_name = skip_name(packet.get(12..)?)?;
    let question = length - 12 - after_name.len() as u16 + 4;
    let tail = octets.get(start + usize::from(length)..)?.get(..EXPECTED)?;
    let section = |at: usize| {
        let sum = tail.get(at + 1..at + 9)?.try_into().ok()?;
        Some(Section {
            count: tail[at],
            sum: u64::from_be_bytes(sum),
        })
    };
    Some(Query {
        start: start as u32,
        length,
        question,
        expected: Expected {
            rcode: tail[0],
            fixed: section(1)?,
            steered: section(10)?,
        },
    })
}
