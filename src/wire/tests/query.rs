//! What requests are taken to say.

use std::net::IpAddr;

use super::*;

/// The reading of a request, its name as text.
fn parse(request: &[u8]) -> Result<(Query<'_>, String), Reject> {
    let mut qname = Qname::new();
    let query = Query::parse(request, &mut qname)?;
    Ok((query, qname.to_string()))
}

/// What `view` sees of a query with these options.
fn edns<T>(options: &[u8], view: impl FnOnce(Edns<'_>) -> T) -> Result<T, Reject> {
    let request = with_opt("a.example.com", rrtype::A, 1400, options);
    parse(&request).map(|(query, _)| view(query.edns.unwrap()))
}

/// The client subnet of a query with this option content.
fn subnet(content: &[u8]) -> Result<(u16, u8, IpAddr), Reject> {
    let subnet = edns(&option(8, content), |edns| edns.client_subnet.unwrap())?;
    Ok((subnet.family, subnet.source_prefix, subnet.address))
}

#[test]
fn plain_query_is_read_whole() {
    let request = request([0x01, 0x10], [1, 0, 0, 0], &question("A.Example.com", 28));
    let (query, name) = parse(&request).unwrap();
    assert_eq!(name, "a.example.com.");
    assert_eq!(query.id, 0x1234);
    assert!(query.recursion_desired && query.checking_disabled);
    assert_eq!((query.qtype, query.qclass), (rrtype::AAAA, class::IN));
    assert_eq!(query.question, question("A.Example.com", 28));
    assert!(!query.is_lower_case);
    assert_eq!(query.edns, None);
    let plain = plain("a.example.com", rrtype::A);
    assert!(parse(&plain).unwrap().0.is_lower_case);
}

#[test]
fn header_decides_first() {
    let body = question("a", rrtype::A);
    let check = |flags, counts, expected| {
        let request = request(flags, counts, &body);
        assert_eq!(
            parse(&request).map(|_| ()),
            expected,
            "{flags:?} {counts:?}"
        );
    };
    check([0x00, 0], [1, 0, 0, 0], Ok(()));
    check([0x06, 0xff], [1, 0, 0, 0], Ok(()));
    check([0x80, 0], [1, 0, 0, 0], Err(Reject::Silent));
    check([0x08, 0], [1, 0, 0, 0], Err(Reject::NotImp));
    check([0x20, 0], [1, 0, 0, 0], Err(Reject::Refused));
    check([0x28, 0], [1, 0, 0, 0], Err(Reject::NotImp));
    check([0x78, 0], [0, 0, 0, 0], Err(Reject::NotImp));
    check([0x00, 0], [0, 0, 0, 0], Err(Reject::FormErr));
    check([0x00, 0], [2, 0, 0, 0], Err(Reject::FormErr));
    check([0x00, 0], [0x100, 0, 0, 0], Err(Reject::FormErr));
    check([0x00, 0], [1, 1, 0, 0], Err(Reject::FormErr));
    check([0x00, 0], [1, 0, 1, 0], Err(Reject::FormErr));
    check([0x00, 0], [1, 0, 0, 1], Err(Reject::FormErr));
    for length in 0..12 {
        assert_eq!(parse(&vec![0; length]), Err(Reject::Silent));
    }
}

#[test]
fn questions_that_are_no_names_are_malformed() {
    let check = |body: &[u8], expected: Result<&str, Reject>| {
        let request = request([0, 0], [1, 0, 0, 0], body);
        let name = parse(&request).map(|(_, name)| name);
        assert_eq!(name, expected.map(str::to_owned), "{body:?}");
    };
    check(b"\0\0\x01\0\x01", Ok("."));
    check(b"\x01*\0\0\x01\0\x01", Ok("*."));
    check(b"\x03a.b\0\0\x01\0\x01", Ok("a\\.b."));
    check(b"\x02\0\xff\0\0\x01\0\x01", Ok("\\000\\255."));
    check(b"", Err(Reject::FormErr));
    check(b"\x01", Err(Reject::FormErr));
    check(b"\x01a", Err(Reject::FormErr));
    check(b"\x01a\0", Err(Reject::FormErr));
    check(b"\x01a\0\0\x01\0", Err(Reject::FormErr));
    check(b"\x01a\0\0\x01\0\x01\0", Err(Reject::FormErr));
    check(b"\xc0\x0c\0\x01\0\x01", Err(Reject::FormErr));
    check(b"\x01a\xc0\x0c\0\x01\0\x01", Err(Reject::FormErr));
    check(b"\x40a\0\0\x01\0\x01", Err(Reject::FormErr));
    check(b"\x80a\0\0\x01\0\x01", Err(Reject::FormErr));
}

#[test]
fn longest_names_are_read_and_longer_ones_refused() {
    let sixty_three = "a".repeat(63);
    let check = |name: &str, expected| {
        let request = plain(name, rrtype::A);
        let labels = parse(&request).map(|(_, name)| name.matches('.').count());
        assert_eq!(labels, expected, "{} octets", wire(name).len());
    };
    let longest = [
        &sixty_three,
        &sixty_three,
        &sixty_three,
        &"b".repeat(61)[..],
    ]
    .join(".");
    assert_eq!(wire(&longest).len(), 255);
    check(&longest, Ok(4));
    check(&format!("{longest}b"), Err(Reject::FormErr));
    check(&["a"; 127].join("."), Ok(127));
    check(&["a"; 128].join("."), Err(Reject::FormErr));
    check(&[&sixty_three[..]; 5].join("."), Err(Reject::FormErr));
    check(&"a".repeat(64), Err(Reject::FormErr));
}

#[test]
fn labels_are_found_from_both_ends() {
    let request = plain("S.n.FED.svc.example.com", rrtype::A);
    let mut qname = Qname::new();
    // Octets of an earlier, longer name are no part of this one.
    qname.read(&wire(&"X.".repeat(120))).unwrap();
    Query::parse(&request, &mut qname).unwrap();
    assert_eq!(qname.label_count(), 6);
    assert_eq!(qname.as_wire(), wire("s.n.fed.svc.example.com"));
    assert_eq!(qname.label(0), b"s");
    assert_eq!(qname.label(2), b"fed");
    assert_eq!(qname.label(5), b"com");
    assert_eq!(qname.suffix(4), wire("example.com"));
    assert_eq!(qname.suffix(6), b"\0");
    assert_eq!(qname.between(1, 3), b"\x01n\x03fed");
    assert_eq!(
        qname.between(0, 6),
        b"\x01s\x01n\x03fed\x03svc\x07example\x03com"
    );
    for empty in [
        qname.label(6),
        qname.label(usize::MAX),
        qname.suffix(7),
        qname.between(3, 3),
        qname.between(3, 1),
        qname.between(0, 7),
    ] {
        assert_eq!(empty, b"");
    }
    assert_eq!(qname.offset(2), Some(4));
    assert_eq!(qname.offset(7), None);
}

#[test]
fn pointers_into_the_question_need_lower_case() {
    let check = |name: &str, index, expected: Option<Owner>| {
        let request = plain(name, rrtype::A);
        let mut qname = Qname::new();
        let query = Query::parse(&request, &mut qname).unwrap();
        assert_eq!(
            query.suffix_owner(&qname, index),
            expected,
            "{name} {index}"
        );
    };
    check("a.example.com", 0, Some(Owner::QUESTION));
    check("a.example.com", 1, Some(Owner::QUESTION.skip(2)));
    check("a.example.com", 3, None);
    check("a.example.com", usize::MAX, None);
    check("A.example.com", 1, None);
}

#[test]
fn edns_says_size_and_wishes() {
    let options = [option(3, b""), option(11, b""), option(65001, b"??")].concat();
    let read = |read: Edns<'_>| {
        assert_eq!(read.udp_size, 1400);
        assert!(read.dnssec_ok && read.nsid_requested && read.keepalive_requested);
        assert_eq!((read.client_subnet, read.zone_hint), (None, None));
    };
    assert_eq!(edns(&options, read), Ok(()));
    let size = |size| {
        let request = with_opt(".", rrtype::A, size, &[]);
        let (query, _) = parse(&request).unwrap();
        (query.edns.unwrap().udp_size, udp_limit(&query))
    };
    assert_eq!(size(0), (512, 512));
    assert_eq!(size(511), (512, 512));
    assert_eq!(size(1000), (1000, 1000));
    assert_eq!(size(4096), (4096, 1232));
    assert_eq!(udp_limit(&parse(&plain(".", rrtype::A)).unwrap().0), 512);
}

#[test]
fn options_of_wrong_length_are_malformed() {
    let check =
        |options: &[u8]| assert_eq!(edns(options, |_| ()), Err(Reject::FormErr), "{options:?}");
    check(&[0]);
    check(&[0, 3, 0]);
    check(&[0xfd, 0xe9, 0, 3, 1, 2]);
    check(&option(3, b"x"));
    check(&option(8, b""));
    check(&option(8, &[0, 1, 0]));
}

#[test]
fn a_wish_for_a_time_out_of_the_clients_own_is_ignored() {
    let is_requested = |options: &[u8]| {
        let mut is_requested = false;
        assert_eq!(
            edns(options, |edns| is_requested = edns.keepalive_requested),
            Ok(())
        );
        is_requested
    };
    assert!(!is_requested(&option(11, b"xy")));
    assert!(is_requested(&[option(11, b"xy"), option(11, b"")].concat()));
}

#[test]
fn client_subnets_follow_rfc_7871() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let check = |content: &[u8], expected| assert_eq!(subnet(content), expected, "{content:?}");
    check(&[0, 1, 24, 0, 192, 0, 2], Ok((1, 24, address("192.0.2.0"))));
    check(
        &[0, 1, 20, 0, 192, 0, 0x20],
        Ok((1, 20, address("192.0.32.0"))),
    );
    check(
        &[0, 1, 32, 0, 192, 0, 2, 1],
        Ok((1, 32, address("192.0.2.1"))),
    );
    check(&[0, 1, 0, 0], Ok((1, 0, address("0.0.0.0"))));
    check(&[0, 2, 0, 0], Ok((2, 0, address("::"))));
    check(&[0, 0, 0, 0], Ok((0, 0, address("0.0.0.0"))));
    check(
        &[0, 2, 33, 0, 0x20, 1, 0xd, 0xb8, 0x80],
        Ok((2, 33, address("2001:db8:8000::"))),
    );
    let bad = Err(Reject::FormErr);
    check(&[0, 3, 0, 0], bad);
    check(&[0, 0, 8, 0, 1], bad);
    check(&[1, 0, 0, 0], bad);
    check(&[0, 1, 33, 0, 192, 0, 2, 1, 0], bad);
    check(
        &[
            0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0,
        ],
        bad,
    );
    check(&[0, 1, 24, 1, 192, 0, 2], bad);
    check(&[0, 1, 24, 0, 192, 0], bad);
    check(&[0, 1, 24, 0, 192, 0, 2, 0], bad);
    check(&[0, 1, 20, 0, 192, 0, 0x21], bad);
    check(&[0, 1, 0, 0, 0], bad);
}

#[test]
fn first_client_subnet_counts() {
    let both = [option(8, &[0, 1, 8, 0, 10]), option(8, &[0, 1, 8, 0, 11])].concat();
    let first = edns(&both, |edns| edns.client_subnet.unwrap()).unwrap();
    assert_eq!(first.address, "10.0.0.0".parse::<IpAddr>().unwrap());
    let second_bad = [option(8, &[0, 1, 8, 0, 10]), option(8, &[0, 9, 0, 0])].concat();
    assert_eq!(edns(&second_bad, |_| ()), Err(Reject::FormErr));
}

#[test]
fn the_first_zone_hint_counts_whatever_it_is() {
    let check = |hints: &[&[u8]], expected: &[u8]| {
        let options: Vec<u8> = hints.iter().flat_map(|hint| option(65518, hint)).collect();
        let found = edns(&options, |edns| edns.zone_hint.unwrap().to_vec());
        assert_eq!(found.as_deref(), Ok(expected));
    };
    check(&[b"m1", b"m2"], b"m1");
    check(&[b""], b"");
    check(&[&[0xff; 300]], &[0xff; 300]);
}

#[test]
fn other_records_are_passed_over() {
    let check = |counts, tail: &[&[u8]], expected: Result<bool, Reject>| {
        let body = [
            &question("a.example.com", rrtype::IXFR),
            tail.concat().as_slice(),
        ]
        .concat();
        let request = request([0, 0], counts, &body);
        let has_edns = parse(&request).map(|(query, _)| query.edns.is_some());
        assert_eq!(has_edns, expected, "{counts:?} {tail:?}");
    };
    let opt = opt(1232, &[]);
    let rdata = [&wire("hmac-sha256")[..], &[0; 8], &[0, 2, 7, 7], &[0; 6]].concat();
    let head = [0, 250, 0, 255, 0, 0, 0, 0, 0, 31];
    let tsig = [&wire("key")[..], &head, &rdata].concat();
    let compressed = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    let half_compressed = [1, b'x', 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    check(
        [1, 0, 0, 3],
        &[&compressed, &opt, &half_compressed],
        Ok(true),
    );
    check([1, 0, 1, 1], &[&compressed, &opt], Ok(true));
    check([1, 0, 1, 1], &[&opt, &compressed], Ok(false));
    let is_signed = Err(Reject::BadKey);
    check([1, 0, 0, 2], &[&opt, &tsig], is_signed);
    check([1, 0, 0, 1], &[&tsig], is_signed);
    let bad = Err(Reject::FormErr);
    check([1, 0, 0, 2], &[&tsig, &opt], bad);
    check([1, 0, 0, 2], &[&tsig, &tsig], bad);
    check([1, 0, 1, 0], &[&tsig], bad);
    check([1, 0, 0, 2], &[&opt, &opt], bad);
    check([1, 0, 0, 2], &[&tsig, &opt], bad);
    check([1, 0, 0, 2], &[&tsig, &tsig], bad);
    check([1, 0, 1, 0], &[&tsig], bad);
    check([1, 0, 0, 1], &[&opt, &tsig], bad);
    check([1, 0, 0, 1], &[&opt, &[0]], bad);
    check([1, 0, 0, 2], &[&opt], bad);
    check([1, 0, 0, 1], &[&tsig[..tsig.len() - 1]], bad);
    check([1, 0, 0, 1], &[&[0x80], &compressed[2..]], bad);
    check([1, 0, 0, 1], &[&[0xc0]], bad);
    check([1, 0, 0, 1], &[b"\x01a", &opt], bad);
    check([1, 0, 0, 1], &[&compressed[..2], &opt[1..]], bad);
}

#[test]
fn later_edns_versions_are_not_read_further() {
    let check = |counts, tail: &[u8], expected| {
        let body = [&question("a", rrtype::A), tail].concat();
        let request = request([0, 0], counts, &body);
        assert_eq!(parse(&request).map(|_| ()), Err(expected), "{tail:?}");
    };
    let mut later = opt(1232, &[0xff]);
    later[6] = 1;
    check([1, 0, 0, 1], &later, Reject::BadVers);
    check(
        [1, 0, 0, 2],
        &[later.clone(), later.clone()].concat(),
        Reject::FormErr,
    );
    check([1, 0, 0, 1], &[later, vec![0]].concat(), Reject::FormErr);
}
