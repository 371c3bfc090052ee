//! One query and its response, counted, whatever it came by.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::answer::{Client, Outcome, Substitute, Transport};
use crate::dnssec::Lane;
use crate::snapshot::Snapshot;
use crate::telemetry::{Tally, TransportLabel, WorkerCounters};
use crate::wire::Qname;

use super::Respond;

/// Octet of a header with QR, opcode, AA, TC and RD (RFC 1035 section 4.1.1).
const FLAGS: usize = 2;

/// Octet of a header with RA, Z, AD, CD and the response code.
const RCODE: usize = 3;

/// Answers one request into `out` and counts it: [`prepare`] and [`complete`]. `waits` takes what needs
/// a signature, and says whether somebody makes it; if not, the client is told to try again.
pub(super) fn exchange<R: Respond>(
    (respond, snapshot): (&R, &Snapshot),
    request: &[u8],
    client: &Client,
    counters: &WorkerCounters,
    waits: impl FnOnce(Lane) -> bool,
    out: &mut [u8],
) -> Option<usize> {
    let mut tally = Tally::default();
    let mut qname = Qname::new();
    let mut place = None;
    prepare(
        respond, snapshot, request, &mut qname, &mut tally, &mut place,
    );
    let answered = place.as_mut().and_then(|prepared| {
        match complete(respond, prepared, client, &mut tally, out) {
            // A connection takes the next query when it has this answer, so that it renews nothing.
            Outcome::Reply(length) | Outcome::ReplyAndRenew(length) => Some(length),
            Outcome::Nothing => None,
            Outcome::NeedsSignature(lane) if waits(lane) => None,
            Outcome::NeedsSignature(lane) => {
                tally.refused_signature(lane);
                let length = respond.refuse(prepared, client, Substitute::Busy, out)?;
                count_response(out.get(..length)?, client, &mut tally);
                Some(length)
            }
        }
    });
    counters.add(&mut tally);
    answered
}

/// Prepares one request in `place`. It stays empty when that panicked, which costs this message
/// alone.
#[inline]
pub(super) fn prepare<'a, R: Respond>(
    respond: &R,
    snapshot: &'a Snapshot,
    request: &'a [u8],
    qname: &'a mut Qname,
    tally: &mut Tally,
    place: &mut Option<R::Prepared<'a>>,
) {
    // Nothing that a panic leaves half done is used again: `qname` is written anew each time, and
    // the rest is only read.
    let prepared = catch_unwind(AssertUnwindSafe(|| {
        // Moved into the closure, as it outlives it.
        let qname = qname;
        respond.prepare(snapshot, request, qname, place);
    }));
    if prepared.is_err() {
        tally.panicked();
    }
}

/// Takes the steps of several requests that gain by being taken together.
pub(super) fn look_up<R: Respond>(respond: &R, prepared: &mut [Option<R::Prepared<'_>>]) {
    // If it panics, the one request that made it do so does again when it is completed.
    let _ = catch_unwind(AssertUnwindSafe(|| respond.look_up(prepared)));
}

/// Answers one prepared request into `out` and counts it. Nothing means no reply: `respond` wants none,
/// or it panicked, which costs this message alone. What needs a signature is not counted yet.
#[inline]
pub(super) fn complete<R: Respond>(
    respond: &R,
    prepared: &mut R::Prepared<'_>,
    client: &Client,
    tally: &mut Tally,
    out: &mut [u8],
) -> Outcome {
    // Nothing that a panic leaves half done is used again: `out` is written anew each time.
    let answered = catch_unwind(AssertUnwindSafe(|| {
        respond.complete(prepared, client, &mut *tally, &mut *out)
    }));
    let Ok(outcome) = answered else {
        tally.panicked();
        return Outcome::Nothing;
    };
    if let Outcome::NeedsSignature(_) = outcome {
        return outcome;
    }
    let Some(response) = outcome.length().and_then(|length| out.get(..length)) else {
        tally.dropped();
        return Outcome::Nothing;
    };
    count_response(response, client, tally);
    outcome
}

/// Counts a query and its response.
#[inline]
pub(super) fn count_response(response: &[u8], client: &Client, tally: &mut Tally) {
    tally.query(match client.transport {
        Transport::Udp => TransportLabel::Udp,
        Transport::Tcp { .. } => TransportLabel::Tcp,
    });
    tally.response(rcode(response));
    if response.get(FLAGS).is_some_and(|flags| flags & 0x02 != 0) {
        tally.truncated();
    }
}

/// The response code, without a search for the OPT record that holds its upper bits: of the extended codes
/// only two are ever given. BADCOOKIE is the one with its lower bits. BADVERS has AA clear and code 0 in the
/// header, and nothing but an OPT record without options, which is then at its end (docs/names.md, D.10).
fn rcode(response: &[u8]) -> u16 {
    let (Some(flags), Some(code)) = (response.get(FLAGS), response.get(RCODE)) else {
        return u16::MAX;
    };
    match (flags & 0x04, code & 0x0f) {
        (0, 0) if matches!(response.last_chunk::<11>(), Some([0, 0, 41, _, _, 1, ..])) => 16,
        (_, 7) => 23,
        (_, code) => u16::from(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_codes_are_read_from_the_header() {
        let response = |flags, code| [0, 0, flags, code, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(rcode(&response(0x84, 0x00)), 0);
        assert_eq!(rcode(&response(0x84, 0x13)), 3);
        assert_eq!(rcode(&response(0x80, 0x05)), 5);
        assert_eq!(rcode(&response(0x80, 0x00)), 0);
        assert_eq!(rcode(&response(0x80, 0x07)), 23);
        let bad_version = [
            &response(0x80, 0x00)[..],
            &[0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0],
        ];
        assert_eq!(rcode(&bad_version.concat()), 16);
        assert_eq!(rcode(&[0; 3]), u16::MAX);
    }
}
