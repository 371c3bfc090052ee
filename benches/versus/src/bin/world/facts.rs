//! The world as gazetteer takes it: a facts file for each member, and what the configuration says
//! of the world.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use super::place::{REGIONS, Spot, ZONES};
use super::{APEX, Service, World};

/// Writes `gazetteer/`.
pub fn write(world: &World) -> io::Result<()> {
    let folder = world.out.join("gazetteer");
    fs::create_dir_all(&folder)?;
    let mut config = BufWriter::new(File::create(folder.join("world.toml"))?);
    writeln!(
        config,
        r#"[[federation]]
name = "fed"
apex = "{APEX}"
nameservers = [
  {{ name = "ns1.{APEX}", addresses = ["192.0.2.53"] }},
  {{ name = "ns2.{APEX}", addresses = ["198.51.100.53"] }},
]
hostmaster = "hostmaster.{APEX}"
ttl = "30s"
negative-ttl = "5s"
policy = "nearest"
probe = {{ kind = "none" }}"#
    )?;
    for (name, lat, lon) in REGIONS {
        writeln!(config, "\n[[region]]\nname = \"{name}\"")?;
        let zones = ZONES.map(|zone| format!("\"{name}-{zone}\""));
        writeln!(config, "zones = [{}]", zones.join(", "))?;
        writeln!(config, "location = {{ lat = {lat:?}, lon = {lon:?} }}")?;
    }
    for (spot, networks) in world.clients.networks() {
        writeln!(config, "\n[[network]]\nregion = \"{}\"", spot.region())?;
        writeln!(config, "zone = \"{spot}\"\ncidrs = {networks:?}")?;
    }
    let mut files = Vec::new();
    for spot in Spot::all() {
        writeln!(config, "\n[[member]]\nname = \"{spot}\"")?;
        writeln!(
            config,
            "region = \"{}\"\nzones = [\"{spot}\"]",
            spot.region()
        )?;
        writeln!(config, "source = {{ file = \"{spot}.toml\" }}")?;
        let path = folder.join(format!("{spot}.toml"));
        files.push(BufWriter::new(File::create(path)?));
    }
    config.flush()?;
    for index in 0..world.services {
        let service = Service::new(world, index);
        let places = world.shards + usize::from(world.has_chains);
        for (place, spot) in service.spots[..places].iter().enumerate() {
            let (ipv4, ipv6) = (service.ipv4(place), service.ipv6(place));
            let endpoints = if place == world.shards {
                "endpoints = []\n".to_owned()
            } else {
                world.endpoints.map(endpoints).unwrap_or_default()
            };
            write!(
                files[spot.index()],
                "[[service]]\nnamespace = \"ns{}\"\nname = \"svc{index:07}\"\n\
                 ports = [{{ name = \"http\", port = 8080 }}]\n\
                 addresses = [\"{ipv4}\", \"{ipv6}\"]\n{endpoints}",
                index % 97
            )?;
        }
    }
    files.iter_mut().try_for_each(Write::flush)
}

/// So many endpoints, all ready.
fn endpoints(count: u32) -> String {
    let all: Vec<_> = (1..=count)
        .map(|n| format!("{{ address = \"10.0.0.{n}\" }}"))
        .collect();
    format!("endpoints = [{}]\n", all.join(", "))
}
