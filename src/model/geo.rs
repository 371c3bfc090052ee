//! GeoIP databases in the format of MaxMind (MaxMind DB file format 2.0).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{LookupResult, PathElement, Reader};
use thiserror::Error;

use super::{Location, UnixSeconds};

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

impl GeoRecord<'_> {
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
