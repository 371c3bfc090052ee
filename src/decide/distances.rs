//! How far regions are from each other.

use std::collections::HashMap;

use crate::model::Fleet;
use crate::names::Label;

/// The distance of every pair of some regions.
#[derive(Debug, Clone, Default)]
pub struct Distances {
    /// The number of each region.
    numbers: HashMap<Label, usize>,
    /// Row by row.
    pairs: Vec<Option<u32>>,
}

impl Distances {
    /// Compiles the distances between `regions`, of which some may be equal: what is configured for
    /// a pair, else kilometers on the globe if both regions have a location.
    pub fn compile<'l>(fleet: &Fleet, regions: impl Iterator<Item = &'l Label>) -> Self {
        let mut numbers = HashMap::new();
        let mut locations = Vec::new();
        for region in regions {
            if !numbers.contains_key(region) {
                numbers.insert(region.clone(), locations.len());
                locations.push(fleet.location(region));
            }
        }
        let mut pairs = Vec::with_capacity(locations.len() * locations.len());
        for here in &locations {
            let row = locations
                .iter()
                .map(|there| Some(here.as_ref()?.distance((*there)?)));
            pairs.extend(row);
        }
        let mut distances = Self { numbers, pairs };
        for cost in &fleet.costs {
            let [one, other] = &cost.between;
            for (from, to) in [(one, other), (other, one)] {
                if let Some(place) = distances.place(from, to)
                    && let Some(pair) = distances.pairs.get_mut(place)
                {
                    *pair = Some(cost.cost);
                }
            }
        }
        distances
    }

    /// Where a pair is in [`Self::pairs`].
    fn place(&self, from: &Label, to: &Label) -> Option<usize> {
        Some(self.numbers.get(from)? * self.numbers.len() + self.numbers.get(to)?)
    }

    /// How far `to` is from `from`, if that is known.
    pub fn between(&self, from: &Label, to: &Label) -> Option<u32> {
        *self.pairs.get(self.place(from, to)?)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RegionCost;

    #[test]
    fn what_is_configured_stands_in_for_the_globe() {
        let [eu, us, mars] = ["europe-west1", "us-east1", "mars"].map(|name| name.parse().unwrap());
        let mut fleet = Fleet::default();
        let of = |fleet: &Fleet| Distances::compile(fleet, [&eu, &us, &mars, &eu].into_iter());
        let globe = of(&fleet);
        assert_eq!(globe.between(&eu, &us).map(|km| km / 1000), Some(6));
        assert_eq!(globe.between(&eu, &eu), Some(0));
        assert_eq!(globe.between(&eu, &mars), None);
        assert_eq!(globe.between(&mars, &mars), None);
        let cost = |one: &Label, other: &Label, cost| RegionCost {
            between: [one.clone(), other.clone()],
            cost,
        };
        fleet.costs = vec![
            cost(&us, &eu, 40),
            cost(&eu, &mars, 7),
            cost(&eu, &"x".parse().unwrap(), 1),
        ];
        let configured = of(&fleet);
        assert_eq!(configured.between(&eu, &us), Some(40));
        assert_eq!(configured.between(&us, &eu), Some(40));
        assert_eq!(configured.between(&mars, &eu), Some(7));
        assert_eq!(configured.between(&mars, &us), None);
    }
}
