//! Help of the commands that override the configuration, and the durations they take.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

/// Of `drain`.
pub(super) const DRAIN: &str = "\
TARGET is one of
  MEMBER                  a member cluster
  region/REGION           every member there, now or later
  zone/ZONE               every member there, now or later
  service/NAMESPACE/NAME  one service, in every member

Its share of the answers falls evenly over the time of --over. A drained target is never answered,
even if nothing else is left: a name whose members are all drained has no address. Pinned names,
which have the label of a member in them, are the exception: they still give its addresses.

The command returns once answers follow it, and a restart keeps it. It says `safe at`: the moment
after which no answer that names what is drained can still be in a cache. Wait for it before you
turn anything off.

With --host-context it is for all replicas: it is written into the ConfigMap of the host cluster that
they watch (`membership.overrides`), with your rights, and no daemon is asked.

Exit status: 0 in force, or written for all replicas, 1 rejected, 2 invalid arguments.

Examples:
  gazetteer drain gce-europe-west1
  gazetteer drain region/europe-west1 --over 10m --for 2h
  gazetteer drain region/europe-west1 --host-context admin@host      for all replicas
  gazetteer drain service/my-namespace/my-service --over 1h";

/// Of `cordon`.
pub(super) const CORDON: &str = "\
Like `drain`, but immediate. `gazetteer drain --help` says what TARGET can be and what a drained
target is.

Examples:
  gazetteer cordon gce-europe-west1
  gazetteer cordon zone/us-central1-a --for 2h";

/// Of `uncordon`.
pub(super) const UNCORDON: &str = "\
The full share comes back at once.

Examples:
  gazetteer uncordon gce-europe-west1
  gazetteer uncordon region/europe-west1";

/// Of `freeze`.
pub(super) const FREEZE: &str = "\
Answers stay as they are at this moment, also over a restart: what members, probes, a new
configuration and other commands change takes effect at `gazetteer thaw`.

Examples:
  gazetteer freeze --for 1h";

/// Of `thaw`.
pub(super) const THAW: &str = "\
What has changed while answers were frozen is in them at once; drains that were half done go on from
where they were.

Examples:
  gazetteer thaw";

/// Of `confirm`.
pub(super) const CONFIRM: &str = "\
Removals of a member that are too many at once are held back until a second list confirms them.
Confirm them yourself if they are real.

Examples:
  gazetteer confirm gce-europe-west1
  gazetteer confirm members            those whose files are gone, if they are too many at once";

/// Of `overrides`.
pub(super) const OVERRIDES: &str = "\
Columns:
  STATE    draining  its share falls
           out       it is not in answers
           waiting   it takes effect at `gazetteer thaw`
  LEFT     its share of what it would have
  SAFE AT  after this moment no answer that names it can still be in a cache
  ORIGIN   local     by the control socket of this daemon
           host      by the ConfigMap of the host cluster, where `membership.overrides` names one

Examples:
  gazetteer overrides
  gazetteer overrides -o json";

/// Of `events`.
pub(super) const EVENTS: &str = "\
State changes of members, probed targets, shards (a service in one member), brakes (which hold back
removals that are too many at once) and overrides. The daemon keeps the last 4096 since its start;
the logs have all of them. With --follow, JSON output has one object per line.

Examples:
  gazetteer events
  gazetteer events -n 100 -o json
  gazetteer events --follow";

/// The longest time of any command: a year.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// The longest time in which a share falls: a week.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// How long a share takes to fall.
pub(super) fn over(text: &str) -> Result<Duration, String> {
    duration(text, Duration::ZERO..=WEEK, "0s and 7d")
}

/// How long something is in force.
pub(super) fn lasting(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(1)..=YEAR, "1s and 366d")
}

/// A duration of whole seconds; a day has 24 hours.
fn duration(text: &str, range: RangeInclusive<Duration>, said: &str) -> Result<Duration, String> {
    let span = SpanParser::new().parse_span(text);
    let read = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let read = read.ok().and_then(|read| Duration::try_from(read).ok());
    let read = read.ok_or_else(|| "expected a duration such as 30s or 1h30m".to_owned())?;
    if read.subsec_nanos() != 0 {
        Err("must be whole seconds".to_owned())
    } else if range.contains(&read) {
        Ok(read)
    } else {
        Err(format!("must be between {said}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_seconds_within_bounds() {
        let seconds = |read: Result<Duration, String>| read.ok().map(|read| read.as_secs());
        assert_eq!(seconds(over("10m")), Some(600));
        assert_eq!(seconds(over("0s")), Some(0));
        assert_eq!(seconds(over("7d")), Some(604_800));
        assert_eq!(seconds(over("8d")), None);
        assert_eq!(seconds(lasting("1h30m")), Some(5_400));
        assert_eq!(seconds(lasting("366d")), Some(366 * 86_400));
        for wrong in ["0s", "1500ms", "ten", "", "-1h", "367d"] {
            assert!(lasting(wrong).is_err(), "{wrong}");
        }
    }
}
