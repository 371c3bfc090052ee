//! Regions, networks and places on the globe that are wrong, and what is said of them.

use super::bad::{after, check};

#[test]
fn reserved_and_colliding_topology_is_refused() {
    let nested = "[[federation]]\nname = \"g\"\napex = \"second.example.com\"\nnameservers = [{ name = \"ns.example.net\" }]\n";
    check(&[
        (
            after("[[region]]\nname = \"svc\""),
            &["7:8: region \"svc\": reserved"],
        ),
        (
            after("[[region]]\nname = \"r\"\nzones = [\"NS1\", \"dns-version\", \"_\"]"),
            &[
                "8:10: zone \"ns1\": reserved for the name server ns1.example.com.",
                "8:17: zone \"dns-version\": reserved for the TXT record of an apex",
                "8:32: zones \"_\": must not be empty",
            ],
        ),
        (
            after(&format!("{nested}[[region]]\nname = \"second\"")),
            &["11:8: region \"second\": reserved for the apex second.example.com."],
        ),
        (
            after(
                "[[region]]\nname = \"dc.1\"\nzones = [\"a\", \"a\"]\n[[region]]\nname = \"dc-1\"\n[[region]]\nlocation = { lat = 91, lon = \"x\" }",
            ),
            &[
                "8:15: zone \"a\": listed more than once",
                "10:8: region \"dc-1\": already defined on line 7",
                "10:8: region \"dc-1\": published as \"dc-1\", as \"dc.1\" of line 7 is",
                "11:1: name: required",
                "12:20: lat 91: must be between -90 and 90",
                "12:30: lon: expected a number, found a string",
            ],
        ),
        (
            after("[[member]]\nname = \"m\"\nzones = [\"z\"]\nsource = { in-cluster = true }"),
            &["8:10: zones \"z\": need a region"],
        ),
        (
            after(
                "[[network]]\ncidrs = []\n[[network]]\ncidrs = [\"192.0.2.0/24\"]\nzone = \"z\"\nmember = \"m\"",
            ),
            &[
                "6:1: cidrs: at least one network is required",
                "6:1: network: give a region, a region and a zone, or a member",
                "8:1: network: give a region, a region and a zone, or a member",
                "10:8: zone \"z\": requires a region",
                "11:10: member \"m\": unknown member",
            ],
        ),
    ]);
}

#[test]
fn a_wrong_place_on_the_globe_is_refused() {
    check(&[
        (
            after(
                "[[region]]\nname = \"r\"\ncountries = [\"JP\", \"Japan\", \"jp\"]\ncontinents = [\"XX\"]\n[[region]]\nname = \"s\"\ncountries = [\"JP\"]",
            ),
            &[
                "8:20: countries \"Japan\": expected a country code of two letters such as JP",
                "8:29: country \"JP\": listed already, line 8",
                "9:15: continents \"XX\": expected one of AF, AN, AS, EU, NA, OC, SA",
                "12:14: country \"JP\": listed already, line 8",
            ],
        ),
        (
            after(
                "[[cost]]\nbetween = [\"r\", \"svc\"]\ncost = -1\n[[cost]]\nbetween = [\"r\", \"R\"]\ncost = 1\n[[cost]]",
            ),
            &[
                "7:17: between \"svc\": reserved",
                "8:8: cost -1: must be between 0 and 80000",
                "9:1: between: expected two regions",
                "12:1: between: required",
                "12:1: cost: required",
            ],
        ),
        (
            after(
                "[[cost]]\nbetween = [\"r\", \"s\"]\ncost = 1\n[[cost]]\nbetween = [\"s\", \"r\"]\ncost = 2\n[[cost]]\nbetween = [\"s\"]\ncost = 3",
            ),
            &[
                "10:12: between: pair already defined on line 7",
                "12:1: between: expected two regions",
            ],
        ),
        (
            after("[geoip]\ndatabase = \"\"\nx = 1"),
            &[
                "7:12: database \"\": must not be empty",
                "8:1: unknown key \"x\"",
            ],
        ),
        (after("[geoip]"), &["6:1: database: required"]),
    ]);
}
