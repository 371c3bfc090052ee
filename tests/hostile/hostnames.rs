//! Load balancer host names whose resolver says what must not be published, or goes away.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

use tokio::time::Instant;

use crate::daemon::Daemon;
use crate::loopback;
use crate::program;
use crate::responder::Responder;
use crate::stage::{SECOND, Stage, name, service};
use crate::wait::{SOON, until};

/// Where an operator's own list of resolvers is laid over the system's, for the daemon alone.
const OWN_LIST: &str = "exec unshare --mount -- /bin/sh -c \
                        'mount --bind etc /etc && exec \"$@\"' sh \"$@\"";

/// The zone name of a service in the first member.
fn zone(asked: &str) -> String {
    name(asked).replace(".example", ".eu-1.eu.example")
}

/// A service at a host name.
fn at_hostname(asked: &str, hostname: &str) -> String {
    service(asked, &[], &format!("hostnames = [{hostname:?}]"))
}

/// A service at a host name in the first member and an address in the second, and the daemon, which
/// asks the responder and is reached from outside.
fn started(hostname: &str, responder: &Responder) -> (Stage, Daemon) {
    let mut stage = Stage::new();
    let resolver = format!("\nresolver = [\"{}\"]", responder.address);
    stage.top += &resolver;
    "dns = [\"0.0.0.0:0\"]".clone_into(&mut stage.listen);
    stage.put("m1.toml", &at_hostname("web", hostname));
    stage.put("m2.toml", &service("web", &[SECOND], ""));
    let daemon = stage.start();
    (stage, daemon)
}

#[test]
fn a_resolver_that_blocks_a_name_gives_it_no_address() {
    let responder = Responder::start("sink.example.net", 60);
    responder.set(&["0.0.0.0", "::"]);
    let (stage, daemon) = started("sink.example.net", &responder);
    daemon.until_member("m1", "Ready", &["sink.example.net", "is unspecified"]);
    daemon.check(&name("web"), &[SECOND]).expect("the other");
    daemon.check(&zone("web"), &[SECOND]).expect("fallen back");
    let (_, explained) = stage.run(&["explain", &zone("web"), "--state-dir", "state"]);
    assert!(explained.contains("is unspecified"), "{explained}");
}

#[test]
fn a_name_that_is_an_alias_of_ours_is_refused_and_an_outage_shows() {
    let responder = Responder::start("vanity.example.net", 5);
    responder.alias(&name("web"));
    responder.set(&[SECOND]);
    let (stage, daemon) = started("vanity.example.net", &responder);
    let words = ["vanity.example.net", "answered from here"];
    daemon.until_member("m1", "Ready", &words);
    daemon.check(&name("web"), &[SECOND]).expect("the other");
    let answer = daemon.answer(&zone("web")).expect("an answer");
    assert!(!answer.aliases.is_empty(), "not fallen back: {answer}");
    let down = "endpoints = [{ address = \"10.0.0.1\", ready = false }]";
    stage.put("m2.toml", &service("web", &[SECOND], down));
    // The brake lets the only shard go: it is not removed, but not ready.
    daemon.until_answers(&name("web"), &[]);
    let answer = daemon.answer(&name("web")).expect("an answer");
    assert!(answer.soa, "{answer}");
}

#[test]
fn a_changed_list_of_resolvers_is_used() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0);
    if !is_root {
        // Nobody else may have the port that such a list means.
        return;
    }
    let [first, second] = loopback::addresses([53, 54], &[53]);
    let before = Responder::start_at(SocketAddr::from((first, 53)), "up.example.net", 5);
    before.set(&["203.0.113.5"]);
    let stage = Stage::new();
    let etc = stage.path().join("etc");
    std::fs::create_dir(&etc).expect("a folder");
    let list = etc.join("resolv.conf");
    program::write(&list, &format!("nameserver {first}\n"));
    let up = at_hostname("up", "up.example.net");
    stage.put("m1.toml", &up);
    let daemon = stage.start_by(OWN_LIST, &[]);
    daemon.until_answers(&name("up"), &["203.0.113.5"]);

    drop(before);
    let after = Responder::start_at(SocketAddr::from((second, 53)), "new.example.net", 5);
    after.set(&["203.0.113.6"]);
    let changed = Instant::now();
    program::replace(&list, &format!("nameserver {second}\n"));
    stage.put("m1.toml", &(up + &at_hostname("new", "new.example.net")));
    until("the new resolver is asked", SOON, || {
        if after.asked() > 0 {
            Ok(())
        } else {
            Err(format!("not after {:?}", changed.elapsed()))
        }
    });
    daemon.until_answers(&name("new"), &["203.0.113.6"]);
}
