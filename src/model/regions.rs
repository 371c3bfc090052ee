//! Where the regions of public clouds lie.

use super::Location;

/// Name, latitude and longitude of regions of AWS, Google Cloud, Azure, DigitalOcean, Hetzner and
/// Scaleway, ascending by name.
///
/// To a tenth of a degree, of the city or area that the provider's own list of regions names: good
/// enough to tell which of two regions is nearer, and no more than that.
const REGIONS: &[(&str, f64, f64)] = &[
    ("af-south-1", -33.9, 18.4),
    ("africa-south1", -26.2, 28.0),
    ("ams3", 52.4, 4.9),
    ("ap-east-1", 22.3, 114.2),
    ("ap-east-2", 25.0, 121.5),
    ("ap-northeast-1", 35.7, 139.7),
    ("ap-northeast-2", 37.6, 127.0),
    ("ap-northeast-3", 34.7, 135.5),
    ("ap-south-1", 19.1, 72.9),
    ("ap-south-2", 17.4, 78.5),
    ("ap-southeast-1", 1.3, 103.8),
    ("ap-southeast-2", -33.9, 151.2),
    ("ap-southeast-3", -6.2, 106.8),
    ("ap-southeast-4", -37.8, 145.0),
    ("ap-southeast-5", 3.1, 101.7),
    ("ap-southeast-6", -36.8, 174.8),
    ("ap-southeast-7", 13.8, 100.5),
    ("ash", 39.0, -77.5),
    ("asia-east1", 24.1, 120.5),
    ("asia-east2", 22.3, 114.2),
    ("asia-northeast1", 35.7, 139.7),
    ("asia-northeast2", 34.7, 135.5),
    ("asia-northeast3", 37.6, 127.0),
    ("asia-south1", 19.1, 72.9),
    ("asia-south2", 28.6, 77.2),
    ("asia-southeast1", 1.3, 103.8),
    ("asia-southeast2", -6.2, 106.8),
    ("australia-southeast1", -33.9, 151.2),
    ("australia-southeast2", -37.8, 145.0),
    ("australiacentral", -35.3, 149.1),
    ("australiacentral2", -35.3, 149.1),
    ("australiaeast", -33.9, 151.2),
    ("australiasoutheast", -37.8, 145.0),
    ("austriaeast", 48.2, 16.4),
    ("blr1", 13.0, 77.6),
    ("brazilsouth", -23.6, -46.6),
    ("brazilsoutheast", -22.9, -43.2),
    ("ca-central-1", 45.5, -73.6),
    ("ca-west-1", 51.0, -114.1),
    ("canadacentral", 43.7, -79.4),
    ("canadaeast", 46.8, -71.2),
    ("centralindia", 18.6, 73.9),
    ("centralus", 41.6, -93.6),
    ("chilecentral", -33.4, -70.7),
    ("cn-north-1", 39.9, 116.4),
    ("cn-northwest-1", 37.5, 105.2),
    ("eastasia", 22.3, 114.2),
    ("eastus", 37.4, -79.8),
    ("eastus2", 36.7, -78.4),
    ("eu-central-1", 50.1, 8.7),
    ("eu-central-2", 47.4, 8.5),
    ("eu-north-1", 59.3, 18.1),
    ("eu-south-1", 45.5, 9.2),
    ("eu-south-2", 41.6, -0.9),
    ("eu-west-1", 53.3, -6.3),
    ("eu-west-2", 51.5, -0.1),
    ("eu-west-3", 48.9, 2.4),
    ("europe-central2", 52.2, 21.0),
    ("europe-north1", 60.6, 27.2),
    ("europe-north2", 59.3, 18.1),
    ("europe-southwest1", 40.4, -3.7),
    ("europe-west1", 50.4, 3.8),
    ("europe-west10", 52.5, 13.4),
    ("europe-west12", 45.1, 7.7),
    ("europe-west2", 51.5, -0.1),
    ("europe-west3", 50.1, 8.7),
    ("europe-west4", 53.4, 6.8),
    ("europe-west6", 47.4, 8.5),
    ("europe-west8", 45.5, 9.2),
    ("europe-west9", 48.9, 2.4),
    ("fr-par", 48.9, 2.4),
    ("fra1", 50.1, 8.7),
    ("francecentral", 46.4, 2.4),
    ("francesouth", 43.8, 2.1),
    ("fsn1", 50.5, 12.4),
    ("germanynorth", 53.1, 8.8),
    ("germanywestcentral", 50.1, 8.7),
    ("hel1", 60.2, 24.9),
    ("hil", 45.5, -123.0),
    ("il-central-1", 32.1, 34.8),
    ("indonesiacentral", -6.2, 106.8),
    ("israelcentral", 32.1, 34.8),
    ("italynorth", 45.5, 9.2),
    ("japaneast", 35.7, 139.8),
    ("japanwest", 34.7, 135.5),
    ("koreacentral", 37.6, 127.0),
    ("koreasouth", 35.2, 129.0),
    ("lon1", 51.5, -0.1),
    ("malaysiawest", 3.1, 101.7),
    ("me-central-1", 25.0, 55.2),
    ("me-central1", 25.3, 51.5),
    ("me-central2", 26.4, 50.1),
    ("me-south-1", 26.1, 50.6),
    ("me-west1", 32.1, 34.8),
    ("mexicocentral", 20.6, -100.4),
    ("mx-central-1", 20.6, -100.4),
    ("nbg1", 49.5, 11.1),
    ("newzealandnorth", -36.8, 174.8),
    ("nl-ams", 52.4, 4.9),
    ("northamerica-northeast1", 45.5, -73.6),
    ("northamerica-northeast2", 43.7, -79.4),
    ("northamerica-south1", 20.6, -100.4),
    ("northcentralus", 41.9, -87.6),
    ("northeurope", 53.3, -6.3),
    ("norwayeast", 59.9, 10.7),
    ("norwaywest", 59.0, 5.7),
    ("nyc1", 40.7, -74.0),
    ("nyc2", 40.7, -74.0),
    ("nyc3", 40.7, -74.0),
    ("pl-waw", 52.2, 21.0),
    ("polandcentral", 52.2, 21.0),
    ("qatarcentral", 25.3, 51.5),
    ("sa-east-1", -23.5, -46.6),
    ("sfo2", 37.8, -122.4),
    ("sfo3", 37.8, -122.4),
    ("sgp1", 1.3, 103.8),
    ("southafricanorth", -25.7, 28.2),
    ("southafricawest", -34.0, 18.8),
    ("southamerica-east1", -23.5, -46.6),
    ("southamerica-west1", -33.4, -70.7),
    ("southcentralus", 29.4, -98.5),
    ("southeastasia", 1.3, 103.8),
    ("southindia", 13.0, 80.2),
    ("spaincentral", 40.4, -3.7),
    ("swedencentral", 60.7, 17.1),
    ("swedensouth", 55.6, 13.0),
    ("switzerlandnorth", 47.5, 8.6),
    ("switzerlandwest", 46.2, 6.1),
    ("syd1", -33.9, 151.2),
    ("tor1", 43.7, -79.4),
    ("uaecentral", 24.5, 54.4),
    ("uaenorth", 25.3, 55.3),
    ("uksouth", 50.9, -0.8),
    ("ukwest", 53.4, -3.1),
    ("us-central1", 41.3, -95.9),
    ("us-east-1", 38.9, -77.4),
    ("us-east-2", 40.0, -83.0),
    ("us-east1", 33.2, -80.0),
    ("us-east4", 39.0, -77.5),
    ("us-east5", 40.0, -83.0),
    ("us-gov-east-1", 40.0, -83.0),
    ("us-gov-west-1", 45.8, -119.7),
    ("us-south1", 32.8, -96.8),
    ("us-west-1", 37.4, -122.0),
    ("us-west-2", 45.8, -119.7),
    ("us-west1", 45.6, -121.2),
    ("us-west2", 34.1, -118.2),
    ("us-west3", 40.8, -111.9),
    ("us-west4", 36.2, -115.1),
    ("westcentralus", 40.9, -110.2),
    ("westeurope", 52.4, 4.9),
    ("westindia", 19.1, 72.9),
    ("westus", 37.8, -122.4),
    ("westus2", 47.2, -119.9),
    ("westus3", 33.4, -112.1),
];

/// Where a public region lies, by its name.
pub(super) fn public(name: &str) -> Option<Location> {
    let index = REGIONS
        .binary_search_by_key(&name, |(name, ..)| name)
        .ok()?;
    let (_, lat, lon) = *REGIONS.get(index)?;
    Some(Location { lat, lon })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Label;

    #[test]
    fn each_region_is_there_once_and_on_the_globe() {
        for (index, (name, lat, lon)) in REGIONS.iter().enumerate() {
            assert!(index == 0 || REGIONS[index - 1].0 < *name, "{name}");
            let label = Label::from_topology(name).unwrap();
            assert_eq!(label.as_str(), *name);
            assert!(
                (-90.0..=90.0).contains(lat) && (-180.0..=180.0).contains(lon),
                "{name}"
            );
            assert!(public(name).is_some(), "{name}");
        }
        assert_eq!(public("mars-north1"), None);
    }

    #[test]
    fn they_lie_about_where_they_should() {
        let check = |one: &str, other: &str, about: u32| {
            let apart = public(one).unwrap().distance(public(other).unwrap());
            assert!(apart.abs_diff(about) < 200, "{one} {other}: {apart}");
        };
        check("europe-west1", "us-east1", 6_700);
        check("eu-central-1", "germanywestcentral", 0);
        check("us-west-2", "ap-northeast-1", 7_900);
        check("westeurope", "southeastasia", 10_500);
    }
}
