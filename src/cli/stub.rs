//! `gazetteer stub`

mod snippets;
mod zones;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::bail;

use self::zones::{PORT, Zones};
use super::arguments::{StubArguments, StubServer};
use super::kept_members::{self, KnownMembers};
use super::output;
use crate::config::{Config, DnsListener};
use crate::model::Member;
use crate::names::Label;
use crate::wire::NameBuf;

/// Prints what the DNS server of a member needs.
pub(super) fn stub(arguments: &StubArguments) -> anyhow::Result<ExitCode> {
    let (config, known) = match kept_members::load(&arguments.config) {
        Ok(KnownMembers { loaded, notes }) => (loaded.config, notes),
        Err(problems) => {
            for problem in problems {
                output::complain(&problem.to_string());
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut members = config.fleet.members.iter();
    let Some((_, member)) = members.find(|(_, member)| member.name == arguments.member) else {
        bail!("member \"{}\": unknown member", arguments.member);
    };
    let listeners = listeners(&config, &member.name);
    let is_bound = listeners.iter().any(|listener| listener.member.is_some());
    let zones = Zones {
        names: names(&config, member),
        servers: servers(arguments, &listeners)?,
        hint: (!is_bound).then_some(&member.name),
    };
    if zones.names.is_empty() {
        bail!("there is no federation to forward");
    }
    let notes = notes(arguments.server, &config, member, &zones);
    for note in known.into_iter().chain(notes) {
        output::complain(&format!("note: {note}"));
    }
    output::print(&snippets::snippet(arguments.server, &zones))?;
    Ok(ExitCode::SUCCESS)
}

/// The listeners for the clients of a member: those that are bound to it, else those bound to none.
fn listeners<'c>(config: &'c Config, member: &Label) -> Vec<&'c DnsListener> {
    let of = |member: Option<&Label>| -> Vec<_> {
        let all = config.listen.dns.iter();
        all.filter(|listener| listener.member.as_ref() == member)
            .collect()
    };
    let bound = of(Some(member));
    if bound.is_empty() { of(None) } else { bound }
}

/// The addresses that a DNS server forwards to: as given, else those of `listeners`.
fn servers(
    arguments: &StubArguments,
    listeners: &[&DnsListener],
) -> anyhow::Result<Vec<SocketAddr>> {
    let mut ports = listeners.iter().map(|listener| listener.address.port());
    let port = ports.find(|port| *port != 0);
    if !arguments.addresses.is_empty() {
        let given = arguments.addresses.iter();
        let with_port = |(address, own): &(_, Option<u16>)| {
            SocketAddr::new(*address, own.or(port).unwrap_or(PORT))
        };
        return Ok(given.map(with_port).collect());
    }
    let is_definite = |address: &SocketAddr| !address.ip().is_unspecified() && address.port() != 0;
    let addresses = listeners.iter().map(|listener| listener.address);
    let servers: Vec<_> = addresses.filter(is_definite).collect();
    if servers.is_empty() {
        let why = match listeners.first() {
            None => "every listener is bound to another member".to_owned(),
            Some(listener) if listener.address.port() == 0 => {
                format!(
                    "the port of {} is only known once it serves",
                    listener.address
                )
            }
            Some(listener) => format!("{} is every address of its machine", listener.address),
        };
        bail!(
            "{why}: give --address with the one at which the DNS of \"{}\" reaches gazetteer",
            arguments.member
        );
    }
    Ok(servers)
}

/// The zones that a member forwards: the apexes, the domains of clustersets, then the zones of
/// federations in its cluster domain.
fn names(config: &Config, member: &Member) -> Vec<String> {
    let federations = || config.fleet.federations.iter();
    let apexes = federations().map(|federation| federation.apex.clone());
    let clustersets = federations().filter_map(|federation| federation.clusterset.clone());
    let domain = member.cluster_domain.iter();
    let local = domain.flat_map(|domain| federations().filter_map(|f| f.local_apex(domain)));
    let mut zones: Vec<NameBuf> = Vec::new();
    for zone in apexes.chain(clustersets).chain(local) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    let text = |zone: &NameBuf| zone.labels().collect::<Vec<_>>().join(".");
    zones.iter().map(text).collect()
}

/// What an operator should know before using the snippet.
fn notes(server: StubServer, config: &Config, member: &Member, zones: &Zones<'_>) -> Vec<String> {
    let name = &member.name;
    let mut notes = Vec::new();
    if zones.hint.is_some() && server != StubServer::Corefile {
        notes.push(format!(
            "no listener is bound to \"{name}\": that its pods ask is known where the address of \
             its DNS is in its networks and in listen.trusted"
        ));
    } else if zones.hint.is_some() && config.listen.trusted.is_empty() {
        notes.push(format!(
            "no listener is bound to \"{name}\", and listen.trusted is empty: that \"{name}\" asks \
             is not believed"
        ));
    }
    if member.cluster_domain.is_none() {
        notes.push(format!(
            "\"{name}\" has no cluster-domain: its pods find no names below it"
        ));
    }
    let local = zones
        .servers
        .iter()
        .filter(|server| server.ip().is_loopback());
    for server in local {
        notes.push(format!(
            "{} is reached from its own machine only",
            server.ip()
        ));
    }
    notes
}
