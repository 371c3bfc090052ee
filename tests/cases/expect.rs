//! What an answer must be.

use std::collections::BTreeSet;

use crate::ask::{Transport, absolute};
use crate::dig::Seen;

/// Flags; one with a `=` has a value.
const FLAGS: [&str; 18] = [
    "aa",
    "aa?",
    "tc",
    "do",
    "co",
    "ede?",
    "ede=",
    "nsid=",
    "option=",
    "keepalive=",
    "subnet=",
    "tsig=",
    "scope=",
    "size=",
    "answers=",
    "apex=",
    "soa=",
    "serial=",
];

/// One `EXPECT` line with its records.
pub(crate) struct Expect {
    /// `file:line`
    pub(crate) place: String,
    /// `None` is both.
    pub(crate) transport: Option<Transport>,
    /// As written, `NODATA` and `NONE` too.
    rcode: String,
    /// The words after it.
    flags: Vec<String>,
    answer: Vec<String>,
    authority: Vec<String>,
    additional: Vec<String>,
}

impl Expect {
    /// Reads the words after `EXPECT` and the numbered lines below it.
    pub(crate) fn parse(
        place: &str,
        words: &str,
        block: &[(usize, String)],
    ) -> Result<Self, String> {
        let mut words = words.split_whitespace().peekable();
        let transport = match words.peek() {
            Some(&"udp") => Some(Transport::Udp),
            Some(&"tcp") => Some(Transport::Tcp),
            _ => None,
        };
        if transport.is_some() {
            words.next();
        }
        let rcode = words.next().ok_or("an rcode is missing")?.to_owned();
        let mut expect = Self {
            place: place.to_owned(),
            transport,
            rcode,
            flags: words.map(str::to_owned).collect(),
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
        };
        let is_known = |flag: &String| {
            let end = flag.find('=').map_or(flag.len(), |at| at + 1);
            flag.get(..end).is_some_and(|flag| FLAGS.contains(&flag))
        };
        if let Some(flag) = expect.flags.iter().find(|flag| !is_known(flag)) {
            return Err(format!("no flag: {flag}"));
        }
        let mut section = &mut expect.answer;
        for (_, line) in block {
            match line.as_str() {
                "AUTHORITY" => section = &mut expect.authority,
                "ADDITIONAL" => section = &mut expect.additional,
                record => {
                    for record in braces(record) {
                        section.push(normal(&record)?);
                    }
                }
            }
        }
        if expect.is_negative() {
            let apex = expect.value("apex=").unwrap_or("example.com.");
            let minimum = expect.value("soa=").unwrap_or("5");
            let serial = expect.value("serial=").unwrap_or("*");
            let soa = format!("{apex} {minimum} SOA * * {serial} * * * {minimum}");
            expect.authority.push(soa);
            expect.flags.push("aa".to_owned());
        }
        Ok(expect)
    }

    /// Whether no reply is expected.
    pub(crate) fn is_silence(&self) -> bool {
        self.rcode == "NONE"
    }

    /// Whether it needs an SOA.
    fn is_negative(&self) -> bool {
        self.rcode == "NODATA" || self.rcode == "NXDOMAIN"
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|word| word == flag)
    }

    fn value(&self, prefix: &str) -> Option<&str> {
        self.flags.iter().find_map(|word| word.strip_prefix(prefix))
    }

    /// Every difference between what was expected and what was seen.
    pub(crate) fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |what: &str, want: String, got: String| {
            if want != got {
                found.push(format!("{what}: expected {want}, got {got}"));
            }
        };
        let rcode = if self.rcode == "NODATA" {
            "NOERROR"
        } else {
            &self.rcode
        };
        check("rcode", rcode.to_owned(), seen.rcode.clone());
        if !self.has("aa?") {
            check("aa", self.has("aa").to_string(), seen.aa.to_string());
        }
        check("tc", self.has("tc").to_string(), seen.tc.to_string());
        check("do", self.has("do").to_string(), seen.dnssec_ok.to_string());
        check(
            "co",
            self.has("co").to_string(),
            seen.compact_ok.to_string(),
        );
        if !self.has("ede?") {
            let mut want: Vec<u16> = self.value("ede=").map_or_else(Vec::new, |codes| {
                codes
                    .split(',')
                    .filter_map(|code| code.parse().ok())
                    .collect()
            });
            want.sort_unstable();
            check("ede", format!("{want:?}"), format!("{:?}", seen.ede));
        }
        let nsid = self.value("nsid=").unwrap_or_default();
        check("nsid", nsid.to_owned(), seen.nsid.clone());
        let wanted = self.flags.iter();
        let wanted: Vec<_> = wanted
            .filter_map(|word| word.strip_prefix("option="))
            .collect();
        let is_as_wanted = |(want, got): (&&str, &String)| match want.strip_suffix('*') {
            Some(start) => got.starts_with(start),
            None => got == want,
        };
        let are_same = wanted.len() == seen.options.len();
        if !are_same || !wanted.iter().zip(&seen.options).all(is_as_wanted) {
            check(
                "options",
                format!("{wanted:?}"),
                format!("{:?}", seen.options),
            );
        }
        let keepalive: Option<u16> = self
            .value("keepalive=")
            .and_then(|units| units.parse().ok());
        check(
            "keepalive",
            format!("{keepalive:?}"),
            format!("{:?}", seen.keepalive),
        );
        let tsig = self.value("tsig=").unwrap_or("none");
        check("tsig", tsig.to_owned(), seen.tsig.clone());
        if let Some(subnet) = self.value("subnet=") {
            check("subnet", subnet.to_owned(), seen.subnet.clone());
        }
        if let Some(scope) = self.value("scope=") {
            let got = seen.scope.map_or("none".to_owned(), |got| got.to_string());
            check("scope", scope.to_owned(), got);
        }
        if let Some(most) = self.value("size=").and_then(|most| most.parse().ok())
            && seen.size > most
        {
            found.push(format!(
                "size: {} octets, expected at most {most}",
                seen.size
            ));
        }
        if let Some(count) = self.value("answers=") {
            let got = seen.answer.len().to_string();
            if got != count {
                found.push(format!("answers: expected {count}, got {got}"));
            }
        } else {
            compare("answer", &self.answer, &seen.answer, &mut found);
        }
        compare("authority", &self.authority, &seen.authority, &mut found);
        compare("additional", &self.additional, &seen.additional, &mut found);
        found
    }
}

/// Compares two sections as sets; a record that comes twice is a difference.
fn compare(section: &str, want: &[String], got: &[String], found: &mut Vec<String>) {
    let unique: BTreeSet<_> = got.iter().collect();
    if unique.len() != got.len() {
        found.push(format!("{section}: a record comes twice"));
    }
    for record in want {
        if !got.iter().any(|other| matches(record, other)) {
            found.push(format!("{section}: missing    {record}"));
        }
    }
    for record in got {
        if !want.iter().any(|other| matches(other, record)) {
            found.push(format!("{section}: unexpected {record}"));
        }
    }
}

/// Compares two records word by word; `*`, and `-` for a TTL, match anything.
fn matches(want: &str, got: &str) -> bool {
    let (mut want, mut got) = (want.split_whitespace(), got.split_whitespace());
    let mut place = 0;
    loop {
        match (want.next(), got.next()) {
            (None, None) => return true,
            (Some(want), Some(got)) => {
                if want != "*" && want != got && !(place == 1 && want == "-") {
                    return false;
                }
            }
            _ => return false,
        }
        place += 1;
    }
}

/// One record for each alternative of `{a,b}`.
fn braces(record: &str) -> Vec<String> {
    let parts = record.split_once('{').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        Some((before, inside, after))
    });
    match parts {
        None => vec![record.to_owned()],
        Some((before, inside, after)) => inside
            .split(',')
            .flat_map(|one| braces(&format!("{before}{one}{after}")))
            .collect(),
    }
}

/// The record with all names absolute.
fn normal(record: &str) -> Result<String, String> {
    let words: Vec<_> = record.split_whitespace().collect();
    let [owner, ttl, rrtype, rdata @ ..] = words.as_slice() else {
        return Err(format!("no record: {record}"));
    };
    if *ttl != "-" && ttl.parse::<u32>().is_err() {
        return Err(format!("no TTL: {record}"));
    }
    let is_name = |place: usize| match *rrtype {
        "CNAME" | "NS" | "NSEC" => place == 0,
        "SOA" => place < 2,
        "SRV" => place == 3,
        _ => false,
    };
    let rdata = rdata.iter().enumerate().map(|(place, word)| {
        if is_name(place) && *word != "*" {
            absolute(word)
        } else {
            (*word).to_owned()
        }
    });
    let words: Vec<_> = [absolute(owner), (*ttl).to_owned(), (*rrtype).to_owned()]
        .into_iter()
        .chain(rdata)
        .collect();
    Ok(words.join(" "))
}
