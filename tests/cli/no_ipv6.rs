//! The program on a kernel without IPv6.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::daemon::Daemon;
use crate::program::{command, write};

/// Builds what hides IPv6 from a program.
fn hiding_ipv6(folder: &Path) -> PathBuf {
    let library = folder.join("no_ipv6.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/no_ipv6.c");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(compiled.expect("a C compiler").success());
    library
}

/// A configuration without members, with these lines of `[listen]`.
fn configuration(listen: &str) -> String {
    format!(
        r#"
version = "v1"
state-dir = "state"
shutdown-delay = "0s"
{listen}

[[federation]]
name = "f"
apex = "example.com"
nameservers = [{{ name = "ns.example.net" }}]
"#
    )
}

#[test]
fn the_default_address_of_ipv6_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("g.toml");
    write(&file, &configuration("listen.admin = \"127.0.0.1:0\""));
    let library = hiding_ipv6(folder.path());
    let mut program = command(folder.path());
    program.args(["serve", "g.toml"]).env("LD_PRELOAD", library);
    let daemon = Daemon::start_command(&mut program);
    daemon.log(&["WARN", "[::]:53", "not bound"]);
    // The other default is served: nothing is there, and it says so.
    assert_eq!(daemon.addresses("nothing.example.com."), Some([].into()));
}

#[test]
fn a_configured_address_of_ipv6_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let library = hiding_ipv6(folder.path());
    for dns in [r#"["0.0.0.0:53", "[::]:53"]"#, r#"["[::1]:0"]"#] {
        let file = folder.path().join("g.toml");
        write(&file, &configuration(&format!("listen.dns = {dns}")));
        let mut program = command(folder.path());
        program
            .args(["serve", "g.toml"])
            .env("LD_PRELOAD", &library);
        let ended = program.output().unwrap();
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains("cannot bind [::"), "{complaint}");
        assert!(
            complaint.contains("Address family not supported"),
            "{complaint}"
        );
    }
}
