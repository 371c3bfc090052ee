//! One run of the program to its end.

use std::path::Path;
use std::process::{Command, Output};

/// The program in `folder`, with an environment that says nothing.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gazetteer"));
    command.current_dir(folder).env_clear();
    // Where the default state folder is.
    command
        .env("XDG_STATE_HOME", folder.join("xdg"))
        .env("COLUMNS", "100");
    command
}

/// Runs the program with `arguments`.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder)
        .args(arguments)
        .output()
        .expect("the program runs")
}

/// Exit status, standard output and standard error of a run, as one text.
pub(crate) fn transcript(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let (printed, complained) = (text(&output.stdout), text(&output.stderr));
    let status = output
        .status
        .code()
        .map_or("signal".to_owned(), |code| code.to_string());
    format!(
        "$ gazetteer {}\n{printed}--- stderr\n{complained}--- exit {status}\n",
        arguments.join(" ")
    )
}

/// Writes a file.
pub(crate) fn write(path: &Path, text: &str) {
    write_octets(path, text.as_bytes());
}

/// As [`write`], also what is no text.
#[expect(clippy::disallowed_methods, reason = "tests write as editors do")]
pub(crate) fn write_octets(path: &Path, text: &[u8]) {
    std::fs::write(path, text).expect("the folder is there");
}

/// Replaces a file by rename, as configuration tools do.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    write(&new, text);
    std::fs::rename(&new, path).expect("the folder is there");
}

/// What the running daemon of `folder` says of its members.
pub(crate) fn clusters(folder: &Path) -> serde_json::Value {
    let arguments = ["clusters", "--state-dir", "state", "-o", "json"];
    let output = run(folder, &arguments);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The beginning of a configuration on free ports, with these keys at its top; its last table is the
/// federation `f`. The state folder is `state`.
pub(crate) fn beginning(keys: &str) -> String {
    format!(
        r#"
version = "v1"
state-dir = "state"
shutdown-delay = "0s"
listen.dns = ["127.0.0.1:0"]
listen.admin = "127.0.0.1:0"
{keys}

[[federation]]
name = "f"
apex = "example.com"
nameservers = [{{ name = "ns.example.net" }}]
"#
    )
}

/// A folder with the example on free ports. Its state folder is `state` in it.
pub(crate) fn demo() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    for entry in std::fs::read_dir(zones).expect("the example") {
        let path = entry.expect("the example").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = std::fs::read_to_string(&path).expect("the example");
            let text = text.replace("127.0.0.1:5300\"]", "127.0.0.1:0\"]");
            let text = text.replace("127.0.0.1:9153", "127.0.0.1:0");
            write(
                &folder.path().join(path.file_name().expect("a name")),
                &text,
            );
        }
    }
    folder
}
