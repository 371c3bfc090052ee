//! What is written decodes to what was meant.

use hickory_proto::rr::{RData, RecordType};

use super::*;

#[test]
fn chain_points_back_into_the_question() {
    let request = plain("s.n.f.svc.z.r.example.com", rrtype::A);
    let mut qname = Qname::new();
    let query = Query::parse(&request, &mut qname).unwrap();
    let mut out = [0; 1232];
    let mut writer = ResponseWriter::new(&mut out, udp_limit(&query), &query);
    let region = query.suffix_owner(&qname, 5);
    let target = NameParts::new([qname.between(0, 4)], region);
    let owner = writer.cname(Owner::QUESTION, 30, &target);
    let mark = writer.mark();
    for last in 1..=3 {
        writer.a(owner, 30, [192, 0, 2, last].into());
    }
    assert!(writer.contains_rdata(mark, 16, &[192, 0, 2, 3]));
    assert!(!writer.contains_rdata(mark, 16, &[192, 0, 2, 4]));
    writer.rotate(mark, 16, 1);
    let length = writer.finish(None);
    let message = decoded(&out[..length]);
    let records: Vec<String> = message.answers.iter().map(ToString::to_string).collect();
    assert_eq!(
        records,
        [
            "s.n.f.svc.z.r.example.com. 30 IN CNAME s.n.f.svc.r.example.com.",
            "s.n.f.svc.r.example.com. 30 IN A 192.0.2.2",
            "s.n.f.svc.r.example.com. 30 IN A 192.0.2.3",
            "s.n.f.svc.r.example.com. 30 IN A 192.0.2.1",
        ]
    );
    assert!(matches!(message.answers[0].data, RData::CNAME(_)));
    assert_eq!(message.answers[1].record_type(), RecordType::A);
}

/// Runs `write` on a query and returns the decoded response.
fn written(name: &str, write: impl FnOnce(&Query<'_>, &Qname, &mut ResponseWriter<'_>)) -> Message {
    let request = plain(name, rrtype::A);
    let mut qname = Qname::new();
    let query = Query::parse(&request, &mut qname).unwrap();
    let mut out = [0xee; 1232];
    let mut writer = ResponseWriter::new(&mut out, 1232, &query);
    write(&query, &qname, &mut writer);
    let length = writer.finish(None);
    decoded(&out[..length])
}

#[test]
fn flags_are_set_and_copied() {
    let check = |flags: [u8; 2], expected: [u8; 2]| {
        let request = request(flags, [1, 0, 0, 0], &question("aB", 1));
        let query = Query::parse(&request, &mut Qname::new()).map(|query| {
            let mut out = [0xee; 512];
            let mut writer = ResponseWriter::new(&mut out, 512, &query);
            writer.set_rcode(rcode::NXDOMAIN);
            assert_eq!(writer.finish(None), request.len());
            out[..request.len()].to_vec()
        });
        let response = query.unwrap();
        assert_eq!(response[..4], [0x12, 0x34, expected[0], expected[1]]);
        assert_eq!(response[4..12], [0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(response[12..], request[12..]);
    };
    check([0, 0], [0x84, 3]);
    check([1, 0], [0x85, 3]);
    check([7, 0xff], [0x85, 0x13]);
    let message = written("a", |_, _, writer| writer.set_authoritative(false));
    assert!(!message.metadata.authoritative);
}

#[test]
fn owner_name_is_written_once_and_pointed_to() {
    let message = written("A.example.com", |_, qname, writer| {
        writer.begin_authority();
        let apex = writer.owner_name(&NameParts::name(qname.suffix(1)));
        let name_server = writer.ns(apex, 60, &NameParts::new([b"\x03ns1"], Some(apex)));
        writer.ns(apex, 60, &NameParts::new([b"\x03ns2"], Some(apex)));
        writer.begin_additional();
        writer.a(name_server, 60, [192, 0, 2, 1].into());
        let other = writer.owner_name(&NameParts::below(b"\x02n3", qname.suffix(1)));
        let mark = writer.mark();
        for last in 1..=3 {
            writer.a(other, 60, [192, 0, 2, last].into());
        }
        assert!(writer.contains_rdata(mark, 16, &[192, 0, 2, 1]));
        writer.rotate(mark, 16, 2);
    });
    assert_eq!(
        texts(&message.authorities),
        [
            "example.com. 60 IN NS ns1.example.com.",
            "example.com. 60 IN NS ns2.example.com."
        ]
    );
    assert_eq!(
        texts(&message.additionals),
        [
            "ns1.example.com. 60 IN A 192.0.2.1",
            "n3.example.com. 60 IN A 192.0.2.3",
            "n3.example.com. 60 IN A 192.0.2.1",
            "n3.example.com. 60 IN A 192.0.2.2",
        ]
    );
}

#[test]
fn owner_names_without_a_record_are_taken_back() {
    let message = written("a.example.com", |_, _, writer| {
        writer.owner_name(&NameParts::name(b"\x03one\0"));
        let two = writer.owner_name(&NameParts::name(b"\x03two\0"));
        writer.a(Owner::QUESTION, 1, [192, 0, 2, 1].into());
        writer.begin_additional();
        writer.owner_name(&NameParts::name(b"\x05three\0"));
        assert_eq!(two, Owner::QUESTION.skip(wire("a.example.com").len() + 4));
    });
    assert_eq!(texts(&message.answers), ["a.example.com. 1 IN A 192.0.2.1"]);
    assert!(message.additionals.is_empty());
}

#[test]
fn root_can_own_records() {
    let message = written("a", |_, _, writer| {
        writer.a(Owner::QUESTION, 1, [192, 0, 2, 9].into());
        let root = writer.owner_name(&NameParts::name(b"\0"));
        let mark = writer.mark();
        writer.a(root, 1, [192, 0, 2, 1].into());
        writer.a(root, 1, [192, 0, 2, 2].into());
        writer.rotate(mark, 16, 1);
    });
    let expected = [
        "a. 1 IN A 192.0.2.9",
        ". 1 IN A 192.0.2.2",
        ". 1 IN A 192.0.2.1",
    ];
    assert_eq!(texts(&message.answers), expected);
}

#[test]
fn srv_targets_have_no_pointers() {
    let mut answers = None;
    let message = written("_http._tcp.s.example.com", |query, qname, writer| {
        let apex = query.suffix_owner(qname, 3);
        let mark = writer.mark();
        let target = writer.srv(
            Owner::QUESTION,
            5,
            0,
            100,
            80,
            &NameParts::new([b"\x01s"], apex),
        );
        writer.srv(Owner::QUESTION, 5, 1, 2, 3, &NameParts::from(target));
        answers = Some(writer.records_since(mark, 12 + 6 + wire("s.example.com").len()));
    });
    assert_eq!(answers, Some(2), "both have whole names");
    assert_eq!(
        texts(&message.answers),
        [
            "_http._tcp.s.example.com. 5 IN SRV 0 100 80 s.example.com.",
            "_http._tcp.s.example.com. 5 IN SRV 1 2 3 s.example.com.",
        ]
    );
}

#[test]
fn long_texts_are_cut_into_strings() {
    for length in [0, 1, 255, 256, 510, 511] {
        let text = vec![b'x'; length];
        let message = written("a", |_, _, writer| writer.txt(Owner::QUESTION, 1, &text));
        let RData::TXT(txt) = &message.answers[0].data else {
            panic!("{message}");
        };
        assert_eq!(txt.txt_data.concat(), text);
        assert_eq!(txt.txt_data.len(), length.div_ceil(255).max(1));
    }
}

#[test]
fn rotation_takes_any_number() {
    for by in 0..12 {
        let message = written("a", |_, _, writer| {
            let mark = writer.mark();
            writer.rotate(mark, 28, by);
            for last in 0..5 {
                writer.aaaa(Owner::QUESTION, 1, [0, 0, 0, 0, 0, 0, 0, last].into());
            }
            writer.rotate(mark, 28, by);
            assert_eq!(writer.records_since(mark, 28), 5);
            assert_eq!(writer.count(), 5);
        });
        let RData::AAAA(first) = message.answers[0].data else {
            panic!("{message}");
        };
        assert_eq!(usize::from(first.octets()[15]), by % 5);
    }
}
