//! systemd-resolved, in namespaces of its own and without systemd or D-Bus, on what `gazetteer stub`
//! prints for it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hickory_proto::rr::RecordType;
use parking_lot::Mutex;

use super::forwarders::{ELSEWHERE, assert_routed, elsewhere_at, stub};
use super::resolvers::{PORT, gazetteer_at};
use crate::dns::Client;
use crate::faults::network::Network;
use crate::files;
use crate::process::Process;
use crate::wait::{START, until};

/// Starts it on the files of a folder: `$1` is that folder, `$2` the program, `$3` a DNS server that a
/// link has of its own. It sees no files of this machine's resolver, and this machine none of its own.
const START_RESOLVED: &str = "set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/resolve /run/systemd/netif/links
link=$(ip -o link show l0 | cut -d: -f1)
printf 'ADMIN_STATE=configured\\nOPER_STATE=routable\\nDNS=%s\\n' \"$3\" >\"/run/systemd/netif/links/$link\"
cp /etc/nsswitch.conf /etc/ld.so.cache \"$1/etc\" || :
mount --bind \"$1/etc\" /etc
exec \"$2\"";

/// Before version 258: names of the federation go to the server of `resolved.conf`, all others to that
/// of a link, and nothing is signed where it validates.
pub(crate) fn routes(folder: &Path) {
    let network = Network::new(&folder.join("network.log"));
    let host = network.api(0);
    let gazetteer = gazetteer_at(folder, host);
    let elsewhere = elsewhere_at(host);
    let address = network.server();
    configure(folder, &stub(&gazetteer, "systemd-resolved"), address);

    let program = program();
    let mut command = network.launcher();
    command
        .extend(["unshare", "--mount", "--", "sh", "-c", START_RESOLVED, "sh"].map(OsString::from));
    let server = elsewhere.address.to_string();
    command.extend([folder.into(), program.into(), server.into()]);
    let (launcher, arguments) = command.split_first().expect("a program");
    let log = folder.join("systemd-resolved.log");
    let process = Process::spawn(
        "systemd-resolved",
        Path::new(launcher),
        arguments,
        &log,
        false,
    );
    let process = Mutex::new(process);
    let client = Client::new(SocketAddr::from((address, PORT)));
    until("systemd-resolved answers", START, || {
        process.lock().check_alive()?;
        client.ask("example.com", RecordType::SOA)
    });
    assert_routed(&client, &elsewhere);
}

/// Where this machine has it, or where `.ci/run` unpacks it, beside what `tests/real/build.sh` builds.
fn program() -> PathBuf {
    let own = PathBuf::from("/usr/lib/systemd/systemd-resolved");
    let built = std::env::var_os("GAZETTEER_REAL_BIN").map(PathBuf::from);
    let unpacked = built.and_then(|built| {
        let cache = built.parent()?;
        Some(
            cache
                .join("systemd-resolved")
                .join("usr/lib/systemd/systemd-resolved"),
        )
    });
    let mut found = unpacked
        .into_iter()
        .chain([own])
        .filter(|program| program.is_file());
    let found = found.next();
    found.unwrap_or_else(|| panic!("systemd-resolved is missing: unpack it as .ci/run does"))
}

/// Writes its part of `/etc`: the two lines of the delegate that is printed, as global ones.
fn configure(folder: &Path, stub: &str, address: Ipv4Addr) {
    let delegate = stub.split_once("[Delegate]\n");
    let (_, lines) = delegate.expect("a delegate");
    let etc = folder.join("etc");
    files::write(
        &etc.join("systemd/resolved.conf"),
        format!(
            "[Resolve]\n{lines}\nFallbackDNS=\nDNSSEC=yes\nLLMNR=no\nMulticastDNS=no\n\
             DNSStubListener=no\nDNSStubListenerExtra={address}:{PORT}\n"
        ),
    );
    let zones = lines
        .lines()
        .filter_map(|line| line.strip_prefix("Domains="));
    let zones: Vec<&str> = zones.flat_map(str::split_whitespace).collect();
    let unsigned = zones.iter().map(|zone| zone.trim_start_matches('~'));
    let unsigned: Vec<&str> = unsigned.chain([ELSEWHERE, ""]).collect();
    files::write(
        &etc.join("dnssec-trust-anchors.d/gazetteer.negative"),
        unsigned.join("\n"),
    );
    // Its user is root: the kernel would forget that it is to end with this test if it became another.
    let root = "root:x:0:0::/:/bin/sh\nsystemd-resolve:x:0:0::/:/bin/sh\n";
    files::write(&etc.join("passwd"), root);
    files::write(&etc.join("group"), "root:x:0:\nsystemd-resolve:x:0:\n");
}
