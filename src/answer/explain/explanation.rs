//! What an explanation says.

use std::net::IpAddr;

use hickory_proto::rr::RecordType;

use crate::names::Label;
use crate::snapshot::{Generation, Serial};
use crate::wire::NameBuf;

/// An answer and its reasons, all of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The name that was asked.
    pub name: NameBuf,
    /// The type that was asked.
    pub qtype: RecordType,
    /// Who asked.
    pub from: IpAddr,
    /// The snapshot.
    pub generation: Generation,
    /// Its SOA serial.
    pub serial: Serial,
    /// What the name is.
    pub subject: String,
    /// Where the client counts as standing, if the answer depends on it.
    pub vantage: Option<String>,
    /// The levels that were looked at, the one asked first.
    pub levels: Vec<LevelStep>,
    /// Every member of the federation, and its part in the answer.
    pub candidates: Vec<Candidate>,
    /// What else an operator should know.
    pub notes: Vec<String>,
    /// The signatures and the denials of the answer, a line each.
    pub signatures: Vec<String>,
    /// The response, as sent.
    pub response: Vec<u8>,
}

/// A level that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelStep {
    /// `global`, or the region or zone.
    pub level: String,
    /// Members eligible there.
    pub eligible: Vec<Label>,
    /// Members that answer from there; empty where the next level was tried.
    pub chosen: Vec<Label>,
}

/// A member's part in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The member.
    pub member: Label,
    /// Its state.
    pub state: String,
    /// Where it stands.
    pub place: String,
    /// Its addresses for clients outside.
    pub addresses: Vec<IpAddr>,
    /// Whether its addresses are in the answer.
    pub answers: bool,
    /// Why it answers, or was left out.
    pub reason: String,
    /// What that rests on beyond its facts: probes, conditions, drains, holds, each with its time.
    pub evidence: Vec<String>,
}
