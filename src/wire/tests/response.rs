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
    let start = writer.mark();
    let target = Target::new([qname.between(0, 4)], region);
    let owner = writer.cname(Owner::QUESTION, 30, &target);
    let mark = writer.mark();
    for last in 1..=3 {
        writer.a(owner, 30, [192, 0, 2, last].into());
    }
    assert!(writer.contains_rdata(mark, 16, &[192, 0, 2, 3]));
    assert!(!writer.contains_rdata(mark, 16, &[192, 0, 2, 4]));
    writer.rotate(mark, 16, 1);
    writer.patch_ttls(start, 5);
    let length = writer.finish(None);
    let message = decoded(&out[..length]);
    let records: Vec<String> = message.answers.iter().map(ToString::to_string).collect();
    assert_eq!(
        records,
        [
            "s.n.f.svc.z.r.example.com. 5 IN CNAME s.n.f.svc.r.example.com.",
            "s.n.f.svc.r.example.com. 5 IN A 192.0.2.2",
            "s.n.f.svc.r.example.com. 5 IN A 192.0.2.3",
            "s.n.f.svc.r.example.com. 5 IN A 192.0.2.1",
        ]
    );
    assert!(matches!(message.answers[0].data, RData::CNAME(_)));
    assert_eq!(message.answers[1].record_type(), RecordType::A);
}
