//! How a service is probed, as it is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Check, HttpCheck, ProbeSettings, Tls};

/// [`ProbeSettings`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProbeV1<'a> {
    /// What is asked.
    #[serde(borrow)]
    check: Option<CheckV1<'a>>,
    /// The port.
    port: Option<u16>,
    /// Time between two probes.
    interval: Option<Duration>,
    /// How long one may take.
    timeout: Option<Duration>,
    /// Failures in a row that are down.
    down: Option<u8>,
    /// Passes in a row that are up.
    up: Option<u8>,
}

/// [`Check`].
#[derive(Debug, Serialize, Deserialize)]
enum CheckV1<'a> {
    /// [`Check::None`].
    None,
    /// [`Check::Tcp`].
    Tcp,
    /// [`Check::Http`]: whether over TLS, and if so whether verified; host, path, status.
    Http(
        Option<bool>,
        #[serde(borrow)] Option<&'a str>,
        &'a str,
        (u16, u16),
    ),
    /// [`Check::Grpc`].
    Grpc(&'a str),
}

impl<'a> From<&'a ProbeSettings> for ProbeV1<'a> {
    fn from(settings: &'a ProbeSettings) -> Self {
        let check = settings.check.as_ref().map(|check| match check {
            Check::None => CheckV1::None,
            Check::Tcp => CheckV1::Tcp,
            Check::Http(http) => CheckV1::Http(
                http.tls.map(|tls| tls == Tls::Verified),
                http.host.as_deref(),
                &http.path,
                http.status,
            ),
            Check::Grpc { service } => CheckV1::Grpc(service),
        });
        Self {
            check,
            port: settings.port,
            interval: settings.interval,
            timeout: settings.timeout,
            down: settings.down,
            up: settings.up,
        }
    }
}

impl ProbeV1<'_> {
    /// Reads it.
    pub(super) fn read(self) -> ProbeSettings {
        let check = self.check.map(|check| match check {
            CheckV1::None => Check::None,
            CheckV1::Tcp => Check::Tcp,
            CheckV1::Http(verified, host, path, status) => Check::Http(HttpCheck {
                tls: verified.map(|verified| {
                    if verified {
                        Tls::Verified
                    } else {
                        Tls::Unverified
                    }
                }),
                host: host.map(Into::into),
                path: path.into(),
                status,
            }),
            CheckV1::Grpc(service) => Check::Grpc {
                service: service.into(),
            },
        });
        ProbeSettings {
            check,
            port: self.port,
            interval: self.interval,
            timeout: self.timeout,
            down: self.down,
            up: self.up,
        }
    }
}
