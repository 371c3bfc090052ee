//! What is left out when not everything fits.

use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use std::sync::LazyLock;

use super::*;

/// A response to a query for `s.example.com` with so many records and a limit.
fn written(limit: usize, answers: u8, additionals: u8, opt: Option<&OptReply<'_>>) -> Message {
    let request = with_opt("s.example.com", rrtype::A, 1232, &[]);
    let mut qname = Qname::new();
    let query = Query::parse(&request, &mut qname).unwrap();
    let mut out = [0xee; 2000];
    let mut writer = ResponseWriter::new(&mut out, limit, &query);
    for last in 0..answers {
        writer.a(Owner::QUESTION, 1, [192, 0, 2, last].into());
    }
    writer.begin_additional();
    for last in 0..additionals {
        writer.a(Owner::QUESTION, 1, [198, 51, 100, last].into());
    }
    let length = writer.finish(opt);
    assert!(length <= limit, "{length} over {limit}");
    assert!(
        out[limit..].iter().all(|octet| *octet == 0xee),
        "wrote over {limit}"
    );
    decoded(&out[..length])
}

/// Octets of header and question.
const START: usize = 12 + 15 + 4;

/// Octets of an OPT record without options.
const OPT: usize = 11;

/// A reply with all options.
fn full() -> OptReply<'static> {
    static ERRORS: LazyLock<EdeList<'static>> = LazyLock::new(|| {
        let mut errors = EdeList::default();
        errors.push(ede::STALE_ANSWER, "held");
        errors.push(ede::OTHER, "fence");
        errors.push(ede::OTHER, "again");
        errors
    });
    let client_subnet = ClientSubnet {
        family: 1,
        source_prefix: 20,
        address: [192, 0, 0x20, 0].into(),
    };
    OptReply {
        dnssec_ok: true,
        compact_ok: false,
        cookie: None,
        zone_version: None,
        report_channel: None,
        udp_size: 1232,
        extended_rcode: 0,
        nsid: Some(b"ns"),
        keepalive: Some(300),
        client_subnet: Some((client_subnet, 24)),
        ede: &ERRORS,
    }
}

/// Octets of the options of [`full`], and of the texts in it.
const OPTIONS: usize = 6 + 6 + 11 + 10 + 11;
const TEXTS: usize = 9;

/// Answers, additionals, TC, and octets of options if there is an OPT record.
fn summary(message: &Message) -> (usize, usize, bool, Option<usize>) {
    let options = message.edns.as_ref().map(|edns| {
        let options = edns.options().options.iter();
        options
            .map(|(_, option)| 4 + usize::from(option.len()))
            .sum()
    });
    let truncated = message.metadata.truncation;
    (
        message.answers.len(),
        message.additionals.len(),
        truncated,
        options,
    )
}

#[test]
fn exact_limits_decide_what_is_left_out() {
    let opt = full();
    let check = |limit, answers, additionals, expected| {
        let message = written(limit, answers, additionals, Some(&opt));
        assert_eq!(summary(&message), expected, "limit {limit}");
    };
    let all = START + 16 * 5 + OPT + OPTIONS;
    check(all, 3, 2, (3, 2, false, Some(OPTIONS)));
    check(all - 1, 3, 2, (3, 2, false, Some(OPTIONS - TEXTS)));
    check(all - TEXTS, 3, 2, (3, 2, false, Some(OPTIONS - TEXTS)));
    check(all - TEXTS - 1, 3, 2, (3, 0, false, Some(OPTIONS)));
    check(all - 32, 3, 2, (3, 0, false, Some(OPTIONS)));
    check(all - 33, 3, 2, (3, 0, false, Some(OPTIONS - TEXTS)));
    check(all - 32 - TEXTS, 3, 2, (3, 0, false, Some(OPTIONS - TEXTS)));
    check(all - 33 - TEXTS, 3, 2, (0, 0, true, Some(OPTIONS)));
    check(START + OPT + OPTIONS, 3, 2, (0, 0, true, Some(OPTIONS)));
    check(START + OPT, 3, 2, (0, 0, true, Some(0)));
    check(START + OPT - 1, 3, 2, (0, 0, true, None));
    check(START, 3, 2, (0, 0, true, None));
    check(START, 0, 0, (0, 0, false, None));
}

#[test]
fn an_rrset_of_addresses_is_sent_as_far_as_it_fits() {
    // So many answers, TC, and whether there is an OPT record with all options but texts.
    let check = |limit: usize, opt: Option<&OptReply<'_>>, expected: (usize, bool)| {
        let request = with_opt("s.example.com", rrtype::A, 1232, &[]);
        let mut qname = Qname::new();
        let query = Query::parse(&request, &mut qname).unwrap();
        let mut out = [0xee; 2000];
        let mut writer = ResponseWriter::new(&mut out, limit, &query);
        let target = NameParts::new([b"\x01t"], Some(Owner::QUESTION));
        let owner = writer.cname(Owner::QUESTION, 1, &target);
        let mark = writer.mark();
        for last in 0..10 {
            writer.a(owner, 1, [192, 0, 2, last].into());
        }
        writer.may_be_partial(mark, 16);
        let length = writer.finish(opt);
        assert!(length <= limit, "{length} over {limit}");
        let message = decoded(&out[..length]);
        let (answers, _, truncated, options) = summary(&message);
        assert_eq!((answers, truncated), expected, "limit {limit}");
        let kept = options.is_some_and(|options| options >= OPTIONS - TEXTS);
        assert_eq!(kept, opt.is_some(), "limit {limit}");
    };
    let opt = full();
    let chain = START + 16;
    check(chain + 160, None, (11, false));
    check(chain + 159, None, (10, true));
    check(chain + 16, None, (2, true));
    check(chain + 15, None, (0, true));
    check(chain - 1, None, (0, true));
    let options = OPT + OPTIONS - TEXTS;
    check(chain + 160 + options, Some(&opt), (11, false));
    check(chain + 159 + options, Some(&opt), (10, true));
    check(chain + 31 + options, Some(&opt), (2, true));
    check(chain + 16 + options, Some(&opt), (2, true));
    check(chain + 15 + options, Some(&opt), (0, true));
}

#[test]
fn without_edns_the_records_alone_decide() {
    let check = |limit, expected| assert_eq!(summary(&written(limit, 2, 2, None)), expected);
    check(START + 64, (2, 2, false, None));
    check(START + 63, (2, 0, false, None));
    check(START + 32, (2, 0, false, None));
    check(START + 31, (0, 0, true, None));
}

#[test]
fn nothing_is_written_where_the_question_does_not_fit() {
    let request = plain("s.example.com", rrtype::A);
    let mut qname = Qname::new();
    let query = Query::parse(&request, &mut qname).unwrap();
    for limit in 0..START {
        let mut out = [0xee; 64];
        let mut writer = ResponseWriter::new(&mut out, limit, &query);
        let owner = writer.owner_name(&NameParts::name(b"\0"));
        writer.a(owner, 1, [192, 0, 2, 1].into());
        writer.cname(Owner::QUESTION, 1, &NameParts::name(b"\0"));
        assert!(writer.is_over);
        assert_eq!(writer.finish(Some(&full())), 0);
        assert_eq!(out, [0xee; 64]);
    }
}

#[test]
fn options_decode_to_what_was_meant() {
    let message = written(1232, 1, 0, Some(&full()));
    let edns = message.edns.unwrap();
    assert!(edns.flags().dnssec_ok);
    assert_eq!(
        (edns.max_payload(), edns.version(), edns.rcode_high()),
        (1232, 0, 0)
    );
    let options: Vec<(u16, Vec<u8>)> = edns.options().options.iter().map(raw).collect();
    let expected: [(u16, &[u8]); 5] = [
        (3, b"ns"),
        (8, &[0, 1, 20, 24, 192, 0, 0x20]),
        (11, &[1, 44]),
        (15, b"\0\x03held"),
        (15, b"\0\0fence"),
    ];
    assert_eq!(
        options,
        expected.map(|(code, content)| (code, content.to_vec()))
    );
}

/// An option's code and content.
fn raw((code, option): &(EdnsCode, EdnsOption)) -> (u16, Vec<u8>) {
    ((*code).into(), Vec::try_from(option).unwrap())
}

#[test]
fn extended_code_goes_into_the_opt_record() {
    let opt = OptReply {
        extended_rcode: rcode::BADVERS >> 4,
        ..OptReply::default()
    };
    let message = written(512, 0, 0, Some(&opt));
    assert_eq!(u16::from(message.metadata.response_code), 16);
}

#[test]
fn error_list_is_short_and_has_each_code_once() {
    let mut list = EdeList::default();
    assert!(list.is_empty());
    for code in [1, 2, 1, 3, 4, 5] {
        list.push(code, "");
    }
    let codes: Vec<u16> = list.iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [1, 2, 3, 4]);
}

#[test]
fn owners_beyond_the_reach_of_pointers_overflow() {
    let request = plain("s.example.com", rrtype::A);
    let mut qname = Qname::new();
    let query = Query::parse(&request, &mut qname).unwrap();
    let mut out = vec![0; 65_535];
    let mut writer = ResponseWriter::new(&mut out, 65_535, &query);
    for number in 0..1100_u32 {
        writer.a(Owner::QUESTION, 1, number.into());
    }
    assert!(!writer.is_over);
    writer.begin_additional();
    let far = writer.owner_name(&NameParts::name(b"\x03far\0"));
    writer.a(far, 1, [192, 0, 2, 1].into());
    assert!(writer.is_additional_over);
    let length = writer.finish(None);
    let message = decoded(&out[..length]);
    assert_eq!(summary(&message), (1100, 0, false, None));
}
