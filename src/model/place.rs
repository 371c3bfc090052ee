//! Where clients and regions stand.

use ipnet::IpNet;

use crate::names::Label;

/// Where a client stands. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// Its region.
    pub region: Option<Label>,
    /// Its zone, inside the region.
    pub zone: Option<Label>,
    /// The member it is in; then region and zones are the member's.
    pub member: Option<Label>,
}

/// A network and where its clients stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The network.
    pub cidr: IpNet,
    /// Where its clients stand.
    pub place: Place,
}

/// The place of a [`Place`] in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VantageIdx(pub u32);

/// The place of a DNS address in the configuration, for one that is bound to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerIdx(pub u32);

/// A point on the globe, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location {
    /// Latitude, -90 to 90.
    pub lat: f64,
    /// Longitude, -180 to 180.
    pub lon: f64,
}

// Configured numbers are never NaN, so equality is total.
impl Eq for Location {}

/// Mean radius of the Earth, in kilometers.
const EARTH_RADIUS: f64 = 6371.0;

impl Location {
    /// The great-circle distance to another point, in whole kilometers (haversine formula).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 20,016"
    )]
    pub fn distance(self, other: Self) -> u32 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let cosines = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let a = half(self.lat, other.lat) + cosines * half(self.lon, other.lon);
        (2.0 * EARTH_RADIUS * a.sqrt().min(1.0).asin()).round() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe() {
        let paris = Location {
            lat: 48.857,
            lon: 2.352,
        };
        let new_york = Location {
            lat: 40.713,
            lon: -74.006,
        };
        assert_eq!(paris.distance(paris), 0);
        assert_eq!(paris.distance(new_york) / 10, 583);
        assert_eq!(new_york.distance(paris), paris.distance(new_york));
        let (east, west) = (
            Location {
                lat: 0.0,
                lon: 179.5,
            },
            Location {
                lat: 0.0,
                lon: -179.5,
            },
        );
        assert_eq!(east.distance(west), 111);
    }
}
