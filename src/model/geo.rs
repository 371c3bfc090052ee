//! GeoIP databases in the format of MaxMind (MaxMind DB file format 2.0).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use maxminddb::{LookupResult, PathElement, Reader};
use serde::de::IgnoredAny;
use thiserror::Error;

use super::{Location, UnixSeconds, kept};

/// How many networks of each address family are looked at for a place.
const MOST_NETWORKS: usize = 1 << 16;

/// How many different records of each address family are read for a place: the library visits up to
/// 65,536 values of a record, and a file may have them in every one.
const MOST_RECORDS: usize = 1 << 10;

/// How many names of fields are told.
const MOST_FIELDS: usize = 32;

/// A database, as it was read; copies share it. Whatever its octets are, a look-up ends without a
/// panic, and one that holds what it should allocates nothing.
#[derive(Clone)]
pub struct GeoDatabase(Arc<Reader<Vec<u8>>>);

/// The octets are no database.
#[derive(Debug, Error)]
#[error("not a GeoIP database: {0}")]
pub struct GeoDatabaseError(#[from] maxminddb::MaxMindDbError);

/// What a database says of an address.
pub struct GeoRecord<'a>(LookupResult<'a, Vec<u8>>);

/// Two letters: a country (ISO 3166-1) or a continent (AF, AN, AS, EU, NA, OC, SA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeoCode([u8; 2]);

impl GeoDatabase {
    /// A database from the octets of its file.
    pub fn read(octets: Vec<u8>) -> Result<Self, GeoDatabaseError> {
        Ok(Self(Arc::new(Reader::from_source(octets)?)))
    }

    /// What kind it says it is, such as `GeoLite2-City`.
    pub fn kind(&self) -> &str {
        &self.0.metadata().database_type
    }

    /// When it was built.
    pub fn built(&self) -> UnixSeconds {
        UnixSeconds(self.0.metadata().build_epoch)
    }

    /// The names of the fields that its records have, ascending, if no record has a country, a
    /// continent or a location: then it can never place anybody. Of a large database the first
    /// networks and different records are looked at; if it has such fields, some of them do.
    pub fn fields_without_place(&self) -> Option<BTreeSet<String>> {
        let mut fields = BTreeSet::new();
        let mut seen = HashSet::new();
        // The addresses that are given to networks of the Internet (RFC 4291, 2.4).
        let ipv6 = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
        for first in [Ipv4Addr::UNSPECIFIED.into(), ipv6.into()] {
            let mut next = Some(first);
            let mut unread = MOST_RECORDS;
            for _ in 0..MOST_NETWORKS {
                let Some(address) = next else { break };
                let Some(record) = self.find(address) else {
                    break;
                };
                if record.0.offset().is_some_and(|offset| seen.insert(offset)) {
                    if unread == 0 {
                        break;
                    }
                    unread -= 1;
                    if record.has_place() {
                        return None;
                    }
                    if fields.len() < MOST_FIELDS {
                        fields.extend(record.fields());
                    }
                }
                next = after(address, record.prefix(address));
            }
        }
        Some(fields)
    }

    /// What it says of the networks around an address; `None` where it knows no such addresses.
    pub fn find(&self, address: IpAddr) -> Option<GeoRecord<'_>> {
        self.0.lookup(address).ok().map(GeoRecord)
    }
}

// The octets are compared by nobody: another reading is another database.
impl PartialEq for GeoDatabase {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for GeoDatabase {}

impl fmt::Debug for GeoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeoDatabase({} of {})", self.kind(), self.built().0)
    }
}

/// The first address behind the network of this length around an address.
fn after(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(prefix.into()).unwrap_or_default();
            let next = (address.to_bits() | rest).checked_add(1)?;
            Some(Ipv4Addr::from_bits(next).into())
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(prefix.into()).unwrap_or_default();
            let next = (address.to_bits() | rest).checked_add(1)?;
            Some(Ipv6Addr::from_bits(next).into())
        }
    }
}

impl GeoRecord<'_> {
    /// Whether it says anything of where its addresses are.
    fn has_place(&self) -> bool {
        self.country().is_some() || self.continent().is_some() || self.location().is_some()
    }

    /// The names of its fields.
    #[expect(
        clippy::zero_sized_map_values,
        reason = "names are read, and values passed over"
    )]
    fn fields(&self) -> impl Iterator<Item = String> {
        let fields = self.0.decode::<BTreeMap<&str, IgnoredAny>>();
        let names = fields.ok().flatten().into_iter();
        names
            .flat_map(BTreeMap::into_keys)
            .take(MOST_FIELDS)
            .map(kept)
    }

    /// How many leading bits of the address everything here holds for, also where there is nothing.
    pub fn prefix(&self, address: IpAddr) -> u8 {
        match self.0.network() {
            // A database may answer all of IPv4 by one network of IPv6.
            Ok(network) if network.is_ipv4() == address.is_ipv4() => network.prefix(),
            Ok(_) | Err(_) => 0,
        }
    }

    /// The country.
    pub fn country(&self) -> Option<GeoCode> {
        self.code(["country", "iso_code"])
    }

    /// The continent.
    pub fn continent(&self) -> Option<GeoCode> {
        self.code(["continent", "code"])
    }

    /// The code at a path.
    fn code(&self, path: [&str; 2]) -> Option<GeoCode> {
        let code = self.0.decode_path::<&str>(&path.map(PathElement::Key));
        GeoCode::new(code.ok()??)
    }

    /// Where it lies, in databases of cities.
    pub fn location(&self) -> Option<Location> {
        let degrees = |key, most: f64| {
            let path = [PathElement::Key("location"), PathElement::Key(key)];
            let degrees = self.0.decode_path::<f64>(&path).ok()??;
            (-most..=most).contains(&degrees).then_some(degrees)
        };
        Some(Location {
            lat: degrees("latitude", 90.0)?,
            lon: degrees("longitude", 180.0)?,
        })
    }
}

impl GeoCode {
    /// The codes of continents.
    pub const CONTINENTS: [Self; 7] = [
        Self(*b"AF"),
        Self(*b"AN"),
        Self(*b"AS"),
        Self(*b"EU"),
        Self(*b"NA"),
        Self(*b"OC"),
        Self(*b"SA"),
    ];

    /// The code of two letters, in whatever case.
    pub fn new(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [one, two] if one.is_ascii_alphabetic() && two.is_ascii_alphabetic() => {
                Some(Self([one.to_ascii_uppercase(), two.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }
}

impl fmt::Display for GeoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two] = self.0.map(char::from);
        write!(f, "{one}{two}")
    }
}
