//! A network namespace for gazetteer, with a link for each thing that a test may cut.
//!
//! ```text
//!  namespace            this machine
//!  gazetteer ─ query ── load
//!            ─ api 0 ── gate of member 0        one link for each member's API,
//!            ─ data 0 ─ ports of member 0       and one for its load balancers
//! ```
//!
//! The namespace has no name: it lives in one process and ends with it, and so do its links, also
//! when this program is killed. A cut link swallows what is sent over it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::Process;
use crate::wait::{SOON, until};

/// A link that can be cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Link {
    /// To the API of a member.
    Api(usize),
    /// To the load balancers of a member.
    Data(usize),
}

/// The port by which networks claim their blocks.
const CLAIM: u16 = 6;

/// All links: the queries', and two for each member.
const LINKS: u8 = 7;

impl Link {
    /// Its number; 0 is the link of the queries.
    fn number(self) -> u8 {
        let (member, first) = match self {
            Self::Api(member) => (member, 1),
            Self::Data(member) => (member, 4),
        };
        first + u8::try_from(member).expect("one of three members")
    }
}

/// The namespace and its links; dropping it removes both.
pub(crate) struct Network {
    /// The process that the namespace lives in.
    holder: Process,
    /// Tells this network from others.
    block: u8,
    /// Keeps others from using the block.
    _claim: TcpListener,
}

impl Network {
    /// Makes the namespace and its links.
    pub(crate) fn new(log: &Path) -> Self {
        let arguments = ["--net", "--", "sleep", "infinity"].map(OsString::from);
        let holder = Process::spawn("unshare", Path::new("unshare"), &arguments, log, false);
        let (block, claim) = free_block();
        let network = Self {
            holder,
            block,
            _claim: claim,
        };
        let own = std::fs::read_link("/proc/self/ns/net").expect("own namespace");
        let held = format!("/proc/{}/ns/net", network.holder.id());
        until(
            "a network namespace: needs root",
            SOON,
            || match std::fs::read_link(&held) {
                Ok(namespace) if namespace != own => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
        let (mut outside, mut inside) = (String::new(), "link set lo up\n".to_owned());
        for link in 0..LINKS {
            let (name, pid) = (network.name(link), network.holder.id());
            let (host, far) = (network.v4(link, 1), network.v4(link, 2));
            let (host6, far6) = (network.v6(link, 1), network.v6(link, 2));
            write!(
                outside,
                "link add {name} type veth peer name l{link} netns {pid}\n\
                 address add {host}/26 dev {name}\n\
                 link set {name} up\n\
                 route add local {}/27 dev {name} table local\n\
                 address add {host6}/64 dev {name} nodad\n",
                network.v4(link, 32)
            )
            .expect("text");
            write!(
                inside,
                "address add {far}/26 dev l{link}\n\
                 address add {far6}/64 dev l{link} nodad\n\
                 link set l{link} up\n"
            )
            .expect("text");
        }
        batch(&[], &outside);
        batch(&network.launcher(), &inside);
        network
    }

    /// A command that runs a program in the namespace.
    pub(crate) fn launcher(&self) -> Vec<OsString> {
        let namespace = format!("--net=/proc/{}/ns/net", self.holder.id());
        ["nsenter", &namespace, "--"].map(OsString::from).to_vec()
    }

    /// The address in the namespace that is asked.
    pub(crate) fn server(&self) -> Ipv4Addr {
        self.v4(0, 2)
    }

    /// This machine's address on the link to a member's API.
    pub(crate) fn api(&self, member: usize) -> Ipv4Addr {
        self.v4(Link::Api(member).number(), 1)
    }

    /// The nth load balancer address of a member, from 0 to 30: the next is the broadcast address.
    pub(crate) fn data(&self, member: usize, n: u8) -> Ipv4Addr {
        self.v4(Link::Data(member).number(), 32 + n)
    }

    /// The one IPv6 load balancer address of a member.
    pub(crate) fn data6(&self, member: usize) -> Ipv6Addr {
        self.v6(Link::Data(member).number(), 1)
    }

    /// Cuts a link: nothing comes back from it, not even a refusal.
    pub(crate) fn cut(&self, link: Link) {
        batch(
            &[],
            &format!("link set {} down\n", self.name(link.number())),
        );
    }

    /// Mends a cut link.
    pub(crate) fn mend(&self, link: Link) {
        let number = link.number();
        let (name, host6) = (self.name(number), self.v6(number, 1));
        // The kernel takes IPv6 addresses away from a link that goes down.
        batch(
            &[],
            &format!("link set {name} up\naddress replace {host6}/64 dev {name} nodad\n"),
        );
    }

    /// Name of this machine's end of a link.
    fn name(&self, link: u8) -> String {
        format!("gz{}-{link}", self.holder.id())
    }

    /// An address on a link: 1 is this machine's, 2 the namespace's, and all from 32 are this
    /// machine's too.
    fn v4(&self, link: u8, host: u8) -> Ipv4Addr {
        // RFC 2544 keeps 198.18.0.0/15 for such tests.
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + (u32::from(self.block) << 9);
        Ipv4Addr::from(base + (u32::from(link) << 6) + u32::from(host))
    }

    /// An IPv6 address on a link: 1 is this machine's, 2 the namespace's.
    fn v6(&self, link: u8, host: u16) -> Ipv6Addr {
        let (block, link) = (u16::from(self.block), u16::from(link));
        Ipv6Addr::new(0xfd67, 0x7a00, block, link, 0, 0, 0, host)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // They would go with the namespace, a little later.
        for link in 0..LINKS {
            let removed = Command::new("ip")
                .args(["link", "delete", &self.name(link)])
                .stderr(Stdio::null())
                .status();
            drop(removed);
        }
    }
}

/// A block of addresses that nobody on this machine uses, and what keeps others from it: only one
/// socket can listen at an address.
fn free_block() -> (u8, TcpListener) {
    let [.., first] = std::process::id().to_be_bytes();
    let mut blocks = (0..=u8::MAX).map(|offset| first.wrapping_add(offset));
    let claim = |block| {
        let claim = Ipv4Addr::new(127, 63, block, 1);
        Some((block, TcpListener::bind((claim, CLAIM)).ok()?))
    };
    blocks
        .find_map(claim)
        .expect("a free block of 198.18.0.0/15")
}

/// Runs lines of `ip`, in a namespace by a launcher.
fn batch(launcher: &[OsString], lines: &str) {
    let mut command = launcher.to_vec();
    command.extend(["ip", "-batch", "-"].map(OsString::from));
    let (program, arguments) = command.split_first().expect("a program");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("ip (iproute2) cannot start: {error}"));
    let mut input = child.stdin.take().expect("piped input");
    input.write_all(lines.as_bytes()).expect("input of ip");
    drop(input);
    let output = child.wait_with_output().expect("exit of ip");
    assert!(
        output.status.success(),
        "ip: {}\n{lines}",
        String::from_utf8_lossy(&output.stderr)
    );
}
