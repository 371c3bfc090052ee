//! What a service asks of probes, and what it gets of that.

use std::borrow::Cow;
use std::time::Duration;

use super::limits::PROBE_INTERVAL;
use super::{Check, Federation, Probe, ProbeSettings, Protocol, Service};

/// What a service asks of probes that does not count; shows for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IgnoredProbe {
    /// Anything, of a federation that probes nothing.
    #[error("probe ignored: the federation probes nothing")]
    Nothing,
    /// A port that it may not have probed.
    #[error(
        "probe ignored: port {0} is neither a TCP port of the service nor in the federation's probe-ports"
    )]
    Port(u16),
    /// To be probed more often than it may be ([`PROBE_INTERVAL`]).
    #[error("probe every {interval:?} ignored: every {least:?} instead")]
    Interval {
        /// What is asked for.
        interval: Duration,
        /// What it gets.
        least: Duration,
    },
}

impl Federation {
    /// How the addresses of a service are probed, and at which port; `None` where nothing is asked,
    /// or no TCP port is there to ask. `gateway_port` is that of the member's gateway if it has one.
    ///
    /// Whoever writes the facts of a service chooses within bounds: nothing is probed where the
    /// federation probes nothing, no port but those of the service, the gateway and the federation,
    /// and not more often than every [`PROBE_INTERVAL`]. `say` is told what does not count.
    pub fn probe_of<'f>(
        &'f self,
        facts: &Service,
        gateway_port: Option<u16>,
        mut say: impl FnMut(IgnoredProbe),
    ) -> Option<(Cow<'f, Probe>, u16)> {
        let asks = facts.steering.probe.as_deref();
        if self.probe.check == Check::None {
            if asks.is_some_and(|asks| asks.check != Some(Check::None)) {
                say(IgnoredProbe::Nothing);
            }
            return None;
        }
        let asked = asks.and_then(|asks| self.asked(asks, facts, gateway_port, say));
        let probe = asked.map_or(Cow::Borrowed(&self.probe), Cow::Owned);
        if probe.check == Check::None {
            return None;
        }
        let port = probe.port.or(gateway_port);
        let port = port.or_else(|| facts.first_tcp_port())?;
        Some((probe, port))
    }

    /// The probe that a service asks for, as far as it may.
    fn asked(
        &self,
        asks: &ProbeSettings,
        facts: &Service,
        gateway_port: Option<u16>,
        mut say: impl FnMut(IgnoredProbe),
    ) -> Option<Probe> {
        if let Some(port) = asks
            .port
            .filter(|port| !self.lets_probe(*port, facts, gateway_port))
        {
            say(IgnoredProbe::Port(port));
            return None;
        }
        let least = Duration::from_millis(PROBE_INTERVAL.most).min(self.probe.interval);
        let Some(interval) = asks.interval.filter(|interval| *interval < least) else {
            return Some(self.probe.with(asks));
        };
        say(IgnoredProbe::Interval { interval, least });
        Some(self.probe.with(&ProbeSettings {
            interval: Some(least),
            ..asks.clone()
        }))
    }

    /// Whether a service may have a port probed.
    fn lets_probe(&self, port: u16, facts: &Service, gateway_port: Option<u16>) -> bool {
        let mut own = facts.ports.iter();
        let mut ranges = self.probe_ports.iter();
        gateway_port == Some(port)
            || self.probe.port == Some(port)
            || ranges.any(|(first, last)| (*first..=*last).contains(&port))
            || own.any(|own| own.protocol == Protocol::Tcp && own.outside == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Endpoints, Export, ExportMode, HostNames, Policy, Port, ServiceKind, Spec, SrvForm,
        Steering, WayIn, WhenAllDown,
    };

    fn federation(probe: Probe, probe_ports: Vec<(u16, u16)>) -> Federation {
        Federation {
            name: "f".parse().unwrap(),
            apex: "example.com".parse().unwrap(),
            clusterset: None,
            nameservers: Vec::new(),
            hostmaster: "h.example.com".parse().unwrap(),
            export: ExportMode::Annotated,
            ttl: Duration::from_secs(30),
            negative_ttl: Duration::from_secs(5),
            apex_ttl: Duration::from_secs(30),
            policy: Policy::Nearest,
            order: Vec::new(),
            fence: None,
            when_all_down: WhenAllDown::NoData,
            max_addresses: None,
            spill_over: None,
            srv: SrvForm::Shared,
            hold: Duration::from_secs(60),
            tcp_proof: Duration::from_secs(86_400),
            sync_timeout: Duration::from_secs(30),
            members: Vec::new(),
            namespaces: Vec::new(),
            probe,
            probe_ports,
            brake: 100,
        }
    }

    fn service(asks: ProbeSettings) -> Service {
        let port = |protocol, port| Port {
            name: None,
            protocol,
            port,
            outside: port,
        };
        let spec = Spec {
            kind: ServiceKind::LoadBalancer,
            export: Export::Exported,
            allow_without_endpoints: false,
            has_external_ips: false,
            federations: None,
            ports: [
                port(Protocol::Udp, 53),
                port(Protocol::Tcp, 80),
                port(Protocol::Tcp, 443),
            ]
            .into(),
            way_in: WayIn::Usual,
            steering: Steering {
                probe: Some(Box::new(asks)),
                ..Steering::default()
            },
        };
        Service {
            spec: spec.into(),
            addresses: [].into_iter().collect(),
            hostnames: HostNames::default(),
            endpoints: Endpoints::default(),
            inside: None,
        }
    }

    /// The port and the interval in milliseconds, and whether something was said.
    fn asked(federation: &Federation, asks: ProbeSettings) -> (Option<(u16, u128)>, bool) {
        let mut is_said = false;
        let probe = federation.probe_of(&service(asks), Some(15443), |_| is_said = true);
        let found = probe.map(|(probe, port)| (port, probe.interval.as_millis()));
        (found, is_said)
    }

    #[test]
    fn a_service_has_its_own_ports_probed_and_those_of_the_federation() {
        let at = |port| ProbeSettings {
            check: Some(Check::Tcp),
            port: Some(port),
            ..ProbeSettings::default()
        };
        let open = federation(Probe::default(), vec![(8080, 8080), (9000, 9100)]);
        for port in [80, 443, 15443, 8080, 9000, 9100] {
            assert_eq!(
                asked(&open, at(port)),
                (Some((port, 2000)), false),
                "{port}"
            );
        }
        // As the federation has it: at the gateway.
        for port in [22, 53, 8081, 9101] {
            assert_eq!(
                asked(&open, at(port)),
                (Some((15443, 2000)), true),
                "{port}"
            );
        }
    }

    #[test]
    fn no_target_is_asked_more_often_than_every_half_second() {
        let every = |milliseconds| ProbeSettings {
            interval: Some(Duration::from_millis(milliseconds)),
            ..ProbeSettings::default()
        };
        let usual = federation(Probe::default(), Vec::new());
        assert_eq!(asked(&usual, every(10)), (Some((15443, 500)), true));
        assert_eq!(asked(&usual, every(500)), (Some((15443, 500)), false));
        let often = Probe {
            interval: Duration::from_millis(100),
            ..Probe::default()
        };
        let often = federation(often, Vec::new());
        assert_eq!(asked(&often, every(50)), (Some((15443, 100)), true));
        assert_eq!(asked(&often, every(200)), (Some((15443, 200)), false));
    }

    #[test]
    fn a_federation_that_probes_nothing_probes_nothing() {
        let none = Probe {
            check: Check::None,
            ..Probe::default()
        };
        let none = federation(none, Vec::new());
        let asks = |check| ProbeSettings {
            check: Some(check),
            ..ProbeSettings::default()
        };
        assert_eq!(asked(&none, asks(Check::Tcp)), (None, true));
        assert_eq!(asked(&none, asks(Check::None)), (None, false));
        let usual = federation(Probe::default(), Vec::new());
        assert_eq!(asked(&usual, asks(Check::None)), (None, false));
    }
}
