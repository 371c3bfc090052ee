//! The house rules that a program can judge: which room imports which, what a room may touch, how
//! long a file may be. The table of rooms in ARCHITECTURE.md says the same in words.

#[path = "architecture/citations.rs"]
mod citations;
#[path = "architecture/files.rs"]
mod files;
#[path = "architecture/pages.rs"]
mod pages;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/writes.rs"]
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use files::Files;
use pages::pages;
use source::sources;

/// A room, and the rooms above it that it may import.
type Room = (&'static str, &'static [&'static str]);

/// Every room in import order: a room imports only from what stands beside it.
const ROOMS: &[Room] = &[
    ("wire", &[]),
    ("names", &["wire"]),
    ("dnssec", &["wire"]),
    ("model", &["wire", "names"]),
    ("config", &["wire", "names", "dnssec", "model"]),
    ("keys", &["wire", "dnssec", "model", "config"]),
    ("vantage", &["wire", "names", "model"]),
    ("decide", &["names", "model", "vantage"]),
    (
        "snapshot",
        &["wire", "names", "dnssec", "model", "vantage", "decide"],
    ),
    (
        "answer",
        &[
            "wire", "names", "dnssec", "model", "vantage", "decide", "snapshot",
        ],
    ),
    ("telemetry", &["wire", "dnssec", "model"]),
    (
        "publish",
        &[
            "wire",
            "names",
            "model",
            "dnssec",
            "config",
            "keys",
            "decide",
            "snapshot",
            "telemetry",
        ],
    ),
    (
        "sources",
        &[
            "wire",
            "names",
            "dnssec",
            "model",
            "config",
            "keys",
            "telemetry",
        ],
    ),
    (
        "operate",
        &["names", "model", "config", "sources", "telemetry"],
    ),
    ("health", &["model", "telemetry"]),
    (
        "serve",
        &[
            "wire",
            "dnssec",
            "model",
            "config",
            "vantage",
            "snapshot",
            "answer",
            "telemetry",
        ],
    ),
    (
        "admin",
        &[
            "wire",
            "names",
            "dnssec",
            "model",
            "snapshot",
            "answer",
            "telemetry",
            "publish",
        ],
    ),
    (
        "cli",
        &[
            "wire",
            "names",
            "dnssec",
            "model",
            "config",
            "keys",
            "telemetry",
            "publish",
            "sources",
            "operate",
            "health",
            "serve",
            "admin",
        ],
    ),
];

/// Rooms without clock, sockets, tasks and global state: time and addresses are arguments.
const PURE: &[&str] = &[
    "wire", "names", "dnssec", "model", "config", "vantage", "decide", "snapshot", "answer",
];

/// What a pure room never mentions.
const IMPURE_PATHS: &[&str] = &[
    "tokio",
    "tokio_util",
    "futures",
    "nix",
    "socket2",
    "axum",
    "ureq",
    "notify",
    "tracing",
    "parking_lot",
    "hickory_resolver",
    "std::thread",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
];

/// What a pure room may mention all the same: file, path, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "src/config/listen.rs",
        "std::thread",
        "the default number of workers is that of the cores",
    ),
    (
        "src/snapshot/builder/parallel.rs",
        "std::thread",
        "the first compilation takes every processor, and returns when all is done",
    ),
    (
        "src/snapshot/builder/parallel.rs",
        "parking_lot",
        "its threads take their work from one list",
    ),
    (
        "src/snapshot/plans.rs",
        "parking_lot",
        "threads of the first compilation intern plans",
    ),
    (
        "src/snapshot/probing.rs",
        "parking_lot",
        "threads of the first compilation intern probes",
    ),
    (
        "src/dnssec/signature_table.rs",
        "std::thread",
        "its test writes and reads rows at once",
    ),
    (
        "src/config/state_dir.rs",
        "nix",
        "the default folder of root is another one",
    ),
];

/// A path prefix, and the start of the file paths that alone may mention it.
const CONFINED: &[(&str, &[&str])] = &[
    ("anyhow", &["src/main.rs", "src/cli"]),
    ("axum", &["src/admin"]),
    ("clap", &["src/main.rs", "src/cli"]),
    ("k8s_openapi", &["src/sources/kubernetes"]),
    ("kube", &["src/sources/kubernetes", "src/operate"]),
    (
        "hickory_net",
        &["src/operate/check/dns", "src/sources/keys"],
    ),
    ("prometheus", &["src/telemetry"]),
    ("postcard", &["src/publish"]),
    (
        "serde",
        &[
            "src/model/geo.rs",
            "src/config",
            "src/sources",
            "src/publish",
            "src/operate",
            "src/admin",
            "src/cli",
        ],
    ),
    (
        "serde_json",
        &[
            "src/config/tests",
            "src/sources",
            "src/operate",
            "src/publish",
            "src/admin",
            "src/cli",
        ],
    ),
    ("maxminddb", &["src/model/geo.rs"]),
    ("h2", &["src/health"]),
    (
        "hyper",
        &[
            "src/admin",
            "src/health",
            "src/cli",
            "src/sources/kubernetes/client",
        ],
    ),
    ("hyper_rustls", &["src/sources/kubernetes/client"]),
    (
        "x509_parser",
        &["src/sources/kubernetes/client", "src/operate"],
    ),
    ("socket2", &["src/health", "src/serve"]),
    ("tokio_rustls", &["src/health"]),
];

/// The one file with unsafe code: packet information per message of a batch.
const UNSAFE_FILE: &str = "src/serve/udp/sys.rs";

/// No file is longer, in lines.
const LONGEST: usize = 500;

/// Methods of one type are in so many files at most.
const MOST_FILES_OF_A_TYPE: usize = 4;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "handler",
];

/// Fails with every finding, one on a line.
pub(crate) fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

#[test]
fn rooms_import_only_rooms_above_them() {
    let mut findings = Vec::new();
    for source in sources("src") {
        let Some(room) = source.room() else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            findings.push(format!("{}: the table has no room {room}", source.path));
            continue;
        };
        for (line, other) in source.crate_paths() {
            let known = ROOMS.iter().any(|(name, _)| *name == other);
            if known && other != room && !allowed.contains(&other.as_str()) {
                findings.push(format!("{}:{line}: {room} imports {other}", source.path));
            }
        }
    }
    report("a room imports only what the table allows", &findings);
}

#[test]
fn the_table_of_rooms_has_no_cycle() {
    for (index, (room, allowed)) in ROOMS.iter().enumerate() {
        for other in *allowed {
            let above = ROOMS.iter().take(index).any(|(name, _)| name == other);
            assert!(above, "{room} may import {other}, which is not above it");
        }
    }
}

#[test]
fn rooms_import_all_that_they_may() {
    let mut used = HashSet::new();
    for source in sources("src") {
        if let Some(room) = source.room() {
            let others = source.crate_paths().into_iter();
            used.extend(others.map(|(_, other)| (room.to_owned(), other)));
        }
    }
    let all = ROOMS
        .iter()
        .flat_map(|(room, allowed)| allowed.iter().map(move |other| (*room, *other)));
    let unused =
        all.filter(|(room, other)| !used.contains(&((*room).to_owned(), (*other).to_owned())));
    let findings: Vec<_> = unused
        .map(|(room, other)| format!("{room} imports no {other}"))
        .collect();
    report("the table allows what is used, and no more", &findings);
}

#[test]
fn the_document_has_the_same_table_of_rooms() {
    let pages = pages();
    let page = pages.iter().find(|page| page.path == "ARCHITECTURE.md");
    let page = page.expect("there is an ARCHITECTURE.md");
    let mut told = Vec::new();
    for cells in page.rows_below("Rooms") {
        let [room, _, imports] = cells else {
            panic!("{cells:?}: not a room, what it owns, and what it imports");
        };
        let words = imports.split(|c: char| !c.is_alphanumeric());
        let is_room = |word: &&str| ROOMS.iter().any(|(room, _)| room == word);
        let imports: BTreeSet<_> = words.filter(is_room).collect();
        told.push((room.trim_matches('`'), imports));
    }
    let rooms: Vec<_> = ROOMS
        .iter()
        .map(|(room, allowed)| (*room, allowed.iter().copied().collect()))
        .collect();
    // The first two are the head of the table.
    assert_eq!(told.get(2..), Some(&rooms[..]));
}

#[test]
fn room_roots_hold_docs_modules_and_reexports_only() {
    let findings: Vec<_> = sources("src")
        .iter()
        .filter(|source| source.is_room_root())
        .flat_map(|source| {
            source
                .items()
                .into_iter()
                .filter(|(_, item)| {
                    !["mod ", "use "].iter().any(|word| {
                        item.trim_start_matches("pub(crate) ")
                            .trim_start_matches("pub ")
                            .starts_with(word)
                    })
                })
                .map(|(line, item)| format!("{}:{line}: {item}", source.path))
        })
        .collect();
    report("code lives in src/<room>/*.rs", &findings);
}

#[test]
fn pure_rooms_touch_no_clock_socket_or_task() {
    let mut findings = Vec::new();
    for source in sources("src") {
        if source.room().is_some_and(|room| PURE.contains(&room)) {
            let is_allowed = |path: &str| {
                let mut allowed = ALLOWED.iter();
                allowed.any(|(file, of, _)| *file == source.path && *of == path)
            };
            for path in IMPURE_PATHS.iter().filter(|path| !is_allowed(path)) {
                for line in source.mentions(path) {
                    findings.push(format!("{}:{line}: {path}", source.path));
                }
            }
        }
    }
    report("time, sockets and tasks stay below `answer`", &findings);
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut findings = Vec::new();
    for source in sources("src") {
        for (path, homes) in CONFINED {
            if !homes.iter().any(|home| source.path.starts_with(home)) {
                for line in source.mentions(path) {
                    findings.push(format!("{}:{line}: {path}", source.path));
                }
            }
        }
    }
    report("a library is used only where the table says", &findings);
}

#[test]
fn unsafe_code_has_one_file() {
    let findings: Vec<_> = sources("src")
        .iter()
        .filter(|source| source.path != UNSAFE_FILE)
        .flat_map(|source| {
            source
                .words("unsafe")
                .into_iter()
                .map(|line| format!("{}:{line}", source.path))
        })
        .collect();
    report("unsafe code outside src/serve/udp/sys.rs", &findings);
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let mut findings = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        for (index, line) in source.code.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("#[allow(") || line.starts_with("#![allow(") {
                findings.push(format!("{}:{}: {line}", source.path, index + 1));
            }
        }
    }
    report("use #[expect(lint, reason = …)]", &findings);
}

#[test]
fn files_are_short_and_named_for_what_they_hold() {
    let mut findings = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for source in sources(folder) {
            let length = source.text.lines().count();
            if length > LONGEST {
                findings.push(format!("{}: {length} lines", source.path));
            }
            for part in source.path.trim_end_matches(".rs").split('/') {
                if EMPTY_NAMES.contains(&part) {
                    findings.push(format!("{}: the name {part} says nothing", source.path));
                }
            }
        }
    }
    report("at most 500 lines, and names that speak", &findings);
}

#[test]
fn files_of_a_room_import_each_other_in_no_circle() {
    let files = Files::new(&sources("src"));
    let mut findings = Vec::new();
    for (room, _) in ROOMS {
        let circles = files.circles(room).into_iter();
        findings.extend(circles.map(|circle| format!("{room}: {circle:?}")));
    }
    report("types below, what uses them above", &findings);
}

#[test]
fn a_type_name_means_one_thing() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        for (line, name) in source.visible_types() {
            let place = format!("{}:{line}", source.path);
            places.entry(name).or_default().push(place);
        }
    }
    assert!(places.len() > 300, "{} types", places.len());
    let repeated = places.iter().filter(|(_, places)| places.len() > 1);
    let findings: Vec<_> = repeated
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    report(
        "no two types that other files may name are called alike",
        &findings,
    );
}

#[test]
fn methods_of_a_type_are_in_few_files() {
    let files = Files::new(&sources("src"));
    let mut findings = Vec::new();
    for (room, _) in ROOMS {
        let scattered = files.scattered(room, MOST_FILES_OF_A_TYPE).into_iter();
        findings.extend(scattered.map(|(name, files)| format!("{room}: {name} in {files:?}")));
    }
    report("a type has its methods in four files at most", &findings);
}
