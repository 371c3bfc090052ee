//! The members of a fleet: their seats, which do not change, and their order, which may.

use std::collections::{HashMap, HashSet};

use super::{Member, MemberIdx, MemberSet};
use crate::names::Label;

/// The members of a fleet, in configuration order, each at a seat.
///
/// A seat is what a [`MemberIdx`] names. A member keeps its seat for as long as it is there, so that
/// who comes or goes changes nothing that is known of others. Seats of members that are gone are
/// free, and the next that come take them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    seats: Vec<Option<Member>>,
    /// Who is there, in configuration order, which breaks ties.
    order: Vec<MemberIdx>,
    /// The place of each seat in `order`; of a free one 0.
    ranks: Vec<u8>,
}

impl Roster {
    /// The members in configuration order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (MemberIdx, &Member)> + Clone {
        let order = self.order.iter();
        order.filter_map(|index| Some((*index, self.get(*index)?)))
    }

    /// A member.
    #[inline]
    pub fn get(&self, member: MemberIdx) -> Option<&Member> {
        self.seats.get(member.get())?.as_ref()
    }

    /// A member, to be changed. Its name is to stay.
    pub fn get_mut(&mut self, member: MemberIdx) -> Option<&mut Member> {
        self.seats.get_mut(member.get())?.as_mut()
    }

    /// Every seat; `None` is a free one. Zip it with anything that has one entry for each seat.
    pub fn seats(&self) -> &[Option<Member>] {
        &self.seats
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Where a member is. Costs O(members).
    pub fn find(&self, name: &Label) -> Option<MemberIdx> {
        let mut members = self.iter();
        let found = members.find(|(_, member)| member.name == *name);
        found.map(|(index, _)| index)
    }

    /// The place of a member in the configuration order, to sort by.
    #[inline]
    pub fn rank(&self, member: MemberIdx) -> u8 {
        self.ranks.get(member.get()).copied().unwrap_or(u8::MAX)
    }

    /// These members where they sit among `before`, and those who were not there on free seats: on
    /// such as were free before, if there are any.
    #[must_use]
    pub fn seated_among(self, before: &Self) -> Self {
        let names: HashSet<&Label> = self.iter().map(|(_, member)| &member.name).collect();
        let mut seats: Vec<Option<Member>> = Vec::new();
        seats.resize_with(before.seats.len(), || None);
        let mut free: Vec<MemberIdx> = MemberIdx::all().collect();
        // The last is taken first: seats that were free before, then new ones, then those just left.
        free.sort_by_key(|seat| {
            let was_taken = before.get(*seat).is_some();
            std::cmp::Reverse((was_taken, *seat))
        });
        free.retain(|seat| {
            let member = before.get(*seat);
            member.is_none_or(|member| !names.contains(&member.name))
        });
        let was_there: HashMap<&Label, MemberIdx> = (before.iter())
            .map(|(seat, member)| (&member.name, seat))
            .collect();
        let mut order = Vec::with_capacity(self.order.len());
        for (_, member) in self.iter() {
            let was = was_there.get(&member.name).copied();
            // There are as many seats as members may be.
            let Some(seat) = was.or_else(|| free.pop()) else {
                break;
            };
            if seats.len() <= seat.get() {
                seats.resize_with(seat.get() + 1, || None);
            }
            if let Some(place) = seats.get_mut(seat.get()) {
                *place = Some(member.clone());
            }
            order.push(seat);
        }
        Self::ordered(seats, order)
    }

    /// Those who were there before, at their seats, and whose place among each other has changed: as few
    /// as explain the order now, and such as weigh least. Costs O(members²).
    pub fn moved_since(
        &self,
        before: &Self,
        weight: impl Fn(MemberIdx) -> usize,
    ) -> Vec<MemberIdx> {
        let stays = |seat: &MemberIdx| {
            let name = |members: &Self| Some(members.get(*seat)?.name.clone());
            name(self) == name(before)
        };
        let stay: Vec<MemberIdx> = self.order.iter().copied().filter(stays).collect();
        // The heaviest of those that follow each other as they did before, by the last of them.
        let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(stay.len());
        for seat in &stay {
            let rank = before.rank(*seat);
            let earlier = stay.iter().zip(&best).enumerate();
            let earlier = earlier.filter(|(_, (other, _))| before.rank(**other) < rank);
            let heaviest = earlier.max_by_key(|(_, (_, (weight, _)))| *weight);
            let (sum, last) = heaviest.map_or((0, None), |(place, (_, (weight, _)))| {
                (*weight, Some(place))
            });
            // One without anything stays where it is, too.
            best.push((sum + weight(*seat) + 1, last));
        }
        let all = best.iter().enumerate();
        let mut last = all
            .max_by_key(|(_, (weight, _))| *weight)
            .map(|(place, _)| place);
        let mut moved: Vec<Option<MemberIdx>> = stay.iter().copied().map(Some).collect();
        while let Some(place) = last {
            moved
                .iter_mut()
                .skip(place)
                .take(1)
                .for_each(|it| *it = None);
            last = best.get(place).and_then(|(_, before)| *before);
        }
        moved.into_iter().flatten().collect()
    }

    /// With the ranks that follow from the order.
    fn ordered(seats: Vec<Option<Member>>, order: Vec<MemberIdx>) -> Self {
        let mut ranks = vec![0; seats.len()];
        for (rank, seat) in (0..=u8::MAX).zip(&order) {
            if let Some(place) = ranks.get_mut(seat.get()) {
                *place = rank;
            }
        }
        Self {
            seats,
            order,
            ranks,
        }
    }
}

/// The first sits at the first seat, and so on; those over [`MemberSet::CAPACITY`] are left out.
impl FromIterator<Member> for Roster {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        let members = members.into_iter().take(MemberSet::CAPACITY);
        let seats: Vec<Option<Member>> = members.map(Some).collect();
        let order = MemberIdx::all().take(seats.len()).collect();
        Self::ordered(seats, order)
    }
}

impl From<Vec<Member>> for Roster {
    fn from(members: Vec<Member>) -> Self {
        members.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &str) -> Roster {
        let member = |name: &str| Member {
            name: name.parse().unwrap(),
            region: None,
            zones: Vec::new(),
            namespaces: Vec::new(),
            cluster_domain: None,
            gateway: None,
            addresses_from: Vec::new(),
        };
        names.split_whitespace().map(member).collect()
    }

    fn shown(members: &Roster) -> String {
        let one = |(seat, member): (MemberIdx, &Member)| format!("{}{}", member.name, seat.0);
        members.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn who_stays_keeps_the_seat_and_who_comes_takes_a_free_one() {
        let first = members("b d f");
        let second = members("a b c f").seated_among(&first);
        // The seat of d was just left, and is not taken at once.
        assert_eq!(shown(&second), "a3 b0 c4 f2");
        let third = members("b e f").seated_among(&second);
        assert_eq!(shown(&third), "b0 e1 f2");
        let ranks = [0, 2, 1].map(|seat| third.rank(MemberIdx(seat)));
        assert_eq!(ranks, [0, 2, 1]);
        assert_eq!(third.find(&"e".parse().unwrap()), Some(MemberIdx(1)));
        assert_eq!((third.len(), third.seats().len()), (3, 5));
    }

    #[test]
    fn another_order_of_those_who_stay_moves_as_few_as_explain_it() {
        let before = members("a b c d");
        let moved = |names: &str, weights: [usize; 4]| {
            let after = members(names).seated_among(&before);
            let moved = after.moved_since(&before, |seat| {
                weights.get(seat.get()).copied().unwrap_or_default()
            });
            let names = moved.iter().filter_map(|seat| after.get(*seat));
            let names = names.map(|member| member.name.to_string());
            (shown(&after), names.collect::<Vec<_>>().join(" "))
        };
        let is = |seats: &str, names: &str| (seats.to_owned(), names.to_owned());
        assert_eq!(moved("a b c d", [1; 4]), is("a0 b1 c2 d3", ""));
        assert_eq!(moved("d a b c", [0; 4]), is("d3 a0 b1 c2", "d"));
        assert_eq!(moved("b a c d", [9, 1, 1, 1]), is("b1 a0 c2 d3", "b"));
        assert_eq!(moved("b a c d", [1, 9, 1, 1]), is("b1 a0 c2 d3", "a"));
        assert_eq!(moved("d c b a", [1, 1, 9, 1]), is("d3 c2 b1 a0", "d b a"));
        // Who comes or goes has moved nobody.
        assert_eq!(moved("x d b", [1, 5, 1, 1]), is("x4 d3 b1", "d"));
    }

    #[test]
    fn a_full_fleet_takes_the_seats_that_are_left_at_once() {
        let names = |from: usize| {
            let names = (from..from + MemberSet::CAPACITY).map(|n| format!("m{n:03}"));
            members(&names.collect::<Vec<_>>().join(" "))
        };
        let next = names(1).seated_among(&names(0));
        assert_eq!(next.len(), MemberSet::CAPACITY);
        assert_eq!(next.find(&"m256".parse().unwrap()), Some(MemberIdx(0)));
    }
}
