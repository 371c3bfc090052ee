//! The sockets of the daemon, and a client of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use gazetteer::config::Config;
use gazetteer::serve::{self, Guard, MadeSignatures, Serving, SigningLimits};
use gazetteer::snapshot::Snapshot;
use gazetteer::telemetry::Counters;
use tokio::runtime::{Builder, Runtime};

use crate::ask::Ask;
use crate::run::secrets;

/// How long an answer may take before the case fails.
const DEADLINE: Duration = Duration::from_secs(10);

/// The runtime of all TCP listeners.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made")
}

/// The daemon's sockets, on a free port.
pub(crate) struct Server {
    addresses: Vec<SocketAddr>,
    snapshots: Arc<ArcSwap<Snapshot>>,
    serving: Serving,
}

impl Server {
    /// Binds and serves.
    pub(crate) fn start(
        runtime: &Runtime,
        config: &Config,
        snapshot: Arc<Snapshot>,
    ) -> Result<Self, String> {
        let _guard = runtime.enter();
        let snapshots = Arc::new(ArcSwap::new(snapshot));
        let sockets = serve::bind(&config.listen).map_err(|error| error.to_string())?;
        let signatures = MadeSignatures::new(SigningLimits::of_cores(1), [0; 16]);
        let serving = sockets
            .run(
                &snapshots,
                &Counters::default(),
                (&Arc::new(signatures), &Arc::new(Guard::new(secrets()))),
            )
            .map_err(|error| error.to_string())?;
        Ok(Self {
            addresses: serving.addresses().to_vec(),
            snapshots,
            serving,
        })
    }

    /// Replaces the snapshot; queries sent after this see it.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) {
        self.snapshots.store(snapshot);
    }

    /// Ends all threads and tasks.
    pub(crate) fn stop(self, runtime: &Runtime) {
        runtime.block_on(self.serving.shutdown());
    }

    /// The address that a request goes to.
    fn address(&self, ask: &Ask, config: &Config) -> SocketAddr {
        let index = ask.listener(config).unwrap_or_default();
        self.addresses[usize::try_from(index).expect("an index")]
    }

    /// Asks by one datagram.
    pub(crate) fn udp(&self, ask: &Ask, config: &Config) -> Result<Vec<u8>, String> {
        let exchange = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_read_timeout(Some(DEADLINE))?;
            socket.connect(self.address(ask, config))?;
            socket.send(&ask.octets)?;
            let mut response = vec![0; 65535];
            let length = socket.recv(&mut response)?;
            response.truncate(length);
            Ok(response)
        };
        exchange().map_err(|error: std::io::Error| format!("UDP: {error}"))
    }

    /// Asks all at once, on one connection for each address; in the order of `asks`.
    pub(crate) fn tcp(
        &self,
        asks: &[&Ask],
        config: &Config,
    ) -> Result<Vec<Result<Vec<u8>, String>>, String> {
        let mut answered: Vec<_> = asks
            .iter()
            .map(|_| Err("TCP: not asked".to_owned()))
            .collect();
        for address in &self.addresses {
            let here = |ask: &&Ask| self.address(ask, config) == *address;
            let asked: Vec<&Ask> = asks.iter().copied().filter(here).collect();
            if asked.is_empty() {
                continue;
            }
            let places = answered.iter_mut().zip(asks).filter(|(_, ask)| here(ask));
            for ((place, _), got) in places.zip(Self::tcp_at(*address, &asked)?) {
                *place = got;
            }
        }
        Ok(answered)
    }

    /// Asks all at once on one connection, the length of each beside it; in the order of `asks`.
    fn tcp_at(address: SocketAddr, asks: &[&Ask]) -> Result<Vec<Result<Vec<u8>, String>>, String> {
        let exchange = || {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            let mut requests = Vec::new();
            for ask in asks {
                requests.extend(
                    u16::try_from(ask.octets.len())
                        .unwrap_or_default()
                        .to_be_bytes(),
                );
                requests.extend(&ask.octets);
            }
            stream.write_all(&requests)?;
            let mut responses = Vec::new();
            for _ in asks {
                let mut length = [0; 2];
                stream.read_exact(&mut length)?;
                let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut response)?;
                responses.push(response);
            }
            Ok(responses)
        };
        let responses =
            exchange().map_err(|error: std::io::Error| format!("TCP {address}: {error}"))?;
        let of = |ask: &&Ask| {
            let same = |response: &&Vec<u8>| response.get(..2) == ask.octets.get(..2);
            let found = responses.iter().find(same).cloned();
            found.ok_or_else(|| "TCP: no answer with this identifier".to_owned())
        };
        Ok(asks.iter().map(of).collect())
    }
}
