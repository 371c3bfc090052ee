//! Why a client cannot be built.

use kube::config::InClusterError;

use super::exec::ExecError;
use crate::model::limits::{EXEC_OUTPUT, EXEC_TIME, Limit};

/// Why a client cannot be built. Correct what it names; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum ClientError {
    /// The kubeconfig cannot be used: correct it, or the context in the configuration.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
    /// The kubeconfig, or a file that it names, is larger than is read: make it smaller.
    #[error("kubeconfig: {0}")]
    TooLarge(String, &'static Limit),
    /// An object of the host cluster says nothing that can be used: correct it.
    #[error("{0}")]
    Object(String),
    /// This process does not run in a cluster, or its `ServiceAccount` is not mounted.
    #[error("in-cluster: {0}")]
    InCluster(#[from] Box<InClusterError>),
    /// Credentials or certificates cannot be read: correct them.
    #[error("credentials: {0}")]
    Credentials(String),
    /// The exec plugin gave no credentials.
    #[error("exec plugin: {0}")]
    Exec(#[from] ExecError),
    /// A file system or a plugin does not answer.
    #[error("took longer than {} s", EXEC_TIME.most)]
    Slow,
    /// A facts file has no client: a mistake of the caller.
    #[error("not a Kubernetes source")]
    NotKubernetes,
}

impl ClientError {
    /// Whether files say so, and no plugin has to be run to look again.
    pub(in super::super) fn is_of_files(&self) -> bool {
        !matches!(self, Self::Exec(_) | Self::Slow)
    }

    /// The limit that was exceeded, if that is why.
    pub(in super::super) fn limit(&self) -> Option<&'static Limit> {
        match self {
            Self::Exec(ExecError::TooMuch) => Some(&EXEC_OUTPUT),
            Self::Slow => Some(&EXEC_TIME),
            Self::TooLarge(_, limit) => Some(limit),
            _ => None,
        }
    }
}
