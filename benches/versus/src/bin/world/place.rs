//! Regions, zones, and where clients are.

use std::collections::HashMap;
use std::fmt;

/// The regions, with their latitudes and longitudes. The host names of zones are theirs with a
/// letter.
pub const REGIONS: [(&str, f64, f64); 10] = [
    ("europe-west1", 50.4, 3.8),
    ("europe-north1", 60.6, 27.2),
    ("us-central1", 41.3, -95.9),
    ("us-east1", 33.2, -80.0),
    ("us-west1", 45.6, -121.2),
    ("asia-east1", 24.1, 120.5),
    ("asia-south1", 19.1, 72.9),
    ("australia-southeast1", -33.9, 151.2),
    ("southamerica-east1", -23.5, -46.6),
    ("africa-south1", -26.2, 28.0),
];

/// The letters of the zones of every region.
pub const ZONES: [char; 3] = ['a', 'b', 'c'];

/// A zone of a region, which is also a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Of [`REGIONS`].
    pub region: usize,
    /// Of [`ZONES`].
    pub zone: usize,
}

impl Spot {
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..REGIONS.len())
            .flat_map(|region| (0..ZONES.len()).map(move |zone| Self { region, zone }))
    }

    /// Its number.
    pub fn index(self) -> usize {
        self.region * ZONES.len() + self.zone
    }

    /// The name of its region.
    pub fn region(self) -> &'static str {
        REGIONS[self.region].0
    }
}

/// The name of the zone.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.region(), ZONES[self.zone])
    }
}

/// Kilometers between two regions on a sphere.
pub fn distance(from: usize, to: usize) -> u32 {
    let ((_, lat, lon), (_, other_lat, other_lon)) = (REGIONS[from], REGIONS[to]);
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let cosines = lat.to_radians().cos() * other_lat.to_radians().cos();
    let arc = half(lat, other_lat) + cosines * half(lon, other_lon);
    (2.0 * 6371.0 * arc.sqrt().min(1.0).asin()).round() as u32
}

/// Where the clients in 10.0.0.0/8 are, of whom ECS tells: most /20s are in a region, every eighth
/// has a /24 in it that is elsewhere, one in eight is nowhere.
pub struct Clients {
    /// The spot of each /20.
    blocks: Vec<Option<Spot>>,
    /// The spots of /24s, by their second and third octets.
    nested: HashMap<(u8, u8), Spot>,
}

impl Clients {
    /// The same ones every time.
    pub fn new() -> Self {
        let mut random = Random::new(20);
        let spot = |random: &mut Random| Spot {
            region: random.below(REGIONS.len() as u32) as usize,
            zone: random.below(ZONES.len() as u32) as usize,
        };
        let blocks = (0..4096)
            .map(|_| (random.below(8) > 0).then(|| spot(&mut random)))
            .collect();
        let nested = (0..4096_u32)
            .step_by(8)
            .map(|block| {
                let third = (block << 4) as u8 | random.below(16) as u8;
                (((block >> 4) as u8, third), spot(&mut random))
            })
            .collect();
        Self { blocks, nested }
    }

    /// Where a client in 10.`second`.`third`.0/24 is.
    pub fn spot(&self, second: u8, third: u8) -> Option<Spot> {
        let block = usize::from(second) << 4 | usize::from(third) >> 4;
        let nested = self.nested.get(&(second, third));
        nested.copied().or(self.blocks[block])
    }

    /// The networks of every spot.
    pub fn networks(&self) -> Vec<(Spot, Vec<String>)> {
        let mut networks: Vec<(Spot, Vec<String>)> =
            Spot::all().map(|spot| (spot, Vec::new())).collect();
        for (block, spot) in self.blocks.iter().enumerate() {
            if let Some(spot) = spot {
                let network = format!("10.{}.{}.0/20", block >> 4, (block & 15) << 4);
                networks[spot.index()].1.push(network);
            }
        }
        let mut nested: Vec<_> = self.nested.iter().collect();
        nested.sort_by_key(|(octets, _)| **octets);
        for ((second, third), spot) in nested {
            networks[spot.index()]
                .1
                .push(format!("10.{second}.{third}.0/24"));
        }
        networks
    }
}

/// Random numbers that are the same every time (splitmix64).
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (((mixed >> 32) * u64::from(limit)) >> 32) as u32
    }
}
