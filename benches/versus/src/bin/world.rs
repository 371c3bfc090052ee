//! The world: a federation of 30 members in 10 regions, the same names as a static zone, and
//! queries with the answers that they should bring.
//!
//! `world --services N --out FOLDER [--queries N] [--shards 3] [--static-places 3] [--chains yes|no]`
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

/// Members that serve each service, at most.
const SHARDS: usize = 3;

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
    /// Where; only the first `shards` count.
    spots: [Spot; SHARDS],
    /// Where it is down.
    down: Spot,
}

impl Service {
    /// By its number: the same one every time, whatever else is in the world.
    fn new(world: &World, index: u32) -> Self {
        let mut random = Random::new((u64::from(index) << 8) | 1);
        let mut regions: [usize; REGIONS.len()] = std::array::from_fn(|region| region);
        let spots: [Spot; SHARDS + 1] = std::array::from_fn(|place| {
            let with = place + random.below((REGIONS.len() - place) as u32) as usize;
            regions.swap(place, with);
            Spot {
                region: regions[place],
                zone: random.below(3) as usize,
            }
        });
        let [first, second, third, down] = spots;
        Self {
            index,
            shards: world.shards,
            spots: [first, second, third],
            down,
        }
    }

    /// Its global name below the apex.
    fn name(&self) -> String {
        let Self { index, .. } = self;
        format!("svc{index:07}.ns{}.fed.svc", index % 97)
    }

    /// Its address at a place; place [`SHARDS`] is the one where it is down.
    fn ipv4(&self, place: usize) -> Ipv4Addr {
        (0x6440_0000 + (self.index << 2) + place as u32).into()
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
    let world = World {
        services,
        shards,
        static_places: number::<usize>("--static-places", "3")?.clamp(1, shards),
        has_chains: argument("--chains", "yes") == "yes",
        queries: number("--queries", "100000")?,
        clients: Clients::new(),
        out: PathBuf::from(argument("--out", "world")),
    };
    facts::write(&world)?;
    zone::write(&world)?;
    ask::write(&world)
}
