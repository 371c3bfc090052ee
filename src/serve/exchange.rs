//! One query and its response, counted, whatever it came by.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::answer::Client;
use crate::snapshot::Snapshot;
use crate::telemetry::{Transport, WorkerCounters};

use super::Respond;

/// Octet of a header with QR, opcode, AA, TC and RD (RFC 1035 section 4.1.1).
const FLAGS: usize = 2;

/// Octet of a header with RA, Z, AD, CD and the response code.
const RCODE: usize = 3;

/// Answers one request into `out` and counts it. `None` means no reply: `respond` wants none, or
/// it panicked, which costs this message alone.
#[inline]
pub(super) fn exchange<R: Respond>(
    respond: &R,
    snapshot: &Snapshot,
    request: &[u8],
    client: &Client,
    counters: &WorkerCounters,
    out: &mut [u8],
) -> Option<usize> {
    // Nothing that a panic leaves half done is used again: `out` is written anew each time, and
    // the rest is only read.
    let answered = catch_unwind(AssertUnwindSafe(|| {
        respond(snapshot, request, client, &mut *out)
    }));
    let Ok(answered) = answered else {
        counters.panicked();
        return None;
    };
    let Some(response) = answered.and_then(|length| out.get(..length)) else {
        counters.dropped();
        return None;
    };
    counters.query(match client.transport {
        crate::answer::Transport::Udp => Transport::Udp,
        crate::answer::Transport::Tcp { .. } => Transport::Tcp,
    });
    counters.response(rcode(response));
    if response.get(FLAGS).is_some_and(|flags| flags & 0x02 != 0) {
        counters.truncated();
    }
    answered
}

/// The response code, without a search for the OPT record that holds its upper bits: of the
/// extended codes only BADVERS is ever given, and it is the one response with code 0 in the header
/// and AA clear (names: D.10).
fn rcode(response: &[u8]) -> u16 {
    let (Some(flags), Some(code)) = (response.get(FLAGS), response.get(RCODE)) else {
        return u16::MAX;
    };
    match (flags & 0x04, code & 0x0f) {
        (0, 0) => 16,
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
        assert_eq!(rcode(&response(0x80, 0x00)), 16);
        assert_eq!(rcode(&[0; 3]), u16::MAX);
    }
}
