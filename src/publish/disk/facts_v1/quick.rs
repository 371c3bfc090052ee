//! The payload of a service taken apart without serde: a start reads one for every service of every
//! member, and nearly all of them say what another said before.
//!
//! ```text
//! 0 · namespace · name · head · addresses · hostnames · endpoints · tail
//! 11 · 0 · cluster IPs · namespace · name · head · addresses · hostnames · endpoints · tail
//! head   kind · export · federations · ports
//! tail   what follows: allow_without_endpoints · steering, and under 11 · probe
//! ```

use crate::model::{Addresses, Endpoints, HostNames};

/// What stands in the payload of a service.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// Its namespace.
    pub(super) namespace: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// The first octets of its spec.
    pub(super) head: &'a [u8],
    /// Its addresses.
    pub(super) addresses: Addresses,
    /// Its host names.
    pub(super) hostnames: HostNames,
    /// Its endpoints.
    pub(super) endpoints: Endpoints,
    /// Its cluster IPs, if it says some.
    pub(super) inside: Option<Addresses>,
    /// The last octets of its spec.
    pub(super) tail: &'a [u8],
}

/// Takes the payload of a service apart; `None` when it is another record or damaged, which serde
/// then says.
pub(super) fn split(payload: &[u8]) -> Option<Parts<'_>> {
    let mut octets = PayloadCursor(payload);
    let inside = match octets.number()? {
        0 => None,
        // Pods are left to serde.
        11 if octets.number()? == 0 => Some(octets.addresses()?),
        _ => return None,
    };
    let (namespace, name) = (octets.text()?, octets.text()?);
    let from = octets.0;
    octets.skip_head()?;
    let head = from.get(..from.len() - octets.0.len())?;
    let addresses = octets.addresses()?;
    let hostnames = octets.number()?;
    let hostnames = (0..hostnames).map(|_| octets.text()?.parse().ok());
    let hostnames = hostnames.collect::<Option<_>>()?;
    let endpoints = Endpoints {
        ready: octets.number()?,
        total: octets.number()?,
    };
    Some(Parts {
        namespace,
        name,
        head,
        addresses,
        hostnames,
        endpoints,
        inside,
        tail: octets.0,
    })
}

/// The rest of a payload.
struct PayloadCursor<'a>(&'a [u8]);

impl<'a> PayloadCursor<'a> {
    /// The next octets.
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next octets, as many as the array has.
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A number: seven bits in each octet, the lowest first.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..28).step_by(7) {
            let [octet] = self.array()?;
            number |= u32::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Some(number);
            }
        }
        let [last] = self.array()?;
        (last < 0x10).then(|| number | u32::from(last) << 28)
    }

    /// A text after its length.
    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }

    /// Addresses after their number.
    fn addresses(&mut self) -> Option<Addresses> {
        let mut addresses = Addresses::new();
        for _ in 0..self.number()? {
            addresses.push(match self.number()? {
                0 => self.array::<4>()?.into(),
                1 => self.array::<16>()?.into(),
                _ => return None,
            });
        }
        Some(addresses)
    }

    /// Whether something follows that may be missing.
    fn is_there(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    /// Passes the head.
    fn skip_head(&mut self) -> Option<()> {
        self.number()?;
        self.number()?;
        if self.is_there()? {
            for _ in 0..self.number()? {
                self.text()?;
            }
        }
        for _ in 0..self.number()? {
            if self.is_there()? {
                self.text()?;
            }
            self.number()?;
            self.number()?;
        }
        Some(())
    }
}
