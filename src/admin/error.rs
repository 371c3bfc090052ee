//! What can go wrong with the admin address.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::names::{Label, LabelError};
use crate::wire::NameError;

/// Why the admin address or the control socket is not served.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another process has the address. Stop it, or choose another.
    #[error("{address} (admin) is already served by another process")]
    InUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The control socket cannot be bound. Correct the rights of `state-dir`, or shorten its path:
    /// the path of a socket has at most 107 octets.
    #[error("cannot bind {} (control socket in state-dir)", .path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The address cannot be bound. Correct the configuration or the rights of the process.
    #[error("cannot bind {address} (admin)")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Why a question cannot be asked. Correct it.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The member is no DNS label.
    #[error("listener {name:?}: {problem}")]
    Member {
        /// What was given.
        name: String,
        /// What is wrong with it.
        problem: LabelError,
    },
    /// No address of `listen.dns` is bound to the member.
    #[error("listener {member}: no address of listen.dns is bound to it{}", others(.bound))]
    NoListener {
        /// The member that was given.
        member: Label,
        /// Members with a listener.
        bound: Vec<Label>,
    },
    /// The name is no domain name.
    #[error("name {name:?}: {problem}")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        problem: NameError,
    },
    /// There is no such type.
    #[error("type {qtype:?}: not a record type, such as A, SRV or TYPE65280")]
    Type {
        /// What was given.
        qtype: String,
    },
}

/// Members with a listener, for the end of a sentence.
fn others(bound: &[Label]) -> String {
    let names: Vec<_> = bound.iter().map(Label::as_str).collect();
    match names.as_slice() {
        [] => "; none is bound to any member".to_owned(),
        names => format!("; these have one: {}", names.join(", ")),
    }
}
