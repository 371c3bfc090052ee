//! The life of keys under a parent zone, at a clock that runs about a thousand times as fast (as fast as the
//! machine is: each test says how fast): a roll, a roll to another algorithm, and the end of signing. The daemon, the commands and the resolvers have one clock; it
//! is put on between queries, so that none takes an hour.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use tokio::time::Instant;

use crate::gazetteer::{Gazetteer, global, within};
use crate::internet::{Internet, RESOLVERS, SERVERS, Validator, ZONE};
use crate::process::debian;
use crate::report_line;
use crate::signed::SignedWorld;
use crate::stepped_clock::SteppedClock;
use crate::wait::{SOON, until};

/// How far the clock is put on at once.
const STEP: Duration = Duration::from_secs(600);
/// How often keys are tended.
const TEND: Duration = Duration::from_secs(1_800);
/// How long the zone above takes to do as it is asked.
const ABOVE: Duration = Duration::from_secs(3 * 3_600);
/// How far the daemon may be behind its files: half of `propagation`, which it has as it is by default.
const BEHIND: Duration = Duration::from_secs(1_800);
/// After this something waits that should not.
const LONGEST: Duration = Duration::from_secs(10 * 86_400);

/// A zone with its keys, and what depends on them.
struct Life<'i> {
    /// Where it is.
    internet: &'i Internet,
    /// The clock of everything but the zones above.
    clock: &'i SteppedClock,
    /// Its files.
    world: &'i SignedWorld,
    /// Serves it.
    daemon: Gazetteer,
    /// One that remembers, and one that asks for everything each time.
    resolvers: [Validator; 2],
    /// Steps so far.
    steps: Cell<u32>,
    /// The DS records of the zone above.
    above: RefCell<Vec<String>>,
    /// For how long the zone above was asked for others.
    asked: Cell<Duration>,
    /// For how long the daemon was behind its files.
    behind: Cell<Duration>,
    /// What each key was when it was last looked at.
    last: RefCell<Vec<(String, String)>>,
    /// What happened, in its order.
    story: RefCell<Vec<String>>,
    /// When it began.
    start: Instant,
}

impl<'i> Life<'i> {
    /// A zone whose first key is active.
    fn begin(internet: &'i Internet, clock: &'i SteppedClock, world: &'i SignedWorld) -> Self {
        world.keys(&["generate", ZONE]);
        let ds = vec![world.ds()];
        internet.delegate(&ds);
        let forgetful = "  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n";
        let daemon = world.start(internet);
        let before = clock.launcher();
        let resolvers = [
            internet.unbound("remembers", RESOLVERS[0], "", &before),
            internet.unbound("forgets", RESOLVERS[1], forgetful, &before),
        ];
        let life = Self {
            internet,
            clock,
            world,
            daemon,
            resolvers,
            steps: Cell::new(0),
            above: RefCell::new(ds),
            asked: Cell::default(),
            behind: Cell::default(),
            last: RefCell::default(),
            story: RefCell::default(),
            start: Instant::now(),
        };
        life.pass("the first key is active", true, || life.is("active") == 1);
        life
    }

    /// Lets time pass until something is so. Every answer in between must be validated, or just not bogus.
    fn pass(&self, what: &str, is_signed: bool, is_so: impl Fn() -> bool) {
        let from = self.clock.ahead();
        self.look();
        while !is_so() {
            assert!(
                self.clock.ahead().saturating_sub(from) < LONGEST,
                "{what}: {:#?}",
                self.story
            );
            self.clock.advance(STEP);
            let step = self.steps.get() + 1;
            self.steps.set(step);
            if u64::from(step) % (TEND.as_secs() / STEP.as_secs()) == 0 {
                self.world.keys(&["tend"]);
            }
            self.look();
            self.follow();
            self.ask_above();
            // Who remembers nothing sees at once that the zone above has no DS record any more.
            self.resolve(is_signed && !self.above.borrow().is_empty());
        }
    }

    /// Whatever is asked of both resolvers is right.
    fn resolve(&self, is_signed: bool) {
        let all = global("shop", "web");
        let absent = format!("n{}.{all}", self.steps.get());
        let questions = [
            (within("shop", "web", "europe-west1-d"), RecordType::A),
            (all.clone(), RecordType::A),
            (all, RecordType::AAAA),
            (absent, RecordType::A),
            (ZONE.to_owned(), RecordType::SOA),
            (ZONE.to_owned(), RecordType::DNSKEY),
        ];
        for resolver in &self.resolvers {
            for (name, kind) in &questions {
                let answer = resolver.ask(name, *kind);
                let story = self.story.borrow();
                assert!(
                    answer.authentic || !is_signed,
                    "{name} {kind}: {answer:?}\n{story:#?}"
                );
            }
        }
    }

    /// Looks at the keys, and writes down what is new.
    fn look(&self) {
        let listed = self.world.listed();
        let text = |key: &serde_json::Value, field: &str| {
            key[field]
                .as_str()
                .map_or_else(|| key[field].to_string(), str::to_owned)
        };
        let keys: Vec<_> = listed
            .iter()
            .map(|key| (text(key, "tag"), text(key, "state")))
            .collect();
        let mut last = self.last.borrow_mut();
        for (tag, state) in &keys {
            if !last.contains(&(tag.clone(), state.clone())) {
                self.story.borrow_mut().push(format!("{tag} {state}"));
            }
        }
        *last = keys;
    }

    /// How many keys are in a state.
    fn is(&self, state: &str) -> usize {
        self.last
            .borrow()
            .iter()
            .filter(|(_, is)| is == state)
            .count()
    }

    /// Waits for the daemon if it has been behind its files for too long.
    fn follow(&self) {
        if self.has_followed().is_ok() {
            self.behind.set(Duration::ZERO);
            return;
        }
        self.behind.set(self.behind.get() + STEP);
        if self.behind.get() >= BEHIND {
            until("the daemon follows its files", SOON, || self.has_followed());
        }
    }

    /// Whether the daemon takes every key for what it is, by its log.
    fn has_followed(&self) -> Result<(), String> {
        let log = self.daemon.folder.join("gazetteer.log");
        let log = std::fs::read_to_string(log).map_err(|error| error.to_string())?;
        for (tag, state) in self.last.borrow().iter() {
            let line = format!(" tag={tag} state=");
            let told = log.lines().rev().find_map(|said| said.split_once(&line));
            let told = told.map(|(_, state)| state.trim());
            if told != Some(state) {
                return Err(format!("{tag} is {state}, and the daemon says {told:?}"));
            }
        }
        Ok(())
    }

    /// The zone above does what CDS records have asked for a while: as a resolver has validated them.
    fn ask_above(&self) {
        let (asked, _) = shown("CDS");
        let is_new = !asked.is_empty() && *self.above.borrow() != wanted(&asked);
        if !is_new {
            self.asked.set(Duration::ZERO);
            return;
        }
        self.asked.set(self.asked.get() + STEP);
        if self.asked.get() < ABOVE {
            return;
        }
        self.resolvers[1].validate(ZONE, RecordType::CDS);
        let wanted = wanted(&asked);
        self.internet.delegate(&wanted);
        let said = wanted
            .first()
            .map_or("none", |ds| ds.split(' ').next().unwrap_or_default());
        self.story.borrow_mut().push(format!("DS {said}"));
        *self.above.borrow_mut() = wanted;
    }

    /// dnsviz finds no error.
    fn judge(&self) {
        let names = [
            ZONE,
            &within("shop", "web", "europe-west1-d"),
            &format!("absent.{ZONE}"),
        ];
        let wrong = self
            .internet
            .dnsviz(&names, "error", &self.clock.launcher());
        assert_eq!(wrong, "", "dnsviz after {:#?}", self.story);
    }

    /// What was done, and how fast.
    fn report(&self, what: &str) {
        let asked: u32 = self.resolvers.iter().map(Validator::asked).sum();
        let (passed, took) = (self.clock.ahead(), self.start.elapsed());
        report_line(&format!(
            "{what}: {:.0} h in {took:.0?}, {:.0} times as fast as the clock, {asked} queries to two resolvers: none bogus",
            passed.as_secs_f64() / 3_600.0,
            passed.as_secs_f64() / took.as_secs_f64()
        ));
    }
}

/// Records of the apex as the daemon answers them with DO, and whether they are signed.
fn shown(kind: &str) -> (Vec<String>, bool) {
    let server = format!("@{}", SERVERS[0][0]);
    let output = Command::new(debian("dig", "bind9-dnsutils"))
        .args([
            &server,
            ZONE,
            kind,
            "+dnssec",
            "+noall",
            "+answer",
            "+norecurse",
        ])
        .output();
    let output = output.expect("dig runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let records = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(3);
        let of = words.next()?;
        Some((of.to_owned(), words.collect::<Vec<_>>()))
    });
    let (own, others): (Vec<_>, Vec<_>) = records.partition(|(of, _)| of == kind);
    let own = own.into_iter().map(|(_, words)| {
        // Digits of a digest are in several words.
        let numbers = words.get(..3).unwrap_or_default().join(" ");
        format!("{numbers} {}", words.get(3..).unwrap_or_default().concat())
    });
    (own.collect(), others.iter().any(|(of, _)| of == "RRSIG"))
}

/// The DS records that CDS records ask for (RFC 8078, section 4): `0 0 0 00` is none.
fn wanted(cds: &[String]) -> Vec<String> {
    let all = cds.iter().filter(|one| *one != "0 0 0 00");
    all.cloned().collect()
}

/// Runs a test on a zone whose first key is active.
fn live(folder: &Path, test: impl FnOnce(&Life<'_>, &str) + Send) {
    Internet::with(folder, |internet| {
        let clock = SteppedClock::new(folder);
        let tends_not = "\n[dnssec]\ntend = false\n";
        let world = SignedWorld::new(folder, tends_not, clock.launcher());
        let life = Life::begin(internet, &clock, &world);
        let first = life.last.borrow()[0].0.clone();
        assert_eq!(
            life.story.take(),
            [format!("{first} ready"), format!("{first} active")]
        );
        test(&life, &first);
    });
}

/// Rolls the key, with dnsviz after each step; the tag of the new one.
fn roll(life: &Life<'_>, more: &[&str]) -> String {
    life.world.keys(&[&["roll", ZONE], more].concat());
    life.look();
    let second = life.last.borrow().last().map(|(tag, _)| tag.clone());
    life.judge();
    for (state, count) in [
        ("published", 1),
        ("retiring", 1),
        ("retired", 1),
        ("removed", 1),
    ] {
        life.pass(state, true, || life.is(state) == count);
        life.judge();
    }
    second.expect("a second key")
}

/// Case K04: a roll, in which the zone above changes its DS record by the CDS record.
pub(crate) fn same_algorithm(folder: &Path) {
    live(folder, |life, first| {
        let second = roll(life, &[]);
        assert_eq!(
            life.story.take(),
            [
                format!("{second} published"),
                format!("{first} retiring"),
                format!("{second} ready"),
                format!("DS {second}"),
                format!("{first} retired"),
                format!("{second} active"),
                format!("{first} removed"),
            ]
        );
        life.report("a roll");
    });
}

/// Case K06: a roll from ECDSA P-256 to Ed25519.
pub(crate) fn other_algorithm(folder: &Path) {
    live(folder, |life, first| {
        let second = roll(life, &["--algorithm", "ED25519"]);
        assert_eq!(
            life.story.take(),
            [
                format!("{second} generated"),
                format!("{second} published"),
                format!("{first} retiring"),
                format!("{second} ready"),
                format!("DS {second}"),
                format!("{first} retired"),
                format!("{second} active"),
                format!("{first} removed"),
            ]
        );
        life.report("a roll to another algorithm");
    });
}

/// Case K07: the zone above is asked to delete its DS record, and until every cache has forgotten it the
/// zone is signed.
pub(crate) fn unsigned(folder: &Path) {
    live(folder, |life, first| {
        life.world.keys(&["unsign", ZONE]);
        until("it is asked to", SOON, || match shown("CDS") {
            (cds, true) if cds == ["0 0 0 00"] => Ok(()),
            other => Err(format!("{other:?}")),
        });
        assert_eq!(shown("CDNSKEY").0, ["0 3 0 AA=="]);
        life.pass("the zone above has done so", true, || {
            life.above.borrow().is_empty()
        });
        let gone = life.clock.ahead();
        life.pass("the zone is not signed any more", false, || {
            let is_over = life.is("removed") == 1;
            assert!(is_over || shown("SOA").1, "unsigned too soon");
            is_over
        });
        let passed = life.clock.ahead().saturating_sub(gone);
        // The TTL of DS records, and `propagation`.
        assert!(passed >= Duration::from_secs(2 * 3_600), "{passed:?}");
        until("the daemon follows", SOON, || life.has_followed());
        for resolver in &life.resolvers {
            let answer = resolver.ask(&global("shop", "web"), RecordType::A);
            assert!(
                !answer.authentic && !answer.addresses.is_empty(),
                "{answer:?}"
            );
        }
        assert!(!shown("SOA").1, "it is still signed");
        assert_eq!(
            life.story.take(),
            ["DS none".to_owned(), format!("{first} removed")]
        );
        life.report("the end of signing");
    });
}
