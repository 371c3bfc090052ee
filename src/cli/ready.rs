//! The lines on standard output that say what is served.

use std::net::SocketAddr;

use super::output;
use crate::admin::AdminSocket;
use crate::serve::Serving;

/// What is served where.
#[derive(Debug)]
pub(super) struct ReadyLine {
    /// The DNS addresses, with their real ports.
    dns: Vec<SocketAddr>,
    /// The admin address, with its real port.
    pub(super) admin: Option<SocketAddr>,
}

/// The line.
#[derive(serde::Serialize)]
struct Line<'a> {
    /// Whether the daemon is ready (docs/names.md, decision 10).
    ready: bool,
    /// The DNS addresses.
    dns: &'a [SocketAddr],
    /// The admin address.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<SocketAddr>,
}

impl ReadyLine {
    /// What is bound.
    pub(super) fn new(serving: &Serving, admin: Option<&AdminSocket>) -> Self {
        Self {
            dns: serving.addresses().to_vec(),
            admin: admin.map(AdminSocket::address),
        }
    }

    /// Prints the line: once when bound, and again when ready.
    pub(super) fn print(&self, ready: bool) -> anyhow::Result<()> {
        let line = Line {
            ready,
            dns: &self.dns,
            admin: self.admin,
        };
        output::print(&(serde_json::to_string(&line)? + "\n"))?;
        Ok(())
    }
}
