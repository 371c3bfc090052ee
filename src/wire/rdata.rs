//! The records that a response can hold.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::codes::{class, rrtype};
use super::cursor::Cursor;
use super::name_parts::{NameParts, Owner, Soa};
use super::qname::Qname;
use super::response::{POINTER, ResponseWriter};

/// What follows the labels of a name in the message.
enum Tail {
    /// The root label.
    Root,
    /// A compression pointer.
    Pointer([u8; POINTER]),
}

impl Tail {
    /// As written.
    #[inline]
    fn octets(&self) -> &[u8] {
        match self {
            Self::Root => &[0],
            Self::Pointer(pointer) => pointer,
        }
    }
}

/// Writing records.
impl ResponseWriter<'_> {
    /// Writes an owner name that is not in the message yet. The very next record has to have the
    /// owner that this returns; those after it point to it.
    pub fn owner_name(&mut self, name: &NameParts<'_>) -> Owner {
        self.drop_pending();
        if let ([[], [], [], [], []], Some(owner)) = (name.parts, name.end) {
            return owner;
        }
        let start = self.position;
        let tail = self.tail(name);
        let end = start + name.labels_length() + tail.octets().len();
        let Some(place) = self.out.get_mut(start..end) else {
            self.overflow();
            return Owner::QUESTION;
        };
        put_name(&mut Cursor(place), name, tail.octets());
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
    pub fn cname(&mut self, owner: Owner, ttl: u32, target: &NameParts<'_>) -> Owner {
        self.named(owner, rrtype::CNAME, ttl, &[], target)
    }

    /// Writes an NS record; returns where the name server's name is.
    #[inline]
    pub fn ns(&mut self, owner: Owner, ttl: u32, target: &NameParts<'_>) -> Owner {
        self.named(owner, rrtype::NS, ttl, &[], target)
    }

    /// Writes an SRV record; returns where its target is. The target is written without a pointer
    /// (RFC 2782): what is in the message already is copied, in lower case.
    pub fn srv(
        &mut self,
        owner: Owner,
        ttl: u32,
        priority: u16,
        weight: u16,
        port: u16,
        target: &NameParts<'_>,
    ) -> Owner {
        let [priority0, priority1] = priority.to_be_bytes();
        let [weight0, weight1] = weight.to_be_bytes();
        let [port0, port1] = port.to_be_bytes();
        let fixed = [priority0, priority1, weight0, weight1, port0, port1];
        let Some(end) = target.end else {
            return self.named(owner, rrtype::SRV, ttl, &fixed, target);
        };
        let Some(name) = self.expand(end) else {
            self.overflow();
            return Owner::QUESTION;
        };
        self.named_with_tail(owner, rrtype::SRV, ttl, &fixed, target, name.as_wire())
    }

    /// Writes an SOA record.
    pub fn soa(&mut self, owner: Owner, ttl: u32, soa: &Soa<'_>) {
        let mname_tail = self.tail(&soa.mname);
        let rname_tail = self.tail(&soa.rname);
        let mname_length = soa.mname.labels_length() + mname_tail.octets().len();
        let rname_length = soa.rname.labels_length() + rname_tail.octets().len();
        let length = mname_length + rname_length + 20;
        let Some(rdata) = self.record(owner, rrtype::SOA, ttl, length) else {
            return;
        };
        let cursor = &mut Cursor(rdata);
        put_name(cursor, &soa.mname, mname_tail.octets());
        put_name(cursor, &soa.rname, rname_tail.octets());
        let times = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
        for number in times {
            cursor.put(&number.to_be_bytes());
        }
    }

    /// Writes a TXT record, as many strings of at most 255 octets as `text` needs, at least one.
    pub fn txt(&mut self, owner: Owner, ttl: u32, text: &[u8]) {
        let strings = text.len().div_ceil(255).max(1);
        let Some(rdata) = self.record(owner, rrtype::TXT, ttl, text.len() + strings) else {
            return;
        };
        let cursor = &mut Cursor(rdata);
        let mut rest = text;
        for _ in 0..strings {
            let (string, tail) = rest.split_at_checked(255).unwrap_or((rest, &[]));
            cursor.put_string(string);
            rest = tail;
        }
    }

    /// Writes a TXT record of class CH and TTL 0 at the question's name.
    pub fn chaos_txt(&mut self, text: &[u8]) {
        let start = self.position;
        self.txt(Owner::QUESTION, 0, text);
        let place = start + POINTER + 2;
        if self.position > start
            && let Some(written) = self.out.get_mut(place..place + 2)
        {
            written.copy_from_slice(&class::CH.to_be_bytes());
        }
    }

    /// Writes an HINFO record (RFC 8482 section 4.2). Strings over 255 octets are cut.
    pub fn hinfo(&mut self, owner: Owner, ttl: u32, cpu: &[u8], os: &[u8]) {
        let cpu = cpu.get(..255).unwrap_or(cpu);
        let os = os.get(..255).unwrap_or(os);
        let length = cpu.len() + os.len() + 2;
        if let Some(rdata) = self.record(owner, rrtype::HINFO, ttl, length) {
            let cursor = &mut Cursor(rdata);
            cursor.put_string(cpu);
            cursor.put_string(os);
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
        target: &NameParts<'_>,
    ) -> Owner {
        let tail = self.tail(target);
        self.named_with_tail(owner, rrtype, ttl, fixed, target, tail.octets())
    }

    /// Writes a record whose rdata is some octets, the labels of a name, and the name's tail.
    #[inline]
    fn named_with_tail(
        &mut self,
        owner: Owner,
        rrtype: u16,
        ttl: u32,
        fixed: &[u8],
        target: &NameParts<'_>,
        tail: &[u8],
    ) -> Owner {
        let length = target.labels_length() + tail.len();
        let Some(rdata) = self.record(owner, rrtype, ttl, fixed.len() + length) else {
            return Owner::QUESTION;
        };
        let cursor = &mut Cursor(rdata);
        cursor.put(fixed);
        put_name(cursor, target, tail);
        Owner::at(self.position - length)
    }

    /// What follows the labels of a name.
    #[inline]
    fn tail(&mut self, target: &NameParts<'_>) -> Tail {
        let Some(owner) = target.end else {
            return Tail::Root;
        };
        let Some(pointer) = owner.pointer() else {
            self.overflow();
            return Tail::Root;
        };
        Tail::Pointer(pointer)
    }

    /// Reads a name that is in the message, following its pointers, in lower case.
    pub fn expand(&self, owner: Owner) -> Option<Qname> {
        let mut octets = [0; 256];
        self.copy_name(owner.offset(), &mut Cursor(&mut octets))?;
        let mut name = Qname::new();
        name.read(&octets)?;
        Some(name)
    }

    /// Copies the labels of the name at an offset without its pointers, as they are, and without the
    /// root. Returns where the name ends there.
    pub(super) fn copy_name(&self, offset: usize, cursor: &mut Cursor<'_>) -> Option<usize> {
        let mut at = offset;
        let mut end = None;
        let written = self.out.get(..self.position)?;
        loop {
            match written.get(at..)? {
                [0, ..] => return Some(end.unwrap_or(at + 1)),
                [high @ 0xc0..=0xff, low, ..] => {
                    let next = usize::from(u16::from_be_bytes([high & 0x3f, *low]));
                    // A pointer goes back, so this ends.
                    if next >= at {
                        return None;
                    }
                    end.get_or_insert(at + POINTER);
                    at = next;
                }
                [length, ..] => {
                    let next = at + 1 + usize::from(*length);
                    cursor.put(written.get(at..next)?)?;
                    at = next;
                }
                [] => return None,
            }
        }
    }

    /// Writes a record whose rdata is `parts`, one after the other. Returns where the rdata is, for names
    /// in it to be pointed to.
    pub fn rdata(&mut self, owner: Owner, rrtype: u16, ttl: u32, parts: &[&[u8]]) -> Owner {
        let length = parts.iter().map(|part| part.len()).sum();
        if let Some(rdata) = self.record(owner, rrtype, ttl, length) {
            let cursor = &mut Cursor(rdata);
            for part in parts {
                cursor.put(part);
            }
        }
        Owner::at(self.position.saturating_sub(length))
    }
}

/// Writes the labels of a name and its tail.
#[inline]
fn put_name(cursor: &mut Cursor<'_>, name: &NameParts<'_>, tail: &[u8]) {
    for part in &name.parts {
        if !part.is_empty() {
            cursor.put(part);
        }
    }
    cursor.put(tail);
}
