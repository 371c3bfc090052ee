//! Files that are wrong, and what is said of them.

use std::path::Path;

use super::good::EVERY_KEY;
use crate::config::parse;

/// The problems of a text, one per line, without the file name.
fn problems(text: &str) -> Vec<String> {
    let problems = parse(text, Path::new("fed.toml")).expect_err(text);
    let line = |problem: &crate::config::Problem| {
        let shown = problem.to_string();
        shown.strip_prefix("fed.toml:").unwrap_or(&shown).to_owned()
    };
    problems.iter().map(line).collect()
}

/// A right file but for `lines`, which start at line 5. The federation is open at its end.
fn federation(lines: &str) -> String {
    let head = "version = \"v1\"\n[[federation]]\nname = \"f\"\napex = \"example.com\"\n";
    let servers = "nameservers = [{ name = \"ns1.example.com\", addresses = [\"192.0.2.1\"] }]\n";
    if lines.contains("nameservers") {
        format!("{head}{lines}\n")
    } else {
        format!("{head}{lines}\n{servers}")
    }
}

/// Sections after a right federation, from line 6.
fn after(lines: &str) -> String {
    let federation = federation("");
    let federation = federation.replace("\n\n", "\n");
    format!("{federation}{lines}\n")
}

/// Checks the problems of many texts.
fn check(cases: &[(String, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(&problems(text), expected, "{text}");
    }
}

#[test]
fn a_wrong_file_is_refused_with_its_place() {
    check(&[
        (String::new(), &["1:1: version: missing"]),
        (
            "version = \"v2\"".to_owned(),
            &["1:11: version \"v2\": not one of v1"],
        ),
        (
            "version = 1".to_owned(),
            &["1:11: version: not a string but a whole number"],
        ),
        (
            "verzion = \"v1\"".to_owned(),
            &[
                "1:1: unknown key \"verzion\"; did you mean \"version\"?",
                "1:1: version: missing",
            ],
        ),
        (
            "version = \"v1\"\nresolver = [\"x\", 5]\nshutdown-delay = \"2 h\"".to_owned(),
            &[
                "2:13: resolver \"x\": not an address and port, such as 127.0.0.1:53 or [::1]:53",
                "2:18: resolver: not a string but a whole number",
                "3:18: shutdown-delay \"2 h\": not within 0s to 1h",
            ],
        ),
        (
            "version = \"v1\"\nstate-dir = \"\"\nfederation = 3".to_owned(),
            &[
                "2:13: state-dir \"\": empty",
                "3:14: federation: not a list but a whole number",
            ],
        ),
    ]);
}

#[test]
fn text_that_is_no_toml_is_refused_with_every_place() {
    let found = problems("version = \"v1\nx = = 2\n[listen\n");
    let places: Vec<_> = found
        .iter()
        .map(|problem| problem.split(": ").next().unwrap())
        .collect();
    assert_eq!(places, ["1:14", "2:5", "2:7", "3:8"], "{found:#?}");
    assert_eq!(problems("a = 1\na = 2\n").len(), 1);
}

#[test]
fn a_wrong_listen_is_refused() {
    let listen = |lines: &str| format!("version = \"v1\"\n[listen]\n{lines}\n");
    check(&[
        (
            listen("dns = [\"127.0.0.1\", 3, { addres = \"127.0.0.1:1\" }]"),
            &[
                "3:8: address \"127.0.0.1\": not an address and port, such as 127.0.0.1:53 or [::1]:53",
                "3:21: dns: not an address or a table { address, member }",
                "3:24: address: missing",
                "3:26: unknown key \"addres\"; did you mean \"address\"?",
            ],
        ),
        (listen("dns = []"), &["2:1: dns: names no address"]),
        (
            listen("dns = [\"127.0.0.1:53\", \"127.0.0.1:53\", \"[::1]:0\", \"[::1]:0\"]"),
            &["3:24: address \"127.0.0.1:53\": listened on already, line 3"],
        ),
        (
            listen("dns = [\"0.0.0.0:53\", \"[::]:53\", \"10.0.0.1:53\"]"),
            &["3:33: address \"10.0.0.1:53\": listened on already, line 3"],
        ),
        (
            listen("dns = [\"127.0.0.1:53\"]\nadmin = \"127.0.0.1:53\""),
            &["4:9: address \"127.0.0.1:53\": listened on already, line 3"],
        ),
        (
            listen("dns = [{ address = \"127.0.0.1:53\", member = \"m\" }]"),
            &["3:45: member \"m\": no such member"],
        ),
        (
            listen(
                "trusted = [\"10.0.0.1/8\", \"ten\"]\nworkers = 0\nnsid = \"\"\ntcp-idle = \"0s\"",
            ),
            &[
                "3:12: trusted \"10.0.0.1/8\": not the first address of a network; 10.0.0.0/8 is",
                "3:26: trusted \"ten\": not a network, such as 10.0.0.0/8",
                "4:11: workers 0: not within 1 to 256",
                "5:8: nsid \"\": not 1 to 64 printable ASCII characters",
                "6:12: tcp-idle \"0s\": not within 100ms to 1h",
            ],
        ),
    ]);
}

#[test]
fn a_wrong_federation_is_refused() {
    check(&[
        (
            "version = \"v1\"\n[[federation]]\n".to_owned(),
            &[
                "2:1: apex: missing",
                "2:1: name: missing",
                "2:1: nameservers: missing",
            ],
        ),
        (
            federation(
                "ttl = \"30\"\nnegative-ttl = \"1.5s\"\nhold = \"8d\"\nsync-timeout = \"-1s\"",
            ),
            &[
                "5:7: ttl \"30\": not a duration, such as 30s or 1m30s",
                "6:16: negative-ttl \"1.5s\": not whole seconds",
                "7:8: hold \"8d\": not a duration, such as 30s or 1m30s",
                "8:16: sync-timeout \"-1s\": not a duration, such as 30s or 1m30s",
            ],
        ),
        (
            federation(
                "ttl = \"25h\"\npolicy = \"geo\"\nexport = \"all\"\nwhen-all-down = \"panic\"",
            ),
            &[
                "5:7: ttl \"25h\": not within 0s to 24h",
                "6:10: policy \"geo\": not one of nearest, spread, weighted, failover",
                "7:10: export \"all\": not one of annotated, load-balancers",
                "8:17: when-all-down \"panic\": not one of nodata, nxdomain, last-known",
            ],
        ),
        (
            federation("order = [\"a\", \"a\"]\nmembers = [\"b-*\", \"b\", \"?\"]\nfence = []"),
            &[
                "2:1: fence: an empty list lets no region pass; leave it out to let all pass",
                "5:10: order \"a\": no such member",
                "5:15: order \"a\": listed twice",
                "5:15: order \"a\": no such member",
                "6:19: members \"b\": no such member",
                "6:24: members \"?\": not a pattern (letters, digits, hyphens, and * for any run of them)",
            ],
        ),
        (
            federation("hostmaster = \"me@example.com\"\nfence = [\"svc\"]"),
            &[
                "5:14: hostmaster \"me@example.com\": written me.example.com (RFC 1035 section 3.3.13)",
                "6:10: fence \"svc\": reserved",
            ],
        ),
        (
            federation("probe = { kind = \"icmp\", interval = \"1s\", timeout = \"2s\", up = 0 }"),
            &[
                "5:18: kind \"icmp\": not one of none, tcp, http, https, grpc",
                "5:53: timeout: longer than interval",
                "5:64: up 0: not within 1 to 100",
            ],
        ),
        (
            federation(
                "brake = \"0%\"\nmax-addresses = 33\nspill-over = \"101%\"\nprobe = { kind = \"tcp\", path = \"/\" }",
            ),
            &[
                "5:9: brake \"0%\": not a share, 1% to 100%",
                "6:17: max-addresses 33: not within 1 to 32",
                "7:14: spill-over \"101%\": not a share, 1% to 100%",
                "8:32: path: not a key of kind \"tcp\"",
            ],
        ),
        (
            federation("tll = \"30s\"\ncolour = 1"),
            &[
                "5:1: unknown key \"tll\"; did you mean \"ttl\"?",
                "6:1: unknown key \"colour\"",
            ],
        ),
        (
            after(
                "[[federation]]\nname = \"F\"\napex = \".\"\nnameservers = [{ name = \"ns.example.net\" }]",
            ),
            &[
                "7:8: federation \"f\": named already, line 3",
                "8:8: apex \".\": not a name below the root",
            ],
        ),
    ]);
}

#[test]
fn wrong_name_servers_are_refused() {
    let server = |entries: &str| federation(&format!("nameservers = [{entries}]"));
    check(&[
        (server(""), &["2:1: nameservers: at least one is needed"]),
        (
            server("{ name = \"ns1.example.com\" }"),
            &["5:25: name server \"ns1.example.com.\": inside the apex, so it needs addresses"],
        ),
        (
            server("{ name = \"ns1.example.com\", addresses = [\"0.0.0.0\", \"192.0.2\"] }"),
            &[
                "5:57: addresses \"0.0.0.0\": is unspecified, and so not for clients",
                "5:68: addresses \"192.0.2\": not an IP address",
            ],
        ),
        (
            server("{ name = \"ns.svc.eu.example.com\", addresses = [\"192.0.2.1\"] }"),
            &["5:25: name server \"ns.svc.eu.example.com.\": its place in the apex is reserved"],
        ),
        (
            server("{ name = \"n.example.net\" }, { name = \"N.example.net\", adresses = [] }"),
            &[
                "5:53: name server \"n.example.net.\": listed twice",
                "5:70: unknown key \"adresses\"; did you mean \"addresses\"?",
            ],
        ),
        (
            after(
                "[[federation]]\nname = \"g\"\napex = \"example.com\"\nnameservers = [{ name = \"ns.example.net\" }]",
            ),
            &[
                "8:8: apex \"example.com.\": other name servers than the federation of line 4, which shares it",
            ],
        ),
        (
            after(
                "[[federation]]\nname = \"g\"\napex = \"second.example.com\"\nnameservers = [{ name = \"ns2.example.com\" }]",
            ),
            &[
                "9:25: name server \"ns2.example.com.\": inside the apex \"example.com.\", which does not list it",
            ],
        ),
        (
            after(
                "[[federation]]\nname = \"g\"\napex = \"a.svc.example.com\"\nnameservers = [{ name = \"ns.example.net\" }]",
            ),
            &[
                "8:8: apex \"a.svc.example.com.\": inside the service names of the apex \"example.com.\"",
            ],
        ),
    ]);
}

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
                "8:32: zones \"_\": empty",
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
                "8:15: zone \"a\": listed twice",
                "10:8: region \"dc-1\": given already, line 7",
                "10:8: region \"dc-1\": published as \"dc-1\", as \"dc.1\" of line 7 is",
                "11:1: name: missing",
                "12:20: lat 91: not within -90 to 90",
                "12:30: lon: not a number but a string",
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
                "6:1: cidrs: names no network",
                "6:1: network: give a region, a region and a zone, or a member",
                "8:1: network: give a region, a region and a zone, or a member",
                "10:8: zone \"z\": needs a region",
                "11:10: member \"m\": no such member",
            ],
        ),
    ]);
}

#[test]
fn a_wrong_member_is_refused() {
    let member = |source: &str| after(&format!("[[member]]\nname = \"m\"\nsource = {source}"));
    check(&[
        (
            after("[[member]]\nname = \"a@b\""),
            &[
                "6:1: source: missing",
                "7:8: member \"a@b\": not a DNS label (letters, digits, and hyphens inside)",
            ],
        ),
        (
            member("\"m.toml\""),
            &["8:10: source: not a table but a string"],
        ),
        (
            member("{}"),
            &["8:10: source: give one of kubeconfig with context, in-cluster, file"],
        ),
        (
            member("{ file = \"f\", in-cluster = true }"),
            &["8:10: source: give one of kubeconfig with context, in-cluster, file"],
        ),
        (
            member("{ kubeconfig = \"k\" }"),
            &["8:10: context: missing"],
        ),
        (
            member("{ file = \"f\", context = \"c\" }"),
            &["8:34: context: needs kubeconfig"],
        ),
        (
            member("{ in-cluster = false }"),
            &["8:25: in-cluster: true, or left out"],
        ),
        (
            after(
                "[[member]]\nname = \"m\"\nsource = { file = \"a\" }\n[[member]]\nname = \"M\"\nsource = { file = \"b\" }",
            ),
            &["10:8: member \"m\": named already, line 7"],
        ),
    ]);
    let domain = |domain: &str| {
        member(&format!(
            "{{ in-cluster = true }}\ncluster-domain = \"{domain}\""
        ))
    };
    check(&[
        (
            domain("cluster..local"),
            &["9:18: cluster-domain \"cluster..local\": empty label"],
        ),
        (
            domain("Example.com"),
            &[
                "9:18: cluster-domain \"example.com.\": its zone \"f.svc.example.com.\" and the apex \"example.com.\" overlap",
            ],
        ),
        (
            domain(&vec!["a".repeat(62); 4].join(".")),
            &[&format!(
                "9:18: cluster-domain \"{}.\": no room for f.svc before it",
                vec!["a".repeat(62); 4].join(".")
            )],
        ),
    ]);
    let section = |n| format!("[[member]]\nname = \"m{n}\"\nsource = {{ in-cluster = true }}\n");
    let many = (0..257).map(section).collect::<Vec<_>>().concat();
    assert_eq!(
        problems(&after(&many)),
        ["775:8: member \"m256\": the number 257, and there may be 256",]
    );
}

#[test]
fn a_clusterset_that_reaches_into_another_zone_is_refused() {
    let with = |domain: &str, more: &str| federation(&format!("clusterset = \"{domain}\"")) + more;
    check(&[
        (
            with("a..b", ""),
            &["5:14: clusterset \"a..b\": empty label"],
        ),
        (
            with("x.Example.com", ""),
            &["5:14: clusterset \"x.example.com.\": it and the apex \"example.com.\" overlap"],
        ),
        (
            with(
                "set.test",
                "[[federation]]\nname = \"g\"\napex = \"example.net\"\nclusterset = \"b.set.test\"\nnameservers = [{ name = \"dns-version.set.test\" }]",
            ),
            &[
                "5:14: clusterset \"set.test.\": the place of the name server \"dns-version.set.test.\" in it is reserved",
                "10:14: clusterset \"b.set.test.\": it and the clusterset of line 5 overlap",
            ],
        ),
        (
            with(
                "local",
                "[[member]]\nname = \"m\"\ncluster-domain = \"cluster.local\"\nsource = { in-cluster = true }",
            ),
            &["5:14: clusterset \"local.\": it and the zone \"f.svc.cluster.local.\" overlap"],
        ),
    ]);
}

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    let lines: Vec<&str> = EVERY_KEY.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let tabled = line.starts_with('[') || line.starts_with("version");
        let inline = line.contains("{ ");
        let mut changed = lines.clone();
        let with_key;
        if tabled {
            changed.insert(index + 1, "bogus = 1");
        } else if inline {
            with_key = line.replacen("{ ", "{ bogus = 1, ", 1);
            changed[index] = &with_key;
        } else {
            continue;
        }
        let found = problems(&changed.join("\n"));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].ends_with("unknown key \"bogus\""), "{found:?}");
    }
}

#[test]
fn a_wrong_place_on_the_globe_is_refused() {
    check(&[
        (
            after(
                "[[region]]\nname = \"r\"\ncountries = [\"JP\", \"Japan\", \"jp\"]\ncontinents = [\"XX\"]\n[[region]]\nname = \"s\"\ncountries = [\"JP\"]",
            ),
            &[
                "8:20: countries \"Japan\": not a country of two letters, such as JP",
                "8:29: country \"JP\": listed already, line 8",
                "9:15: continents \"XX\": not one of AF, AN, AS, EU, NA, OC, SA",
                "12:14: country \"JP\": listed already, line 8",
            ],
        ),
        (
            after(
                "[[cost]]\nbetween = [\"r\", \"svc\"]\ncost = -1\n[[cost]]\nbetween = [\"r\", \"R\"]\ncost = 1\n[[cost]]",
            ),
            &[
                "7:17: between \"svc\": reserved",
                "8:8: cost -1: not within 0 to 80000",
                "9:1: between: not two regions",
                "12:1: between: missing",
                "12:1: cost: missing",
            ],
        ),
        (
            after(
                "[[cost]]\nbetween = [\"r\", \"s\"]\ncost = 1\n[[cost]]\nbetween = [\"s\", \"r\"]\ncost = 2\n[[cost]]\nbetween = [\"s\"]\ncost = 3",
            ),
            &[
                "10:12: between: pair given already, line 7",
                "12:1: between: not two regions",
            ],
        ),
        (
            after("[geoip]\ndatabase = \"\"\nx = 1"),
            &["7:12: database \"\": empty", "8:1: unknown key \"x\""],
        ),
        (after("[geoip]"), &["6:1: database: missing"]),
    ]);
}
