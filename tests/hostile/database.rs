//! GeoIP databases from which nobody can get a place.

use crate::mmdb;
use crate::program;
use crate::stage::{FIRST, NAME, SECOND, Stage};

/// What is said of a database whose records have a country where no other maker has it.
const SAYS: [&str; 4] = [
    "a database of type \"Test-City\" places nobody",
    "\"country\"",
    "\"city\"",
    "neither country.iso_code",
];

#[test]
fn a_database_that_places_nobody_is_warned_of_with_its_type_and_fields() {
    let mut stage = Stage::new();
    stage.top += "\ngeoip = { database = \"flat.mmdb\" }";
    let network = |text: &str| text.parse().expect("a network");
    let records = [
        (network("198.18.1.0/24"), vec![("flat-country", "DE")]),
        (network("198.18.2.0/24"), vec![("flat-country", "US")]),
    ];
    program::write_octets(&stage.path().join("flat.mmdb"), &mmdb::write(&records));
    let daemon = stage.start();
    let line = daemon.log(&SAYS);
    assert!(line.contains("WARN"), "{line}");
    // It stops nobody.
    daemon.until_answers(NAME, &[FIRST, SECOND]);
    let (good, printed) = stage.run(&["check", "gazetteer.toml"]);
    assert!(good, "{printed}");
    let mut lines = printed.lines();
    let warning = lines.find(|line| line.starts_with("warning: geoip:"));
    let warning = warning.unwrap_or_else(|| panic!("no warning: {printed}"));
    for words in SAYS {
        assert!(warning.contains(words), "{words}: {warning}");
    }
}
