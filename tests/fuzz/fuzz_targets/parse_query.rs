//! Any octets are parsed or rejected as a plain reading of the message says, and what is sent back
//! decodes, with the question and the id of what was asked.
#![no_main]

mod decode;
#[path = "parse_query/judge.rs"]
mod judge;

use decode::decode;
use gazetteer::wire::{
    EdeList, OptReply, Owner, Qname, Query, Reject, ResponseWriter, NameParts, ede, reject, udp_limit,
};
use judge::Reading;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &[u8]| {
    let mut qname = Qname::new();
    let mut out = [0; 1232];
    let reading = Reading::of(request);
    let length = match Query::parse(request, &mut qname) {
        Err(rejected) => {
            reading.assert_rejected(rejected);
            reject(request, rejected, &mut out)
        }
        Ok(query) => {
            reading.assert_accepted(&query, &qname);
            Some(answer(&query, &qname, &mut out))
        }
    };
    let is_silent = matches!(reading, Reading::Rejected(Reject::Silent, _));
    let Some(length) = length else {
        assert!(is_silent, "a request without a reply");
        return;
    };
    assert!(!is_silent, "a reply to what is no request");
    let response = &out[..length];
    assert_eq!(response[..2], request[..2], "another id");
    assert_ne!(response[2] & 0x80, 0, "no response");
    assert_eq!(
        response[2] & 0x79,
        request[2] & 0x79,
        "another operation or RD"
    );
    let code = match reading {
        Reading::Rejected(Reject::FormErr | Reject::NoQuestion, _) => 1,
        Reading::Rejected(Reject::NotImp, _) => 4,
        Reading::Rejected(Reject::Refused, _) => 5,
        Reading::Rejected(Reject::BadKey, _) => 9,
        // BADVERS has its one bit in the OPT record.
        Reading::Rejected(Reject::BadVers | Reject::Silent, _) | Reading::Query(..) => 0,
    };
    assert_eq!(response[3] & 0x0f, code, "another response code");
    if response[5] == 1 {
        let question = reading.question().expect("an echo of no question");
        assert_eq!(
            &response[12..12 + question.len()],
            question,
            "another question"
        );
    }
    decode(response);
});

/// Writes a chain and addresses, every label of the name taken apart and put together again.
fn answer(query: &Query<'_>, qname: &Qname, out: &mut [u8]) -> usize {
    let labels = qname.label_count();
    let octets: usize = (0..labels).map(|label| 1 + qname.label(label).len()).sum();
    assert_eq!(octets + 1, qname.as_wire().len());
    assert!(query.question[..=octets].eq_ignore_ascii_case(qname.as_wire()));

    let limit = udp_limit(query);
    let mut writer = ResponseWriter::new(out, limit, query);
    let middle = usize::from(query.id) % (labels + 1);
    let mut owner = Owner::QUESTION;
    if middle > 0 {
        let end = query.suffix_owner(qname, middle);
        let whole = [
            qname.between(1, middle),
            &qname.suffix(middle)[..octets_of(qname, middle)],
        ];
        let target = match end {
            Some(_) => NameParts::new([qname.between(1, middle)], end),
            None => NameParts::new(whole, None),
        };
        owner = writer.cname(owner, 30, &target);
    }
    let mark = writer.mark();
    for octet in query.question.iter().take(9) {
        if !writer.contains_rdata(mark, 16, &[192, 0, 2, *octet]) {
            writer.a(owner, 30, [192, 0, 2, *octet].into());
        }
    }
    writer.rotate(mark, 16, usize::from(query.qtype));
    writer.begin_additional();
    let name = writer.owner_name(&NameParts::below(b"\x01x", b"\x07example\0"));
    writer.srv(name, 30, 0, 0, 1, &NameParts::from(owner));

    let mut list = EdeList::default();
    list.push(ede::STALE_ANSWER, "held");
    let opt = query.edns.map(|edns| OptReply {
        nsid: edns.nsid_requested.then_some(b"name".as_slice()),
        keepalive: edns.keepalive_requested.then_some(300),
        zone_version: edns.zone_version_requested.then_some((2, 7)),
        client_subnet: edns
            .client_subnet
            .map(|subnet| (subnet, subnet.source_prefix)),
        ede: &list,
        ..OptReply::new(&edns)
    });
    let length = writer.finish(opt.as_ref());
    assert!(length <= limit, "{length} over {limit}");
    length
}

/// Octets of the labels from `index` on, without the root.
fn octets_of(qname: &Qname, index: usize) -> usize {
    qname.suffix(index).len().saturating_sub(1)
}
