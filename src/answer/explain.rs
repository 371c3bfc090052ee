//! Why an answer is what it is: the same functions, the same snapshot, and a trace that records.

mod evidence;
mod explanation;
mod limited;
mod reasons;
mod recorder;
mod signed;
mod static_reasons;
mod text;

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query as Question};
use hickory_proto::rr::{Name, RecordType};

use super::classify::classify;
use super::lookup::Lookup;
use super::reply::{Client, Transport};
use super::respond::Prepared;
use super::signature_notes::SignatureNotes;
use super::signing::Signatures;
use crate::model::{ListenerIdx, UnixSeconds};
use crate::snapshot::Snapshot;
use crate::wire::{NameBuf, Qname};
pub use explanation::{Candidate, Explanation, LevelStep};
pub use recorder::Recorder;

/// Answers `name` as if asked over TCP from `from` at the time `now`, and says why. `listener` is the
/// DNS address that is asked, if it is bound to a member. With `signatures` it is asked with DO where anything
/// is signed, and what is not signed yet is; without them, apexes that are signed answer as if they were not.
pub fn explain(
    snapshot: &Snapshot,
    name: &NameBuf,
    qtype: RecordType,
    (from, listener): (IpAddr, Option<ListenerIdx>),
    now: UnixSeconds,
    signatures: Option<&SignatureNotes<'_>>,
) -> Explanation {
    let signatures = signatures.filter(|_| snapshot.is_any_signed());
    let mut recorder = Recorder::default();
    let mut response = vec![0; usize::from(u16::MAX)];
    let client = Client {
        address: from,
        listener,
        transport: Transport::Tcp { idle: 0 },
        cookie: None,
        now,
        elapsed: Duration::ZERO,
    };
    let request = request(name, qtype, signatures.is_some());
    let mut qname = Qname::new();
    let mut prepared = Prepared::new(snapshot, &request, &mut qname);
    let source = signatures.map_or(Signatures::None, Signatures::Noted);
    let answered = prepared.complete(&client, source, &mut recorder, &mut response);
    response.truncate(answered.outcome.length().unwrap_or(0));
    let notes = limited::note(snapshot, from, &prepared.rated(&answered));
    let qname = Qname::from_name(name);
    let subject = Lookup::begin(snapshot, &qname)
        .map(|mut lookup| (lookup.apex, classify(snapshot, &qname, &mut lookup)));
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
        notes: notes.into_iter().collect(),
        signatures: signatures
            .map(|notes| signed::lines(&response, notes, now))
            .unwrap_or_default(),
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
fn request(name: &NameBuf, qtype: RecordType, wants_signatures: bool) -> Vec<u8> {
    let labels = name.labels().map(str::as_bytes);
    let name = Name::from_labels(labels).unwrap_or_default();
    let mut message = Message::query();
    message.add_query(Question::query(name, qtype));
    let mut edns = Edns::new();
    edns.set_dnssec_ok(wants_signatures);
    message.set_edns(edns);
    message.metadata.id = 0;
    message.to_vec().unwrap_or_default()
}
