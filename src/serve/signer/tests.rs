//! Threads that sign, and what they are given.

use std::net::IpAddr;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::*;
use crate::answer::{Client, Transport};
use crate::dnssec::Lane;
use crate::model::{Fleet, UnixSeconds};
use crate::snapshot::{Generation, Serial, Settings, Snapshot, SnapshotBuilder};
use crate::telemetry::clock::monotonic;

#[test]
fn two_threads_sign_at_once() {
    // Nobody passes alone.
    let both = Arc::new(Barrier::new(2));
    let signs = move |_: &Snapshot, request: &[u8], _: &Client, out: &mut [u8]| {
        both.wait();
        out[..request.len()].copy_from_slice(request);
        Some(request.len())
    };
    let counters = Counters::default();
    let (waiting, lanes) = lanes(counters.signing());
    let limits = SigningLimits {
        signers: 2,
        ..SigningLimits::of_cores(1)
    };
    let mut builder = SnapshotBuilder::new(Arc::new(Fleet::default()), Settings::default());
    let snapshot = builder.snapshot(Generation(1), Serial(1));
    let snapshots = Arc::new(ArcSwap::from_pointee(snapshot));
    let all = (&snapshots, &counters);
    let threads = start(&signs, &lanes, Vec::new(), &limits, all).unwrap();
    let answers = [Lane::Existing, Lane::Absent].map(|lane| {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            request: vec![7; 12],
            client: Client {
                address: IpAddr::from([127, 0, 0, 1]),
                listener: None,
                transport: Transport::Tcp { idle: 0 },
                cookie: None,
                now: UnixSeconds(1),
                elapsed: Duration::ZERO,
            },
            since: monotonic(),
            reply: ReplyTo::Stream(reply),
        };
        assert!(waiting.put(lane, Box::new(job)).is_ok());
        answer
    });
    for answer in answers {
        assert_eq!(answer.blocking_recv().unwrap(), [7; 12]);
    }
    drop(waiting);
    for thread in threads {
        thread.join().unwrap();
    }
}
