//! Why an answer is what it is: the same functions, the same snapshot, and a trace that records.

mod evidence;
mod reasons;
mod text;

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, Query as Question};
use hickory_proto::rr::{Name, RecordType};

use super::classify::classify;
use super::respond::{Client, Transport, respond};
use super::sought::Sought;
use crate::decide::{Eligible, Lots, Spill, Trace};
use crate::model::{ListenerIdx, MemberIdx, MemberSet, UnixSeconds};
use crate::names::Label;
use crate::snapshot::{Generation, Serial, Snapshot};
use crate::vantage::{ClientPrefix, Vantage};
use crate::wire::{NameBuf, Qname};

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

/// Records a decision.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    /// Who was eligible.
    pub eligible: Option<Eligible>,
    /// Each level: who was eligible there, and who was chosen.
    pub levels: Vec<(MemberSet, MemberSet)>,
    /// Where the client stands, if that counts.
    pub vantage: Option<Vantage>,
    /// The time slot and the client prefix of lots, if some were drawn.
    pub lots: Option<(u64, ClientPrefix)>,
    /// What the nearest members cannot carry, if that is so.
    pub spill: Option<Spill>,
    /// The member that answers with its inside addresses.
    pub own: Option<MemberIdx>,
    /// The answer has not all records, as no message holds them.
    pub is_over_message: bool,
}

impl Trace for Recorder {
    fn eligible(&mut self, eligible: &Eligible) {
        self.eligible = Some(*eligible);
    }

    fn vantage(&mut self, vantage: &Vantage) {
        self.vantage = Some(*vantage);
    }

    fn lots<'l>(&mut self, lots: impl FnOnce() -> Lots<'l>) {
        let lots = lots();
        self.lots = Some((lots.slot, lots.prefix));
    }

    fn spill(&mut self, spill: &Spill) {
        self.spill = Some(*spill);
    }

    fn own(&mut self, member: MemberIdx) {
        self.own = Some(member);
    }

    fn over_message(&mut self) {
        self.is_over_message = true;
    }

    fn level(&mut self, _level: usize, eligible: MemberSet, chosen: MemberSet) {
        self.levels.push((eligible, chosen));
    }
}

/// Answers `name` as if asked over TCP from `from` at the time `now`, and says why. `listener` is the
/// DNS address that is asked, if it is bound to a member.
pub fn explain(
    snapshot: &Snapshot,
    name: &NameBuf,
    qtype: RecordType,
    (from, listener): (IpAddr, Option<ListenerIdx>),
    now: UnixSeconds,
) -> Explanation {
    let mut recorder = Recorder::default();
    let mut response = vec![0; usize::from(u16::MAX)];
    let client = Client {
        address: from,
        listener,
        transport: Transport::Tcp { idle: 0 },
        now,
    };
    let request = request(name, qtype);
    let length = respond(snapshot, &request, &client, &mut recorder, &mut response);
    response.truncate(length.unwrap_or(0));
    let qname = Qname::from_name(name);
    let subject = Sought::begin(snapshot, &qname)
        .map(|mut sought| (sought.apex, classify(snapshot, &mut sought)));
    let mut explanation = Explanation {
        name: name.clone(),
        qtype,
        from,
        generation: snapshot.generation(),
        serial: snapshot.serial(),
        subject: String::new(),
        vantage: recorder
            .vantage
            .map(|vantage| evidence::vantage(snapshot, vantage)),
        levels: Vec::new(),
        candidates: Vec::new(),
        notes: Vec::new(),
        response,
    };
    match subject {
        None => "outside every apex that is served here".clone_into(&mut explanation.subject),
        Some((apex, subject)) => {
            reasons::fill(
                &mut explanation,
                snapshot,
                apex,
                &qname,
                &subject,
                &recorder,
            );
        }
    }
    explanation
}

/// A request with EDNS, so that extended errors are shown.
fn request(name: &NameBuf, qtype: RecordType) -> Vec<u8> {
    let labels = name.labels().map(str::as_bytes);
    let name = Name::from_labels(labels).unwrap_or_default();
    let mut message = Message::query();
    message.add_query(Question::query(name, qtype));
    message.set_edns(Edns::new());
    message.metadata.id = 0;
    message.to_vec().unwrap_or_default()
}
