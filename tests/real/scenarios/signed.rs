//! A signed apex under a parent zone: real validators, and programs that judge zones.

use std::path::Path;

use hickory_proto::rr::RecordType;
use serde_json::Value;
use tokio::time::Instant;

use crate::gazetteer::{global, within};
use crate::internet::{Internet, RESOLVERS, Validator, ZONE, zonemaster};
use crate::report_line;
use crate::signed::SignedWorld;
use crate::wait::{SOON, until};

/// How many queries a validating resolver is asked in each of three parts: before an outage, from its
/// begin on, and from its end on.
const QUERIES: u32 = 3_400;

/// Of both address families, at every level, and types that are not there.
fn questions() -> Vec<(String, RecordType)> {
    let (zone, region) = ("europe-west1-b.europe-west1", "europe-west1");
    let mut names = vec![
        ZONE.to_owned(),
        format!("ns1.{ZONE}"),
        format!("svc.{ZONE}"),
    ];
    for service in ["web", "api"] {
        let all = global("shop", service);
        names.extend([
            format!("_http._tcp.{all}"),
            format!("ew1b.{all}"),
            within("shop", service, zone),
            within("shop", service, "europe-west1-d"),
            within("shop", service, region),
            within("shop", service, "us-east1"),
            all,
        ]);
    }
    let kinds = [
        RecordType::A,
        RecordType::AAAA,
        RecordType::SRV,
        RecordType::TXT,
    ];
    let pairs = names
        .iter()
        .flat_map(|name| kinds.map(|kind| (name.clone(), kind)));
    let apex = [RecordType::SOA, RecordType::NS, RecordType::DNSKEY];
    let apex = apex.map(|kind| (ZONE.to_owned(), kind));
    pairs.chain(apex).collect()
}

/// Asks a resolver for everything again and again, and for names that nobody has asked for; all must be
/// validated.
fn load(resolver: &Validator) {
    let questions = questions();
    let mut asked = questions.iter().cycle();
    for number in 0..QUERIES {
        if number % 5 == 0 {
            let absent = format!("n{}-{number}.{}", resolver.asked(), global("shop", "web"));
            let answer = resolver.validate(&absent, RecordType::A);
            assert_eq!(answer.to_string(), "NODATA", "{absent}");
        } else {
            let (name, kind) = asked.next().expect("questions");
            resolver.validate(name, *kind);
        }
    }
}

/// Unbound and delv validate every answer before an outage of a region, during it, and after it.
pub(crate) fn outage(folder: &Path) {
    Internet::with(folder, |internet| {
        let world = SignedWorld::new(folder, "", Vec::new());
        world.keys(&["generate", ZONE]);
        internet.delegate(&[world.ds()]);
        let _daemon = world.start(internet);
        // Everything is asked of gazetteer, and the chain of trust of those above, every time.
        let forgetful = "  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n";
        let resolver = internet.unbound("unbound", RESOLVERS[0], forgetful, &[]);
        let (all, region) = (global("shop", "web"), within("shop", "web", "europe-west1"));
        let zone = within("shop", "web", "europe-west1-b.europe-west1");
        let start = Instant::now();
        for (is_ready, expected) in [
            (true, "A 203.0.113.11".to_owned()),
            (false, format!("CNAME {region} CNAME {all} A 203.0.113.21")),
            (true, "A 203.0.113.11".to_owned()),
        ] {
            world.set_ready("europe-west1", is_ready);
            load(&resolver);
            until(&format!("{zone} is {expected}"), SOON, || {
                match resolver.validate(&zone, RecordType::A).to_string() {
                    answer if answer == expected => Ok(()),
                    answer => Err(answer),
                }
            });
            for (name, word) in [
                (&zone, "; fully validated"),
                (
                    &format!("absent.{all}"),
                    "; negative response, fully validated",
                ),
            ] {
                let said = internet.delv(RESOLVERS[0], name, "A");
                assert!(said.starts_with(word), "{name}: {said}");
            }
        }
        // It would have told.
        let ds = world.ds();
        let (key, digest) = ds.rsplit_once(' ').expect("a digest");
        let other: String = digest.chars().rev().collect();
        let other = format!("{key} {other}");
        internet.delegate(&[other]);
        until("a DS record of no key is noticed", SOON, || match resolver
            .answer(&zone, RecordType::A)?
            .to_string()
        {
            answer if answer == "SERVFAIL" => Ok(()),
            answer => Err(answer),
        });
        report_line(&format!(
            "{} queries to Unbound in {:.0?} before, during and after an outage: all validated",
            resolver.asked(),
            start.elapsed()
        ));
    });
}

/// What Zonemaster may say of this zone, and why it is so.
const EXPECTED: [(&str, &str, &str); 7] = [
    (
        "ERROR",
        "ADDRESS01",
        "the networks of this test are no public ones",
    ),
    (
        "NOTICE",
        "SYNTAX06",
        "there is no mail server in this Internet",
    ),
    ("NOTICE", "ZONE09", "the same"),
    (
        "NOTICE",
        "ZONE02",
        "REFRESH is for secondaries, of which there are none",
    ),
    ("NOTICE", "ZONE04", "RETRY, the same"),
    (
        "WARNING",
        "ZONE05",
        "EXPIRE is a day: signatures have three days left at least",
    ),
    ("NOTICE", "ZONE06", "an absent name may come any second"),
];

/// dnsviz finds neither an error nor a warning in a zone of which a region is out, and Zonemaster nothing
/// of which the reason is not known.
pub(crate) fn judged(folder: &Path) {
    Internet::with(folder, |internet| {
        let world = SignedWorld::new(folder, "", Vec::new());
        world.keys(&["generate", ZONE]);
        internet.delegate(&[world.ds()]);
        let daemon = world.start(internet);
        world.set_ready("europe-west1", false);
        let (all, region) = (global("shop", "web"), within("shop", "web", "europe-west1"));
        let zone = within("shop", "web", "europe-west1-b");
        daemon.until_answers(&zone, &format!("CNAME {region} CNAME {all} A 203.0.113.21"));
        let (tree, absent) = (format!("svc.{ZONE}"), format!("absent.{ZONE}"));
        let server = format!("_http._tcp.{all}");
        let names = [ZONE, &all, &zone, &tree, &absent, &server];
        let wrong = internet.dnsviz(&names, "warning", &[]);
        assert_eq!(wrong, "", "dnsviz");

        let resolver = internet.unbound("unbound", RESOLVERS[0], "", &[]);
        resolver.validate(&zone, RecordType::A);
        let hints = folder.join("unbound/root.hints");
        let (good, odd) = zonemaster(&hints);
        let is_known = |level: &str, case: &str| {
            let mut expected = EXPECTED.iter();
            expected.any(|(of, about, _)| *of == level && *about == case)
        };
        let unknown = odd
            .iter()
            .filter(|remark| !is_known(&remark.level, &remark.case));
        let unknown: Vec<_> = unknown.collect();
        assert!(unknown.is_empty(), "Zonemaster: {unknown:#?}");
        report_line(&format!(
            "Zonemaster says that {good} things are well, and:"
        ));
        for (level, case, reason) in EXPECTED {
            let said = odd
                .iter()
                .filter(|remark| remark.level == level && remark.case == case);
            match said.count() {
                0 => {}
                count => report_line(&format!("  {level} {case} {count} times: {reason}")),
            }
        }
    });
}

/// Checks of the zone above, by its servers in `parent`: a key that waits for its DS record, whose hint
/// prints what is needed; one that has it; a DS record of no key, alone and beside the right one.
pub(crate) fn checked(folder: &Path) {
    Internet::with(folder, |internet| {
        let world = SignedWorld::new(folder, "", Vec::new());
        world.keys(&["generate", ZONE]);
        let _daemon = world.start(internet);
        let ds = world.ds();
        let other = format!("1 13 2 {}", "0".repeat(64));
        let waits = "which waits for it: without one nobody validates";
        for (above, state, words) in [
            (vec![], "warning", waits),
            (vec![ds.clone()], "ok", "as they should be"),
            (vec![other.clone()], "failure", "none of a key that signs"),
            (
                vec![ds.clone(), other],
                "warning",
                "1 DS record of no key that is here",
            ),
        ] {
            internet.delegate(&above);
            let arguments = ["check", "gazetteer.toml", "--live", "-o", "json", "--only"];
            let ids = "parent-ns,parent-glue,parent-ds";
            let ran = world.run(&[&arguments[..], &[ids]].concat());
            let report: Value = serde_json::from_str(&ran.text).expect("JSON");
            let lines = report["checks"].as_array().expect("checks");
            let of = |id: &str| {
                let mut lines = lines.iter().filter(|line| line["id"] == id);
                lines.next().unwrap_or_else(|| panic!("{id}: {lines:?}"))
            };
            assert_eq!(of("parent-ns")["state"], "ok", "{report}");
            assert_eq!(of("parent-glue")["state"], "ok", "{report}");
            let line = of("parent-ds");
            assert_eq!(line["state"], state, "{line}");
            assert!(line["says"].to_string().contains(words), "{line}");
            let hint = line["hint"].as_str().unwrap_or_default();
            if let Some(command) = hint.strip_prefix("gazetteer ") {
                let arguments: Vec<_> = command.split(' ').collect();
                assert!(world.run(&arguments).well().contains(&ds), "{hint}");
            } else {
                assert_eq!(hint.starts_with("dig @"), state != "ok", "{line}");
            }
        }
    });
}
