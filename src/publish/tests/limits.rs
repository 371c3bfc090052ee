//! Limits that facts exceed are counted where they are compiled.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Running, after, config, named, service};
use crate::model::limits::{Limit, MEMBER_HOSTNAMES, PROBE_INTERVAL, SHARD_ADDRESSES};
use crate::model::{Change, Probe, ProbeSettings, Service, Steering, UnixSeconds};
use crate::wire::NameBuf;

/// How often a limit was exceeded.
fn counted(running: &Running, limit: &Limit) -> u64 {
    let head = format!(
        "gazetteer_limit_exceeded_total{{limit=\"{}\"}} ",
        limit.name
    );
    let text = running.metrics.render(UnixSeconds(0));
    let counted = text.lines().find_map(|line| line.strip_prefix(&head));
    counted.unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_services_have_too_much_of_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&["a"], folder.path());
    let mut fleet = (*config.fleet).clone();
    fleet.federations[0].probe = Probe::default();
    config.fleet = Arc::new(fleet);
    let running = Running::start(config);
    running.sync("a", "192.0.2.1").await;
    after(1_000).await;
    let all = || {
        [&SHARD_ADDRESSES, &PROBE_INTERVAL, &MEMBER_HOSTNAMES].map(|limit| counted(&running, limit))
    };
    assert_eq!(all(), [0; 3]);
    let usual = (*service("192.0.2.1", 1)).clone();
    let first = u32::from(Ipv4Addr::new(198, 51, 0, 0));
    let last = first + u32::try_from(SHARD_ADDRESSES.most).unwrap();
    let full = Service {
        addresses: (first..=last)
            .map(|it| IpAddr::from(Ipv4Addr::from(it)))
            .collect(),
        ..usual.clone()
    };
    let asks = ProbeSettings {
        interval: Some(Duration::from_millis(1)),
        ..ProbeSettings::default()
    };
    let mut spec = (*usual.spec).clone();
    spec.steering = Steering {
        probe: Some(Box::new(asks)),
        ..spec.steering
    };
    let hurried = Service {
        spec: spec.into(),
        ..usual.clone()
    };
    let hostname =
        |number| NameBuf::from_labels([format!("h{number}").as_str(), "example"]).unwrap();
    let named_by = Service {
        hostnames: (0..MEMBER_HOSTNAMES.most + 2).map(hostname).collect(),
        ..usual.clone()
    };
    for (name, facts) in [("t", full), ("u", hurried), ("v", named_by)] {
        let facts = Arc::new(facts);
        running
            .change("a", Change::Upsert(named(name), facts))
            .await;
    }
    after(1_000).await;
    assert_eq!(all(), [1, 1, 2]);
    // Another service changes nothing of that.
    running
        .change("a", Change::Upsert(named("w"), Arc::new(usual)))
        .await;
    after(1_000).await;
    assert_eq!(all(), [1, 1, 2]);
    running.stop().await;
}
