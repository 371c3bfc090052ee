//! What holds of every step and at every moment, whatever happens. The numbers are those of the
//! invariants in `tests/walk.rs`.

use super::case::{Case, Step};
use super::node::{Node, Seen};
use super::witness::{Told, WINDOW};
use crate::model::MemberState;
use crate::publish::members::states::ContactEvent;

/// How long a brake is on at most, in seconds.
const LONGEST_BRAKE: u64 = 600;

/// How long a bare TCP connection proves an address of a member without contact, in seconds.
const TCP_PROOF: u64 = 24 * 3600;

/// How long all members must be in contact until each is ready, in seconds.
const DAMPED: u64 = 300;

/// What one rule says of a change.
type OfChange = fn(&Case, &Node, &Node, Option<Step>) -> bool;

/// What one rule says of a moment.
type OfMoment = fn(&Case, &Node) -> bool;

/// Whether all rules hold of what has changed with a step, or with time where there is none.
pub(super) fn of_change(
    case: &Case,
    before: &Node,
    after: &Node,
    step: Option<Step>,
) -> Result<(), String> {
    let rules: [(&str, OfChange); 8] = [
        (
            "W2 a brake goes off for a reason",
            brakes_go_off_for_a_reason,
        ),
        (
            "I4 nothing is withdrawn within its hold",
            nothing_within_its_hold,
        ),
        (
            "W12 a member is back when its list is complete",
            back_when_listed,
        ),
        ("W12 repeated returns are kept back", kept_back_as_counted),
        ("I7 each pays for itself", each_pays_for_itself),
        (
            "I9 a restart takes nothing back",
            restart_takes_nothing_back,
        ),
        ("I9 a restart lengthens no damping", restart_keeps_damping),
        ("W11 a reload takes nothing back", reload_takes_nothing_back),
    ];
    for (name, holds) in rules {
        if !holds(case, before, after, step) {
            return Err(format!("{name}: {:?} became {:?}", before.seen, after.seen));
        }
    }
    Ok(())
}

/// Whether all rules hold at a moment.
pub(super) fn of_moment(case: &Case, node: &Node) -> Result<(), String> {
    let rules: [(&str, OfMoment); 9] = [
        ("I5 each hold passes", each_hold_passes),
        ("I5 the lost are out whatever others do", lost_are_out),
        ("I5 a brake is on while most are lost, and ends", brakes_end),
        (
            "W2 a brake goes on when most are lost at once",
            brakes_go_on,
        ),
        ("states are as told", states_are_as_told),
        (
            "I9 who is presumed was in contact",
            presumed_were_in_contact,
        ),
        ("W13 abandoned after a day", abandoned_after_a_day),
        ("deadlines: each is ahead", deadline_is_ahead),
        ("deadlines: what was settled stays", settled_stays),
    ];
    for (name, holds) in rules {
        if !holds(case, node) {
            return Err(format!("{name}: {:?}", node.seen));
        }
    }
    Ok(())
}

/// I3, I6: from here on all members in contact, everything is well in bounded time.
pub(super) fn all_is_well_in_time(case: &Case, node: &Node) -> Result<(), String> {
    let mut node = node.clone();
    for member in 0..case.members {
        node.step(case, Step::Happens(member, ContactEvent::Synced))?;
    }
    node.step(case, Step::Passes(DAMPED))?;
    let is_well = (0..case.members)
        .all(|member| node.seen.states[member] == Some(MemberState::Ready))
        && case.pairs().all(|(m, f)| !node.seen.shares[m][f].is_out())
        && node.seen.brakes.iter().all(Option::is_none);
    is_well.then_some(()).ok_or_else(|| {
        format!(
            "I3, I6 not well {DAMPED} s after all are in contact: {:?}",
            node.seen
        )
    })
}

/// I4, W5, W12: who was in contact is not withdrawn before its hold, nor in a brake, nor before the
/// hold that has begun anew after one, nor while it lists.
fn nothing_within_its_hold(case: &Case, before: &Node, after: &Node, step: Option<Step>) -> bool {
    case.pairs().all(|(m, f)| {
        let is_new = after.seen.shares[m][f].is_expired && !before.seen.shares[m][f].is_out();
        let (duty, now) = (&after.witness.members[m].shares[f], after.now);
        let lists = match step {
            Some(Step::Restart(_)) => before.witness.members[m].listing,
            _ => after.witness.members[m].listing,
        };
        let listed = lists.is_none_or(|since| now >= since + WINDOW);
        let held = now >= duty.due && now >= duty.counted + case.hold(f, after.form);
        let was_braked = before.seen.brakes[f].is_some() && before.seen.brakes == after.seen.brakes;
        !is_new || held && listed && !was_braked
    })
}

/// W12: a member that begins to list is no more back than before.
fn back_when_listed(case: &Case, before: &Node, after: &Node, step: Option<Step>) -> bool {
    let Some(Step::Happens(member, ContactEvent::Returning)) = step else {
        return true;
    };
    case.pairs().all(|(m, f)| {
        let (was, is) = (before.seen.shares[m][f], after.seen.shares[m][f]);
        m != member || was.is_out() == is.is_out()
    })
}

/// W12: in contact, and withdrawn more than once of late, a member is kept back for its quiet time.
fn kept_back_as_counted(case: &Case, before: &Node, after: &Node, step: Option<Step>) -> bool {
    let is_reload = matches!(step, Some(Step::ReloadHolds));
    is_reload
        || case.pairs().all(|(m, f)| {
            let member = &after.witness.members[m];
            let quiet = member.quiet_until().filter(|until| after.now < *until);
            let is_kept = before.seen.shares[m][f].is_out() && member.is_live() && quiet.is_some();
            let share = after.seen.shares[m][f];
            let until = after.seen.kept_until[m];
            // Of one that an earlier process kept back nothing was heard yet.
            let is_kept_yet = share.is_presumed && before.seen.shares[m][f].is_kept_back;
            share.is_kept_back == (is_kept || is_kept_yet) && (!is_kept || until == quiet)
        })
}

/// W2: a brake goes off when its losses are no longer most, when somebody was heard for long enough, or
/// at its end; and by a restart, or longer holds.
fn brakes_go_off_for_a_reason(
    case: &Case,
    before: &Node,
    after: &Node,
    step: Option<Step>,
) -> bool {
    let is_other = matches!(step, Some(Step::Restart(_) | Step::ReloadHolds));
    (0..case.federations).all(|f| {
        let Some(on) = before.seen.brakes[f] else {
            return true;
        };
        let mut those = (0..case.members).filter(|m| case.takes_part(*m, f));
        let is_heard = those.any(|m| match after.witness.members[m].told {
            Told::Live { since } => after.now >= since.max(on) + WINDOW,
            _ => false,
        });
        let from = before.witness.from[f];
        let of_it = losses(case, after, f).filter(|at| *at >= from).count();
        let is_due = is_heard || after.now >= on + LONGEST_BRAKE;
        // Whose hold passes at this very moment was in contact until then.
        let others = in_contact(case, after, &after.seen, f);
        let others = others.max(in_contact(case, after, &before.seen, f));
        let may_end = is_other || is_due || of_it <= others;
        may_end || after.seen.brakes[f] == Some(on)
    })
}

/// I7: what happens to one member makes no other one less or more withdrawn, but for the end of a
/// brake.
fn each_pays_for_itself(case: &Case, before: &Node, after: &Node, step: Option<Step>) -> bool {
    let Some(Step::Happens(member, _)) = step else {
        return true;
    };
    case.pairs().filter(|(m, _)| *m != member).all(|(m, f)| {
        let (was, is) = (before.seen.shares[m][f], after.seen.shares[m][f]);
        let went_off =
            before.seen.brakes[f].is_some() && before.seen.brakes[f] != after.seen.brakes[f];
        let is_same = before.seen.kept_until[m] == after.seen.kept_until[m];
        is_same && (was == is || went_off && !was.is_out() && is.is_expired)
    })
}

/// I9, W4: who is withdrawn stays so, and nobody else is; who was in contact, kept back or not, counts as
/// such.
fn restart_takes_nothing_back(
    case: &Case,
    before: &Node,
    after: &Node,
    step: Option<Step>,
) -> bool {
    let Some(Step::Restart(_)) = step else {
        return true;
    };
    after.seen.brakes.iter().all(Option::is_none)
        && case.pairs().all(|(m, f)| {
            let (was, is) = (before.seen.shares[m][f], after.seen.shares[m][f]);
            let was_live = before.witness.members[m].is_live();
            was.is_expired == is.is_expired
                && was.is_kept_back == is.is_kept_back
                && (!is.is_presumed || was_live || was.is_presumed)
                && (!was_live || is.is_presumed)
        })
}

/// I9: whoever comes back right after a restart is kept back for as long as without it.
fn restart_keeps_damping(case: &Case, before: &Node, after: &Node, step: Option<Step>) -> bool {
    let Some(Step::Restart(back)) = step else {
        return true;
    };
    let returned = |node: &Node| -> Seen {
        let mut states = node.states.clone();
        for member in 0..case.members {
            let (index, now) = (case.index(member, node.form), case.second(node.now));
            states.on_contact_event(index, ContactEvent::Synced, now);
        }
        Node {
            states,
            ..node.clone()
        }
        .look(case)
    };
    let (was, is) = (returned(before), returned(after));
    (0..case.members).all(|member| {
        let (was, is) = (was.kept_until[member], is.kept_until[member]);
        was == is || back > 0 && is.is_some_and(|until| until <= after.now + DAMPED)
    })
}

/// W11: the same configuration, in whatever order, changes nothing; longer holds withdraw nobody, and
/// shorter ones take nothing back.
fn reload_takes_nothing_back(case: &Case, before: &Node, after: &Node, step: Option<Step>) -> bool {
    let is_same = |seen: &Seen, other: &Seen| {
        case.pairs().all(|(m, f)| {
            let (was, is) = (seen.shares[m][f], other.shares[m][f]);
            let (old, new) = (case.hold(f, before.form), case.hold(f, after.form));
            let is_due = after.now >= after.witness.members[m].shares[f].due;
            let may_end = new > old && !is_due && was.is_out() && !is.is_out();
            let may_begin = new < old && is_due && !was.is_out() && is.is_expired;
            was.is_out() == is.is_out() || may_end || may_begin
        })
    };
    match step {
        Some(Step::Reload | Step::ReloadOrder) => {
            before.seen == after.seen && before.states.deadline() == after.states.deadline()
        }
        Some(Step::ReloadHolds) => is_same(&before.seen, &after.seen),
        _ => true,
    }
}

/// I5, W5: a hold passes when it is over, unless its brake is on or its member lists.
fn each_hold_passes(case: &Case, node: &Node) -> bool {
    case.pairs().all(|(m, f)| {
        let member = &node.witness.members[m];
        let listed = member
            .listing
            .is_none_or(|since| node.now >= since + WINDOW);
        let is_over = node.now >= member.shares[f].due && listed;
        let must_be_out = member.is_gone() && is_over && node.seen.brakes[f].is_none();
        !must_be_out || node.seen.shares[m][f].is_expired
    })
}

/// I5: who stays lost while another one stays in contact is withdrawn within its hold, a brake and its
/// hold again.
fn lost_are_out(case: &Case, node: &Node) -> bool {
    case.pairs().all(|(m, f)| {
        let others = (0..case.members).filter(|other| case.takes_part(*other, f));
        let bound = 2 * case.hold(f, node.form) + WINDOW;
        others.into_iter().all(|other| {
            let since = node.witness.members[m].lost_beside[other];
            let is_due = since.is_some_and(|since| node.now >= since + bound);
            !is_due || node.seen.shares[m][f].is_expired
        })
    })
}

/// How many members of a federation are in contact for its brake.
fn in_contact(case: &Case, node: &Node, seen: &Seen, f: usize) -> usize {
    let those = (0..case.members).filter(|m| case.takes_part(*m, f));
    let in_contact = those.filter(|m| {
        let member = &node.witness.members[*m];
        let is_lost = seen.states[*m] == Some(MemberState::Lost);
        let is_presumed = member.told == Told::Presumed && !is_lost;
        member.is_live() || member.listing.is_some() || is_presumed
    });
    in_contact.count()
}

/// When the members of a federation were lost that do not answer.
fn losses(case: &Case, node: &Node, f: usize) -> impl Iterator<Item = u64> {
    let those = (0..case.members).filter(move |m| case.takes_part(*m, f));
    those.filter_map(|m| node.witness.members[m].lost())
}

/// Whether a brake that went on at this very moment went off and on again, by losses that are older than
/// those of before.
pub(super) fn brake_went_off_and_on(case: &Case, before: &Node, after: &Node, f: usize) -> bool {
    let is_of_now = f < case.federations && after.seen.brakes[f] == Some(after.now);
    is_of_now && before.seen.brakes[f] == after.seen.brakes[f] && {
        let of_it = losses(case, after, f).filter(|at| *at >= after.witness.from[f]);
        of_it.count() <= in_contact(case, after, &after.seen, f)
    }
}

/// I5, W2: a brake is on only while its losses are more than those in contact, for ten minutes at most,
/// and for one beside a member that is in contact all the time.
fn brakes_end(case: &Case, node: &Node) -> bool {
    (0..case.federations).all(|f| {
        let Some(on) = node.seen.brakes[f] else {
            return true;
        };
        let of_it = losses(case, node, f).filter(|at| *at >= node.witness.from[f]);
        let mut those = (0..case.members).filter(|m| case.takes_part(*m, f));
        let is_heard = those.any(|m| match node.witness.members[m].told {
            Told::Live { since } => node.now >= since.max(on) + WINDOW,
            _ => false,
        });
        of_it.count() > in_contact(case, node, &node.seen, f)
            && node.now < on + LONGEST_BRAKE
            && !is_heard
    })
}

/// W2: a brake goes on when more are lost within a minute than are in contact.
fn brakes_go_on(case: &Case, node: &Node) -> bool {
    (0..case.federations).all(|f| {
        let recent = losses(case, node, f).filter(|at| node.now - at < WINDOW);
        node.seen.brakes[f].is_some() || recent.count() <= in_contact(case, node, &node.seen, f)
    })
}

/// What a member is shown as follows from what was told.
fn states_are_as_told(case: &Case, node: &Node) -> bool {
    (0..case.members).all(|m| {
        let mut federations = (0..case.federations).filter(|f| case.takes_part(m, *f));
        let all_out = federations
            .clone()
            .all(|f| node.seen.shares[m][f].is_expired);
        let is_kept = federations.any(|f| node.seen.shares[m][f].is_kept_back);
        let member = &node.witness.members[m];
        let Some(state) = node.seen.states[m] else {
            return false;
        };
        match member.told {
            Told::Without => {
                let shares = &node.seen.shares[m];
                let is_empty = matches!(state, MemberState::Syncing(_) | MemberState::NeverSynced);
                is_empty
                    && shares
                        .iter()
                        .all(|share| *share == super::node::Share::default())
            }
            Told::Live { .. } if is_kept => state == MemberState::Returning,
            Told::Live { .. } => state == MemberState::Ready,
            _ if member.listing.is_some() => state == MemberState::Returning,
            _ if all_out => state == MemberState::Lost,
            _ => state == MemberState::Held,
        }
    })
}

/// I9: nothing was heard since the start of who is presumed to be in contact, and no hold of it has
/// passed there.
fn presumed_were_in_contact(case: &Case, node: &Node) -> bool {
    case.pairs().all(|(m, f)| {
        let (share, member) = (node.seen.shares[m][f], &node.witness.members[m]);
        let is_presumed =
            member.told == Told::Presumed && member.listing.is_none() && !share.is_expired;
        share.is_presumed == is_presumed
    })
}

/// W13: a bare TCP connection proves nothing after a day without contact.
fn abandoned_after_a_day(case: &Case, node: &Node) -> bool {
    case.pairs().all(|(m, f)| {
        let (share, member) = (node.seen.shares[m][f], &node.witness.members[m]);
        let (earliest, latest) = member.gone;
        let may_be = member.is_gone() && node.now >= earliest + TCP_PROOF;
        let must_be = member.is_gone() && node.now >= latest + TCP_PROOF;
        share.is_abandoned && may_be || !share.is_abandoned && !must_be
    })
}

/// Nothing that was due is due still.
fn deadline_is_ahead(case: &Case, node: &Node) -> bool {
    let deadline = node.states.deadline();
    deadline.is_none_or(|deadline| deadline > case.second(node.now))
}

/// To settle once more changes nothing.
fn settled_stays(case: &Case, node: &Node) -> bool {
    let mut again = node.states.clone();
    let transitions = again.settle(case.second(node.now));
    let now = case.second(node.now);
    transitions.is_empty() && again.canonical(now) == node.states.canonical(now)
}
