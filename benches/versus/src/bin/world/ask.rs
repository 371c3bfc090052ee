//! Queries, and what they should bring.

use std::io;

use versus::answers::{Section, rrtype};
use versus::queries::{Expected, Writer};

use super::place::{REGIONS, Random, Spot, ZONES};
use super::{APEX, Service, World};

/// Kinds of queries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// 60 % A, 20 % AAAA, 10 % SRV, 8 % NXDOMAIN, 2 % NODATA, half of them with ECS.
    Usual,
    /// The same, all with ECS.
    Ecs,
    /// A fifth ask where the service is down, the rest as in `Usual`.
    Chains,
}

/// Where a name stands.
#[derive(Clone, Copy)]
enum Level {
    /// The global name.
    Global,
    /// The region name of a place.
    Region(usize),
    /// The zone name of a place.
    Zone(usize),
}

/// Writes the query files.
pub fn write(world: &World) -> io::Result<()> {
    let mixes = [
        (Mix::Usual, "queries-mix"),
        (Mix::Ecs, "queries-ecs"),
        (Mix::Chains, "queries-chains"),
    ];
    for (mix, name) in mixes {
        if mix == Mix::Chains && !world.has_chains {
            continue;
        }
        let mut writer = Writer::create(&world.out.join(name))?;
        let mut random = Random::new(42);
        for index in 0..world.queries {
            let has_ecs = mix == Mix::Ecs || index % 2 == 1;
            let subnet = has_ecs.then(|| (random.below(256) as u8, random.below(256) as u8));
            let is_down = mix == Mix::Chains && random.below(5) == 0;
            let (packet, expected) = query(world, &mut random, subnet, is_down);
            writer.add(&packet, &expected)?;
        }
        writer.finish()?;
    }
    Ok(())
}

/// One query: its packet, and what it should bring to a client in `subnet`.
fn query(
    world: &World,
    random: &mut Random,
    subnet: Option<(u8, u8)>,
    is_down: bool,
) -> (Vec<u8>, Expected) {
    let service = Service::new(world, random.below(world.services));
    let client = subnet.and_then(|(second, third)| world.clients.spot(second, third));
    let level = level(world, random, is_down);
    let kind = random.below(if is_down { 90 } else { 100 });
    let (name, rtype, expected) = match kind {
        0..60 => positive(&service, level, rrtype::A, client),
        60..80 => positive(&service, level, rrtype::AAAA, client),
        80..90 => positive(&service, level, rrtype::SRV, client),
        90..98 => absent(random, &service),
        _ => {
            let rtype = if random.below(2) == 0 {
                rrtype::MX
            } else {
                rrtype::TXT
            };
            (owner(&service, level), rtype, Expected::default())
        }
    };
    (packet(&name, rtype, subnet), expected)
}

/// Half of the names are global, a fifth regional, the rest of a zone.
fn level(world: &World, random: &mut Random, is_down: bool) -> Level {
    let place = random.below(world.static_places as u32) as usize;
    match random.below(10) {
        _ if is_down => Level::Zone(world.shards),
        0..5 => Level::Global,
        5..7 => Level::Region(place),
        _ => Level::Zone(place),
    }
}

/// The name of a service at a level.
fn owner(service: &Service, level: Level) -> String {
    let spot = |place: usize| service.spots[place];
    let global = service.name();
    match level {
        Level::Global => global,
        Level::Region(place) => format!("{global}.{}", spot(place).region()),
        Level::Zone(place) => format!("{global}.{}.{}", spot(place), spot(place).region()),
    }
}

/// A query that has records.
fn positive(
    service: &Service,
    level: Level,
    rtype: u16,
    client: Option<Spot>,
) -> (String, u16, Expected) {
    let places = match level {
        Level::Region(place) | Level::Zone(place) if place < service.shards => place..place + 1,
        _ => 0..service.shards,
    };
    let is_global = places.len() > 1;
    let steered = match client {
        Some(spot) if is_global => {
            let place = service.nearest(spot.region);
            place..place + 1
        }
        _ => places.clone(),
    };
    let section = |places: std::ops::Range<usize>| {
        let mut section = Section::default();
        if matches!(level, Level::Zone(place) if place == service.shards) {
            section.add(rrtype::CNAME, &[]);
            section.add(rrtype::CNAME, &[]);
        }
        match rtype {
            rrtype::A => places.for_each(|place| section.add(rtype, &service.ipv4(place).octets())),
            rrtype::AAAA => {
                places.for_each(|place| section.add(rtype, &service.ipv6(place).octets()));
            }
            _ => section.add(rtype, &[0, 0, 0, 100, 0x1f, 0x90]),
        }
        section
    };
    let expected = Expected {
        rcode: 0,
        fixed: section(places),
        steered: section(steered),
    };
    let prefix = if rtype == rrtype::SRV {
        "_http._tcp."
    } else {
        ""
    };
    (
        format!("{prefix}{}", owner(service, level)),
        rtype,
        expected,
    )
}

/// A name of a service that there is not.
fn absent(random: &mut Random, service: &Service) -> (String, u16, Expected) {
    let namespace = service.index % 97;
    let region = REGIONS[random.below(REGIONS.len() as u32) as usize].0;
    let place = match random.below(3) {
        0 => String::new(),
        1 => format!(".{region}"),
        _ => format!(".{region}-{}.{region}", ZONES[0]),
    };
    let name = format!("nx{}.ns{namespace}.fed.svc{place}", random.below(1_000_000));
    let expected = Expected {
        rcode: 3,
        ..Expected::default()
    };
    (name, rrtype::A, expected)
}

/// A query as it is sent, its id 0; with EDNS and a client subnet, or with neither.
fn packet(name: &str, rtype: u16, subnet: Option<(u8, u8)>) -> Vec<u8> {
    let additional = u8::from(subnet.is_some());
    let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    for label in name.split('.').chain(APEX.split('.')) {
        packet.push(label.len() as u8);
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&rtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if let Some((second, third)) = subnet {
        // OPT, 1,232 octets; option 8, family 1, source prefix 24 (RFC 7871).
        packet.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 11]);
        packet.extend_from_slice(&[0, 8, 0, 7, 0, 1, 24, 0, 10, second, third]);
    }
    packet
}
