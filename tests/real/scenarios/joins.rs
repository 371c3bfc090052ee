//! Clusters that become members by `gazetteer join` and leave by `unjoin`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::desk::{CONTEXT, Desk, installed, made, verified};
use crate::files;
use crate::fleet::Fleet;
use crate::gate::Gate;
use crate::gazetteer::{Gazetteer, Seat, Setup, global};
use crate::member::{Member, RBAC};
use crate::pki::CERTIFIED;
use crate::wait::{SOON, until};
use crate::watcher::Watcher;

/// Takes away what `deploy/rbac.yaml` and other scenarios bound to the role, so that nothing but joins is.
pub(super) fn bare(member: &Member) {
    for path in [
        "clusterrolebindings/gazetteer".to_owned(),
        format!("clusterrolebindings/{CERTIFIED}"),
        "clusterroles/gazetteer".to_owned(),
    ] {
        member.api.delete(&format!("{RBAC}/{path}"));
    }
}

/// A context of any name joins, and joins again without a change; what is made has the rights that it
/// should, no more, and carries nothing of the operator's kubeconfig.
pub(crate) fn twice(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    let desk = Desk::of(fleet, member);
    let text = desk.join(&[]).well();
    for line in [
        "√ certificate: by the CA of the kubeconfig, sha256:",
        "  clusterrole gazetteer                                    created",
        "(asked 30d, granted 30d), renewed by the daemon",
        "√ lists and watches services, endpointslices, nodes",
        "√ region europe-west1 (1 of 1 nodes), zones europe-west1-b",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let fragment = desk.member_file("m.toml").expect("a fragment");
    let kubeconfig = desk.member_file("m.kubeconfig").expect("a kubeconfig");
    let base = installed(member).pop().expect("a binding");
    let account = format!("/api/v1/namespaces/kube-system/serviceaccounts/{base}");
    let account = member.api.get(&account).expect("the ServiceAccount");
    for text in [&fragment, &kubeconfig, &account.to_string()] {
        for word in ["a:6443", "admin", "x y"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    // Again.
    let (before, token) = (made(member), desk.token());
    let asked = tokens_asked_for(&desk);
    assert!(asked > 0);
    assert_eq!(before.len(), 5, "{before:?}");
    let again = desk.join(&[]).well();
    assert!(again.ends_with("\nm: unchanged\n"), "{again}");
    assert_eq!(made(member), before);
    assert_eq!(desk.token(), token);
    assert_eq!(tokens_asked_for(&desk), asked);
    assert_eq!(desk.member_file("m.kubeconfig"), Some(kubeconfig));

    rights(fleet, &desk, member, &base);
    desk.unjoin(&[]).well();
    assert_eq!(made(member), []);
    assert_eq!(desk.member_file("m.toml"), None);
}

/// How many tokens the API server was asked for, as it counts.
fn tokens_asked_for(desk: &Desk) -> u64 {
    let metrics = desk.kubectl(&["--context", CONTEXT, "get", "--raw", "/metrics"]);
    let metrics = metrics.well();
    let lines = metrics.lines().filter(|line| {
        line.starts_with("apiserver_request_total{") && line.contains("subresource=\"token\"")
    });
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

/// The rules are those of `deploy/rbac.yaml`, what is printed is accepted, and nothing else may be done.
fn rights(fleet: &Fleet, desk: &Desk, member: &Member, base: &str) {
    let role = member.api.get(&format!("{RBAC}/clusterroles/gazetteer"));
    let mut all = fleet.rights.iter();
    let wanted = all.find(|object| object["kind"] == "ClusterRole");
    assert_eq!(
        role.expect("the role")["rules"],
        wanted.expect("a role")["rules"]
    );
    let printed = "\"$0\" join --print-rbac --config gazetteer.toml";
    let line = format!(
        "{} | kubectl --context '{CONTEXT}' apply --dry-run=server -f -",
        printed.replace("$0", env!("CARGO_BIN_EXE_gazetteer"))
    );
    let applied = desk.shell(&line).well();
    assert_eq!(applied.matches("(server dry run)").count(), 5, "{applied}");
    let user = format!("--as=system:serviceaccount:kube-system:{base}");
    let can = |arguments: &[&str]| {
        let head = ["--context", CONTEXT, "auth", "can-i", &user];
        let ran = desk.kubectl(&[&head, arguments].concat());
        ran.text.trim().to_owned()
    };
    assert_eq!(can(&["list", "services", "-A"]), "yes");
    let own = format!("serviceaccounts/{base}");
    let token = ["create", &own, "--subresource=token", "-n", "kube-system"];
    assert_eq!(can(&token), "yes");
    for denied in [
        &["list", "secrets", "-A"][..],
        &["create", "services", "-n", "default"],
        &["*", "*", "-A"],
        &[
            "create",
            "serviceaccounts/another",
            "--subresource=token",
            "-n",
            "kube-system",
        ],
    ] {
        assert_eq!(can(denied), "no", "{denied:?}");
    }
}

/// The API is killed once the binding is made: nothing is handed on, and the same command completes it.
pub(crate) fn cut_short(fleet: &Fleet) {
    let member = &fleet.members[0];
    // Slow enough that a kill comes before the next object.
    let gate = Gate::new((member.address, Member::PORT).into());
    let mut cluster = verified(member);
    cluster["server"] = json!(gate.url());
    let desk = Desk::new(fleet, &[(CONTEXT, member, cluster)]);
    desk.join(&["--dry-run"]).well();
    gate.set_delay(Duration::from_millis(300));
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| desk.join(&[]));
        until("the binding is made", 3 * SOON, || {
            if installed(member).is_empty() {
                Err("none".to_owned())
            } else {
                Ok(())
            }
        });
        member.kill_server();
        let said = joining.join().expect("the thread ends").refused();
        assert!(said.contains("role"), "{said}");
    });
    gate.set_delay(Duration::ZERO);
    assert_eq!(desk.member_file("m.toml"), None);
    assert_eq!(desk.member_file("m.kubeconfig"), None);
    member.start_server();
    let text = desk.join(&[]).well();
    assert!(
        text.contains("unchanged") && text.contains("created"),
        "{text}"
    );
    assert!(desk.member_file("m.toml").is_some());
    desk.unjoin(&[]).well();
}

/// A context that does not verify, and a certificate of another name, are refused; the right name joins.
pub(crate) fn verification(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    // The certificate is for the API's own address, and for 127.0.0.1.
    let gate = Gate::on(
        ([127, 0, 0, 2], 0).into(),
        (member.address, Member::PORT).into(),
    );
    let mut other_name = verified(member);
    other_name["server"] = json!(gate.url());
    let skips = json!({"server": member.url(), "insecure-skip-tls-verify": true});
    let desk = Desk::new(
        fleet,
        &[(CONTEXT, member, other_name), ("skips", member, skips)],
    );
    let config = ["--config", "gazetteer.toml"];
    let skips = [&["join", "m", "--context", "skips"], &config[..]].concat();
    let said = desk.run(&skips).refused();
    assert!(
        said.contains("does not verify the API's certificate: give --ca-file"),
        "{said}"
    );
    let said = desk.join(&[]).refused();
    assert!(
        said.contains("certificate") && said.contains("--tls-server-name"),
        "{said}"
    );
    assert_eq!(made(member), []);
    let address = member.address.to_string();
    let text = desk.join(&["--tls-server-name", &address]).well();
    assert!(
        text.contains("√ certificate: by the CA of the kubeconfig"),
        "{text}"
    );
    let kubeconfig = desk.member_file("m.kubeconfig").expect("a kubeconfig");
    assert!(kubeconfig.contains("tls-server-name"), "{kubeconfig}");
    let only = ["--live", "--only", "api-certificate"];
    let checked = desk.run(&[&["check", "gazetteer.toml"], &only[..]].concat());
    let checked = checked.well();
    assert!(checked.contains("api-certificate: verified"), "{checked}");
    // The member's own name is in the fragment, so it can leave as it came.
    desk.unjoin(&[]).well();
    let authority = member.pki().authority.display().to_string();
    let verified = [&skips[..], &["--ca-file", &authority]].concat();
    let text = desk.run(&verified).well();
    assert!(text.contains("√ certificate: by the CA of "), "{text}");
    desk.run(&[&["unjoin", "m", "--context", "skips"], &config[..]].concat())
        .well();
    let unverified = [&skips[..], &["--insecure-skip-tls-verify"]].concat();
    let text = desk.run(&unverified).well();
    assert!(text.contains("× certificate: not verified"), "{text}");
    desk.run(&[&["unjoin", "m", "--context", "skips"], &config[..]].concat())
        .well();
    assert_eq!(made(member), []);
}

/// While a token that does not end is replaced, the credential that is written down works at any moment.
pub(crate) fn long_lived(fleet: &Fleet) {
    let member = &fleet.members[0];
    member.restart_controllers();
    let desk = Desk::of(fleet, member);
    desk.join(&["--long-lived"]).well();
    let first = desk.token();
    let again = desk.join(&[]).well();
    assert!(again.ends_with("\nm: unchanged\n"), "{again}");
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut asked = 0;
            while !ended.load(Ordering::SeqCst) {
                assert_eq!(member.status_with(&desk.token()), 200);
                asked += 1;
            }
            asked
        });
        let text = desk.join(&["--renew"]);
        ended.store(true, Ordering::SeqCst);
        let asked = watching.join().expect("no moment without a credential");
        assert!(asked > 10, "{asked}");
        let text = text.well();
        assert!(
            text.contains("created") && text.contains("removed"),
            "{text}"
        );
    });
    assert_ne!(desk.token(), first);
    until("the first token is void", SOON, || {
        match member.status_with(&first) {
            401 => Ok(()),
            status => Err(format!("status {status}")),
        }
    });
    let secrets = made(member);
    let secrets = secrets.iter().filter(|(name, _)| name.contains("/secrets"));
    assert_eq!(secrets.count(), 1);
    desk.unjoin(&[]).well();
}

/// Two installations join one member: the one that leaves takes nothing of the other's.
pub(crate) fn two_installations(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    let (first, second) = (Desk::of(fleet, member), Desk::of(fleet, member));
    first.join(&[]).well();
    second.join(&[]).well();
    assert_eq!(installed(member).len(), 2);
    let user = json!({"token": second.token()});
    let seat = Seat::of(fleet, member).with_user(user);
    let gazetteer = Gazetteer::start(fleet, &Setup::with(vec![seat]));
    let is_ready = |what: &str| {
        gazetteer.until_shown(member.name, what, SOON, |shown| shown.status == "Ready");
    };
    is_ready("Ready before");
    let text = first.unjoin(&[]).well();
    assert!(text.contains("kept: others are bound to it"), "{text}");
    assert_eq!(member.status_with(&second.token()), 200);
    let again = second.join(&[]).well();
    assert!(again.ends_with("\nm: unchanged\n"), "{again}");
    is_ready("Ready afterwards");
    drop(gazetteer);
    second.unjoin(&[]).well();
    assert_eq!(made(member), []);
}

/// A member that is down leaves by force, and the lines that are printed clean it later.
pub(crate) fn forced(fleet: &Fleet) {
    let member = &fleet.members[0];
    bare(member);
    let desk = Desk::of(fleet, member);
    desk.join(&[]).well();
    member.kill_server();
    let said = desk.unjoin(&[]).refused();
    assert!(said.contains("--force removes the member here"), "{said}");
    assert!(desk.member_file("m.toml").is_some());
    let text = desk.unjoin(&["--force"]).well();
    assert_eq!(desk.member_file("m.toml"), None);
    let lines = text.lines().filter(|line| line.starts_with("  kubectl"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 3, "{text}");
    member.start_server();
    assert_eq!(made(member).len(), 5);
    for line in lines {
        desk.shell(line).well();
    }
    assert_eq!(made(member), []);
}

/// The daemon's word counts: it says when it watches a member, and which services only that member has.
pub(crate) fn heard(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    ew1b.simple_service("heard", "alone", 1);
    ew1b.simple_service("heard", "both", 2);
    ew1d.simple_service("heard", "both", 2);
    let gazetteer = Gazetteer::start(fleet, &Setup::all(fleet));
    let state = gazetteer.folder.join("state").display().to_string();
    let desk = Desk::new(fleet, &[("x", ew1b, verified(ew1b))]);
    let of = |verb: &str, more: &[&str]| {
        let arguments = [
            verb,
            ew1b.name,
            "--context",
            "x",
            "--config",
            "gazetteer.toml",
        ];
        desk.run(&[&arguments[..], &["--state-dir", &state], more].concat())
    };
    let text = of("join", &[]).well();
    assert!(
        text.contains("√ the daemon watches it: Ready after "),
        "{text}"
    );
    assert!(text.contains("\nNAME   STATUS   VERSION   AGE"), "{text}");
    let ran = of("unjoin", &[]);
    assert!(
        ran.text.contains("without a member: ") && ran.text.contains("alone.heard.fed"),
        "{ran:?}"
    );
    assert!(!ran.text.contains("both.heard.fed"), "{ran:?}");
    let said = ran.refused();
    assert!(said.contains("say --yes"), "{said}");
    assert!(desk.member_file(&format!("{}.toml", ew1b.name)).is_some());
    let text = of("unjoin", &["--yes"]).well();
    assert!(text.contains("‼ the daemon has it still"), "{text}");
    ew1b.api.delete("/api/v1/namespaces/heard/services/alone");
}

/// Clusters join a daemon that runs without any member, and are answered at once; one leaves again, and
/// the other is answered all the time.
pub(crate) fn followed(fleet: &Fleet) {
    let [ew1b, ew1d, _] = &fleet.members;
    for member in [ew1b, ew1d] {
        bare(member);
        member.simple_service("followed", "web", 1);
    }
    let contexts = [("one", ew1b), ("two", ew1d)];
    let desk = Desk::new(
        fleet,
        &contexts.map(|(name, member)| (name, member, verified(member))),
    );
    let configuration = "version = \"v1\"\nstate-dir = \"state\"\n\
        [listen]\ndns = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n\
        [[federation]]\nname = \"fed\"\napex = \"example.com\"\n\
        nameservers = [{ name = \"ns1.example.net\" }]\nprobe = { kind = \"none\" }\n";
    files::write(&desk.folder.join("gazetteer.toml"), configuration);
    let gazetteer = Gazetteer::run(desk.folder.clone());
    let of = |verb: &str, (context, member): (&str, &Member), more: &[&str]| {
        let arguments = [verb, member.name, "--context", context];
        let daemon = ["--config", "gazetteer.toml", "--state-dir", "state"];
        desk.run(&[&arguments[..], &daemon, more].concat())
    };
    let web = global("followed", "web");
    let [b, d] = [ew1b, ew1d].map(|member| member.balancer(1));
    let text = of("join", contexts[0], &[]).well();
    assert!(text.contains("√ the daemon watches it: Ready"), "{text}");
    gazetteer.until_answers(&web, &format!("A {b}"));
    of("join", contexts[1], &[]).well();
    gazetteer.until_answers(&web, &format!("A {b} {d}"));
    let watcher = Watcher::start(gazetteer.dns, std::slice::from_ref(&web));
    // Others may have left services that only this member has.
    of("unjoin", contexts[1], &["--yes"]).well();
    gazetteer.until_answers(&web, &format!("A {b}"));
    watcher.stop().assert_all_answered();
    // Nothing of it is left in the cluster for who comes after; the daemon keeps its last member.
    of("unjoin", contexts[0], &["--yes"]).well();
}

/// With a host cluster the member is a Secret there, which carries nothing of the operator's kubeconfig.
pub(crate) fn host(fleet: &Fleet) {
    let [member, _, host] = &fleet.members;
    bare(member);
    let desk = Desk::new(
        fleet,
        &[
            (CONTEXT, member, verified(member)),
            ("admin@host", host, verified(host)),
        ],
    );
    let of = |verb: &str, more: &[&str]| {
        let arguments = [
            verb,
            "m",
            "--context",
            CONTEXT,
            "--host-context",
            "admin@host",
        ];
        let namespace = ["--host-namespace", "members"];
        desk.run(&[&arguments[..], &namespace, more].concat())
    };
    // Where there is no namespace nothing is made in the member.
    let said = of("join", &[]).refused();
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(made(member), []);
    host.namespace("members");
    let text = of("join", &["--region", "r"]).well();
    assert!(
        text.contains("secret members/m of the host cluster"),
        "{text}"
    );
    let secret = || host.api.get("/api/v1/namespaces/members/secrets/m");
    let before = secret().expect("the Secret");
    assert_eq!(before["metadata"]["labels"]["gazetteer.dev/member"], "true");
    for word in ["a:6443", "admin@", "x y"] {
        assert!(!before.to_string().contains(word), "{word}: {before}");
    }
    let again = of("join", &[]).well();
    assert!(again.ends_with("\nm: unchanged\n"), "{again}");
    assert_eq!(secret().expect("the Secret"), before);
    of("join", &["--renew"]).well();
    let renewed = secret().expect("the Secret");
    assert_ne!(renewed["data"]["kubeconfig"], before["data"]["kubeconfig"]);
    assert_eq!(
        renewed["data"]["member.toml"],
        before["data"]["member.toml"]
    );
    of("unjoin", &["--yes"]).well();
    assert!(secret().is_err());
    assert_eq!(made(member), []);
}
