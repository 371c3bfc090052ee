//! The world: a federation of 30 members in 10 regions, the same names as a static zone, and
//! queries with the answers that they should bring.
//!
//! `world --services N --out FOLDER [--queries N] [--shards 3] [--static-places 3] [--chains yes|no]
//! [--endpoints N]`
//!
//! Writes `gazetteer/` (facts files, and the sections of the configuration that name the world),
//! `zone` (a master file), `gdnsd-geo/` (the zone and the resources of gdnsd's plugins), and
//! `queries-mix`, `queries-ecs`, `queries-chains` in the format of `versus::queries`.

#[path = "world/ask.rs"]
mod ask;
#[path = "world/facts.rs"]
mod facts;
#[path = "world/place.rs"]
mod place;
#[path = "world/zone.rs"]
mod zone;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use versus::arguments::{argument, number};

use place::{Clients, REGIONS, Random, Spot};

/// The apex of the world.
const APEX: &str = "fed.example";

/// Members that serve each service, at most: each is in a region of its own.
const SHARDS: usize = REGIONS.len();

/// What is made.
struct World {
    /// Services.
    services: u32,
    /// Members that serve each service.
    shards: usize,
    /// Of how many members of a service the zone file has region and zone names.
    static_places: usize,
    /// Whether each service has a member that is down, whose names fall back to the global one.
    has_chains: bool,
    /// How many endpoints facts list for each service of a member; without a number, none is listed.
    endpoints: Option<u32>,
    /// How many queries of each kind.
    queries: u32,
    /// Where clients are.
    clients: Clients,
    /// Where it is written.
    out: PathBuf,
}

/// One service.
struct Service {
    /// Its number.
    index: u32,
    /// In how many members it is served.
    shards: usize,
    /// Where: the first `shards` count, and at the next one it is down if the world has chains.
    spots: [Spot; SHARDS],
}

impl Service {
    /// By its number: the same one every time, whatever else is in the world.
    fn new(world: &World, index: u32) -> Self {
        let mut random = Random::new((u64::from(index) << 8) | 1);
        let mut regions: [usize; REGIONS.len()] = std::array::from_fn(|region| region);
        let spots: [Spot; SHARDS] = std::array::from_fn(|place| {
            let with = place + random.below((REGIONS.len() - place) as u32) as usize;
            regions.swap(place, with);
            Spot {
                region: regions[place],
                zone: random.below(3) as usize,
            }
        });
        Self {
            index,
            shards: world.shards,
            spots,
        }
    }

    /// Its global name below the apex.
    fn name(&self) -> String {
        let Self { index, .. } = self;
        format!("svc{index:07}.ns{}.fed.svc", index % 97)
    }

    /// Its address at a place.
    fn ipv4(&self, place: usize) -> Ipv4Addr {
        // Four addresses for each of a million services are all that 100.64.0.0/10 has.
        let bits = if self.shards < 4 { 2 } else { 4 };
        (0x6440_0000 + (self.index << bits) + place as u32).into()
    }

    /// Its address at a place.
    fn ipv6(&self, place: usize) -> Ipv6Addr {
        let prefix = 0x2001_0db8_u128 << 96;
        (prefix | (u128::from(self.index) << 64) | (place as u128 + 1)).into()
    }

    /// The place nearest to a region.
    fn nearest(&self, region: usize) -> usize {
        let distance = |place: &usize| place::distance(region, self.spots[*place].region);
        (0..self.shards).min_by_key(distance).unwrap_or(0)
    }
}

fn main() -> io::Result<()> {
    let services: u32 = number("--services", "10000")?;
    if services == 0 || services > 1 << 20 {
        return Err(io::Error::other("--services: 1 to 1048576"));
    }
    let shards = number::<usize>("--shards", "3")?.clamp(1, SHARDS);
    let has_chains = argument("--chains", "yes") == "yes";
    let most = if shards < 4 { 1 << 20 } else { 1 << 18 };
    if services > most || (has_chains && shards == SHARDS) {
        return Err(io::Error::other("--shards: too many for addresses or chains"));
    }
    let endpoints = argument("--endpoints", "");
    let world = World {
        services,
        shards,
        static_places: number::<usize>("--static-places", "3")?.clamp(1, shards),
        has_chains,
        endpoints: endpoints.parse().ok(),
        queries: number("--queries", "100000")?,
        clients: Clients::new(),
        out: PathBuf::from(argument("--out", "world")),
    };
    facts::write(&world)?;
    zone::write(&world)?;
    ask::write(&world)
}
