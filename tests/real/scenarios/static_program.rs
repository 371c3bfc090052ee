//! The static program in an empty root: names are looked up by it alone, without plugins of the C library.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::artefacts::{artefact, run};
use crate::clusters::clusters;
use crate::files;
use crate::fleet::Fleet;
use crate::loopback;
use crate::member::Member;
use crate::responder::Responder;
use crate::rooted::{Rooted, make_random};
use crate::wait::{START, until};

/// The host name of the API of a member.
const HOST: &str = "api.member.test";

/// A member with a kubeconfig by host name is reached, the name being in `/etc/hosts` or known to the
/// server in `/etc/resolv.conf`.
pub(crate) fn joins(fleet: &Fleet) {
    let member = &fleet.members[0];
    let folder = fleet.daemon_folder();
    let hosts = format!("127.0.0.1 localhost\n{} {HOST}\n", member.address);
    reach(fleet, member, &folder.join("hosts"), ("hosts", &hosts));
    let [resolver] = loopback::addresses([53], &[53]);
    let responder = Responder::start_at(SocketAddr::from((resolver, 53)), HOST, 60);
    responder.set(&[&member.address.to_string()]);
    let servers = format!("nameserver {resolver}\n");
    reach(
        fleet,
        member,
        &folder.join("resolv"),
        ("resolv.conf", &servers),
    );
    assert!(responder.asked() > 0, "nobody asked {resolver}");
}

/// Runs the program in a root with one more file in its `/etc` until it has the facts of a member.
fn reach(fleet: &Fleet, member: &Member, root: &Path, (file, text): (&str, &str)) {
    let etc = root.join("etc");
    files::write(&etc.join(file), text);
    files::write(&etc.join("nsswitch.conf"), "hosts: files dns\n");
    std::fs::copy(&member.pki().authority, etc.join("ca.crt")).expect("a copy");
    let (namespace, account) = fleet.account();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": {
            "server": format!("https://{HOST}:{}", Member::PORT),
            "certificate-authority": "/etc/ca.crt",
            "tls-server-name": Ipv4Addr::LOCALHOST.to_string(),
        }}],
        "users": [{"name": "u", "user": {"token": member.token(namespace, account)}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    files::write(&etc.join("gazetteer/kubeconfig"), kubeconfig.to_string());
    let config = "version = \"v1\"\nlisten = { dns = [\"127.0.0.1:0\"], admin = \"127.0.0.1:0\" }\n\
                  federation = [{ name = \"f\", apex = \"example.com\", nameservers = [{ name = \"ns.example.net\" }] }]\n\
                  member = [{ name = \"m\", source = { kubeconfig = \"kubeconfig\", context = \"c\" } }]\n";
    files::write(&etc.join("gazetteer/gazetteer.toml"), config);
    let program = root.join("usr/bin/gazetteer");
    files::write(&program, "");
    std::fs::copy(artefact("gazetteer-static"), &program).expect("a copy");
    std::fs::create_dir_all(root.join("var/lib/gazetteer")).expect("a folder");
    make_random(root);
    let interpreter = run(
        "readelf",
        &["--program-headers", &program.display().to_string()],
    );
    assert!(
        !interpreter.contains("INTERP"),
        "it is dynamic: {interpreter}"
    );
    let daemon = Rooted::start(root, "0:0", None, &root.join("gazetteer.log"));
    // As its clients find it.
    symlink("var/lib/gazetteer", root.join("state")).expect("a link");
    until("the member is ready", START, || {
        let shown = clusters(root)?;
        let member = shown.first().ok_or("no member")?;
        if member.status == "Ready" {
            Ok(())
        } else {
            Err(member.to_string())
        }
    });
    daemon.stop();
}
