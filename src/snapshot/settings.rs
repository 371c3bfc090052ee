//! Settings of answers.

use ipnet::IpNet;

use crate::model::RateLimits;
use crate::names::Label;
use crate::wire::NameBuf;

/// Answer settings that are not facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name server identifier (RFC 5001).
    pub nsid: Option<String>,
    /// Whether `_client` exists in each apex (docs/names.md, D.2).
    pub has_client_name: bool,
    /// Who may say where they are.
    pub trusted: Vec<IpNet>,
    /// The member that each DNS address is bound to, in configuration order.
    pub listeners: Vec<Option<Label>>,
    /// The networks that each DNS address serves, in the same order; `None` is all, as it is of those that
    /// are not in it.
    pub allowed: Vec<Option<Vec<IpNet>>>,
    /// The networks that zones are served to, by their apexes; all that are not in it serve all.
    pub zones_allowed: Vec<(NameBuf, Vec<IpNet>)>,
    /// Who is told what others are not.
    pub diagnostics: Vec<IpNet>,
    /// How many responses the clients of a network get.
    pub rate_limits: RateLimits,
    /// The longest response over UDP, in octets, to clients that have not proved their address.
    pub max_without_cookie: Option<u16>,
    /// The domain to which resolvers report what fails (RFC 9567).
    pub report_channel: Option<NameBuf>,
}
