//! Probes of published addresses: what is asked, of whom, and what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::UnixSeconds;

/// How an address is probed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// The port; `None` is the first TCP port of the service.
    pub port: Option<u16>,
    /// Time between the starts of two probes of one target.
    pub interval: Duration,
    /// How long one probe may take; at most the interval.
    pub timeout: Duration,
    /// Failures in a row after which a target that has passed once is down; at least 1.
    pub down: u8,
    /// Passes in a row after which a target that was down is up; at least 1.
    pub up: u8,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            check: Check::Tcp,
            port: None,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            down: 3,
            up: 2,
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Check {
    /// Nothing: addresses are not probed.
    None,
    /// Whether a TCP connection opens.
    Tcp,
    /// Whether a GET gives an expected status, in clear or over TLS.
    Http(HttpCheck),
    /// Whether the gRPC health protocol v1 says SERVING, over HTTP/2 in clear.
    Grpc {
        /// The service that is asked about; empty is the whole server.
        service: Box<str>,
    },
}

/// What an HTTP probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// Over TLS, and how its certificate is judged.
    pub tls: Option<Tls>,
    /// `Host` and the name in the certificate; `None` is the address.
    pub host: Option<Box<str>>,
    /// The path, with its leading slash.
    pub path: Box<str>,
    /// The first and the last status that passes.
    pub status: (u16, u16),
}

/// How the certificate of a target is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tls {
    /// By the platform's roots, and by its name.
    Verified,
    /// Not at all.
    Unverified,
}

/// What a federation or a service says about its probes; what it leaves out is the outer one's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ProbeSettings {
    /// What is asked.
    pub check: Option<Check>,
    /// The port.
    pub port: Option<u16>,
    /// Time between two probes.
    pub interval: Option<Duration>,
    /// How long one may take.
    pub timeout: Option<Duration>,
    /// Failures in a row that are down.
    pub down: Option<u8>,
    /// Passes in a row that are up.
    pub up: Option<u8>,
}

impl Probe {
    /// For how long a pass proves that a target works: until it would be down had it failed since,
    /// `down` intervals and a time-out later.
    pub fn proof(&self) -> Duration {
        (self.interval.saturating_mul(self.down.into())).saturating_add(self.timeout)
    }

    /// This probe as `settings` change it. A time-out is never longer than the interval.
    #[must_use]
    pub fn with(&self, settings: &ProbeSettings) -> Self {
        let interval = settings.interval.unwrap_or(self.interval);
        Self {
            check: settings.check.as_ref().unwrap_or(&self.check).clone(),
            port: settings.port.or(self.port),
            interval,
            timeout: settings.timeout.unwrap_or(self.timeout).min(interval),
            down: settings.down.unwrap_or(self.down),
            up: settings.up.unwrap_or(self.up),
        }
    }
}

/// Something that is probed, once, however many services share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProbeTarget {
    /// Where.
    pub address: SocketAddr,
    /// How.
    pub probe: Arc<Probe>,
}

/// Everything that is to be probed: a persistent set, so that handing it on costs nothing.
pub type ProbeTargets = imbl::HashSet<ProbeTarget>;

/// What the probes of a target say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What counts.
    pub verdict: Verdict,
    /// Since when.
    pub since: UnixSeconds,
    /// What the last probe saw, for people: `connected`, `refused`, `status 503`.
    pub seen: Box<str>,
    /// Since when its last pass is too old to prove anything: older than [`Probe::proof`]. `None`
    /// while it is not, and where the verdict proves nothing anyway.
    pub unproven_since: Option<UnixSeconds>,
}

impl Evidence {
    /// Whether it proves that the target works: it passed of late, and is not down.
    pub fn proves(&self) -> bool {
        self.verdict.has_passed() && self.unproven_since.is_none()
    }
}

/// What counts of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Up,
    /// It passed before, and its last probes failed, but not yet often enough: counts as up.
    Suspect,
    /// It passed once from here, and fails now.
    Down,
    /// It was down and passes again, and is suppressed since it has failed too often lately.
    Damped,
    /// It has been asked and has never passed from here: counts as up, and proves nothing.
    Unknown,
}

impl Verdict {
    /// Whether a target with this verdict works, if its last pass is not too old.
    pub fn has_passed(self) -> bool {
        matches!(self, Self::Up | Self::Suspect | Self::Damped)
    }
}

/// What is known of an address and port that has passed a probe from here, whatever asked: it
/// outlives its targets and the process, and a new target goes on from it until it has a verdict of
/// its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// Since when it is down, or suppressed since it was down too often, with the verdict
    /// [`Verdict::Down`] or [`Verdict::Damped`], and what the last probe saw; `None` while it is not
    /// known to be.
    pub down: Option<Evidence>,
    /// Its last pass proves that it works: it is not older than the [`Probe::proof`] of what asked.
    pub is_passing: bool,
}

impl Finding {
    /// What counts.
    pub fn verdict(&self) -> Verdict {
        self.down.as_ref().map_or(Verdict::Up, |down| down.verdict)
    }

    /// Whether it proves that the address works: it passed of late, and is not down.
    pub fn proves(&self) -> bool {
        self.is_passing && self.verdict().has_passed()
    }
}

/// What is known of every address and port that has passed: a persistent map, so that handing it on
/// costs nothing.
pub type Findings = imbl::HashMap<SocketAddr, Finding>;
