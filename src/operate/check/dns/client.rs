//! Asks a DNS server one question, by hickory's client.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_net::{DnsHandle, NetError};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, Record, RecordType};
use ipnet::IpNet;

/// How a question goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DnsTransport {
    /// One datagram, sent again when nothing comes.
    Udp,
    /// A connection.
    Tcp,
}

impl fmt::Display for DnsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub(super) struct DnsQuestion<'q> {
    /// The name, in letters.
    pub(super) name: &'q str,
    /// The type.
    pub(super) rrtype: RecordType,
    /// Whether the server is to ask others.
    pub(super) is_recursive: bool,
    /// A client subnet to send (RFC 7871).
    pub(super) subnet: Option<IpNet>,
}

impl<'q> DnsQuestion<'q> {
    /// What a resolver asks a name server.
    pub(super) fn to_server(name: &'q str, rrtype: RecordType) -> Self {
        Self {
            name,
            rrtype,
            is_recursive: false,
            subnet: None,
        }
    }

    /// What a client asks a resolver.
    pub(super) fn to_resolver(name: &'q str, rrtype: RecordType) -> Self {
        Self {
            is_recursive: true,
            ..Self::to_server(name, rrtype)
        }
    }

    /// The command that asks the same.
    pub(super) fn dig(&self, server: SocketAddr, over: DnsTransport) -> String {
        let port = match server.port() {
            53 => String::new(),
            port => format!(" -p {port}"),
        };
        let mut command = format!("dig @{}{port} {} {}", server.ip(), self.name, self.rrtype);
        if !self.is_recursive {
            command += " +norecurse";
        }
        if over == DnsTransport::Tcp {
            command += " +tcp";
        }
        if let Some(subnet) = self.subnet {
            let subnet = format!(" +subnet={subnet}");
            command += &subnet;
        }
        command
    }
}

/// Asks servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct DnsClient {
    /// How long one answer may take.
    limit: Duration,
}

impl DnsClient {
    /// A client of a check that may take `limit`: one server that says nothing leaves it the time to
    /// say so.
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            limit: limit.saturating_sub(limit / 10),
        }
    }

    /// Asks. The error is why there is no answer; an answer may be of any code.
    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        over: DnsTransport,
        question: &DnsQuestion<'_>,
    ) -> Result<Message, String> {
        let name = absolute(question.name)?;
        let mut options = DnsRequestOptions::default();
        options.recursion_desired = question.is_recursive;
        let mut request = DnsRequest::from_query(Query::query(name, question.rrtype), options);
        if let (Some(subnet), Some(edns)) = (question.subnet, request.edns.as_mut()) {
            edns.options_mut().insert(EdnsOption::Subnet(subnet.into()));
        }
        // What a connection needs in the background lives as long as this.
        let provider = TokioRuntimeProvider::default();
        let asked = async {
            match over {
                DnsTransport::Udp => {
                    let client = UdpClientStream::builder(server, provider.clone());
                    let mut client = client.with_timeout(Some(self.limit)).build();
                    client.send_message(request).first_answer().await
                }
                DnsTransport::Tcp => {
                    let client =
                        TcpClientStream::exchange(server, None, self.limit, None, provider.clone())
                            .await?;
                    client.send(request).first_answer().await
                }
            }
        };
        // Connecting and asking have the limit together.
        let answer = tokio::time::timeout(self.limit, asked).await;
        let answer = answer.unwrap_or(Err(NetError::Timeout));
        answer
            .map(DnsResponse::into_message)
            .map_err(|error| self.explain(&error))
    }

    /// Asks over UDP, and over TCP what does not fit into a datagram.
    pub(super) async fn ask_whole(
        &self,
        server: SocketAddr,
        question: &DnsQuestion<'_>,
    ) -> Result<Message, String> {
        let answer = self.ask(server, DnsTransport::Udp, question).await?;
        if answer.metadata.truncation {
            return self.ask(server, DnsTransport::Tcp, question).await;
        }
        Ok(answer)
    }

    /// Why there is no answer, in words.
    fn explain(&self, error: &NetError) -> String {
        match error {
            NetError::Timeout => format!("no answer within {:?}", self.limit),
            NetError::Io(error) => error.to_string(),
            other => other.to_string(),
        }
    }
}

/// A name of a configuration or of ours.
pub(super) fn absolute(name: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(name).map_err(|error| format!("{name}: {error}"))?;
    name.set_fqdn(true);
    Ok(name.to_lowercase())
}

/// Whether an answer has the records of a zone itself. The error is what it says instead.
pub(super) fn serves(answer: &Message, zone: &str, rrtype: RecordType) -> Result<(), String> {
    let code = answer.metadata.response_code;
    if code != ResponseCode::NoError {
        return Err(code_name(code));
    }
    let zone = absolute(zone)?;
    let mut records = answer.answers.iter();
    let is_it =
        |record: &Record| record.record_type() == rrtype && record.name.to_lowercase() == zone;
    if records.any(is_it) {
        Ok(())
    } else {
        Err(format!("an answer without its {rrtype} records"))
    }
}

/// A response code as people write it (RFC 9499, 3).
pub(super) fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("response code {}", u16::from(other)),
    }
}
