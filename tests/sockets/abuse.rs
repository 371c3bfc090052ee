//! Floods from networks that may be forged, and the cookies of those that are not (R01, R02).

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use gazetteer::model::{RateClass, RateLimits};
use gazetteer::snapshot::{Generation, Serial, Settings, Snapshot};
use gazetteer::telemetry::{Totals, clock};
use gazetteer::wire::CookieSecrets;

use crate::fixture::{PATIENCE, Service, ask_udp, listen, udp};
use crate::world::{self, A, Edns, query};

/// A name of the world.
const NAME: &str = "my-service.my-namespace.my-federation.svc.europe-west1-d.example.com";

/// Queries of a flood.
const FLOOD: u64 = 3_000;

/// What is given at once, and in each second after that.
const BURST: u64 = 500;
const RATE: u64 = 200;

/// Queries on their way at once: so many that no buffer is full.
const WINDOW: u64 = 50;

/// The world with limits for the whole loopback network.
fn limited(change: impl Fn(&mut RateLimits)) -> Snapshot {
    let mut limits = RateLimits::usual();
    change(&mut limits);
    let mut builder = world::builder();
    builder.set_settings(Settings {
        rate_limits: limits,
        ..Settings::default()
    });
    builder.snapshot(Generation(1), Serial(1))
}

/// A service with limits.
fn service(change: impl Fn(&mut RateLimits)) -> Service {
    let secrets = CookieSecrets::new([[1; 16]]);
    Service::guarded(&listen(&["127.0.0.1:0"]), limited(change), secrets)
}

/// What clients saw of a flood, and what the server counted.
struct Seen {
    whole: u64,
    truncated: u64,
    totals: Totals,
    took: Duration,
}

/// Sends a flood of requests by these clients in turn.
fn flood(service: &Service, clients: &[UdpSocket], request: impl Fn(u64) -> Vec<u8>) -> Seen {
    let before = service.counters.totals();
    let start = clock::monotonic();
    let handled = |totals: &Totals| totals.queries[0] + totals.dropped;
    let (mut whole, mut truncated) = (0, 0);
    for number in 0..FLOOD {
        let client = &clients[usize::try_from(number).unwrap() % clients.len()];
        client.send_to(&request(number), service.address()).unwrap();
        if number % WINDOW == WINDOW - 1 {
            let wanted = handled(&before) + number + 1;
            service.wait_for(|totals| handled(totals) >= wanted);
            // A reply is counted just before it is sent.
            let sent = |totals: &Totals| totals.queries[0] - before.queries[0];
            let replies = sent(&service.counters.totals());
            while whole + truncated < replies {
                let [new_whole, new_truncated] = drain(clients);
                whole += new_whole;
                truncated += new_truncated;
                assert!(
                    start.elapsed() < PATIENCE,
                    "{whole} + {truncated} of {replies}"
                );
            }
        }
    }
    let took = start.elapsed();
    let totals = service.counters.totals();
    Seen {
        whole,
        truncated,
        totals,
        took,
    }
}

/// Takes the replies that are there: whole ones, and truncated ones.
fn drain(clients: &[UdpSocket]) -> [u64; 2] {
    let mut counts = [0; 2];
    for client in clients {
        client.set_nonblocking(true).unwrap();
        let mut reply = [0; 1_232];
        while client.recv(&mut reply).is_ok() {
            counts[usize::from(reply[2] & 0x02 != 0)] += 1;
        }
        client.set_nonblocking(false).unwrap();
    }
    counts
}

/// Clients at addresses of the loopback network.
fn clients(count: u8, address: impl Fn(u8) -> [u8; 4]) -> Vec<UdpSocket> {
    let all = (0..count).map(|number| udp(IpAddr::V4(Ipv4Addr::from(address(number)))));
    all.collect()
}

/// All that was beyond a limit of a class: truncated, with BADCOOKIE, dropped, sent.
fn beyond(totals: &Totals, class: RateClass) -> [u64; 4] {
    let place = RateClass::ALL.iter().position(|one| *one == class);
    totals.rate_limited[place.unwrap()]
}

/// Asserts that what was given is the burst and the rate.
fn assert_limited(given: u64, took: Duration) {
    let most = BURST + RATE * (took.as_secs() + 1);
    assert!((BURST..=most).contains(&given), "{given} in {took:?}");
}

#[test]
fn a_network_gets_its_rate_of_one_name_and_half_of_the_rest_is_truncated() {
    let service = service(|_| {});
    // Two addresses of one /24.
    let network = clients(2, |number| [127, 0, 7, 1 + number]);
    let seen = flood(&service, &network, |_| query(7, NAME, A, Edns::Plain));
    assert_limited(seen.whole, seen.took);
    let rest = FLOOD - seen.whole;
    assert!(
        seen.truncated.abs_diff(rest / 2) <= 1,
        "{} of {rest}",
        seen.truncated
    );
    let limited = beyond(&seen.totals, RateClass::Positive);
    assert_eq!(limited, [seen.truncated, 0, rest - seen.truncated, 0]);
    // Another name of theirs, and the same name for others, are not limited.
    let other = query(7, "example.com", A, Edns::Plain);
    assert_eq!(ask_udp(&network[0], service.address(), &other)[2] & 2, 0);
    let [elsewhere] = clients(1, |_| [127, 0, 8, 1]).try_into().unwrap();
    let same = query(7, NAME, A, Edns::Plain);
    assert_eq!(ask_udp(&elsewhere, service.address(), &same)[2] & 2, 0);
}

#[test]
fn many_networks_are_limited_each_for_itself() {
    let service = service(|_| {});
    let networks = clients(50, |number| [127, 1, number, 1]);
    let seen = flood(&service, &networks, |_| query(7, NAME, A, Edns::Plain));
    assert_eq!((seen.whole, seen.truncated), (FLOOD, 0));
}

#[test]
fn absent_names_of_an_apex_count_together_and_errors_do_not() {
    let service = service(|_| {});
    let network = clients(1, |_| [127, 0, 7, 1]);
    let seen = flood(&service, &network, |number| {
        query(7, &format!("n{number}.svc.example.com"), A, Edns::Plain)
    });
    assert_limited(seen.whole, seen.took);
    let limited = beyond(&seen.totals, RateClass::Denial);
    assert_eq!(limited.iter().sum::<u64>(), FLOOD - seen.whole);
    let seen = flood(&service, &network, |_| {
        query(7, "www.example.org", A, Edns::Plain)
    });
    assert_eq!((seen.whole, seen.truncated), (FLOOD, 0));
}

#[test]
fn exempt_networks_and_trials_are_not_limited() {
    let service = service(|limits| limits.exempt = vec!["127.0.7.0/24".parse().unwrap()]);
    let network = clients(1, |_| [127, 0, 7, 1]);
    let request = |_| query(7, NAME, A, Edns::Plain);
    let seen = flood(&service, &network, request);
    assert_eq!((seen.whole, seen.truncated), (FLOOD, 0));
    assert_eq!(beyond(&seen.totals, RateClass::Positive), [0; 4]);
    drop(service);
    let service = self::service(|limits| limits.is_dry_run = true);
    let seen = flood(&service, &network, request);
    assert_eq!((seen.whole, seen.truncated), (FLOOD, 0));
    let [_, _, _, sent] = beyond(&seen.totals, RateClass::Positive);
    assert!(sent > FLOOD / 4, "{sent}");
}

/// The cookie of a response, whose OPT record is its last one and has no other option.
fn cookie(response: &[u8]) -> &[u8] {
    let (rest, cookie) = response.split_at(response.len() - 24);
    assert!(rest.ends_with(&[0, 10, 0, 24]), "{response:?}");
    cookie
}

/// A query with a cookie.
fn with_cookie(cookie: &[u8]) -> Vec<u8> {
    let mut request = query(7, NAME, A, Edns::Plain);
    let end = request.len() - 2;
    let length = u8::try_from(cookie.len()).unwrap();
    request.truncate(end);
    request.extend([0, length + 4, 0, 10, 0, length]);
    request.extend(cookie);
    request
}

#[test]
fn a_client_that_is_limited_gets_a_cookie_and_with_it_whatever_it_asks() {
    let service = service(|_| {});
    let network = clients(1, |_| [127, 0, 7, 1]);
    let seen = flood(&service, &network, |_| with_cookie(b"12345678"));
    let [truncated, bad_cookie, dropped, _] = beyond(&seen.totals, RateClass::Positive);
    assert_eq!((truncated, seen.truncated), (0, 0));
    assert!(bad_cookie.abs_diff(dropped) <= 1, "{bad_cookie} {dropped}");
    let [client] = network.as_slice() else {
        unreachable!("one client")
    };
    // Every second one is told.
    let (mut request, mut response) = (with_cookie(b"12345678"), [0; 1_232]);
    let told = loop {
        client.send_to(&request, service.address()).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        if let Ok(length) = client.recv(&mut response) {
            break &response[..length];
        }
    };
    if told[3] & 15 != 0 {
        // BADCOOKIE: 23, in the header and the OPT record.
        assert_eq!((told[3] & 15, told[told.len() - 28 - 6]), (7, 1));
        assert_eq!(told[6..8], [0, 0]);
    }
    request = with_cookie(cookie(told));
    let seen = flood(&service, std::slice::from_ref(client), |_| request.clone());
    assert_eq!((seen.whole, seen.truncated), (FLOOD, 0));
}

#[test]
fn servers_that_share_secrets_take_each_others_cookies() {
    let (old, new) = ([1; 16], [2; 16]);
    let serve = |secrets: &[[u8; 16]]| {
        let secrets = CookieSecrets::new(secrets.iter().copied());
        Service::guarded(&listen(&["127.0.0.1:0"]), world::world(), secrets)
    };
    let (first, second) = (serve(&[old]), serve(&[new, old]));
    let stranger = serve(&[[3; 16]]);
    let client = udp([127, 0, 0, 1].into());
    let ask = |service: &Service, with: &[u8]| {
        let response = ask_udp(&client, service.address(), &with_cookie(with));
        assert_eq!(response[3] & 15, 0, "an answer in any case");
        assert_eq!(response[6..8], [0, 1]);
        cookie(&response).to_vec()
    };
    let given = ask(&first, b"12345678");
    assert_eq!(ask(&first, &given), given);
    let renewed = ask(&second, &given);
    assert_ne!(renewed, given);
    assert_eq!(ask(&second, &renewed), renewed);
    ask(&first, &renewed);
    ask(&stranger, &given);
    let counted = |service: &Service, wanted: [u64; 4]| {
        service.wait_for(|totals| totals.cookies == wanted);
    };
    // New, good, expired, bad.
    counted(&first, [1, 1, 0, 1]);
    counted(&second, [0, 2, 0, 0]);
    counted(&stranger, [0, 0, 0, 1]);
    // Of another client.
    let other = udp([127, 0, 0, 2].into());
    ask_udp(&other, first.address(), &with_cookie(&given));
    counted(&first, [1, 1, 0, 2]);
}
