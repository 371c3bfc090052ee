//! Unbound, validating from the root on and with query name minimization, and what of its answers holds.

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use parking_lot::Mutex;

use super::{DNS, Internet, ROOT, address_type};
use crate::dns::{Answer, Client};
use crate::files;
use crate::process::{Process, debian};
use crate::wait::{SOON, START, until};

/// A running Unbound.
pub(crate) struct Validator {
    /// It runs while this lives.
    _process: Process,
    /// Asks it.
    client: Client,
    /// How often it was asked.
    asked: Cell<u32>,
}

impl Internet {
    /// Starts an Unbound with more of its configuration, under a command such as one that sets a clock.
    pub(crate) fn unbound(
        &self,
        name: &str,
        address: Ipv4Addr,
        more: &str,
        before: &[OsString],
    ) -> Validator {
        let folder = self.folder().join(name);
        let mut hints = ". 3600 IN NS ns.\n".to_owned();
        for address in ROOT {
            writeln!(hints, "ns. 3600 IN {} {address}", address_type(address)).expect("text");
        }
        files::write(&folder.join("root.hints"), hints);
        files::write(&folder.join("root.key"), format!("{}\n", self.anchor()));
        let configuration = folder.join("unbound.conf");
        files::write(
            &configuration,
            format!(
                "server:\n  interface: {address}\n  port: {DNS}\n  num-threads: 1\n  \
                 username: \"\"\n  chroot: \"\"\n  directory: \"{0}\"\n  pidfile: \"{0}/unbound.pid\"\n  \
                 use-syslog: no\n  verbosity: 1\n  val-log-level: 2\n  \
                 root-hints: \"{0}/root.hints\"\n  trust-anchor-file: \"{0}/root.key\"\n  \
                 access-control: 198.18.0.0/15 allow\n  module-config: \"validator iterator\"\n  \
                 harden-algo-downgrade: yes\n  trust-anchor-signaling: no\n  qname-minimisation: yes\n{more}\
                 remote-control:\n  control-enable: no\n",
                folder.display()
            ),
        );
        let program = debian("unbound", "unbound");
        let arguments = ["-d".into(), "-c".into(), configuration.into()];
        let process = Mutex::new(self.spawn(name, &program, &arguments, before));
        let client = Client::new((address, DNS).into());
        until(&format!("{name} answers"), START, || {
            process.lock().check_alive()?;
            client.ask("com", RecordType::SOA)
        });
        Validator {
            _process: process.into_inner(),
            client,
            asked: Cell::new(0),
        }
    }
}

impl Validator {
    /// The answer at a name, which must not be bogus. What is not answered in time is asked again: it
    /// says nothing.
    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> Answer {
        let answer = until(&format!("{name} {kind} is answered"), 3 * SOON, || {
            self.answer(name, kind)
        });
        self.asked.set(self.asked.get() + 1);
        assert_ne!(
            answer.code,
            ResponseCode::ServFail,
            "{name} {kind} is bogus, or cannot be resolved, as query {}: {answer:?}",
            self.asked.get()
        );
        answer
    }

    /// The answer at a name, whatever it is.
    pub(crate) fn answer(&self, name: &str, kind: RecordType) -> Result<Answer, String> {
        self.client.ask_signed(name, kind)
    }

    /// As [`ask`](Self::ask), and it must be validated.
    pub(crate) fn validate(&self, name: &str, kind: RecordType) -> Answer {
        let answer = self.ask(name, kind);
        assert!(
            answer.authentic,
            "{name} {kind} is not validated: {answer:?}"
        );
        answer
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.get()
    }
}
