//! Requests, written octet by octet, apart from the code under test.

use std::net::IpAddr;

use gazetteer::config::Config;

/// How a query goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// One datagram.
    Udp,
    /// On a connection with others.
    Tcp,
}

/// A request, and what any answer to it must keep.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of the case file"
)]
pub(crate) struct Ask {
    /// The whole message.
    pub(crate) octets: Vec<u8>,
    /// The question section; empty when it is not whole.
    pub(crate) question: Vec<u8>,
    /// It was written octet by octet.
    pub(crate) is_raw: bool,
    /// It has an OPT record of a version that is known.
    pub(crate) has_opt: bool,
    /// TCP is answered otherwise than UDP (edns-tcp-keepalive, and what says so itself).
    pub(crate) differs: bool,
    /// It asks for signatures.
    pub(crate) dnssec_ok: bool,
    /// The member that the address asked is bound to; `None` asks the first address.
    pub(crate) at: Option<String>,
}

/// What a query may ask for without an OPT record.
const WITHOUT_OPT: [&str; 7] = ["rd", "cd", "class", "opcode", "at", "tsig", "transport"];

/// The name with a dot at its end: `@` and names without one are below `example.com.`.
pub(crate) fn absolute(name: &str) -> String {
    match name {
        "@" => "example.com.".to_owned(),
        _ if name.ends_with('.') => name.to_owned(),
        _ => format!("{name}.example.com."),
    }
}

/// The numbers of the types that cases ask for.
fn type_number(text: &str) -> Option<u16> {
    let known = [
        ("A", 1),
        ("NS", 2),
        ("CNAME", 5),
        ("SOA", 6),
        ("PTR", 12),
        ("MX", 15),
        ("TXT", 16),
        ("AAAA", 28),
        ("SRV", 33),
        ("DS", 43),
        ("RRSIG", 46),
        ("NSEC", 47),
        ("DNSKEY", 48),
        ("CDS", 59),
        ("CDNSKEY", 60),
        ("SVCB", 64),
        ("HTTPS", 65),
        ("IXFR", 251),
        ("AXFR", 252),
        ("ANY", 255),
    ];
    known
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, number)| *number)
        .or_else(|| text.strip_prefix("TYPE")?.parse().ok())
}

impl Ask {
    /// The place in `dns` of the address that is bound to the member to ask at.
    pub(crate) fn listener(&self, config: &Config) -> Option<u32> {
        let at = self.at.as_deref()?;
        let mut members = (0..).zip(config.listen.dns.iter().map(|dns| &dns.member));
        let found =
            members.find(|(_, member)| member.as_ref().is_some_and(|member| member.as_str() == at));
        Some(found.expect("an address is bound to the member").0)
    }

    /// The request that the words after `QUERY` describe.
    pub(crate) fn parse(words: &str, id: u16) -> Result<Self, String> {
        if let Some(octets) = words.strip_prefix("0x ") {
            return raw(octets);
        }
        let mut words = words.split_whitespace();
        let name = words.next().ok_or("a name is missing")?;
        let rrtype = words.next().and_then(type_number).ok_or("no type")?;
        let (mut flags, mut class, mut size) = (0u16, 1u16, None);
        let (mut version, mut opt_flags, mut options) = (0u8, 0u16, Vec::new());
        let mut option = |code: u16, octets: &[u8]| {
            options.extend(code.to_be_bytes());
            options.extend(
                u16::try_from(octets.len())
                    .unwrap_or_default()
                    .to_be_bytes(),
            );
            options.extend(octets);
        };
        let (mut differs, mut at, mut is_signed) = (false, None, false);
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || {
                value
                    .parse::<u16>()
                    .map_err(|_| format!("no number: {word}"))
            };
            match key {
                "rd" => flags |= 0x0100,
                "cd" => flags |= 0x0010,
                "do" => opt_flags |= 0x8000,
                "co" => opt_flags |= 0x4000,
                "edns" if value.is_empty() => {}
                "edns" => size = Some(number()?),
                "version" => version = value.parse().map_err(|_| "no version")?,
                "ecs" => option(8, &subnet(value)?),
                "subnet" => option(8, &hex(value)?),
                "at" => at = Some(value.to_owned()),
                "transport" => differs = true,
                "cookie" => option(10, &hex(value)?),
                "zone-version" => option(19, &hex(value)?),
                "hint" => option(65518, value.as_bytes()),
                "option" => option(number()?, b"x"),
                "nsid" => option(3, b""),
                "keepalive" => {
                    option(11, b"");
                    differs = true;
                }
                "class" if value == "CH" => class = 3,
                "class" => class = number()?,
                "tsig" => is_signed = true,
                "opcode" => {
                    let opcode = match value {
                        "STATUS" => 2,
                        "NOTIFY" => 4,
                        "UPDATE" => 5,
                        _ => return Err(format!("no opcode: {word}")),
                    };
                    flags |= opcode << 11;
                }
                _ => return Err(format!("no query option: {word}")),
            }
            if !WITHOUT_OPT.contains(&key) && size.is_none() {
                size = Some(1232);
            }
        }
        let question = question(name, rrtype, class)?;
        let mut octets = Vec::new();
        let records = u16::from(size.is_some()) + u16::from(is_signed);
        for number in [id, flags, 1, 0, 0, records] {
            octets.extend(number.to_be_bytes());
        }
        octets.extend(&question);
        if let Some(size) = size {
            octets.extend([0, 0, 41]);
            octets.extend(size.to_be_bytes());
            octets.extend([0, version]);
            octets.extend(opt_flags.to_be_bytes());
            octets.extend(
                u16::try_from(options.len())
                    .unwrap_or_default()
                    .to_be_bytes(),
            );
            octets.extend(&options);
        }
        if is_signed {
            octets.extend(signature(id));
        }
        Ok(Self {
            octets,
            question,
            is_raw: false,
            has_opt: size.is_some(),
            differs,
            dnssec_ok: opt_flags & 0x8000 != 0,
            at,
        })
    }
}

/// The question section of a name, a type and a class.
fn question(name: &str, rrtype: u16, class: u16) -> Result<Vec<u8>, String> {
    let mut question = Vec::new();
    for label in absolute(name).split('.').filter(|label| !label.is_empty()) {
        question.push(u8::try_from(label.len()).map_err(|_| "a label is too long")?);
        question.extend(label.bytes());
    }
    question.push(0);
    question.extend(rrtype.to_be_bytes());
    question.extend(class.to_be_bytes());
    Ok(question)
}

/// A TSIG record (RFC 8945) of the key `key.` and 32 octets that sign nothing.
fn signature(id: u16) -> Vec<u8> {
    let mut rdata = b"\x0bhmac-sha256\0".to_vec();
    rdata.extend([0, 0, 0x6b, 0x49, 0xd2, 0, 0x01, 0x2c, 0, 32]);
    rdata.extend([7; 32]);
    rdata.extend(id.to_be_bytes());
    rdata.extend([0; 4]);
    let mut record = b"\x03key\0\0\xfa\0\xff\0\0\0\0\0".to_vec();
    record.push(u8::try_from(rdata.len()).unwrap_or_default());
    record.extend(rdata);
    record
}

/// Octets in hexadecimal.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let [_, _] = pair else {
            return Err(format!("half an octet: {text}"));
        };
        let pair = pair.iter().collect::<String>();
        u8::from_str_radix(&pair, 16).map_err(|error| error.to_string())
    });
    pairs.collect()
}

/// A request of the octets given.
fn raw(text: &str) -> Result<Ask, String> {
    Ok(Ask {
        octets: hex(text)?,
        question: Vec::new(),
        is_raw: true,
        has_opt: false,
        differs: false,
        dnssec_ok: false,
        at: None,
    })
}

/// The octets of an ECS option (RFC 7871).
fn subnet(text: &str) -> Result<Vec<u8>, String> {
    let network: ipnet::IpNet = text.parse().map_err(|_| format!("no prefix: {text}"))?;
    let (family, address) = match network.network() {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let kept = usize::from(network.prefix_len().div_ceil(8));
    let mut octets = vec![0, family, network.prefix_len(), 0];
    octets.extend(address.iter().take(kept));
    Ok(octets)
}
