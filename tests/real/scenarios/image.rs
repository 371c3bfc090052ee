//! The OCI image: made twice, copied, and run without a container runtime, which is not to be had here.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::artefacts::{artefact, run};
use crate::files;
use crate::report_line;
use crate::rooted::{Rooted, STATE, make_random};

/// The user of the image.
const USER: &str = "65532:65532";

/// A name of the demo whose region is out.
const NAME: &str = "my-service.my-namespace.my-federation.svc.europe-west1-d.example.com";

/// Makes the image into a folder; where it is.
fn made(folder: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/image.sh");
    let program = artefact("gazetteer-static");
    let layout = folder.display().to_string();
    run(script, &[&program.display().to_string(), &layout]);
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
    make_random(&root);
    let before = written(&root, &root);
    let daemon = Rooted::start(&root, USER, None, &folder.join("gazetteer.log"));
    let took = daemon.until_answers(NAME, "198.51.100.7");
    report_line(&format!("the image answers {took} after its start"));
    daemon.stop();
    let state = Path::new(STATE.trim_start_matches('/'));
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
