//! Asks the name servers of the zone above for DS records.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use hickory_net::DnsHandle;
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

use crate::dnssec::{DnsKey, DsDigest};
use crate::keys::DsEvidence;
use crate::wire::NameBuf;

/// How long one server may take, over UDP and TCP together.
const LIMIT: Duration = Duration::from_secs(5);

/// DS records, each with its rdata and TTL; or why there is no answer.
type SaidDs = Result<Vec<(Vec<u8>, u32)>, String>;

/// What the servers of the zone above say, each for itself.
#[derive(Debug)]
pub(super) struct ParentSays(Vec<(SocketAddr, SaidDs)>);

impl ParentSays {
    /// Asks all servers for the DS records of a zone.
    pub(super) async fn of(servers: &[SocketAddr], zone: &NameBuf) -> Self {
        let asked = servers.iter().map(async |server| {
            let says = tokio::time::timeout(LIMIT, ask(*server, zone)).await;
            let says = says.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}")));
            (*server, says)
        });
        Self(join_all(asked).await)
    }

    /// Whether a key has its DS record there.
    pub(super) fn evidence(&self, zone: &NameBuf, key: &DnsKey) -> DsEvidence {
        if self.0.is_empty() {
            return DsEvidence::Unasked;
        }
        let known = [DsDigest::Sha256, DsDigest::Sha384].map(|digest| key.ds(zone, digest));
        let (mut with, mut without, mut ttl) = (0, 0, 0);
        for (_, says) in &self.0 {
            let Ok(records) = says else { continue };
            let own = records.iter().filter(|(rdata, _)| known.contains(rdata));
            match own.map(|(_, ttl)| *ttl).max() {
                Some(theirs) => (with, ttl) = (with + 1, ttl.max(theirs)),
                None => without += 1,
            }
        }
        let all = self.0.len();
        match (with, without) {
            (count, _) if count == all => DsEvidence::Everywhere(u64::from(ttl.max(1))),
            (_, count) if count == all => DsEvidence::Nowhere,
            _ => DsEvidence::Unclear,
        }
    }

    /// Whether all servers answer that there is no DS record at all.
    pub(super) fn has_no_ds(&self) -> bool {
        let is_none = |says: &SaidDs| says.as_ref().is_ok_and(Vec::is_empty);
        !self.0.is_empty() && self.0.iter().all(|(_, says)| is_none(says))
    }

    /// Servers that say nothing, and why.
    pub(super) fn silent(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|(server, says)| {
            let why = says.as_ref().err()?;
            Some(format!("{server}: {why}"))
        })
    }
}

/// The DS records of a zone at one server.
async fn ask(server: SocketAddr, zone: &NameBuf) -> SaidDs {
    let text = zone.to_string();
    let name = Name::from_ascii(&text).map_err(|error| error.to_string())?;
    let mut options = DnsRequestOptions::default();
    options.recursion_desired = false;
    let request = DnsRequest::from_query(Query::query(name.clone(), RecordType::DS), options);
    let provider = TokioRuntimeProvider::default();
    let client = UdpClientStream::builder(server, provider.clone());
    let mut client = client.with_timeout(Some(LIMIT / 2)).build();
    let answer = client.send_message(request.clone()).first_answer().await;
    let mut answer = message(answer)?;
    if answer.metadata.truncation {
        let stream = TcpClientStream::exchange(server, None, LIMIT / 2, None, provider.clone());
        let client = stream.await.map_err(|error| error.to_string())?;
        answer = message(client.send(request).first_answer().await)?;
    }
    let code = answer.metadata.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(code.to_string());
    }
    if !answer.metadata.authoritative {
        return Err("answers without authority: no name server of the zone above".to_owned());
    }
    let is_it = |record: &&Record| record.record_type() == RecordType::DS && record.name == name;
    let records = answer.answers.iter().filter(is_it);
    let records = records.map(|record| {
        let rdata = record.data.to_bytes().map_err(|error| error.to_string())?;
        Ok((rdata, record.ttl))
    });
    records.collect()
}

/// The message of an answer.
fn message(answer: Result<DnsResponse, NetError>) -> Result<Message, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(answer.into_message())
}
