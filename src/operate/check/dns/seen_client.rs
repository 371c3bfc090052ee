//! What `_client.<apex>` says of who asked (docs/names.md, D.2).

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;

use super::client::code_name;

/// What was seen of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenClient {
    /// The source address.
    pub(super) source: String,
    /// The client subnet, or `none`.
    pub(super) subnet: String,
    /// The place, or `unknown`.
    pub(super) place: String,
}

/// The name below an apex.
pub(super) fn client_name(apex: &str) -> String {
    format!("_client.{apex}")
}

/// Reads an answer. The error is that it is another one.
pub(super) fn read(answer: &Message) -> Result<SeenClient, String> {
    let code = answer.metadata.response_code;
    if code != ResponseCode::NoError {
        return Err(code_name(code));
    }
    let texts = answer
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::TXT(text) => Some(text.to_string()),
            _ => None,
        });
    let seen = texts.filter_map(|text| {
        let part = |key: &str| {
            let mut parts = text.split(' ');
            let part = parts.find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
            part.map(str::to_owned)
        };
        Some(SeenClient {
            source: part("source")?,
            subnet: part("subnet")?,
            place: part("place")?,
        })
    });
    let mut seen = seen;
    seen.next().ok_or_else(|| "no such record".to_owned())
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::TXT;

    use super::*;

    #[test]
    fn an_answer_says_what_was_seen() {
        let text = "source=192.0.2.7 subnet=198.51.100.0/24 transport=udp place=member/m";
        let mut answer = Message::query();
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        let owner = "_client.example.com.".parse().unwrap();
        answer.answers.push(Record::from_rdata(owner, 0, data));
        let seen = SeenClient {
            source: "192.0.2.7".to_owned(),
            subnet: "198.51.100.0/24".to_owned(),
            place: "member/m".to_owned(),
        };
        assert_eq!(read(&answer), Ok(seen));
        answer.answers.clear();
        assert_eq!(read(&answer), Err("no such record".to_owned()));
        answer.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(read(&answer), Err("NXDOMAIN".to_owned()));
    }
}
