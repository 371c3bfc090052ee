//! Questions to resolvers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tracing::debug;

use super::known::{Answers, QueryOutcome, SHORTEST};
use super::rules::Rules;
use crate::model::kept;
use crate::wire::NameBuf;

/// How long one question to one resolver may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long all attempts at one question may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks the resolvers.
#[derive(Clone)]
pub(super) struct HostNameResolver {
    /// Sends questions; caches nothing, so that an answer is as new as its resolver has it.
    resolver: TokioResolver,
    /// What answers have to keep to.
    rules: Arc<Rules>,
    /// The zones of `rules`.
    own_zones: Arc<[Name]>,
}

impl HostNameResolver {
    /// Asks `resolvers`, or the system's when there are none: an error when those cannot be read.
    pub(super) fn new(resolvers: &[SocketAddr], rules: &Arc<Rules>) -> Result<Self, NetError> {
        Self::with_timeout(resolvers, rules, TIMEOUT)
    }

    /// As [`new`](Self::new), with another time for one question to one resolver.
    fn with_timeout(
        resolvers: &[SocketAddr],
        rules: &Arc<Rules>,
        timeout: Duration,
    ) -> Result<Self, NetError> {
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
        let own_zones = rules.own_zones.iter().filter_map(absolute);
        Ok(Self {
            resolver: builder.build()?,
            rules: Arc::clone(rules),
            own_zones: own_zones.collect(),
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
        let (ipv4, ipv6): (QueryOutcome<Ipv4Addr>, QueryOutcome<Ipv6Addr>) =
            tokio::join!(ipv4, ipv6);
        Answers { ipv4, ipv6 }
    }

    /// Asks for one type.
    async fn records<A: Copy + Into<IpAddr>>(
        &self,
        hostname: &NameBuf,
        kind: RecordType,
        address: impl Fn(&RData) -> Option<A>,
    ) -> QueryOutcome<A> {
        let Some(name) = absolute(hostname) else {
            return QueryOutcome::Failed("not a name that can be asked for".into());
        };
        let answer = tokio::time::timeout(LIMIT, self.resolver.lookup(name, kind)).await;
        match answer.unwrap_or(Err(NetError::Timeout)) {
            Ok(lookup) => {
                let records = lookup.answers();
                if let Some(why) = records.iter().find_map(|record| self.is_ours(&record.data)) {
                    return QueryOutcome::Absent(why.into());
                }
                let addresses: Vec<A> = records.iter().filter_map(|it| address(&it.data)).collect();
                // The last good ones are better than what nobody can reach
                // (docs/names.md, decision 17). Of some that count and some that do not, compiling
                // takes the former.
                let judged = addresses.iter().map(|address| {
                    let address = (*address).into();
                    let judged = self.rules.addresses.judge_resolved(address);
                    judged.map_err(|why| format!("{address} {why}"))
                });
                let refused = judged.reduce(Result::or);
                if let Some(Err(why)) = refused {
                    return QueryOutcome::Failed(why.into());
                }
                // CNAMEs on the way count too.
                let ttl = records.iter().map(|record| record.ttl).min();
                match ttl {
                    Some(ttl) if !addresses.is_empty() => {
                        let ttl = Duration::from_secs(ttl.into());
                        QueryOutcome::Found(addresses, ttl.max(SHORTEST))
                    }
                    _ => QueryOutcome::Failed("an answer without addresses".into()),
                }
            }
            Err(error) if is_negative(&error) => QueryOutcome::Absent(why(&error)),
            Err(error) => {
                debug!(%hostname, %kind, %error, "lookup failed");
                QueryOutcome::Failed(why(&error))
            }
        }
    }

    /// Why a step of a chain leads to ourselves, if it does: whoever asked us for the rest would make
    /// our own answers the addresses of a load balancer, for ever.
    fn is_ours(&self, data: &RData) -> Option<String> {
        let RData::CNAME(target) = data else {
            return None;
        };
        let zone = self.own_zones.iter().find(|zone| zone.zone_of(&target.0))?;
        Some(format!(
            "leads to {} in {zone}, which is answered from here",
            kept(&target.0.to_string())
        ))
    }
}

/// A name as the library has it.
fn absolute(name: &NameBuf) -> Option<Name> {
    let mut name = Name::from_labels(name.labels().map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Why there is no answer, for people: alike for all that are alike.
fn why(error: &NetError) -> Box<str> {
    match error {
        NetError::Timeout => "no answer in time".into(),
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => "no such name (NXDOMAIN)".into(),
            ResponseCode::NoError if none.soa.is_some() => "no address (NODATA)".into(),
            ResponseCode::NoError => "an answer without addresses".into(),
            code => code_text(code),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => code_text(*code),
        other => kept(&other.to_string()).into(),
    }
}

/// A response code that is none of an answer.
fn code_text(code: ResponseCode) -> Box<str> {
    format!("the resolver says: {code}").into()
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
