//! How one query is answered, in a form for programs and for people.

use std::net::IpAddr;

use hickory_proto::rr::RecordType;
use serde::{Deserialize, Serialize};

use super::error::QuestionError;
use crate::answer::{self, Candidate, LevelStep, SignatureNotes};
use crate::dnssec::SignatureTable;
use crate::model::{ListenerIdx, Shown, UnixSeconds};
use crate::names::Label;
use crate::snapshot::Snapshot;
use crate::telemetry::clock;
use crate::wire::NameBuf;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name.
    pub name: NameBuf,
    /// The type.
    pub qtype: RecordType,
    /// The client.
    pub from: IpAddr,
    /// The member whose listener is asked (`listen.dns`); `None` is an address that is bound to
    /// none.
    pub listener: Option<Label>,
}

impl Question {
    /// Reads a query as a person writes it: a type is a mnemonic in either case, or `TYPE` and a
    /// number (RFC 3597 section 5).
    pub fn new(
        name: &str,
        qtype: &str,
        from: IpAddr,
        listener: Option<&str>,
    ) -> Result<Self, QuestionError> {
        let read = name.parse().map_err(|problem| QuestionError::Name {
            name: name.to_owned(),
            problem,
        })?;
        let upper = qtype.to_ascii_uppercase();
        let number = upper
            .strip_prefix("TYPE")
            .and_then(|number| number.parse::<u16>().ok());
        let unknown = || QuestionError::Type {
            qtype: qtype.to_owned(),
        };
        let qtype = match number {
            Some(number) => RecordType::from(number),
            None => upper.parse().map_err(|_| unknown())?,
        };
        let member = |text: &str| {
            text.parse().map_err(|problem| QuestionError::Member {
                name: text.to_owned(),
                problem,
            })
        };
        Ok(Self {
            name: read,
            qtype,
            from,
            listener: listener.map(member).transpose()?,
        })
    }
}

/// An answer and its reasons, as `/v1/explain` and `gazetteer explain -o json` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The name that was asked.
    pub name: String,
    /// The type that was asked.
    #[serde(rename = "type")]
    pub qtype: String,
    /// Who asked.
    pub from: IpAddr,
    /// The member whose listener was asked, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The generation of the snapshot.
    pub generation: u64,
    /// Its SOA serial.
    pub serial: u32,
    /// What the name is.
    pub subject: String,
    /// The levels that were looked at, the one asked first.
    pub levels: Vec<ExplainedLevel>,
    /// Every member of the federation.
    pub members: Vec<MemberPart>,
    /// What else an operator should know.
    pub notes: Vec<String>,
    /// The signatures and the denials of the answer, a line each.
    #[serde(default)]
    pub signatures: Vec<String>,
    /// The octets of the response, in hexadecimal.
    pub response: String,
    /// All of this for people.
    pub text: String,
}

/// A level that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedLevel {
    /// `global`, or the region or zone.
    pub level: String,
    /// Members eligible there.
    pub eligible: Vec<String>,
    /// Members that answer from there.
    pub chosen: Vec<String>,
}

/// A member's part in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPart {
    /// The member.
    pub name: String,
    /// Its state.
    pub status: String,
    /// Where it stands.
    pub place: String,
    /// Its addresses for clients outside.
    pub addresses: Vec<IpAddr>,
    /// Whether its addresses are in the answer.
    pub answers: bool,
    /// Why it answers, or was left out.
    pub reason: String,
    /// What that rests on beyond its facts: probes, conditions, drains, holds, each with its time.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// Answers a question from a snapshot as of the time `now`, and says why: by the code that answers
/// queries, with signatures from a table of them or made for it, if there is one. Fails when it is to be asked at a listener that there is not.
pub fn explain(
    snapshot: &Snapshot,
    question: &Question,
    now: UnixSeconds,
    signatures: Option<&SignatureTable>,
) -> Result<Explained, QuestionError> {
    let Question {
        name, qtype, from, ..
    } = question;
    let listener = question.listener.as_ref();
    let at = listener
        .map(|member| listener_of(snapshot, member))
        .transpose()?;
    let signatures = signatures.map(|table| SignatureNotes::new(table, clock::elapsed));
    let client = (*from, at);
    let mut explanation = answer::explain(snapshot, name, *qtype, client, now, signatures.as_ref());
    for candidate in &mut explanation.candidates {
        for line in &mut candidate.evidence {
            *line = Shown(line).to_string();
        }
    }
    let mut text = explanation.to_string();
    if let Some(member) = listener {
        text = format!("asked at the listener of {member}\n{text}");
    }
    let octets = explanation.response.iter();
    let octets: Vec<_> = octets.map(|octet| format!("{octet:02x}")).collect();
    Ok(Explained {
        name: explanation.name.to_string(),
        qtype: explanation.qtype.to_string(),
        from: explanation.from,
        listener: listener.map(ToString::to_string),
        generation: explanation.generation.0,
        serial: explanation.serial.0,
        subject: explanation.subject,
        levels: explanation
            .levels
            .into_iter()
            .map(ExplainedLevel::from)
            .collect(),
        members: explanation
            .candidates
            .into_iter()
            .map(MemberPart::from)
            .collect(),
        notes: explanation.notes,
        signatures: explanation.signatures,
        response: octets.concat(),
        text,
    })
}

/// The listener that is bound to a member.
fn listener_of(snapshot: &Snapshot, member: &Label) -> Result<ListenerIdx, QuestionError> {
    let of = |index| snapshot.vantages().listener_of(index);
    let members = || snapshot.fleet().members.iter();
    let mut named = members().filter(|(_, other)| other.name == *member);
    let found = named.next().and_then(|(index, _)| of(index));
    found.ok_or_else(|| QuestionError::NoListener {
        member: member.clone(),
        bound: members()
            .filter(|(index, _)| of(*index).is_some())
            .map(|(_, member)| member.name.clone())
            .collect(),
    })
}

impl From<LevelStep> for ExplainedLevel {
    fn from(step: LevelStep) -> Self {
        Self {
            level: step.level,
            eligible: step.eligible.iter().map(ToString::to_string).collect(),
            chosen: step.chosen.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<Candidate> for MemberPart {
    fn from(candidate: Candidate) -> Self {
        Self {
            name: candidate.member.to_string(),
            status: candidate.state,
            place: candidate.place,
            addresses: candidate.addresses,
            answers: candidate.answers,
            reason: candidate.reason,
            evidence: candidate.evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_names_in_either_case_or_numbers() {
        let from = IpAddr::from([127, 0, 0, 1]);
        let check = |qtype: &str, number: Option<u16>| {
            let read = Question::new("a.example.com", qtype, from, None);
            assert_eq!(
                read.ok().map(|read| u16::from(read.qtype)),
                number,
                "{qtype}"
            );
        };
        check("a", Some(1));
        check("AAAA", Some(28));
        check("any", Some(255));
        check("type65280", Some(65280));
        check("https", Some(65));
        check("nonsense", None);
        check("TYPE65536", None);
        assert!(Question::new("a..b", "A", from, None).is_err());
        assert!(Question::new("a.b", "A", from, Some("no member")).is_err());
    }
}
