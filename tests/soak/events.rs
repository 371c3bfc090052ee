//! What happens, and what undoes it.

use std::net::TcpStream;
use std::time::Duration;

use tokio::time::Instant;

use crate::clients::{self, Harm};
use crate::deck::{Card, Deck};
use crate::knowledge::Subject;
use crate::random::Random;
use crate::world::{MEMBERS, SERVICES, World, global};

/// Something that is to be undone at a moment.
struct Later {
    /// When.
    at: Instant,
    /// What.
    what: Undo,
}

/// What undoes an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// The API server of a member answers again.
    Api(usize),
    /// The load balancer of a member lives again.
    LoadBalancer(usize),
    /// A service of a member is ready again.
    Ready(&'static str, usize),
    /// The disk has room.
    Disk,
    /// The resolver answers.
    Resolver,
    /// Strangers go away.
    Strangers,
}

/// Events in a world.
pub(crate) struct Events<'w> {
    /// What there is.
    pub(crate) world: &'w mut World,
    /// Strangers.
    strangers: (Vec<Harm>, Vec<TcpStream>),
    /// What is to be undone.
    later: Vec<Later>,
}

impl<'w> Events<'w> {
    /// Nothing has happened yet.
    pub(crate) fn new(world: &'w mut World) -> Self {
        Self {
            world,
            strangers: Default::default(),
            later: Vec::new(),
        }
    }

    /// Lets things happen for so long, and until each kind has happened.
    pub(crate) fn run(&mut self, span: Duration, random: &mut Random) -> Deck {
        let (end, mut deck) = (Instant::now() + span, Deck::default());
        while Instant::now() < end || !deck.is_through() {
            let card = deck.deal(random);
            while !self.happen(card, random) {
                self.pass(Duration::from_millis(100));
            }
            self.pass(random.span(200, 1500));
        }
        for Later { what, .. } in std::mem::take(&mut self.later) {
            self.undo(what);
        }
        // The last answers are judged too.
        self.pass(Duration::from_secs(5));
        deck
    }

    /// Lets time pass, in which what is due is undone.
    fn pass(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            let now = Instant::now();
            let (due, later) = self.later.drain(..).partition(|later| later.at <= now);
            self.later = later;
            let due: Vec<Later> = due;
            for Later { what, .. } in due {
                self.undo(what);
            }
            self.world.tick();
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether this is to be undone.
    fn is_due(&self, what: Undo) -> bool {
        self.later.iter().any(|later| later.what == what)
    }

    /// Undoes something in a while.
    fn after(&mut self, span: Duration, what: Undo) {
        let at = Instant::now() + span;
        self.later.push(Later { at, what });
    }

    /// One event; says whether it can happen now.
    fn happen(&mut self, card: Card, random: &mut Random) -> bool {
        match card {
            Card::ApiKilled => self.lose_api(true, random),
            Card::ApiStopped => self.lose_api(false, random),
            Card::DeadLoadBalancer => self.lose_load_balancer(random),
            Card::NotReady => self.withdraw(random),
            Card::Restart => self.restart("whatever else is wrong"),
            Card::RestartWithoutApi => {
                let any = |later: &Later| matches!(later.what, Undo::Api(_));
                if !self.later.iter().any(any) {
                    self.lose_api(random.below(2) == 0, random);
                }
                self.restart("while an API server is away")
            }
            Card::RestartOnFullDisk => {
                self.fill_disk(random);
                self.restart("while its disk is full")
            }
            Card::RestartWithoutResolver => {
                self.lose_resolver(random);
                self.restart("while the resolver fails")
            }
            Card::ClockJump => {
                let offsets = ["+3650d", "-300d", "+1h", "-1h", "+0"];
                let offset = offsets[random.below(offsets.len())];
                self.say(&format!("the clock jumps to {offset}"));
                self.world.place.set_clock(offset);
                true
            }
            Card::FullDisk => self.fill_disk(random),
            Card::ResolverFails => self.lose_resolver(random),
            Card::UdpFlood | Card::TcpPipelines | Card::IdleClients | Card::IdleAdminClients => {
                self.come(card, random)
            }
        }
    }

    /// Notes what happens.
    fn say(&self, what: &str) {
        self.world.history.happened(what);
    }

    /// The API server of a member is killed, or stands still.
    fn lose_api(&mut self, is_killed: bool, random: &mut Random) -> bool {
        let member = random.below(MEMBERS);
        if self.is_due(Undo::Api(member)) {
            return false;
        }
        self.world.knowledge.set_api(member, false);
        if is_killed {
            self.say(&format!("the API server of m{member} is killed"));
            self.world.apis[member].kill();
        } else {
            self.say(&format!("the API server of m{member} stands still"));
            self.world.apis[member].script(|script| script.hangs = true);
        }
        self.after(random.span(500, 8000), Undo::Api(member));
        true
    }

    /// The load balancer of a member dies; not the last one, for then nothing is heard of any.
    fn lose_load_balancer(&mut self, random: &mut Random) -> bool {
        let member = random.below(MEMBERS);
        let dead = (0..MEMBERS).filter(|member| self.is_due(Undo::LoadBalancer(*member)));
        if dead.count() == MEMBERS - 1 || self.is_due(Undo::LoadBalancer(member)) {
            return false;
        }
        self.say(&format!("the load balancer of m{member} dies"));
        self.world.set_load_balancer(member, false);
        self.after(random.span(2000, 8000), Undo::LoadBalancer(member));
        true
    }

    /// A service of a member is not ready for a while; also while its API server is away.
    fn withdraw(&mut self, random: &mut Random) -> bool {
        let service = SERVICES[random.below(SERVICES.len())];
        let member = random.below(MEMBERS);
        if !self.world.knowledge.holds(Subject::Ready(service, member)) {
            return false;
        }
        self.say(&format!("{service} of m{member} is not ready"));
        self.world.set_ready(service, member, false);
        self.after(random.span(3000, 8000), Undo::Ready(service, member));
        true
    }

    /// The daemon is killed and started again.
    fn restart(&mut self, when: &str) -> bool {
        self.say(&format!("the daemon is killed and started, {when}"));
        self.world.restart();
        true
    }

    /// The disk is full for a while.
    fn fill_disk(&mut self, random: &mut Random) -> bool {
        if !self.is_due(Undo::Disk) {
            self.say("the disk is full");
            self.world.set_disk(false);
            self.after(random.span(1000, 5000), Undo::Disk);
        }
        true
    }

    /// The resolver fails for a while.
    fn lose_resolver(&mut self, random: &mut Random) -> bool {
        if !self.is_due(Undo::Resolver) {
            self.say("the resolver fails");
            self.world.set_resolver(false);
            self.after(random.span(3000, 12_000), Undo::Resolver);
        }
        true
    }

    /// Strangers come for a while.
    fn come(&mut self, card: Card, random: &mut Random) -> bool {
        if self.is_due(Undo::Strangers) {
            return false;
        }
        let (server, admin, name) = (self.world.server, self.world.admin(), global("web"));
        self.say(&format!("strangers: {card:?}"));
        let (harm, streams) = &mut self.strangers;
        match card {
            Card::UdpFlood => harm.push(clients::flood(server, &name, 1)),
            Card::TcpPipelines => harm.push(clients::pipelines(server, &name, 2)),
            Card::IdleClients => streams.extend(clients::idle(server, 60)),
            _ => streams.extend(clients::idle(admin, 100)),
        }
        self.after(random.span(500, 3000), Undo::Strangers);
        true
    }

    /// Undoes something.
    fn undo(&mut self, what: Undo) {
        match what {
            Undo::Api(member) => {
                self.say(&format!("the API server of m{member} returns"));
                let api = &mut self.world.apis[member];
                api.kill();
                api.script(|script| script.hangs = false);
                api.resume();
                self.world.knowledge.set_api(member, true);
            }
            Undo::LoadBalancer(member) => {
                self.say(&format!("the load balancer of m{member} returns"));
                self.world.set_load_balancer(member, true);
            }
            Undo::Ready(service, member) => {
                self.say(&format!("{service} of m{member} is ready"));
                self.world.set_ready(service, member, true);
            }
            Undo::Disk => {
                self.say("the disk has room");
                self.world.set_disk(true);
            }
            Undo::Resolver => {
                self.say("the resolver answers");
                self.world.set_resolver(true);
            }
            Undo::Strangers => {
                self.say("strangers go away");
                self.strangers = Default::default();
            }
        }
    }
}
