//! Replies to what is no query.

use hickory_proto::op::{MessageType, OpCode, ResponseCode};

use super::*;

/// The reply to a request that is rejected.
fn reply(octets: &[u8]) -> Option<Vec<u8>> {
    let rejected = Query::parse(octets, &mut Qname::new()).expect_err("a request to reject");
    let mut out = [0xee; 512];
    let length = reject(octets, rejected, &mut out)?;
    Some(out[..length].to_vec())
}

/// Code, operation, whether there is a question, and the DO bit of the OPT record if there is one.
fn summary(octets: &[u8]) -> (ResponseCode, OpCode, bool, Option<bool>) {
    let message = decoded(&reply(octets).unwrap());
    assert_eq!(message.metadata.id, 0x1234);
    assert_eq!(message.metadata.message_type, MessageType::Response);
    assert!(!message.metadata.authoritative && !message.metadata.recursion_available);
    let code = message.metadata.response_code;
    let edns = message.edns.map(|edns| edns.flags().dnssec_ok);
    (
        code,
        message.metadata.op_code,
        !message.queries.is_empty(),
        edns,
    )
}

#[test]
fn responses_and_fragments_get_no_reply() {
    assert_eq!(reply(&[0; 11]), None);
    assert_eq!(
        reply(&request([0x80, 0], [1, 0, 0, 0], &question("a", 1))),
        None
    );
}

#[test]
fn replies_echo_what_could_be_read() {
    let name = question("a.example.com", rrtype::A);
    let opt = opt(1232, &[]);
    let check = |flags, counts, body: &[&[u8]], expected| {
        let request = request(flags, counts, &body.concat());
        assert_eq!(summary(&request), expected, "{flags:?} {counts:?} {body:?}");
    };
    let formerr = |question, edns| (ResponseCode::FormErr, OpCode::Query, question, edns);
    check([0, 0], [0, 0, 0, 0], &[], formerr(false, None));
    check([0, 0], [2, 0, 0, 0], &[&name, &name], formerr(false, None));
    check(
        [0, 0],
        [1, 0, 0, 0],
        &[b"\xc0\x0c\0\x01\0\x01"],
        formerr(false, None),
    );
    check([0, 0], [1, 0, 0, 0], &[&name, b"\0"], formerr(true, None));
    check(
        [0, 0],
        [1, 0, 0, 2],
        &[&name, &opt, &opt],
        formerr(true, None),
    );
    check([0, 0], [1, 0, 0, 2], &[&name, &opt], formerr(true, None));
    check(
        [0, 0],
        [1, 0, 0, 1],
        &[&name, &opt, b"\0"],
        formerr(true, Some(true)),
    );
    let refused = (ResponseCode::Refused, OpCode::Notify, true, Some(true));
    check([0x20, 0], [1, 0, 0, 1], &[&name, &opt], refused);
    let notimp = (ResponseCode::NotImp, OpCode::Status, true, None);
    check([0x10, 0], [1, 0, 0, 0], &[&name], notimp);
    let update = (ResponseCode::NotImp, OpCode::Update, false, None);
    check([0x28, 0], [0, 0, 0, 0], &[], update);
}

#[test]
fn wrong_client_subnet_keeps_the_opt_record() {
    let request = with_opt("a", rrtype::A, 4096, &option(8, &[0, 9, 0, 0]));
    let expected = (ResponseCode::FormErr, OpCode::Query, true, Some(true));
    assert_eq!(summary(&request), expected);
}

#[test]
fn bad_version_is_said_with_version_0() {
    let mut request = with_opt("a", rrtype::A, 4096, &[]);
    let at = request.len() - 5;
    request[at] = 9;
    let message = decoded(&reply(&request).unwrap());
    assert_eq!(u16::from(message.metadata.response_code), 16);
    assert!(message.answers.is_empty() && message.queries.len() == 1);
    let edns = message.edns.unwrap();
    assert_eq!((edns.version(), edns.max_payload()), (0, 1232));
}

#[test]
fn only_rd_and_cd_are_copied() {
    let reply = reply(&request([0x27, 0xff], [1, 0, 0, 0], &question("aB", 6))).unwrap();
    assert_eq!(reply[..4], [0x12, 0x34, 0xa1, 0x15]);
    assert_eq!(reply[12..], question("aB", 6));
}

#[test]
fn nothing_is_sent_where_nothing_fits() {
    let request = request([0x20, 0], [1, 0, 0, 0], &question("a", 6));
    for length in 0..19 {
        assert_eq!(
            reject(&request, Reject::Refused, &mut vec![0; length]),
            None
        );
    }
    assert_eq!(reject(&request, Reject::Refused, &mut [0; 19]), Some(19));
}
