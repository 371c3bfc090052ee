//! Files that are wrong, and what is said of them; regions and places stand in `bad_places`.

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
pub(super) fn federation(lines: &str) -> String {
    let head = "version = \"v1\"\n[[federation]]\nname = \"f\"\napex = \"example.com\"\n";
    let servers = "nameservers = [{ name = \"ns1.example.com\", addresses = [\"192.0.2.1\"] }]\n";
    if lines.contains("nameservers") {
        format!("{head}{lines}\n")
    } else {
        format!("{head}{lines}\n{servers}")
    }
}

/// Sections after a right federation, from line 6.
pub(super) fn after(lines: &str) -> String {
    let federation = federation("");
    let federation = federation.replace("\n\n", "\n");
    format!("{federation}{lines}\n")
}

/// Checks the problems of many texts, and that the schema refuses those that it can judge.
pub(super) fn check(cases: &[(String, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(&problems(text), expected, "{text}");
        let judged = expected
            .iter()
            .any(|problem| super::schema::judges(problem));
        let refused = !super::schema::refusals(text).is_empty();
        assert!(refused || !judged, "the schema takes {text}");
    }
}

#[test]
fn a_wrong_file_is_refused_with_its_place() {
    check(&[
        (String::new(), &["1:1: version: required"]),
        (
            "version = \"v2\"".to_owned(),
            &["1:11: version \"v2\": expected one of v1"],
        ),
        (
            "version = 1".to_owned(),
            &["1:11: version: expected a string, found a whole number"],
        ),
        (
            "verzion = \"v1\"".to_owned(),
            &[
                "1:1: unknown key \"verzion\"; did you mean \"version\"?",
                "1:1: version: required",
            ],
        ),
        (
            "version = \"v1\"\nresolver = [\"x\", 5]\nshutdown-delay = \"2 h\"".to_owned(),
            &[
                "2:13: resolver \"x\": expected an address and port such as 127.0.0.1:53 or [::1]:53",
                "2:18: resolver: expected a string, found a whole number",
                "3:18: shutdown-delay \"2 h\": must be between 0s and 1h",
            ],
        ),
        (
            "version = \"v1\"\nstate-dir = \"\"\nfederation = 3".to_owned(),
            &[
                "2:13: state-dir \"\": must not be empty",
                "3:14: federation: expected a list, found a whole number",
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
                "3:8: address \"127.0.0.1\": expected an address and port such as 127.0.0.1:53 or [::1]:53",
                "3:21: dns: expected an address or a table { address, member, allow }",
                "3:24: address: required",
                "3:26: unknown key \"addres\"; did you mean \"address\"?",
            ],
        ),
        (
            listen("dns = []"),
            &["2:1: dns: at least one address is required"],
        ),
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
            &["3:45: member \"m\": unknown member"],
        ),
        (
            listen(
                "trusted = [\"10.0.0.1/8\", \"ten\"]\nworkers = 0\nnsid = \"\"\ntcp-idle = \"0s\"",
            ),
            &[
                "3:12: trusted \"10.0.0.1/8\": not the first address of a network; 10.0.0.0/8 is",
                "3:26: trusted \"ten\": expected a network such as 10.0.0.0/8",
                "4:11: workers 0: must be between 1 and 256",
                "5:8: nsid \"\": not 1 to 64 printable ASCII characters",
                "6:12: tcp-idle \"0s\": must be between 100ms and 1h",
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
                "2:1: apex: required",
                "2:1: name: required",
                "2:1: nameservers: required",
            ],
        ),
        (
            federation(
                "ttl = \"30\"\nnegative-ttl = \"1.5s\"\nhold = \"8d\"\nsync-timeout = \"-1s\"",
            ),
            &[
                "5:7: ttl \"30\": expected a duration such as 30s or 1m30s",
                "6:16: negative-ttl \"1.5s\": must be whole seconds",
                "7:8: hold \"8d\": must be between 0s and 7d",
                "8:16: sync-timeout \"-1s\": expected a duration such as 30s or 1m30s",
            ],
        ),
        (
            federation(
                "ttl = \"25h\"\npolicy = \"geo\"\nexport = \"all\"\nwhen-all-down = \"panic\"",
            ),
            &[
                "5:7: ttl \"25h\": must be between 0s and 1d",
                "6:10: policy \"geo\": expected one of nearest, spread, weighted, failover",
                "7:10: export \"all\": expected one of annotated, load-balancers",
                "8:17: when-all-down \"panic\": expected one of nodata, nxdomain, last-known",
            ],
        ),
        (
            federation("order = [\"a\", \"a\"]\nmembers = [\"b-*\", \"b\", \"?\"]\nfence = []"),
            &[
                "2:1: fence: an empty list lets no region pass; leave it out to let all pass",
                "5:10: order \"a\": unknown member",
                "5:15: order \"a\": listed more than once",
                "5:15: order \"a\": unknown member",
                "6:19: members \"b\": unknown member",
                "6:24: members \"?\": expected a pattern (letters, digits, hyphens, and * for any number of characters)",
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
                "5:18: kind \"icmp\": expected one of none, tcp, http, https, grpc",
                "5:53: timeout: must not exceed interval",
                "5:64: up 0: must be between 1 and 100",
            ],
        ),
        (
            federation(
                "brake = \"0%\"\nmax-addresses = 33\nspill-over = \"101%\"\nprobe = { kind = \"tcp\", path = \"/\" }",
            ),
            &[
                "5:9: brake \"0%\": expected a share from 1% to 100%",
                "6:17: max-addresses 33: must be between 1 and 32",
                "7:14: spill-over \"101%\": expected a share from 1% to 100%",
                "8:32: path: not allowed for kind \"tcp\"",
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
                "8:8: apex \".\": expected a domain name other than the root",
            ],
        ),
    ]);
}

#[test]
fn wrong_name_servers_are_refused() {
    let server = |entries: &str| federation(&format!("nameservers = [{entries}]"));
    check(&[
        (server(""), &["2:1: nameservers: at least one is required"]),
        (
            server("{ name = \"ns1.example.com\" }"),
            &[
                "5:25: name server \"ns1.example.com.\": inside the apex: addresses are required (glue)",
            ],
        ),
        (
            server("{ name = \"ns1.example.com\", addresses = [\"0.0.0.0\", \"192.0.2\"] }"),
            &[
                "5:57: addresses \"0.0.0.0\": is unspecified: clients cannot reach it",
                "5:68: addresses \"192.0.2\": expected an IP address",
            ],
        ),
        (
            server("{ name = \"ns.svc.eu.example.com\", addresses = [\"192.0.2.1\"] }"),
            &["5:25: name server \"ns.svc.eu.example.com.\": a reserved name of the apex"],
        ),
        (
            server("{ name = \"n.example.net\" }, { name = \"N.example.net\", adresses = [] }"),
            &[
                "5:53: name server \"n.example.net.\": listed more than once",
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
fn a_wrong_member_is_refused() {
    let member = |source: &str| after(&format!("[[member]]\nname = \"m\"\nsource = {source}"));
    check(&[
        (
            after("[[member]]\nname = \"a@b\""),
            &[
                "6:1: source: required",
                "7:8: member \"a@b\": invalid DNS label (letters, digits, and hyphens inside)",
            ],
        ),
        (
            member("\"m.toml\""),
            &["8:10: source: expected a table, found a string"],
        ),
        (
            member("{}"),
            &[
                "8:10: source: expected exactly one of kubeconfig (with context), in-cluster, file, url",
            ],
        ),
        (
            member("{ file = \"f\", in-cluster = true }"),
            &[
                "8:10: source: expected exactly one of kubeconfig (with context), in-cluster, file, url",
            ],
        ),
        (
            member("{ kubeconfig = \"k\" }"),
            &["8:10: context: required"],
        ),
        (
            member("{ file = \"f\", context = \"c\" }"),
            &["8:34: context: requires kubeconfig"],
        ),
        (
            member("{ in-cluster = true, renew = true }"),
            &["8:39: renew: requires kubeconfig"],
        ),
        (
            member("{ url = \"ftp://cmdb.example/\" }"),
            &["8:18: url \"ftp://cmdb.example/\": expected https://HOST/PATH"],
        ),
        (
            member("{ url = \"http://cmdb.example/\", ca = \"c\" }"),
            &["8:18: ca: requires an https:// URL"],
        ),
        (
            member("{ file = \"f\", timeout = \"1s\" }"),
            &["8:10: timeout: requires url"],
        ),
        (
            member("{ in-cluster = false }"),
            &["8:25: in-cluster: only true is allowed; remove the key instead of false"],
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
            &["5:14: clusterset \"x.example.com.\": overlaps the apex \"example.com.\""],
        ),
        (
            with(
                "set.test",
                "[[federation]]\nname = \"g\"\napex = \"example.net\"\nclusterset = \"b.set.test\"\nnameservers = [{ name = \"dns-version.set.test\" }]",
            ),
            &[
                "5:14: clusterset \"set.test.\": the name server \"dns-version.set.test.\" has a reserved name in it",
                "10:14: clusterset \"b.set.test.\": overlaps the clusterset of line 5",
            ],
        ),
        (
            with(
                "local",
                "[[member]]\nname = \"m\"\ncluster-domain = \"cluster.local\"\nsource = { in-cluster = true }",
            ),
            &["5:14: clusterset \"local.\": overlaps the zone \"f.svc.cluster.local.\""],
        ),
    ]);
}

#[test]
fn no_member_is_called_as_all_of_them() {
    let member = |name| {
        after(&format!(
            "[[member]]\nname = \"{name}\"\nsource.file = \"m\""
        ))
    };
    let refused = "7:8: member \"members\": `gazetteer confirm members` means all of them";
    check(&[
        (member("members"), &[refused]),
        (member("Members"), &[refused]),
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
