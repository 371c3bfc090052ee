//! The members of a fleet: their seats, which do not change, and their order, which may.

use std::collections::HashSet;

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
    /// such as were free before, if there are any. `None` if those who stay have another order among
    /// each other than before.
    pub fn seated_among(self, before: &Self) -> Option<Self> {
        let names: HashSet<&Label> = self.iter().map(|(_, member)| &member.name).collect();
        let mut seats: Vec<Option<Member>> = Vec::new();
        seats.resize_with(before.seats.len(), || None);
        let is_left = |seat: &&MemberIdx| {
            let member = before.get(**seat);
            member.is_some_and(|member| names.contains(&member.name))
        };
        let mut left = before.order.iter().filter(is_left).copied().peekable();
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
        let was_there: HashSet<&Label> = before.iter().map(|(_, member)| &member.name).collect();
        let mut order = Vec::with_capacity(self.order.len());
        for (_, member) in self.iter() {
            let seat = if was_there.contains(&member.name) {
                let is_next = |seat: &MemberIdx| {
                    let was = before.get(*seat);
                    was.is_some_and(|was| was.name == member.name)
                };
                left.next_if(is_next)?
            } else {
                free.pop()?
            };
            if seats.len() <= seat.get() {
                seats.resize_with(seat.get() + 1, || None);
            }
            if let Some(place) = seats.get_mut(seat.get()) {
                *place = Some(member.clone());
            }
            order.push(seat);
        }
        Some(Self::ordered(seats, order))
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
        let second = members("a b c f").seated_among(&first).unwrap();
        // The seat of d was just left, and is not taken at once.
        assert_eq!(shown(&second), "a3 b0 c4 f2");
        let third = members("b e f").seated_among(&second).unwrap();
        assert_eq!(shown(&third), "b0 e1 f2");
        let ranks = [0, 2, 1].map(|seat| third.rank(MemberIdx(seat)));
        assert_eq!(ranks, [0, 2, 1]);
        assert_eq!(third.find(&"e".parse().unwrap()), Some(MemberIdx(1)));
        assert_eq!((third.len(), third.seats().len()), (3, 5));
    }

    #[test]
    fn another_order_of_those_who_stay_is_no_coming_or_going() {
        assert_eq!(members("b a c").seated_among(&members("a b")), None);
        assert!(members("b c").seated_among(&members("a b c")).is_some());
    }

    #[test]
    fn a_full_fleet_takes_the_seats_that_are_left_at_once() {
        let names = |from: usize| {
            let names = (from..from + MemberSet::CAPACITY).map(|n| format!("m{n:03}"));
            members(&names.collect::<Vec<_>>().join(" "))
        };
        let next = names(1).seated_among(&names(0)).unwrap();
        assert_eq!(next.len(), MemberSet::CAPACITY);
        assert_eq!(next.find(&"m256".parse().unwrap()), Some(MemberIdx(0)));
    }
}
