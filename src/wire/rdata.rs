//! The records that a response can hold.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::codes::rrtype;
use super::opt::put;
use super::qname::Qname;
use super::response::{POINTER, ResponseWriter};
use super::target::{Owner, Soa, Target};

/// Writing records.
impl ResponseWriter<'_> {
    /// Writes an owner name that is not in the message yet. The very next record has to have the
    /// owner that this returns; those after it point to it.
    pub fn owner_name(&mut self, name: &Target<'_>) -> Owner {
        self.drop_pending();
        if let ([[], [], [], []], Some(owner)) = (name.parts, name.end) {
            return owner;
        }
        let start = self.position;
        let (tail, tail_length) = self.tail(name);
        let end = start + name.labels_length() + tail_length;
        let Some(mut place) = self.out.get_mut(start..end) else {
            self.overflow();
            return Owner::QUESTION;
        };
        put_name(
            &mut place,
            name,
            tail.get(..tail_length).unwrap_or_default(),
        );
        self.position = end;
        let owner = Owner::at(start);
        self.pending = Some(owner);
        owner
    }

    /// Writes an A record: 16 octets if the owner is a pointer.
    #[inline]
    pub fn a(&mut self, owner: Owner, ttl: u32, address: Ipv4Addr) {
        if let Some(rdata) = self.record(owner, rrtype::A, ttl, 4)
            && let Some(rdata) = rdata.first_chunk_mut::<4>()
        {
            *rdata = address.octets();
        }
    }

    /// Writes an AAAA record: 28 octets if the owner is a pointer.
    #[inline]
    pub fn aaaa(&mut self, owner: Owner, ttl: u32, address: Ipv6Addr) {
        if let Some(rdata) = self.record(owner, rrtype::AAAA, ttl, 16)
            && let Some(rdata) = rdata.first_chunk_mut::<16>()
        {
            *rdata = address.octets();
        }
    }

    /// Writes a CNAME record; returns where its target is.
    #[inline]
    pub fn cname(&mut self, owner: Owner, ttl: u32, target: &Target<'_>) -> Owner {
        self.named(owner, rrtype::CNAME, ttl, &[], target)
    }

    /// Writes an NS record; returns where the name server's name is.
    #[inline]
    pub fn ns(&mut self, owner: Owner, ttl: u32, target: &Target<'_>) -> Owner {
        self.named(owner, rrtype::NS, ttl, &[], target)
    }

    /// Writes an SRV record; returns where its target is. The target is written without a pointer
    /// (RFC 2782), also if it ends in a name that is in the message already.
    pub fn srv(
        &mut self,
        owner: Owner,
        ttl: u32,
        priority: u16,
        weight: u16,
        port: u16,
        target: &Target<'_>,
    ) -> Owner {
        let [priority0, priority1] = priority.to_be_bytes();
        let [weight0, weight1] = weight.to_be_bytes();
        let [port0, port1] = port.to_be_bytes();
        let fixed = [priority0, priority1, weight0, weight1, port0, port1];
        let Some(end) = target.end else {
            return self.named(owner, rrtype::SRV, ttl, &fixed, target);
        };
        let mut name = Qname::new();
        let expanded = self.expand(end, &mut name);
        let tail = if expanded.is_some() {
            name.as_wire()
        } else {
            &[0]
        };
        self.named_with_tail(owner, rrtype::SRV, ttl, &fixed, target, tail)
    }

    /// Writes an SOA record.
    pub fn soa(&mut self, owner: Owner, ttl: u32, soa: &Soa<'_>) {
        let (mname_tail, mname_length) = self.tail(&soa.mname);
        let (rname_tail, rname_length) = self.tail(&soa.rname);
        let length = soa.mname.labels_length() + mname_length;
        let length = length + soa.rname.labels_length() + rname_length + 20;
        let Some(mut rdata) = self.record(owner, rrtype::SOA, ttl, length) else {
            return;
        };
        let place = &mut rdata;
        put_name(
            place,
            &soa.mname,
            mname_tail.get(..mname_length).unwrap_or_default(),
        );
        put_name(
            place,
            &soa.rname,
            rname_tail.get(..rname_length).unwrap_or_default(),
        );
        let times = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
        for number in times {
            put(place, &number.to_be_bytes());
        }
    }

    /// Writes a TXT record, as many strings of at most 255 octets as `text` needs, at least one.
    pub fn txt(&mut self, owner: Owner, ttl: u32, text: &[u8]) {
        let strings = text.len().div_ceil(255).max(1);
        let Some(mut rdata) = self.record(owner, rrtype::TXT, ttl, text.len() + strings) else {
            return;
        };
        let mut rest = text;
        for _ in 0..strings {
            let (string, tail) = rest.split_at_checked(255).unwrap_or((rest, &[]));
            put_string(&mut rdata, string);
            rest = tail;
        }
    }

    /// Writes an HINFO record (RFC 8482 section 4.2). Strings over 255 octets are cut.
    pub fn hinfo(&mut self, owner: Owner, ttl: u32, cpu: &[u8], os: &[u8]) {
        let cpu = cpu.get(..255).unwrap_or(cpu);
        let os = os.get(..255).unwrap_or(os);
        let length = cpu.len() + os.len() + 2;
        if let Some(mut rdata) = self.record(owner, rrtype::HINFO, ttl, length) {
            put_string(&mut rdata, cpu);
            put_string(&mut rdata, os);
        }
    }

    /// Writes a record whose rdata is some octets and a name.
    #[inline]
    fn named(
        &mut self,
        owner: Owner,
        rrtype: u16,
        ttl: u32,
        fixed: &[u8],
        target: &Target<'_>,
    ) -> Owner {
        let (tail, length) = self.tail(target);
        let tail = tail.get(..length).unwrap_or_default();
        self.named_with_tail(owner, rrtype, ttl, fixed, target, tail)
    }

    /// Writes a record whose rdata is some octets, the labels of a name, and the name's tail.
    #[inline]
    fn named_with_tail(
        &mut self,
        owner: Owner,
        rrtype: u16,
        ttl: u32,
        fixed: &[u8],
        target: &Target<'_>,
        tail: &[u8],
    ) -> Owner {
        let length = target.labels_length() + tail.len();
        let Some(mut rdata) = self.record(owner, rrtype, ttl, fixed.len() + length) else {
            return Owner::QUESTION;
        };
        put(&mut rdata, fixed);
        put_name(&mut rdata, target, tail);
        Owner::at(self.position - length)
    }

    /// What follows the labels of a name: a pointer, or the root; and its length.
    #[inline]
    fn tail(&mut self, target: &Target<'_>) -> ([u8; POINTER], usize) {
        let Some(owner) = target.end else {
            return ([0; POINTER], 1);
        };
        let pointer = owner.pointer().unwrap_or_else(|| {
            self.overflow();
            [0; POINTER]
        });
        (pointer, POINTER)
    }

    /// Reads a name that is in the message, following its pointers.
    fn expand(&self, owner: Owner, name: &mut Qname) -> Option<usize> {
        let mut octets = [0; 256];
        let mut rest: &mut [u8] = &mut octets;
        let mut at = owner.offset();
        let written = self.out.get(..self.position)?;
        loop {
            match written.get(at..)? {
                [0, ..] => break,
                [high @ 0xc0..=0xff, low, ..] => {
                    let next = usize::from(u16::from_be_bytes([high & 0x3f, *low]));
                    // A pointer goes back, so this ends.
                    if next >= at {
                        return None;
                    }
                    at = next;
                }
                [length, ..] => {
                    let next = at + 1 + usize::from(*length);
                    put(&mut rest, written.get(at..next)?)?;
                    at = next;
                }
                [] => return None,
            }
        }
        name.read(&octets)
    }
}

/// Writes the labels of a name and its tail.
#[inline]
fn put_name(place: &mut &mut [u8], name: &Target<'_>, tail: &[u8]) {
    for part in name.parts.into_iter().filter(|part| !part.is_empty()) {
        put(place, part);
    }
    put(place, tail);
}

/// Writes a string of at most 255 octets with its length.
fn put_string(place: &mut &mut [u8], string: &[u8]) {
    let length = u8::try_from(string.len()).unwrap_or(u8::MAX);
    put(place, &[length]);
    put(place, string);
}
