//! A response as hickory reads it, and as dig would show it.

use std::fmt::Write;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// A decoded response.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the flags of the message"
)]
pub(crate) struct Seen {
    pub(crate) rcode: String,
    pub(crate) aa: bool,
    pub(crate) tc: bool,
    pub(crate) has_opt: bool,
    pub(crate) dnssec_ok: bool,
    /// The CO bit (RFC 9824).
    pub(crate) compact_ok: bool,
    pub(crate) ede: Vec<u16>,
    pub(crate) nsid: String,
    /// What edns-tcp-keepalive says, in units of 100 ms (RFC 7828).
    pub(crate) keepalive: Option<u16>,
    /// Scope prefix length of the client subnet (RFC 7871).
    pub(crate) scope: Option<u8>,
    /// The content of the client subnet, in hexadecimal; "none" without one.
    pub(crate) subnet: String,
    /// Other options of which cases say what they hold, as `code:content` in hexadecimal.
    pub(crate) options: Vec<String>,
    pub(crate) size: usize,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
    /// What an unsigned TSIG record of the key `key.` says; `none` without a TSIG record.
    pub(crate) tsig: String,
}

/// Info-code of an extended DNS error (RFC 8914), the number of its option.
const EDE: u16 = 15;

/// Number of the option edns-tcp-keepalive (RFC 7828).
const KEEPALIVE: u16 = 11;

/// Numbers of DNS cookies, the report channel and the version of a zone (RFC 7873, 9567, 9660).
const OTHERS: [u16; 3] = [10, 18, 19];

impl Seen {
    /// Decodes a response.
    pub(crate) fn read(response: &[u8]) -> Result<Self, String> {
        let message =
            Message::from_vec(response).map_err(|error| format!("does not decode: {error}"))?;
        let texts = |records: &[Record]| records.iter().map(text).collect();
        let edns = message.edns.as_ref();
        let (mut ede, mut options) = (Vec::new(), Vec::new());
        let (mut nsid, mut scope, mut keepalive) = (String::new(), None, None);
        for (_, option) in edns.iter().flat_map(|edns| &edns.options().options) {
            match option {
                EdnsOption::Unknown(EDE, octets) => {
                    if let [high, low, ..] = octets.as_slice() {
                        ede.push(u16::from_be_bytes([*high, *low]));
                    }
                }
                EdnsOption::Unknown(KEEPALIVE, octets) => {
                    if let [high, low] = octets.as_slice() {
                        keepalive = Some(u16::from_be_bytes([*high, *low]));
                    }
                }
                EdnsOption::Unknown(code, octets) if OTHERS.contains(code) => {
                    options.push(format!("{code}:{}", hex(octets)));
                }
                EdnsOption::Subnet(subnet) => scope = Some(subnet.scope_prefix()),
                EdnsOption::NSID(octets) => {
                    nsid = String::from_utf8_lossy(octets.as_ref()).into_owned();
                }
                _ => {}
            }
        }
        ede.sort_unstable();
        let low = response.get(3).copied().unwrap_or_default() & 0x0f;
        let high = edns.map_or(0, hickory_proto::op::Edns::rcode_high);
        Ok(Self {
            rcode: rcode(u16::from(high) << 4 | u16::from(low)),
            aa: message.metadata.authoritative,
            tc: message.metadata.truncation,
            has_opt: edns.is_some(),
            dnssec_ok: edns.is_some_and(|edns| edns.flags().dnssec_ok),
            compact_ok: edns.is_some_and(|edns| edns.flags().z & 0x4000 != 0),
            ede,
            nsid,
            keepalive,
            scope,
            subnet: subnet(response).map_or("none".to_owned(), hex),
            options,
            size: response.len(),
            answer: texts(&message.answers),
            authority: texts(&message.authorities),
            additional: message.additionals.iter().map(text).collect(),
            tsig: signature(&message),
        })
    }

    /// What dig would show.
    pub(crate) fn show(&self) -> String {
        let mut out = format!("    status: {}, flags: qr", self.rcode);
        for (set, flag) in [(self.aa, "aa"), (self.tc, "tc"), (self.dnssec_ok, "do")] {
            if set {
                let _ = write!(out, " {flag}");
            }
        }
        let _ = writeln!(out, "; {} octets", self.size);
        if let Some(scope) = self.scope {
            let _ = writeln!(out, "    CLIENT-SUBNET scope: {scope}");
        }
        for code in &self.ede {
            let _ = writeln!(out, "    EDE: {code}");
        }
        for (section, records) in [
            ("ANSWER", &self.answer),
            ("AUTHORITY", &self.authority),
            ("ADDITIONAL", &self.additional),
        ] {
            if !records.is_empty() {
                let _ = writeln!(out, "    {section}");
            }
            for record in records {
                let _ = writeln!(out, "      {record}");
            }
        }
        out
    }
}

/// Octets in hexadecimal.
fn hex(octets: &[u8]) -> String {
    let octets = octets.iter();
    octets.fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

/// The content of the client subnet of a response whose last record is its OPT record.
fn subnet(response: &[u8]) -> Option<&[u8]> {
    let opt = response
        .windows(3)
        .rposition(|octets| octets == [0, 0, 41])?;
    let mut options = response.get(opt + 11..)?;
    while let [code @ .., high, low] = options.get(..4)? {
        let (content, rest) = options
            .get(4..)?
            .split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        if code == [0, 8] {
            return Some(content);
        }
        options = rest;
    }
    None
}

/// What the TSIG record says, which is the last one.
fn signature(message: &Message) -> String {
    let Some(record) = message.signature() else {
        return "none".to_owned();
    };
    let tsig = &record.data;
    match tsig.error {
        Some(TsigError::BadKey) if tsig.mac.is_empty() && tsig.other.is_empty() => {
            let name = name(&record.name);
            if name == "key." {
                "BADKEY".to_owned()
            } else {
                name
            }
        }
        _ => record.to_string(),
    }
}

/// The usual name of an RCODE.
fn rcode(code: u16) -> String {
    let names = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
    ];
    match names.get(usize::from(code)) {
        Some(name) => (*name).to_owned(),
        None if code == 9 => "NOTAUTH".to_owned(),
        None if code == 16 => "BADVERS".to_owned(),
        None if code == 23 => "BADCOOKIE".to_owned(),
        None => code.to_string(),
    }
}

/// A name with all its dots, in the case that it came in.
fn name(name: &Name) -> String {
    let mut text = String::new();
    for label in name {
        text.push_str(&String::from_utf8_lossy(label).replace('\0', "\\000"));
        text.push('.');
    }
    if text.is_empty() {
        text.push('.');
    }
    text
}

/// One record as text.
fn text(record: &Record) -> String {
    let rdata = match &record.data {
        RData::CNAME(target) => name(target),
        RData::NS(target) => name(target),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            name(&soa.mname),
            name(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::SRV(srv) => format!(
            "{} {} {} {}",
            srv.priority,
            srv.weight,
            srv.port,
            name(&srv.target)
        ),
        RData::TXT(txt) => txt
            .txt_data
            .iter()
            .map(|part| format!("\"{}\"", String::from_utf8_lossy(part)))
            .collect::<Vec<_>>()
            .join(" "),
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => {
            let input = rrsig.input();
            let (rrtype, labels) = (input.type_covered, input.num_labels);
            format!("{rrtype} {labels} {}", input.original_ttl)
        }
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) => {
            let types = nsec.type_bit_maps().map(|rrtype| match rrtype {
                RecordType::Unknown(128) => "NXNAME".to_owned(),
                other => other.to_string(),
            });
            let types: Vec<_> = types.collect();
            format!("{} {}", name(nsec.next_domain_name()), types.join(" "))
        }
        other => other.to_string(),
    };
    format!(
        "{} {} {} {rdata}",
        name(&record.name),
        record.ttl,
        record.record_type()
    )
}
