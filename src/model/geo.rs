//! GeoIP databases in the format of MaxMind (MaxMind DB file format 2.0).

mod record;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use maxminddb::{LookupResult, Reader};
use serde::de::IgnoredAny;
use thiserror::Error;

use self::record::{MOST_VALUES, Value};
use super::{Location, UnixSeconds, kept};

/// How many networks of each address family are looked at for a place.
const MOST_NETWORKS: usize = 1 << 16;

/// How many different records of each address family are read for a place: for the names of fields
/// the library visits up to 65,536 values of a record, and a file may have them in every one.
const MOST_RECORDS: usize = 1 << 10;

/// How many names of fields are told.
const MOST_FIELDS: usize = 32;

/// What stands before the metadata, which end the file.
const METADATA: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Octets of zero between the tree and the data.
const SEPARATOR: usize = 16;

/// A database, as it was read; copies share it. Whatever its octets are, a look-up ends without a
/// panic after a bounded number of steps, and allocates nothing.
#[derive(Clone)]
pub struct GeoDatabase(Arc<Database>);

/// A database.
struct Database {
    /// Walks the tree.
    reader: Reader<Octets>,
    /// The file.
    octets: Octets,
    /// Where in it the data are.
    data: Range<usize>,
}

/// The octets of a file.
#[derive(Clone)]
struct Octets(Arc<Vec<u8>>);

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The octets are no database.
#[derive(Debug, Error)]
#[error("not a GeoIP database: {0}")]
pub struct GeoDatabaseError(#[from] maxminddb::MaxMindDbError);

/// What a database says of an address. All that is read of it is paid from one purse.
pub struct GeoRecord<'a> {
    /// What the tree leads to.
    found: LookupResult<'a, Octets>,
    /// The data section.
    data: &'a [u8],
    /// How many values may still be looked at.
    left: Cell<u32>,
}

/// Two letters: a country (ISO 3166-1) or a continent (AF, AN, AS, EU, NA, OC, SA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeoCode([u8; 2]);

impl GeoDatabase {
    /// A database from the octets of its file.
    pub fn read(octets: Vec<u8>) -> Result<Self, GeoDatabaseError> {
        let octets = Octets(Arc::new(octets));
        let reader = Reader::from_source(octets.clone())?;
        let metadata = reader.metadata();
        // A record of the tree has two halves of so many bits; the library has checked that all of
        // this lies within the file.
        let node = usize::from(metadata.record_size) / 4;
        let nodes = usize::try_from(metadata.node_count).unwrap_or(usize::MAX);
        let first = nodes.saturating_mul(node).saturating_add(SEPARATOR);
        let mut places = octets.as_ref().windows(METADATA.len());
        let last = places.rposition(|place| place == METADATA).unwrap_or(first);
        let data = first..last.max(first);
        Ok(Self(Arc::new(Database {
            reader,
            octets,
            data,
        })))
    }

    /// What kind it says it is, such as `GeoLite2-City`.
    pub fn kind(&self) -> &str {
        &self.0.reader.metadata().database_type
    }

    /// When it was built.
    pub fn built(&self) -> UnixSeconds {
        UnixSeconds(self.0.reader.metadata().build_epoch)
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
                if record
                    .found
                    .offset()
                    .is_some_and(|offset| seen.insert(offset))
                {
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
        let database = &*self.0;
        let found = database.reader.lookup(address).ok()?;
        let data = database.octets.as_ref().get(database.data.clone());
        Some(GeoRecord {
            found,
            data: data.unwrap_or_default(),
            left: Cell::new(MOST_VALUES),
        })
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
    /// What the tree leads to.
    fn value(&self) -> Option<Value<'_>> {
        let offset = self.found.offset()?;
        Some(Value::new(self.data, offset, &self.left))
    }

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
        let fields = self.found.decode::<BTreeMap<&str, IgnoredAny>>();
        let names = fields.ok().flatten().into_iter();
        names
            .flat_map(BTreeMap::into_keys)
            .take(MOST_FIELDS)
            .map(kept)
    }

    /// How many leading bits of the address everything here holds for, also where there is nothing.
    pub fn prefix(&self, address: IpAddr) -> u8 {
        match self.found.network() {
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
        let [outer, inner] = path;
        let code = self.value()?.get(outer)?.get(inner)?;
        GeoCode::new(code.text()?)
    }

    /// Where it lies, in databases of cities.
    pub fn location(&self) -> Option<Location> {
        let location = self.value()?.get("location")?;
        let degrees = |key, most: f64| {
            let degrees = location.get(key)?.double()?;
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
