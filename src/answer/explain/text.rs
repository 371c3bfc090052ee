//! An explanation as text: reasons first, then the response as `dig` would show it.

use std::fmt;

use hickory_proto::op::{Edns, Message};
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::opt::EdnsOption;

use super::explanation::{Candidate, Explanation};
use crate::names::Label;
use crate::wire::rrtype;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} asked from {}", self.name, self.qtype, self.from)?;
        writeln!(
            f,
            "generation {}, serial {}",
            self.generation.0, self.serial.0
        )?;
        writeln!(f, "this is {}", self.subject)?;
        if let Some(vantage) = &self.vantage {
            writeln!(f, "the client is {vantage}")?;
        }
        for step in &self.levels {
            let eligible = list(&step.eligible);
            if step.chosen.is_empty() {
                writeln!(f, "  {}: no eligible member", step.level)?;
            } else {
                writeln!(
                    f,
                    "  {}: eligible {eligible}; answers {}",
                    step.level,
                    list(&step.chosen)
                )?;
            }
        }
        if !self.candidates.is_empty() {
            writeln!(f, "\nmembers")?;
        }
        let width = |text: fn(&Candidate) -> usize| self.candidates.iter().map(text).max();
        let member = width(|candidate| candidate.member.as_str().len()).unwrap_or(0);
        let place = width(|candidate| candidate.place.len()).unwrap_or(0);
        for candidate in &self.candidates {
            let mark = if candidate.answers { '*' } else { ' ' };
            let addresses: Vec<_> = candidate
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect();
            write!(
                f,
                "{mark} {:member$}  {:place$}  ",
                candidate.member.as_str(),
                candidate.place
            )?;
            write!(f, "{}: {}", candidate.state, candidate.reason)?;
            if addresses.is_empty() {
                writeln!(f)?;
            } else {
                writeln!(f, " ({})", addresses.join(", "))?;
            }
            for line in &candidate.evidence {
                writeln!(f, "    {line}")?;
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for line in &self.signatures {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        match Message::from_vec(&self.response) {
            Ok(message) => dig(f, &message),
            Err(error) => writeln!(f, ";; no response: {error}"),
        }
    }
}

fn list(members: &[Label]) -> String {
    members
        .iter()
        .map(Label::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Prints a message in the layout of `dig`.
fn dig(f: &mut fmt::Formatter<'_>, message: &Message) -> fmt::Result {
    let header = &message.metadata;
    let flags = [
        (true, "qr"),
        (header.authoritative, "aa"),
        (header.truncation, "tc"),
        (header.recursion_desired, "rd"),
    ];
    let flags: Vec<_> = flags
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, flag)| *flag)
        .collect();
    let code = format!("{:?}", header.response_code).to_uppercase();
    writeln!(f, ";; status: {code}, flags: {}", flags.join(" "))?;
    if let Some(edns) = &message.edns {
        extended_errors(f, edns)?;
    }
    section(f, "ANSWER", &message.answers)?;
    section(f, "AUTHORITY", &message.authorities)?;
    section(f, "ADDITIONAL", &message.additionals)
}

/// Prints the extended DNS errors (RFC 8914).
fn extended_errors(f: &mut fmt::Formatter<'_>, edns: &Edns) -> fmt::Result {
    for (code, option) in &edns.options().options {
        if let (15, EdnsOption::Unknown(_, content)) = (u16::from(*code), option)
            && let Some((code, text)) = content.split_first_chunk::<2>()
        {
            let text = String::from_utf8_lossy(text);
            writeln!(f, ";; EDE: {} {text}", u16::from_be_bytes(*code))?;
        }
    }
    Ok(())
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, records: &[Record]) -> fmt::Result {
    if records.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n;; {name} SECTION:")?;
    for record in records {
        let (owner, kind) = (&record.name, record.record_type());
        // They have lines of their own.
        if matches!(u16::from(kind), rrtype::RRSIG | rrtype::NSEC) {
            continue;
        }
        writeln!(f, "{owner}\t{}\tIN\t{kind}\t{}", record.ttl, record.data)?;
    }
    Ok(())
}
