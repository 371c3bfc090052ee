//! Questions to resolvers.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tracing::debug;

use super::known::{Answers, Outcome};
use crate::wire::NameBuf;

/// How long one question to one resolver may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long all attempts at one question may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks the resolvers.
#[derive(Clone)]
pub(super) struct Lookup {
    /// Sends questions; caches nothing, so that an answer is as new as its resolver has it.
    resolver: TokioResolver,
}

impl Lookup {
    /// Asks `resolvers`, or the system's when there are none: an error when those cannot be read.
    pub(super) fn new(resolvers: &[SocketAddr]) -> Result<Self, NetError> {
        Self::with_timeout(resolvers, TIMEOUT)
    }

    /// As [`new`](Self::new), with another time for one question to one resolver.
    fn with_timeout(resolvers: &[SocketAddr], timeout: Duration) -> Result<Self, NetError> {
        let mut builder = if resolvers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = resolvers.iter().map(server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = timeout;
        options.preserve_intermediates = true;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self {
            resolver: builder.build()?,
        })
    }

    /// Asks for A and AAAA, each by itself.
    pub(super) async fn ask(self, hostname: NameBuf) -> Answers {
        let ipv4 = self.records(&hostname, RecordType::A, |data| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        });
        let ipv6 = self.records(&hostname, RecordType::AAAA, |data| match data {
            RData::AAAA(address) => Some(address.0),
            _ => None,
        });
        let (ipv4, ipv6): (Outcome<Ipv4Addr>, Outcome<Ipv6Addr>) = tokio::join!(ipv4, ipv6);
        Answers { ipv4, ipv6 }
    }

    /// Asks for one type.
    async fn records<A>(
        &self,
        hostname: &NameBuf,
        kind: RecordType,
        address: impl Fn(&RData) -> Option<A>,
    ) -> Outcome<A> {
        let Ok(mut name) = Name::from_labels(hostname.labels().map(str::as_bytes)) else {
            return Outcome::Failed;
        };
        name.set_fqdn(true);
        let answer = tokio::time::timeout(LIMIT, self.resolver.lookup(name, kind)).await;
        match answer.unwrap_or(Err(NetError::Timeout)) {
            Ok(lookup) => {
                let records = lookup.answers();
                let addresses: Vec<A> = records.iter().filter_map(|it| address(&it.data)).collect();
                // CNAMEs on the way count too.
                let ttl = records.iter().map(|record| record.ttl).min();
                match ttl {
                    Some(ttl) if !addresses.is_empty() => {
                        Outcome::Found(addresses, Duration::from_secs(ttl.into()))
                    }
                    _ => Outcome::Failed,
                }
            }
            Err(error) if is_negative(&error) => Outcome::Absent,
            Err(error) => {
                debug!(%hostname, %kind, %error, "lookup failed");
                Outcome::Failed
            }
        }
    }
}

/// A resolver, over UDP and TCP.
fn server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    NameServerConfig::new(address.ip(), true, connections.map(on_port).into())
}

/// Whether the zone itself says that there is nothing: NXDOMAIN, or NODATA with its SOA. An empty
/// answer without SOA may come from anywhere (RFC 2308 section 2.2).
fn is_negative(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => true,
            ResponseCode::NoError => none.soa.is_some(),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
#[path = "../tests/lookup.rs"]
mod tests;
