//! Master files: the static records of a zone (RFC 1035 section 5, 2308 section 4, 3597 section 5).
//!
//! ```text
//! text ──lexer──▶ entries ──reader (owner, TTL, type, $ORIGIN, $TTL, $INCLUDE)──▶ records
//!                                  └─the crate domain─▶ rdata            └─check─▶ StaticZone
//! ```

mod check;
mod lexer;
mod owner;
mod rdata;
mod reader;
mod record;
mod text;
mod ttl;

use std::path::Path;

pub(super) use self::check::{at, shown};
pub use self::text::zone_text;
use super::problem::Problem;
use crate::model::StaticZone;
use crate::wire::NameBuf;

/// Reads the master file of the zone `apex` by itself, and the files that it includes.
///
/// # Errors
/// Every problem of the files, in their order, never none of them.
pub fn read_zone(path: &Path, apex: &NameBuf) -> Result<StaticZone, Vec<Problem>> {
    read_zone_file(path, apex, &[])
}

/// Reads the master file of the zone `apex`, and the files that it includes.
///
/// Name servers of `addressed` have addresses elsewhere.
///
/// # Errors
/// Every problem of the files, in their order, never none of them.
pub(super) fn read_zone_file(
    path: &Path,
    apex: &NameBuf,
    addressed: &[NameBuf],
) -> Result<StaticZone, Vec<Problem>> {
    let records = reader::read(path, apex)?;
    check::check(records, apex, addressed)
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "nothing of a test survives a crash"
    )]

    use std::fs::write;

    use super::*;

    /// The head of a zone that is right.
    const HEAD: &str = "$TTL 1h\n@ SOA ns1 admin 1 1d 2h 4w 5m\n@ NS ns1\nns1 A 192.0.2.53\n";

    /// Each set as a line, without those of [`HEAD`], or each problem.
    fn read(text: &str) -> Result<Vec<String>, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zone");
        write(&path, text).unwrap();
        let apex: NameBuf = "example.com".parse().unwrap();
        let read = read_zone_file(&path, &apex, &[]);
        let shown = |problem: &Problem| {
            let text = problem.to_string();
            text.replace(&format!("{}/", folder.path().display()), "")
        };
        let zone = read.map_err(|problems| problems.iter().map(shown).collect::<Vec<_>>())?;
        let sets = zone.sets.iter().map(|set| {
            let owner = String::from_utf8_lossy(&set.owner).into_owned();
            let rdata: Vec<String> = set
                .rdata
                .iter()
                .map(|rdata| rdata.escape_ascii().to_string())
                .collect();
            format!(
                "{} {} {} {}",
                owner.escape_debug(),
                set.ttl,
                set.rrtype,
                rdata.join(" ")
            )
        });
        Ok(sets.collect())
    }

    /// The lines of a text after [`HEAD`].
    fn lines(text: &str) -> Vec<String> {
        let mut lines = read(&format!("{HEAD}{text}")).unwrap();
        lines.retain(|line| {
            !["6", "2"]
                .iter()
                .any(|own| line.starts_with(&format!(" 3600 {own} ")))
        });
        lines.retain(|line| !line.contains("ns1 3600 1 "));
        lines
    }

    #[test]
    fn records_have_the_owner_the_ttl_and_the_data_that_their_lines_say() {
        let lines = lines(
            "www 60 IN A 192.0.2.2\n IN 60 A 192.0.2.1\n\
             $ORIGIN sub.example.com.\nx CNAME Y\n@ MX 10 mail.example.net.\n\
             t TXT \"a b\" c \"\\\"\\065\"\nu TYPE65280 \\# 3 010203\n\
             v A \\# 4 C0000203\nw HTTPS 1 . alpn=\"h2,h3\" port=8443\n",
        );
        let expected = [
            "\\u{1}t\\u{3}sub 3600 16 \\x03a b\\x01c\\x02\\\"A",
            "\\u{1}u\\u{3}sub 3600 65280 \\x01\\x02\\x03",
            "\\u{1}v\\u{3}sub 3600 1 \\xc0\\x00\\x02\\x03",
            "\\u{1}w\\u{3}sub 3600 65 \\x00\\x01\\x00\\x00\\x01\\x00\\x06\\x02h2\\x02h3\\x00\\x03\\x00\\x02 \\xfb",
            "\\u{1}x\\u{3}sub 3600 5 \\x01y\\x03sub\\x07example\\x03com\\x00",
            "\\u{3}sub 3600 15 \\x00\\n\\x04mail\\x07example\\x03net\\x00",
            "\\u{3}www 60 1 \\xc0\\x00\\x02\\x01 \\xc0\\x00\\x02\\x02",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn without_a_ttl_that_of_the_record_before_or_the_minimum_counts() {
        let text = "@ SOA ns1 admin 1 1d 2h 4w 5m\n@ NS ns1\nns1 60 A 192.0.2.53\nx A 192.0.2.1\n";
        let lines = read(text).unwrap();
        assert!(lines[0].starts_with(" 300 2 "), "{lines:?}");
        assert!(
            lines.contains(&"\\u{1}x 60 1 \\xc0\\x00\\x02\\x01".to_owned()),
            "{lines:?}"
        );
    }

    #[test]
    fn every_problem_has_its_place() {
        let problems = |text: &str| read(&format!("{HEAD}{text}")).unwrap_err();
        let check = |text: &str, expected: &str| assert_eq!(problems(text), [expected], "{text}");
        check("x A 192.0.2.256\n", "zone:5:5: A: expected IPv4 address");
        check("x A\n", "zone:5:3: A: no data");
        check("x MX 10 a b\n", "zone:5:6: MX: trailing tokens");
        check("x.. A 192.0.2.1\n", "zone:5:1: \"x..\" is no name");
        check(
            "x NOPE a\n",
            "zone:5:3: \"NOPE\" is no type that is known: write TYPE and its number, and \\#",
        );
        check(
            "x.example.net. A 192.0.2.1\n",
            "zone:5:1: x.example.net.: outside of the zone example.com.",
        );
        check("x CH TXT a\n", "zone:5:3: class CH: only IN is served");
        check("x 9x A 192.0.2.1\n", "zone:5:3: \"9x\" is no TTL");
        check(
            "x DNSKEY 257 3 13 AAAA\n",
            "zone:5:3: DNSKEY: not taken from a file: zones are signed here",
        );
        check("x ANY a\n", "zone:5:3: ANY: no type of a record in a zone");
        check(
            "$GENERATE 1-2 x$ A 192.0.2.$\n",
            "zone:5:1: $GENERATE is not taken: write the records out",
        );
        check(
            "$INCLUDE nope\n",
            "zone:5:10: $INCLUDE \"nope\": No such file or directory (os error 2)",
        );
        check("x TXT (\n", "zone:5:7: a parenthesis that is not closed");
        check(
            "x A \\# 3 010203\n",
            "zone:5:5: A: the octets are no data of this type",
        );
        check(
            "x LOC 1 N 2 E 3m\n",
            "zone:5:7: LOC: unknown record type with concrete data; write it in the generic form of RFC 3597: \\# LENGTH OCTETS",
        );
        let two = problems("x A 1\ny A 2\n");
        assert_eq!(two.len(), 2, "{two:?}");
    }

    #[test]
    fn records_that_do_not_go_together_are_refused() {
        let problems = |text: &str| read(&format!("{HEAD}{text}")).unwrap_err();
        let check = |text: &str, expected: &str| assert_eq!(problems(text), [expected], "{text}");
        check(
            "www MX 10 mail.example.net.\nwww CNAME x\n",
            "zone:6:1: www.example.com: CNAME beside MX of line 5 (RFC 1034, 3.6.2)",
        );
        check(
            "x CNAME a\nx CNAME b\n",
            "zone:5:1: x.example.com: has 2 CNAME records: one may be there",
        );
        check(
            "@ SOA ns1 admin 2 1d 2h 4w 5m\n",
            "zone:2:1: example.com: has 2 SOA records: one may be there",
        );
        check(
            "x SOA ns1 admin 2 1d 2h 4w 5m\n",
            "zone:5:1: x.example.com: SOA outside of the apex",
        );
        check(
            "x DS 1 13 2 00\n",
            "zone:5:1: x.example.com: DS without NS (RFC 4035, 2.4)",
        );
        check(
            "x NS ns.x\n",
            "zone:5:1: x.example.com: NS ns.x.example.com: has no A and no AAAA record in this zone",
        );
        assert!(read(&format!("{HEAD}x NS ns.y\n*.y AAAA 2001:db8::1\ny TXT y\n")).is_ok());
        assert!(
            read(&format!("{HEAD}x NS ns.y\ny NS ns1\n")).is_ok(),
            "another zone has it"
        );
    }

    #[test]
    fn files_include_others_of_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(
            at("zone"),
            format!("{HEAD}$INCLUDE inner sub\nx A 192.0.2.1\n$INCLUDE zone\n"),
        )
        .unwrap();
        write(at("inner"), "y A 192.0.2.2\nz A 1\n").unwrap();
        let apex: NameBuf = "example.com".parse().unwrap();
        let problems = read_zone_file(&at("zone"), &apex, &[]).unwrap_err();
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            all[0].ends_with("inner:2:5: A: expected IPv4 address"),
            "{all:?}"
        );
        assert!(
            all.iter()
                .any(|one| one.ends_with("$INCLUDE: more than 8 files deep")),
            "{all:?}"
        );
        write(
            at("zone"),
            format!("{HEAD}$INCLUDE inner sub\nx A 192.0.2.1\n"),
        )
        .unwrap();
        write(at("inner"), "y A 192.0.2.2\n").unwrap();
        let zone = read_zone_file(&at("zone"), &apex, &[]).unwrap();
        assert_eq!(zone.files, [at("zone"), at("inner")]);
        assert!(zone.sets.iter().any(|set| *set.owner == *b"\x01y\x03sub"));
        assert!(zone.sets.iter().any(|set| *set.owner == *b"\x01x"));
        write(at("zone"), "$INCLUDE /etc/hostname\n").unwrap();
        let problems = read_zone_file(&at("zone"), &apex, &[]).unwrap_err();
        assert!(
            problems[0].message.contains("not in the folder"),
            "{problems:?}"
        );
    }
}
