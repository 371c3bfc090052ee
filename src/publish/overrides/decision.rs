//! What commands of operators make of what was decided before. Pure: the time is an argument, so the
//! daemon decides by it for its own overrides, and the command line for those of a host cluster.

use std::time::Duration;

use crate::model::limits::DRAINS;
use crate::model::{Drain, FULL_SHARE, Freeze, Overrides, UnixSeconds};
use crate::publish::command::{CommandRefused, OperatorCommand};

/// What would be decided after a command; moments that caches decide are left open. `elsewhere` is a
/// freeze that was decided elsewhere and holds here too.
pub(in crate::publish) fn decided(
    before: &Overrides,
    elsewhere: Option<Freeze>,
    command: &OperatorCommand,
    now: UnixSeconds,
) -> Result<Overrides, CommandRefused> {
    let mut next = before.clone();
    let frozen = both(before.frozen, elsewhere);
    let moment = frozen.map_or(now, |freeze| freeze.since);
    let after = |lasting: &Option<Duration>| lasting.map(|lasting| later(now, lasting));
    match command {
        OperatorCommand::Drain {
            target,
            over,
            lasting,
        } => {
            let until = after(lasting);
            let place = next.drains.iter().position(|drain| drain.target == *target);
            let old = place.map(|place| next.drains.remove(place));
            let from = old.as_ref().map_or(FULL_SHARE, |old| old.share(moment));
            let drain = match old {
                // It is out: only its end may change.
                Some(old) if from == 0 => Drain { until, ..old },
                None if DRAINS.is_exceeded_by(next.drains.len() as u64 + 1) => {
                    return Err(CommandRefused::TooMany);
                }
                _ => Drain {
                    target: target.clone(),
                    from,
                    begun: frozen.is_none().then_some(now),
                    over: *over,
                    until,
                    safe_at: None,
                },
            };
            next.drains.push(drain);
        }
        OperatorCommand::Uncordon(target) => {
            let place = next.drains.iter().position(|drain| drain.target == *target);
            let Some(place) = place else {
                return Err(CommandRefused::NotOut {
                    target: target.clone(),
                    others: next.drains.into_iter().map(|drain| drain.target).collect(),
                });
            };
            match next.drains.get_mut(place) {
                // It is out of the frozen answers, which a restart must find again.
                Some(drain) if frozen.is_some() && drain.begun.is_some() => {
                    drain.until = Some(now);
                }
                _ => drop(next.drains.remove(place)),
            }
        }
        OperatorCommand::Freeze { lasting } => {
            leave_safe_open(&mut next.drains, moment);
            next.frozen = Some(Freeze {
                since: next.moment(now),
                until: after(lasting),
            });
        }
        OperatorCommand::Thaw if elsewhere.is_some() => {
            next.frozen.take().ok_or(CommandRefused::NotFrozen)?;
        }
        OperatorCommand::Thaw => next = thawed(&next, now).ok_or(CommandRefused::NotFrozen)?,
        // Nothing of it is decided: it is done at once.
        OperatorCommand::Confirm(_)
        | OperatorCommand::ConfirmMembers
        | OperatorCommand::Forget(_) => {}
    }
    Ok(next)
}

/// Two freezes at once: answers stay as they were when the first began, until both have ended.
pub(in crate::publish) fn both(one: Option<Freeze>, other: Option<Freeze>) -> Option<Freeze> {
    let (Some(a), Some(b)) = (one, other) else {
        return one.or(other);
    };
    Some(Freeze {
        since: a.since.min(b.since),
        until: a.until.zip(b.until).map(|(a, b)| a.max(b)),
    })
}

/// Two sets of decisions in force together: of what both mean, the smaller share counts.
pub(in crate::publish) fn together(one: &Overrides, other: &Overrides) -> Overrides {
    Overrides {
        frozen: both(one.frozen, other.frozen),
        drains: [&one.drains[..], &other.drains].concat(),
    }
}

/// While answers are frozen it is not known when what is half drained will be safe.
pub(in crate::publish) fn leave_safe_open(drains: &mut [Drain], moment: UnixSeconds) {
    for drain in drains {
        drain.safe_at = drain.safe_at.filter(|_| drain.share(moment) == 0);
    }
}

/// What is in force once answers are no longer frozen; `None` if they are not. What was half drained
/// goes on from where it was.
pub(in crate::publish) fn thawed(overrides: &Overrides, now: UnixSeconds) -> Option<Overrides> {
    let since = overrides.frozen?.since;
    let mut drains = overrides.drains.clone();
    drains.retain(|drain| drain.until.is_none_or(|until| until > now));
    for drain in &mut drains {
        let share = drain.share(since);
        match drain.begun {
            Some(_) if share == 0 => {}
            Some(begun) => {
                let passed = Duration::from_secs(since.0.saturating_sub(begun.0));
                drain.over = drain.over.saturating_sub(passed);
                drain.from = share;
                drain.begun = Some(now);
            }
            None => drain.begun = Some(now),
        }
    }
    Some(Overrides {
        frozen: None,
        drains,
    })
}

/// What is left of decisions that nobody looks after but by their dates: those of a host cluster, which
/// daemons only read. A freeze that has ended was thawed when it did, and what has ended is gone.
/// `elsewhere` is a freeze of this daemon's own: what has ended since then is in its answers still.
pub(in crate::publish) fn left(
    overrides: &Overrides,
    elsewhere: Option<Freeze>,
    now: UnixSeconds,
) -> Overrides {
    let ended = overrides.frozen.and_then(|freeze| freeze.until);
    let ended = ended.filter(|until| *until <= now);
    let thawed = ended.and_then(|until| thawed(overrides, until));
    let mut left = thawed.unwrap_or_else(|| overrides.clone());
    if left.frozen.is_none() {
        let moment = elsewhere.map_or(now, |freeze| freeze.since);
        let is_left = |drain: &Drain| drain.until.is_none_or(|until| until > moment);
        left.drains.retain(is_left);
    }
    left
}

/// A moment that much later.
pub(in crate::publish) fn later(moment: UnixSeconds, by: Duration) -> UnixSeconds {
    UnixSeconds(moment.0.saturating_add(by.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(target: &str, begun: Option<u64>, over: u64, until: Option<u64>) -> Drain {
        Drain {
            target: target.parse().unwrap(),
            from: FULL_SHARE,
            begun: begun.map(UnixSeconds),
            over: Duration::from_secs(over),
            until: until.map(UnixSeconds),
            safe_at: None,
        }
    }

    fn freeze(since: u64, until: Option<u64>) -> Freeze {
        Freeze {
            since: UnixSeconds(since),
            until: until.map(UnixSeconds),
        }
    }

    #[test]
    fn two_freezes_last_from_the_first_to_the_end_of_both() {
        let check = |a, b, expected| {
            assert_eq!(both(a, b), expected);
            assert_eq!(both(b, a), expected);
        };
        check(None, None, None);
        check(Some(freeze(5, None)), None, Some(freeze(5, None)));
        let (early, late) = (freeze(5, Some(9)), freeze(7, Some(20)));
        check(Some(early), Some(late), Some(freeze(5, Some(20))));
        let open = freeze(7, None);
        check(Some(early), Some(open), Some(freeze(5, None)));
    }

    #[test]
    fn what_a_host_decided_ends_by_its_dates_alone() {
        let at = |overrides: &Overrides, now| left(overrides, None, UnixSeconds(now));
        let overrides = Overrides {
            frozen: Some(freeze(105, Some(200))),
            drains: vec![
                drain("a", Some(100), 10, None),
                drain("b", None, 0, None),
                drain("c", Some(100), 0, Some(150)),
            ],
        };
        assert_eq!(at(&overrides, 199), overrides);
        let after = at(&overrides, 230);
        assert_eq!(after.frozen, None);
        // It was half out, and goes on from there at the end of the freeze, whenever that is seen.
        assert_eq!(after.drains[0].share(UnixSeconds(200)), FULL_SHARE / 2);
        assert_eq!(after.drains[0].share(UnixSeconds(205)), 0);
        assert_eq!(after.drains[1].begun, Some(UnixSeconds(200)));
        assert_eq!(after.drains.len(), 2);
        let ending = Overrides {
            frozen: None,
            drains: vec![drain("a", Some(100), 0, Some(150))],
        };
        assert_eq!(at(&ending, 149).drains.len(), 1);
        assert_eq!(at(&ending, 150).drains.len(), 0);
        // In answers that were frozen before, it is out still.
        let here = Some(freeze(149, None));
        assert_eq!(left(&ending, here, UnixSeconds(999)).drains.len(), 1);
    }

    #[test]
    fn a_freeze_of_elsewhere_holds_commands_back_too() {
        let elsewhere = Some(freeze(100, None));
        let at = UnixSeconds(120);
        let command = OperatorCommand::Drain {
            target: "a".parse().unwrap(),
            over: Duration::from_secs(10),
            lasting: None,
        };
        let next = decided(&Overrides::default(), elsewhere, &command, at).unwrap();
        assert_eq!(next.drains[0].begun, None);
        let refused = decided(&next, elsewhere, &OperatorCommand::Thaw, at);
        assert!(matches!(refused, Err(CommandRefused::NotFrozen)));
        let frozen = decided(
            &next,
            elsewhere,
            &OperatorCommand::Freeze { lasting: None },
            at,
        );
        let thawed = decided(&frozen.unwrap(), elsewhere, &OperatorCommand::Thaw, at).unwrap();
        assert_eq!(thawed, next);
    }
}
