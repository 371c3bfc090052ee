//! The OCI image: made twice, copied, and run without a container runtime, which is not to be had here.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;
use serde_json::Value;

use crate::dns::Client;
use crate::files;
use crate::process::Process;
use crate::wait::{START, until};

/// The user of the image.
const USER: &str = "65532:65532";

/// A name of the demo whose region is out.
const NAME: &str = "my-service.my-namespace.my-federation.svc.europe-west1-d.example.com";

/// Runs a program to its end, which must be a good one; what it printed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}\n{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes the image into a folder; where it is.
fn made(folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/image.sh");
    let layout = folder.display().to_string();
    run(
        &script.display().to_string(),
        &[env!("CARGO_BIN_EXE_gazetteer"), &layout],
    );
    format!("{layout}:{}", env!("CARGO_PKG_VERSION"))
}

/// Two builds have one digest, which a copy keeps; what is unpacked answers from the files that the chart
/// renders, as its user in a root of its own, and writes in its state folder alone.
pub(crate) fn serves(folder: &Path) {
    let images = ["first", "second"].map(|name| made(&folder.join(name)));
    let copy = format!("{}:copy", folder.join("copy").display());
    let [first, second] = images.each_ref().map(|image| format!("oci:{image}"));
    run(
        "skopeo",
        &["copy", "--quiet", &first, &format!("oci:{copy}")],
    );
    let archive = format!(
        "docker-archive:{}:gazetteer:test",
        folder.join("archive").display()
    );
    run("skopeo", &["copy", "--quiet", &first, &archive]);
    let digest = |image: &str| run("skopeo", &["inspect", "--format", "{{.Digest}}", image]);
    assert_eq!(digest(&first), digest(&second));
    assert_eq!(digest(&first), digest(&format!("oci:{copy}")));

    let bundle = folder.join("bundle");
    run(
        "umoci",
        &[
            "unpack",
            "--image",
            &images[0],
            &bundle.display().to_string(),
        ],
    );
    let root = bundle.join("rootfs");
    write_base(&root.join("etc/gazetteer"));
    let before = written(&root, &root);
    let arguments = [
        "-i",
        "STATE_DIRECTORY=/var/lib/gazetteer",
        "/usr/sbin/chroot",
        "--userspec",
        USER,
    ];
    let mut arguments: Vec<_> = arguments.iter().map(Into::into).collect();
    arguments.push(root.clone().into_os_string());
    arguments.extend(
        [
            "/usr/bin/gazetteer",
            "serve",
            "/etc/gazetteer/gazetteer.toml",
        ]
        .map(Into::into),
    );
    let log = folder.join("gazetteer.log");
    let mut process = Process::spawn("gazetteer", Path::new("env"), &arguments, &log, true);
    let mut output = BufReader::new(process.take_output());
    let mut line = String::new();
    output.read_line(&mut line).expect("a ready line");
    let process = Mutex::new(process);
    let ready: Value = serde_json::from_str(&line)
        .unwrap_or_else(|error| panic!("{line:?}: {error}\n{}", files::tail(&log, 20)));
    let address: SocketAddr = ready["dns"][0]
        .as_str()
        .expect("an address")
        .parse()
        .expect("an address");
    let client = Client::new(address);
    until("the image answers", START, || {
        process.lock().check_alive()?;
        let answer = client.ask(NAME, RecordType::A)?.to_string();
        if answer.contains("198.51.100.7") {
            Ok(())
        } else {
            Err(answer)
        }
    });
    assert_eq!(process.lock().terminate(), Some(0));
    let state = Path::new("var/lib/gazetteer");
    let new = written(&root, &root)
        .into_iter()
        .filter(|path| !before.contains(path));
    let new: Vec<_> = new.collect();
    assert!(!new.is_empty(), "its state is kept");
    assert!(new.iter().all(|path| path.starts_with(state)), "{new:?}");
}

/// Writes the files of the base for kustomize, which is the chart rendered; on free ports of loopback.
fn write_base(etc: &Path) {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kustomize/base/gazetteer.yaml");
    let text = std::fs::read_to_string(base).expect("the base");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    for (name, place) in [
        ("gazetteer", etc.to_owned()),
        ("gazetteer-facts", etc.join("facts")),
    ] {
        let is_it =
            |object: &&Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == name;
        let map = objects.iter().find(is_it).expect("a ConfigMap");
        for (file, text) in map["data"].as_object().into_iter().flatten() {
            let text = text
                .as_str()
                .expect("text")
                .replace("0.0.0.0:5353", "127.0.0.1:0");
            let path = place.join(file);
            files::write(&path, text.replace("0.0.0.0:9153", "127.0.0.1:0"));
            run("chmod", &["-R", "a+rX", &place.display().to_string()]);
        }
    }
}

/// The files below a folder, as seen from the root of the image.
fn written(folder: &Path, root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            found.extend(written(&entry.path(), root));
        } else {
            let path = entry.path();
            found.push(path.strip_prefix(root).expect("below the root").to_owned());
        }
    }
    found
}
