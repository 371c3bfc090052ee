//! The world as other servers take it: a master file of every name, and the zone and resources of
//! gdnsd's plugins `geoip` and `multifo`, which choose at the global names.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use super::place::REGIONS;
use super::{APEX, Service, World};

/// Services up to which gdnsd's plugins get their files.
const STEERED: u32 = 100_000;

/// Writes `zone`, and `gdnsd-geo/` for small worlds.
pub fn write(world: &World) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(world.out.join("zone"))?);
    head(&mut file)?;
    for index in 0..world.services {
        let service = Service::new(world, index);
        addresses(&mut file, &service, &service.name(), 0..world.shards)?;
        below(&mut file, world, &service)?;
    }
    file.flush()?;
    if world.services <= STEERED {
        steered(world)?;
    }
    Ok(())
}

/// The records of the apex.
fn head(file: &mut impl Write) -> io::Result<()> {
    write!(
        file,
        "$ORIGIN {APEX}.\n$TTL 30\n\
         @ 3600 SOA ns1.{APEX}. hostmaster.{APEX}. 1 3600 600 86400 5\n\
         @ 3600 NS ns1.{APEX}.\n@ 3600 NS ns2.{APEX}.\n\
         ns1 3600 A 192.0.2.53\nns2 3600 A 198.51.100.53\n"
    )
}

/// The address and SRV records of a name.
fn addresses(
    file: &mut impl Write,
    service: &Service,
    owner: &str,
    places: std::ops::Range<usize>,
) -> io::Result<()> {
    for place in places.clone() {
        writeln!(file, "{owner} A {}", service.ipv4(place))?;
    }
    for place in places {
        writeln!(file, "{owner} AAAA {}", service.ipv6(place))?;
    }
    srv(file, owner)
}

/// The SRV record of a name.
fn srv(file: &mut impl Write, owner: &str) -> io::Result<()> {
    writeln!(file, "_http._tcp.{owner} SRV 0 100 8080 {owner}")
}

/// The region and zone names of a service.
fn below(file: &mut impl Write, world: &World, service: &Service) -> io::Result<()> {
    let global = service.name();
    for (place, spot) in service.spots.iter().enumerate().take(world.static_places) {
        let region = spot.region();
        let only = place..place + 1;
        addresses(file, service, &format!("{global}.{region}"), only.clone())?;
        addresses(file, service, &format!("{global}.{spot}.{region}"), only)?;
    }
    if world.has_chains {
        let down = service.spots[service.shards];
        let region = format!("{global}.{}", down.region());
        let zone = format!("{global}.{down}.{}", down.region());
        for prefix in ["", "_http._tcp."] {
            writeln!(file, "{prefix}{zone} CNAME {prefix}{region}")?;
            writeln!(file, "{prefix}{region} CNAME {prefix}{global}")?;
        }
    }
    Ok(())
}

/// Writes `gdnsd-geo/`.
fn steered(world: &World) -> io::Result<()> {
    let folder = world.out.join("gdnsd-geo");
    fs::create_dir_all(&folder)?;
    let mut zone = BufWriter::new(File::create(folder.join("zone"))?);
    let mut plugins = BufWriter::new(File::create(folder.join("plugins"))?);
    let regions: Vec<_> = REGIONS.iter().map(|(name, _, _)| *name).collect();
    let regions = regions.join(", ");
    // Without monitors, and with one resource for each place and not each region: gdnsd looks for
    // an address among all that it monitors, and for a resource among all of a plugin.
    writeln!(plugins, "plugins => {{ multifo => {{ service_types => []")?;
    for index in 0..world.services {
        let service = Service::new(world, index);
        for place in 0..world.shards {
            let (ipv4, ipv6) = (service.ipv4(place), service.ipv6(place));
            writeln!(
                plugins,
                "  s{index}p{place} => {{ addrs_v4 => [{ipv4}], addrs_v6 => [{ipv6}] }}"
            )?;
        }
    }
    write!(
        plugins,
        " }}\n geoip => {{ maps => {{ clients => {{ datacenters => [{regions}], nets => {{\n"
    )?;
    for (spot, networks) in world.clients.networks() {
        for network in networks {
            writeln!(plugins, "  {network} => [{}]", spot.region())?;
        }
    }
    write!(plugins, " }} }} }}\n resources => {{\n")?;
    head(&mut zone)?;
    for index in 0..world.services {
        let service = Service::new(world, index);
        let global = service.name();
        writeln!(zone, "{global} DYNA geoip!s{index}")?;
        srv(&mut zone, &global)?;
        below(&mut zone, world, &service)?;
        write!(plugins, "  s{index} => {{ map => clients, dcmap => {{")?;
        for (region, (name, _, _)) in REGIONS.iter().enumerate() {
            let place = service.nearest(region);
            write!(plugins, " {name} => %multifo!s{index}p{place}")?;
        }
        writeln!(plugins, " }} }}")?;
    }
    writeln!(plugins, " }} }} }}")?;
    zone.flush()?;
    plugins.flush()
}
