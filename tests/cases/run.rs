//! Runs the steps of one case.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gazetteer::answer::{self, Client, NoTrace, Prepared, Signatures};
use gazetteer::config::Config;
use gazetteer::dnssec::{Algorithm, SignatureTable};
use gazetteer::model::{ListenerIdx, UnixSeconds};
use gazetteer::snapshot::Snapshot;
use gazetteer::telemetry::clock;
use gazetteer::wire::{CookieSecrets, Qname};
use hickory_proto::op::Message;
use tokio::runtime::Runtime;

use crate::ask::{Ask, Transport};
use crate::dig::Seen;
use crate::expect::Expect;
use crate::script::{Case, Kind, Step};
use crate::signing::SIGNATURES;
use crate::sockets::Server;
use crate::validate::{rrsig, validate};
use crate::world::World;

/// The identifier of the first query; each has its own.
const FIRST_ID: u16 = 0x1000;

/// Every client of the cases.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The secrets of DNS cookies.
pub(crate) fn secrets() -> CookieSecrets {
    CookieSecrets::new([[7; 16]])
}

/// Runs a case on snapshots alone: what is expected, from changes folded and from a new start.
pub(crate) fn in_process(case: &Case, worlds: &Path) -> Result<(), String> {
    let mut world = World::open(&worlds.join(&case.world))?;
    let mut failures = Vec::new();
    let mut id = FIRST_ID;
    let signatures = Signatures::TableAndKeys(&SIGNATURES);
    for step in &case.steps {
        let fail = |why: String| format!("{}: {why}", step.place);
        match &step.kind {
            Kind::Event(words, block) => world.apply(words, block).map_err(fail)?,
            Kind::Refuse(text, words, block) => world.refuses(text, words, block).map_err(fail)?,
            Kind::Query(words, expects) => {
                id += 1;
                let ask = Ask::parse(words, id).map_err(fail)?;
                let view = world.view().map_err(fail)?;
                let answer = |snapshot, transport, now| {
                    respond((snapshot, signatures), &view.config, &ask, transport, now)
                };
                for transport in [Transport::Udp, Transport::Tcp] {
                    let now = world.now();
                    let response = answer(&view.folded, transport, now);
                    let again = answer(&view.rebuilt, transport, now);
                    if response != again {
                        failures.push(fail(format!("{transport:?}: a rebuilt snapshot differs")));
                    }
                    check(step, words, expects, transport, &ask, response.as_deref())
                        .unwrap_or_else(|why| failures.push(why));
                    if let Some(response) = response.filter(|_| ask.dnssec_ok) {
                        let trusted = world.trusted();
                        let message = Message::from_vec(&response);
                        let message = message.map_err(|error| fail(error.to_string()))?;
                        let now = u32::try_from(now.0).unwrap_or_default();
                        if let Err(why) = validate(&message, &trusted, now) {
                            let shown = show(Some(&response));
                            failures.push(fail(format!("{transport:?}: {why}\n{shown}")));
                        }
                    }
                }
                let [udp, tcp] = [Transport::Udp, Transport::Tcp]
                    .map(|transport| answer(&view.folded, transport, world.now()));
                same(&ask, udp.as_deref(), tcp.as_deref())
                    .unwrap_or_else(|why| failures.push(fail(why)));
            }
        }
    }
    finish(&failures)
}

/// Runs a case through real sockets: each response has the octets of the one in process, and
/// queries with no event between them share one TCP connection, pipelined.
pub(crate) fn over_sockets(case: &Case, worlds: &Path, runtime: &Runtime) -> Result<(), String> {
    let mut world = World::open(&worlds.join(&case.world))?;
    let mut failures = Vec::new();
    let mut id = FIRST_ID;
    let mut started = None;
    let mut steps = case.steps.iter().peekable();
    while let Some(step) = steps.next() {
        let fail = |why: String| format!("{}: {why}", step.place);
        match &step.kind {
            Kind::Event(words, block) => world.apply(words, block).map_err(fail)?,
            Kind::Refuse(..) => {}
            Kind::Query(..) => {
                let view = world.view().map_err(fail)?;
                let server = match &mut started {
                    Some(server) => server,
                    None => started.insert(Server::start(
                        runtime,
                        &view.config,
                        Arc::clone(&view.folded),
                    )?),
                };
                server.publish(view.folded.clone());
                let mut pipelined = Vec::new();
                let mut next = Some(step);
                while let Some(step) = next {
                    if let Kind::Query(words, expects) = &step.kind {
                        id += 1;
                        let ask = Ask::parse(words, id).map_err(fail)?;
                        if !expects.iter().any(Expect::is_silence) {
                            pipelined.push((step, ask));
                        }
                    }
                    next = steps.next_if(|step| matches!(step.kind, Kind::Query(..)));
                }
                let before = clock::now();
                let asks: Vec<_> = pipelined.iter().map(|(_, ask)| ask).collect();
                let streamed = server.tcp(&asks, &view.config).map_err(fail)?;
                for ((step, ask), tcp) in pipelined.iter().zip(streamed) {
                    let udp = server.udp(ask, &view.config);
                    for (transport, got) in [(Transport::Udp, udp), (Transport::Tcp, tcp)] {
                        // A draw may be made anew while the answer is on its way.
                        let signatures = Signatures::TableAndKeys(&SIGNATURES);
                        let snapshot = (&*view.folded, signatures);
                        let want = [before, clock::now()]
                            .map(|now| respond(snapshot, &view.config, ask, transport, now));
                        match got {
                            Err(why) => failures.push(format!("{}: {why}", step.place)),
                            Ok(got) if !want.iter().flatten().any(|want| is_same(&got, want)) => {
                                failures.push(format!(
                                    "{}: {transport:?}: other octets than in process\n{}",
                                    step.place,
                                    show(Some(&got))
                                ));
                            }
                            Ok(_) => {}
                        }
                    }
                }
            }
        }
    }
    if let Some(server) = started {
        server.stop(runtime);
    }
    finish(&failures)
}

/// Runs a case on two replicas that share key files alone, with all apexes signed and signatures asked for: every
/// answer verifies, and that of the other replica has the same octets but for those of signatures that ECDSA makes.
pub(crate) fn replicas(case: &Case, worlds: &Path, algorithm: Algorithm) -> Result<(), String> {
    let mut world = World::open(&worlds.join(&case.world))?;
    world.sign_all(algorithm);
    let tables = [2, 3].map(|key| SignatureTable::new(1024, &[key; 16]));
    let mut failures = Vec::new();
    let mut id = FIRST_ID;
    for step in &case.steps {
        let fail = |why: String| format!("{}: {why}", step.place);
        match &step.kind {
            Kind::Event(words, block) => world.apply(words, block).map_err(fail)?,
            Kind::Refuse(..) => {}
            Kind::Query(words, _) => {
                id += 1;
                let is_raw = words.starts_with("0x ");
                let words = if is_raw {
                    words.clone()
                } else {
                    format!("{words} do")
                };
                let ask = Ask::parse(&words, id).map_err(fail)?;
                let view = world.view().map_err(fail)?;
                let (now, trusted) = (world.now(), world.trusted());
                for transport in [Transport::Udp, Transport::Tcp] {
                    let [one, other] = [&*view.folded, &view.rebuilt];
                    let [one, other] =
                        [(one, &tables[0]), (other, &tables[1])].map(|(snapshot, table)| {
                            let signed = (snapshot, Signatures::TableAndKeys(table));
                            respond(signed, &view.config, &ask, transport, now)
                        });
                    let is_same = match (&one, &other) {
                        (Some(one), Some(other)) if algorithm == Algorithm::EcdsaP256Sha256 => {
                            is_same(one, other)
                        }
                        _ => one == other,
                    };
                    if !is_same {
                        failures.push(fail(format!("{transport:?}: replicas differ")));
                    }
                    let Some(response) = one.filter(|_| ask.dnssec_ok) else {
                        continue;
                    };
                    let message = Message::from_vec(&response);
                    let message = message.map_err(|error| fail(error.to_string()))?;
                    let now = u32::try_from(now.0).unwrap_or_default();
                    if let Err(why) = validate(&message, &trusted, now) {
                        let shown = show(Some(&response));
                        failures.push(fail(format!("{transport:?}: {why}\n{shown}")));
                    }
                }
            }
        }
    }
    finish(&failures)
}

/// Whether two responses have the same octets but for those of signatures, which ECDSA makes anew each
/// time.
fn is_same(got: &[u8], want: &[u8]) -> bool {
    without_signatures(got) == without_signatures(want)
}

/// A response with zeros in place of the octets of signatures.
fn without_signatures(response: &[u8]) -> Vec<u8> {
    let mut octets = response.to_vec();
    let Ok(message) = Message::from_vec(response) else {
        return octets;
    };
    let sections = [&message.answers, &message.authorities, &message.additionals];
    for signature in sections.into_iter().flatten().filter_map(rrsig) {
        let signature = signature.sig();
        let mut places = 0..octets.len().saturating_sub(signature.len());
        if let Some(place) = places.find(|place| octets[*place..].starts_with(signature)) {
            octets[place..place + signature.len()].fill(0);
        }
    }
    octets
}

/// All failures of a case.
fn finish(failures: &[String]) -> Result<(), String> {
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("\n{}", failures.join("\n")))
    }
}

/// The response in process.
fn respond(
    (snapshot, signatures): (&Snapshot, Signatures<'_>),
    config: &Config,
    ask: &Ask,
    transport: Transport,
    now: UnixSeconds,
) -> Option<Vec<u8>> {
    let (size, transport) = match transport {
        Transport::Udp => (1232, answer::Transport::Udp),
        Transport::Tcp => {
            let idle = config.listen.tcp_idle.as_millis() / 100;
            let idle = u16::try_from(idle).unwrap_or(u16::MAX);
            (65535, answer::Transport::Tcp { idle })
        }
    };
    let mut qname = Qname::new();
    let prepared = Prepared::new(snapshot, &ask.octets, &mut qname);
    let sent = prepared.sent_cookie();
    let client = Client {
        address: CLIENT,
        listener: Some(ListenerIdx(ask.listener(config).unwrap_or_default())),
        transport,
        cookie: sent.and_then(|sent| secrets().judge(&sent, CLIENT, now.0)),
        now,
        elapsed: Duration::ZERO,
    };
    let mut out = vec![0; size];
    let request = &ask.octets;
    let outcome = answer::respond(
        snapshot,
        request,
        &client,
        signatures,
        &mut NoTrace,
        &mut out,
    );
    out.truncate(outcome.length()?);
    Some(out)
}

/// Compares one response with what is expected over its transport.
fn check(
    step: &Step,
    words: &str,
    expects: &[Expect],
    transport: Transport,
    ask: &Ask,
    response: Option<&[u8]>,
) -> Result<(), String> {
    let expects = expects
        .iter()
        .filter(|expect| expect.transport.is_none_or(|one| one == transport));
    for expect in expects {
        let differences = match response {
            None if expect.is_silence() => continue,
            None => vec!["no reply".to_owned()],
            Some(_) if expect.is_silence() => vec!["a reply, expected none".to_owned()],
            Some(octets) => match Seen::read(octets) {
                Err(why) => vec![why],
                Ok(seen) => {
                    let mut found = header(ask, octets, &seen);
                    found.extend(expect.differences(&seen));
                    found
                }
            },
        };
        if !differences.is_empty() {
            return Err(format!(
                "{}: {transport:?}: QUERY {words} ({})\n  {}\n  got\n{}",
                expect.place,
                step.place,
                differences.join("\n  "),
                show(response)
            ));
        }
    }
    Ok(())
}

/// What every response keeps of its request (docs/names.md, D.10).
fn header(ask: &Ask, response: &[u8], seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let octet = |message: &[u8], place: usize| message.get(place).copied().unwrap_or_default();
    let mut check = |what: &str, holds: bool| {
        if !holds {
            found.push(format!("header: {what}"));
        }
    };
    check(
        "another identifier",
        response.get(..2) == ask.octets.get(..2),
    );
    let (request_flags, flags) = (octet(&ask.octets, 2), octet(response, 2));
    check("QR is not set", flags & 0x80 != 0);
    check("another opcode", flags & 0x78 == request_flags & 0x78);
    check("RD is not copied", flags & 0x01 == request_flags & 0x01);
    let (request_flags, flags) = (octet(&ask.octets, 3), octet(response, 3));
    check("RA, Z or AD is set", flags & 0xe0 == 0);
    check("CD is not copied", flags & 0x10 == request_flags & 0x10);
    if !ask.is_raw {
        let echoed = response.get(12..12 + ask.question.len());
        check("another question", echoed == Some(ask.question.as_slice()));
        check(
            "OPT does not follow the request",
            ask.has_opt == seen.has_opt,
        );
    }
    found
}

/// Whether UDP and TCP differ only by what UDP has no room for.
fn same(ask: &Ask, udp: Option<&[u8]>, tcp: Option<&[u8]>) -> Result<(), String> {
    if ask.differs || udp == tcp {
        return Ok(());
    }
    let (Some(Ok(udp)), Some(Ok(tcp))) = (udp.map(Seen::read), tcp.map(Seen::read)) else {
        return Err("UDP and TCP differ".to_owned());
    };
    // All that UDP has of a section is in that of TCP; what has TC is of addresses, or empty.
    let is_in_tcp = udp.answer.iter().all(|record| tcp.answer.contains(record));
    let is_cut = udp.tc && is_in_tcp && udp.answer.len() < tcp.answer.len();
    let without_additional =
        udp.answer == tcp.answer && udp.authority == tcp.authority && udp.additional.is_empty();
    if is_cut || without_additional {
        Ok(())
    } else {
        let (udp, tcp) = (udp.show(), tcp.show());
        Err(format!("UDP and TCP differ\n{udp}\n  and\n{tcp}"))
    }
}

/// A response for a failure.
fn show(response: Option<&[u8]>) -> String {
    match response.map(Seen::read) {
        None => "    nothing\n".to_owned(),
        Some(Ok(seen)) => seen.show(),
        Some(Err(_)) => format!("    {response:02x?}\n"),
    }
}
