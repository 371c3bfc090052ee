//! What may happen, as a deck of cards that is shuffled and dealt to its end before it is shuffled
//! again: so each kind of event happens in every run, and as often as it should.

use std::collections::BTreeMap;

use crate::random::Random;

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Card {
    /// An API server is killed: connections break, new ones are refused.
    ApiKilled,
    /// An API server stands still: it takes everything and answers nothing.
    ApiStopped,
    /// The load balancer of a member dies.
    DeadLoadBalancer,
    /// A service of a member is not ready.
    NotReady,
    /// The daemon is killed and started again, whatever else is wrong.
    Restart,
    /// The same while an API server is away.
    RestartWithoutApi,
    /// The same while the disk of its state is full.
    RestartOnFullDisk,
    /// The same while the resolver of load balancer host names fails.
    RestartWithoutResolver,
    /// The wall clock jumps.
    ClockJump,
    /// The disk of the state is full.
    FullDisk,
    /// The resolver of load balancer host names fails.
    ResolverFails,
    /// A stranger floods the UDP port.
    UdpFlood,
    /// Strangers ask over TCP without a pause.
    TcpPipelines,
    /// Strangers hold TCP connections and say nothing.
    IdleClients,
    /// The same at the admin address.
    IdleAdminClients,
}

/// How many cards of each kind there are.
const DECK: [(Card, usize); 15] = [
    (Card::ApiKilled, 3),
    (Card::ApiStopped, 3),
    (Card::DeadLoadBalancer, 4),
    (Card::NotReady, 8),
    (Card::Restart, 1),
    (Card::RestartWithoutApi, 1),
    (Card::RestartOnFullDisk, 1),
    (Card::RestartWithoutResolver, 1),
    (Card::ClockJump, 2),
    (Card::FullDisk, 1),
    (Card::ResolverFails, 1),
    (Card::UdpFlood, 1),
    (Card::TcpPipelines, 1),
    (Card::IdleClients, 1),
    (Card::IdleAdminClients, 1),
];

/// The cards.
#[derive(Debug, Default)]
pub(crate) struct Deck {
    /// Those that are left, the next one last.
    left: Vec<Card>,
    /// How often each kind was dealt.
    dealt: BTreeMap<Card, usize>,
}

impl Deck {
    /// The next card.
    pub(crate) fn deal(&mut self, random: &mut Random) -> Card {
        if self.left.is_empty() {
            let cards = DECK.iter().flat_map(|(card, count)| [*card].repeat(*count));
            self.left = cards.collect();
            for end in (1..self.left.len()).rev() {
                self.left.swap(end, random.below(end + 1));
            }
        }
        let card = self.left.pop().expect("a deck has cards");
        *self.dealt.entry(card).or_default() += 1;
        card
    }

    /// Whether every card was dealt at least once.
    pub(crate) fn is_through(&self) -> bool {
        let all = DECK.iter();
        all.fold(true, |is_so, (card, count)| {
            is_so && self.dealt.get(card).is_some_and(|dealt| dealt >= count)
        })
    }

    /// How often each kind was dealt.
    pub(crate) fn dealt(&self) -> &BTreeMap<Card, usize> {
        &self.dealt
    }
}
