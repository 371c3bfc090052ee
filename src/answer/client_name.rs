//! `_client.<apex>`, which tells whoever asks what is seen of it (docs/names.md, D.2).

use std::fmt::{self, Write};
use std::net::IpAddr;

use super::reply::{Reply, Transport};
use crate::model::Place;
use crate::vantage::{Vantage, VantageSource};
use crate::wire::{ClientSubnet, Owner};

/// Octets of one string of a TXT record at most (RFC 1035 section 3.3.14). The longest line has 250.
const STRING: usize = 255;

/// Writes the one TXT record. Resolvers keep it for nobody else: its TTL is 0, and it holds for the
/// client subnet asked for and no part or neighbor of it.
#[cold]
pub(super) fn write(reply: &mut Reply<'_, '_>, owner: Owner) {
    let subnet = reply.subnet();
    let scope = subnet.map_or(0, |subnet| subnet.source_prefix);
    let transport = match reply.client.transport {
        Transport::Udp => "udp",
        Transport::Tcp { .. } => "tcp",
    };
    let place = place(reply, &reply.vantage());
    let mut line = Line::default();
    // A line that is cut is better than none, and none is.
    let _ = line.say(reply.client.address, subnet, transport, place);
    reply.response.txt(owner, 0, line.octets());
    reply.scope = scope;
}

/// Where the client stands as far as that is known of it: this server's own locality says nothing.
fn place<'s>(reply: &Reply<'s, '_>, vantage: &Vantage) -> Option<&'s Place> {
    if vantage.source == VantageSource::Own {
        return None;
    }
    let index = usize::try_from(vantage.place?.0).ok()?;
    reply.snapshot.vantages().places().get(index)
}

/// A line on the stack.
struct Line {
    octets: [u8; STRING],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            octets: [0; STRING],
            length: 0,
        }
    }
}

impl Line {
    /// What is written so far.
    fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Says what is seen of a client.
    fn say(
        &mut self,
        address: IpAddr,
        subnet: Option<&ClientSubnet>,
        transport: &str,
        place: Option<&Place>,
    ) -> fmt::Result {
        write!(self, "source={}", address.to_canonical())?;
        match subnet {
            Some(subnet) => write!(self, " subnet={}/{}", subnet.address, subnet.source_prefix)?,
            None => self.write_str(" subnet=none")?,
        }
        write!(self, " transport={transport} place=")?;
        let Some(place) = place else {
            return self.write_str("unknown");
        };
        match (&place.member, &place.zone, &place.region) {
            (Some(member), ..) => write!(self, "member/{}", member.as_str()),
            (_, Some(zone), Some(region)) => {
                write!(self, "zone/{}.{}", zone.as_str(), region.as_str())
            }
            (_, _, Some(region)) => write!(self, "region/{}", region.as_str()),
            _ => self.write_str("unknown"),
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.octets.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_fits_into_one_string() {
        let longest = "1000:1000:1000:1000:1000:1000:1000:1000";
        let address: IpAddr = longest.parse().unwrap();
        let subnet = ClientSubnet {
            family: 2,
            address,
            source_prefix: 128,
        };
        let label = || Some("a".repeat(63).parse().unwrap());
        let place = Place {
            region: label(),
            zone: label(),
            member: None,
        };
        let mut line = Line::default();
        line.say(address, Some(&subnet), "tcp", Some(&place))
            .unwrap();
        assert_eq!(line.octets().len(), 250);
    }
}
