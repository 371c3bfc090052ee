//! Whatever is in a state folder, a start reads it or leaves it, and answers from what is good.
//!
//! The first octet says which file the others are.
#![no_main]
#![expect(
    clippy::disallowed_methods,
    reason = "nothing of a fuzz run survives a crash"
)]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use gazetteer::config::{Config, parse};
use gazetteer::publish::restore;
use libfuzzer_sys::fuzz_target;

/// A configuration of two members that are not there.
const TEXT: &str = r#"
version = "v1"
state-dir = "state"
[[federation]]
name = "f"
apex = "example.com"
nameservers = [{ name = "ns.example.net" }]
[[member]]
name = "a"
region = "r"
zones = ["z"]
source = { file = "a.toml" }
[[member]]
name = "b"
source = { file = "b.toml" }
"#;

static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("gazetteer-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("state/facts")).expect("a folder");
    let config = parse(TEXT, &folder.join("gazetteer.toml")).expect("right");
    Arc::new(config)
});

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    let files = [
        "facts/a.base",
        "facts/a.log",
        "facts/a.base.previous",
        "facts/_fleet.base",
        "overrides.json",
    ];
    let file: PathBuf = CONFIG
        .state_dir
        .join(files[usize::from(*which) % files.len()]);
    std::fs::write(&file, content).expect("a writable folder");
    let mut restored = restore(Arc::clone(&CONFIG));
    let _ = restored.snapshot();
    std::fs::remove_file(&file).ok();
});
