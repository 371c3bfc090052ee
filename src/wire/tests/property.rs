//! For random octets nothing panics; random responses decode to what was meant.

use hickory_proto::rr::rdata::{self, CNAME, HINFO, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A label of a name as this server writes it.
fn label() -> impl Strategy<Value = String> {
    "[a-z0-9_*-]{1,7}"
}

/// A name of up to six labels: short enough for every record to add one.
fn name() -> impl Strategy<Value = String> {
    vec(label(), 0..7).prop_map(|labels| labels.join(".") + ".")
}

/// Where an owner or the end of a target comes from.
#[derive(Debug, Clone)]
enum Place {
    /// The question from this label on, as far as it has one.
    Question(usize),
    /// A name that was written before, modulo their number.
    Earlier(usize),
    /// A new name.
    New(String),
}

/// One record to write.
#[derive(Debug, Clone)]
enum Rdata {
    A(u32),
    Aaaa(u128),
    Cname(String, Place),
    Ns(String, Place),
    Srv([u16; 3], String, Place),
    Soa([u32; 5], Place),
    Txt(Vec<u8>),
    Hinfo(Vec<u8>),
}

/// Any [`Place`].
fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        (0_usize..9).prop_map(Place::Question),
        any::<usize>().prop_map(Place::Earlier),
        name().prop_map(Place::New),
    ]
}

/// Any [`Rdata`].
fn rdata() -> impl Strategy<Value = Rdata> {
    prop_oneof![
        any::<u32>().prop_map(Rdata::A),
        any::<u128>().prop_map(Rdata::Aaaa),
        (label(), place()).prop_map(|(label, end)| Rdata::Cname(label, end)),
        (label(), place()).prop_map(|(label, end)| Rdata::Ns(label, end)),
        (any::<[u16; 3]>(), label(), place())
            .prop_map(|(fixed, label, end)| Rdata::Srv(fixed, label, end)),
        (vec(0..1_000_000_u32, 5), place())
            .prop_map(|(times, end)| Rdata::Soa(times.try_into().unwrap(), end)),
        vec(any::<u8>(), 0..600).prop_map(Rdata::Txt),
        vec(any::<u8>(), 0..200).prop_map(Rdata::Hinfo),
    ]
}

/// Names that are in the message, by position and by meaning.
struct Known {
    question: String,
    earlier: Vec<(Owner, String)>,
}

impl Known {
    /// The pointer to use, or none for a name that is not in the message, and the name meant.
    fn resolve(&self, place: &Place, query: &Query<'_>, qname: &Qname) -> (Option<Owner>, String) {
        match place {
            Place::Question(index) => {
                let labels: Vec<&str> = self.question.split_inclusive('.').collect();
                let owner = query.suffix_owner(qname, *index);
                let text = labels.get(*index..).unwrap_or_default().concat();
                owner.map_or((None, ".".to_owned()), |owner| (Some(owner), text))
            }
            Place::Earlier(index) => {
                let (owner, text) = &self.earlier[index % self.earlier.len()];
                (Some(*owner), text.clone())
            }
            Place::New(text) => (None, text.clone()),
        }
    }
}

/// A name as the other implementation has it.
fn other(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut name = Name::from_labels(labels.map(str::as_bytes)).unwrap();
    name.set_fqdn(true);
    name
}

/// `label.rest` or `label.`.
fn joined(label: &str, rest: &str) -> String {
    format!("{label}.{}", rest.strip_prefix('.').unwrap_or(rest))
}

/// Writes one record; returns what it means.
fn write(
    writer: &mut ResponseWriter<'_>,
    known: &mut Known,
    (query, qname): (&Query<'_>, &Qname),
    (place, ttl, rdata): &(Place, u32, Rdata),
) -> Record {
    let ttl = *ttl;
    // The end of a target is looked up first: an owner name may be written before it.
    let end = match rdata {
        Rdata::Cname(_, end) | Rdata::Ns(_, end) | Rdata::Srv(_, _, end) | Rdata::Soa(_, end) => {
            known.resolve(end, query, qname)
        }
        _ => (None, ".".to_owned()),
    };
    let (owner, owner_text) = known.resolve(place, query, qname);
    let owner = owner.unwrap_or_else(|| {
        let owner = writer.owner_name(&NameParts::name(&wire(&owner_text)));
        known.earlier.push((owner, owner_text.clone()));
        owner
    });
    let end_wire = wire(&end.1);
    let target = |label: &[u8], then: &mut dyn FnMut(&NameParts<'_>) -> Owner| {
        then(&match end.0 {
            Some(end) => NameParts::new([label], Some(end)),
            None => NameParts::below(label, &end_wire),
        })
    };
    let data = match rdata {
        Rdata::A(address) => {
            writer.a(owner, ttl, (*address).into());
            RData::A(rdata::A((*address).into()))
        }
        Rdata::Aaaa(address) => {
            writer.aaaa(owner, ttl, (*address).into());
            RData::AAAA(rdata::AAAA((*address).into()))
        }
        Rdata::Cname(label, _) | Rdata::Ns(label, _) | Rdata::Srv(_, label, _) => {
            let text = joined(label, &end.1);
            let label = wire(label);
            let label = &label[..label.len() - 1];
            let meant = other(&text);
            let (at, data) = match rdata {
                Rdata::Cname(..) => (
                    target(label, &mut |target| writer.cname(owner, ttl, target)),
                    RData::CNAME(CNAME(meant)),
                ),
                Rdata::Srv([priority, weight, port], ..) => (
                    target(label, &mut |target| {
                        writer.srv(owner, ttl, *priority, *weight, *port, target)
                    }),
                    RData::SRV(SRV::new(*priority, *weight, *port, meant)),
                ),
                _ => (
                    target(label, &mut |target| writer.ns(owner, ttl, target)),
                    RData::NS(rdata::NS(meant)),
                ),
            };
            known.earlier.push((at, text));
            data
        }
        Rdata::Soa(times, _) => {
            let [serial, refresh, retry, expire, minimum] = *times;
            let mname = match end.0 {
                Some(end) => NameParts::from(end),
                None => NameParts::name(&end_wire),
            };
            let soa = Soa {
                mname,
                rname: NameParts::new([b"\x01x"], Some(Owner::QUESTION)),
                serial,
                refresh,
                retry,
                expire,
                minimum,
            };
            writer.soa(owner, ttl, &soa);
            let signed = |number: u32| i32::try_from(number).unwrap();
            RData::SOA(rdata::SOA::new(
                other(&end.1),
                other(&joined("x", &known.question)),
                serial,
                signed(refresh),
                signed(retry),
                signed(expire),
                minimum,
            ))
        }
        Rdata::Txt(text) => {
            writer.txt(owner, ttl, text);
            let strings: Vec<&[u8]> = text.chunks(255).collect();
            RData::TXT(TXT::from_bytes(if strings.is_empty() {
                vec![&[]]
            } else {
                strings
            }))
        }
        Rdata::Hinfo(text) => {
            writer.hinfo(owner, ttl, text, b"os");
            RData::HINFO(HINFO::from_bytes(text.clone().into(), (*b"os").into()))
        }
    };
    Record::from_rdata(other(&owner_text), ttl, data)
}

/// Owner, TTL and rdata of each record.
fn meaning(records: &[Record]) -> Vec<(String, u32, &RData)> {
    let owner = |record: &Record| record.name.to_ascii();
    records
        .iter()
        .map(|record| (owner(record), record.ttl, &record.data))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn responses_decode_to_what_was_meant(
        question in name(),
        records in vec(vec((place(), 0..1_000_000_u32, rdata()), 0..8), 3),
        limit in prop_oneof![Just(65_535_usize), 600..4000_usize],
        with_edns in any::<bool>(),
    ) {
        let request = plain(&question, rrtype::A);
        let mut qname = Qname::new();
        prop_assume!(Query::parse(&request, &mut qname).is_ok());
        let query = Query::parse(&request, &mut qname).unwrap();
        let mut out = vec![0xee; 65_535];
        let mut writer = ResponseWriter::new(&mut out, limit, &query);
        let mut known = Known {
            earlier: vec![(Owner::QUESTION, question.clone())],
            question,
        };
        let mut meant: [Vec<Record>; 3] = [vec![], vec![], vec![]];
        for (section, records) in records.iter().enumerate() {
            match section {
                0 => {}
                1 => writer.begin_authority(),
                _ => writer.begin_additional(),
            }
            for record in records {
                meant[section].push(write(&mut writer, &mut known, (&query, &qname), record));
            }
        }
        let (fits_main, fits_additional) = (!writer.is_over, !writer.is_additional_over);
        let opt = OptReply { udp_size: 1232, nsid: Some(b"name"), ..OptReply::default() };
        let length = writer.finish(with_edns.then_some(&opt));
        prop_assert!(length <= limit);
        prop_assert!(out[limit..].iter().all(|octet| *octet == 0xee));
        let message = decoded(&out[..length]);
        prop_assert_eq!(message.edns.is_some(), with_edns);
        if message.metadata.truncation {
            prop_assert!(limit < 65_535);
            prop_assert!(message.answers.is_empty() && message.authorities.is_empty());
            prop_assert!(message.additionals.is_empty());
        } else {
            prop_assert!(fits_main);
            prop_assert_eq!(meaning(&message.answers), meaning(&meant[0]));
            prop_assert_eq!(meaning(&message.authorities), meaning(&meant[1]));
            if message.additionals.len() == meant[2].len() {
                prop_assert!(fits_additional);
                prop_assert_eq!(meaning(&message.additionals), meaning(&meant[2]));
            } else {
                prop_assert!(message.additionals.is_empty() && limit < 65_535);
            }
        }
    }

    #[test]
    fn random_octets_never_panic(request in vec(any::<u8>(), 0..100), room in 0..300_usize) {
        exercise(&request, room);
    }

    #[test]
    fn damaged_queries_never_panic(
        question in name(),
        options in vec(any::<u8>(), 0..40),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        room in 0..600_usize,
    ) {
        let mut request = with_opt(&question, rrtype::A, 1232, &options);
        for (at, octet) in damage {
            let at = at.index(request.len());
            request[at] = octet;
        }
        exercise(&request, room);
        request.truncate(cut.index(request.len()));
        exercise(&request, room);
    }

    #[test]
    fn hickory_agrees_on_what_is_read(
        question in name(),
        dnssec_ok in any::<bool>(),
        size in any::<u16>(),
        address in any::<u32>(),
        prefix in 0..=32_u8,
    ) {
        use hickory_proto::rr::rdata::opt::{ClientSubnet as Subnet, EdnsOption};
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or_default();
        let address = std::net::IpAddr::from((address & mask).to_be_bytes());
        let mut message = Message::query();
        message.add_query(hickory_proto::op::Query::query(
            other(&question),
            hickory_proto::rr::RecordType::AAAA,
        ));
        let mut edns = hickory_proto::op::Edns::new();
        edns.set_dnssec_ok(dnssec_ok).set_max_payload(size);
        edns.options_mut().insert(EdnsOption::Subnet(Subnet::new(address, prefix, 0)));
        message.set_edns(edns);
        prop_assume!(wire(&question).len() <= MAX_NAME);
        let request = message.to_vec().unwrap();
        let mut qname = Qname::new();
        let query = Query::parse(&request, &mut qname).unwrap();
        prop_assert_eq!(query.id, message.metadata.id);
        prop_assert_eq!(qname.as_wire(), wire(&question));
        prop_assert_eq!((query.qtype, query.qclass), (rrtype::AAAA, class::IN));
        let read = query.edns.unwrap();
        prop_assert_eq!((read.dnssec_ok, read.udp_size), (dnssec_ok, size.max(512)));
        let subnet = read.client_subnet.unwrap();
        prop_assert_eq!((subnet.address, subnet.source_prefix), (address, prefix));
    }
}

/// Parses a request and writes something in reply to it, in a buffer of `room` octets.
fn exercise(request: &[u8], room: usize) {
    let mut qname = Qname::new();
    let mut out = vec![0; room];
    let length = match Query::parse(request, &mut qname) {
        Err(rejected) => reject(request, rejected, &mut out).unwrap_or_default(),
        Ok(query) => {
            assert_eq!(qname.as_wire().len() + 4, query.question.len());
            let mut writer = ResponseWriter::new(&mut out, room, &query);
            let end = query.suffix_owner(&qname, 1);
            let owner = writer.cname(
                Owner::QUESTION,
                1,
                &NameParts::new([qname.between(0, 1)], end),
            );
            let mark = writer.mark();
            writer.a(owner, 1, [192, 0, 2, 1].into());
            writer.a(owner, 1, [192, 0, 2, 2].into());
            writer.rotate(mark, 16, usize::from(query.id));
            writer.finish(query.edns.as_ref().map(OptReply::new).as_ref())
        }
    };
    if let Some(response) = out.get(..length).filter(|response| !response.is_empty()) {
        assert_eq!(response[..2], request[..2], "another id");
        assert_ne!(response[2] & 0x80, 0, "no response");
    }
}
