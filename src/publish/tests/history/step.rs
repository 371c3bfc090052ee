//! What may happen next, and how likely it is.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use crate::model::Verdict;

/// A member, by its place in [`super::writer::MEMBERS`].
pub(super) type Who = usize;

/// What a source says of `s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It has a ready endpoint.
    Ready,
    /// It has none.
    Unready,
    /// It is not there.
    Absent,
}

/// A complete list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// All services, ready.
    Full,
    /// What the source said last but for `s`, of which it says this.
    But(Said),
    /// One service of eleven.
    One,
}

/// What a probe of the address of `s` in a member finds. What no probe could find next is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The verdict.
    pub(super) verdict: Verdict,
    /// Its last pass is not too old to prove anything.
    pub(super) is_recent: bool,
}

/// A new configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reload {
    /// It says the same.
    Same,
    /// Twice the hold.
    LongerHold,
    /// Half the hold.
    ShorterHold,
    /// Its members come in another order.
    Order,
    /// Another check.
    Check,
}

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Time passes.
    Pass(Duration),
    /// A source reports that its member is lost.
    Lost(Who),
    /// A member answers again and lists.
    Returning(Who),
    /// A list is complete.
    List(Who, List),
    /// Watches went on where they were.
    Resumed(Who),
    /// A source says something else of `s`.
    Say(Who, Said),
    /// A source says three times that `s` is not ready, and that it is.
    Flap(Who),
    /// A source removes all other services one by one.
    Burst(Who),
    /// A probe of `s` has another verdict.
    Probe(Who, Found),
    /// A new configuration comes.
    Reload(Reload),
    /// Answers are frozen.
    Freeze,
    /// They are not any more.
    Thaw,
    /// The process ends as it is told to, and another begins.
    Restart,
    /// The process is killed, and another begins.
    Crash,
    /// The process is killed, the wall clock is set by so many seconds, and another begins.
    Away(i64),
    /// The wall clock is set, by so many seconds.
    Wall(i64),
}

impl Step {
    /// Its name, for the count of steps.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pass(_) => "pass",
            Self::Lost(_) => "lost",
            Self::Returning(_) => "returning",
            Self::List(..) => "list",
            Self::Resumed(_) => "resumed",
            Self::Say(..) => "say",
            Self::Flap(_) => "flap",
            Self::Burst(_) => "burst",
            Self::Probe(..) => "probe",
            Self::Reload(_) => "reload",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Restart => "restart",
            Self::Crash => "crash",
            Self::Away(_) => "away",
            Self::Wall(_) => "wall",
        }
    }
}

/// One of all steps.
pub(super) fn steps() -> impl Strategy<Value = Step> {
    let who = || 0..super::writer::MEMBERS.len();
    let times = select(vec![100, 1_000, 5_000, 11_000, 70_000, 700_000]);
    let said = || select(vec![Said::Ready, Said::Unready, Said::Absent]);
    let lists = prop_oneof![
        4 => Just(List::Full),
        2 => said().prop_map(List::But),
        2 => Just(List::One),
    ];
    let recent = |verdict| Found {
        verdict,
        is_recent: true,
    };
    let old = Found {
        verdict: Verdict::Suspect,
        is_recent: false,
    };
    let found = select(vec![
        recent(Verdict::Up),
        recent(Verdict::Suspect),
        old,
        recent(Verdict::Down),
        recent(Verdict::Damped),
    ]);
    let reloads = select(vec![
        Reload::Same,
        Reload::LongerHold,
        Reload::ShorterHold,
        Reload::Order,
        Reload::Check,
    ]);
    prop_oneof![
        14 => times.prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
        6 => who().prop_map(Step::Lost),
        2 => who().prop_map(Step::Returning),
        6 => (who(), lists).prop_map(|(who, list)| Step::List(who, list)),
        3 => who().prop_map(Step::Resumed),
        5 => (who(), said()).prop_map(|(who, said)| Step::Say(who, said)),
        1 => who().prop_map(Step::Flap),
        2 => who().prop_map(Step::Burst),
        8 => (who(), found).prop_map(|(who, found)| Step::Probe(who, found)),
        2 => reloads.prop_map(Step::Reload),
        1 => Just(Step::Freeze),
        2 => Just(Step::Thaw),
        2 => Just(Step::Restart),
        1 => Just(Step::Crash),
        1 => select(vec![-3600, 1800, 3600]).prop_map(Step::Away),
        2 => select(vec![-3600, 3600]).prop_map(Step::Wall),
    ]
}
