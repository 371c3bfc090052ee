//! Tests of the room, and what they share: requests by hand, responses read by another decoder.

mod finish;
mod property;
mod query;
mod reject;
mod response;

use hickory_proto::op::Message;

use super::*;

/// A request by hand: header counts, then octets.
pub(crate) fn request(flags: [u8; 2], counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, flags[0], flags[1]];
    octets.extend(counts.into_iter().flat_map(u16::to_be_bytes));
    octets.extend(body);
    octets
}

/// A name as given, without lower-casing, in wire form.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.bytes());
    }
    octets.push(0);
    octets
}

/// The question of a name, class IN.
pub(crate) fn question(name: &str, qtype: u16) -> Vec<u8> {
    let mut octets = wire(name);
    octets.extend(qtype.to_be_bytes());
    octets.extend(class::IN.to_be_bytes());
    octets
}

/// An OPT record with a UDP size, DO, and options.
pub(crate) fn opt(size: u16, options: &[u8]) -> Vec<u8> {
    let mut octets = vec![0, 0, 41];
    octets.extend(size.to_be_bytes());
    octets.extend([0, 0, 0x80, 0]);
    octets.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
    octets.extend(options);
    octets
}

/// A plain query without EDNS.
pub(crate) fn plain(name: &str, qtype: u16) -> Vec<u8> {
    request([1, 0], [1, 0, 0, 0], &question(name, qtype))
}

/// What another implementation reads.
pub(crate) fn decoded(octets: &[u8]) -> Message {
    Message::from_vec(octets).expect("a message that decodes")
}

/// One EDNS option.
pub(crate) fn option(code: u16, content: &[u8]) -> Vec<u8> {
    let mut octets = code.to_be_bytes().to_vec();
    octets.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    octets.extend(content);
    octets
}

/// A query with one OPT record that holds `options`.
pub(crate) fn with_opt(name: &str, qtype: u16, size: u16, options: &[u8]) -> Vec<u8> {
    let body = [question(name, qtype), opt(size, options)].concat();
    request([1, 0], [1, 0, 0, 1], &body)
}

/// Records as text, one each.
pub(crate) fn texts(records: &[hickory_proto::rr::Record]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}
