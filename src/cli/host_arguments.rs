//! The arguments of commands for all replicas.

use std::path::PathBuf;

use clap::Args;

use crate::names::Label;
use crate::operate::object_name;

/// The overrides of all replicas, in place of those of one daemon.
#[derive(Debug, Args)]
pub(super) struct HostPlace {
    /// Context of the host cluster: give the command to all replicas, by the `ConfigMap` there that they
    /// watch (`membership.overrides`), with the operator's rights
    #[arg(long, value_name = "CONTEXT")]
    pub(super) host_context: Option<String>,
    /// Namespace of the `ConfigMap`
    #[arg(
        long,
        value_name = "NAMESPACE",
        default_value = "gazetteer",
        requires = "host_context"
    )]
    pub(super) host_namespace: Label,
    /// Name of the `ConfigMap`
    #[arg(
        long,
        value_name = "NAME",
        default_value = "gazetteer-overrides",
        value_parser = object_name,
        requires = "host_context"
    )]
    pub(super) host_overrides: String,
    /// The operator's kubeconfig; without it KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "host_context")]
    pub(super) kubeconfig: Option<PathBuf>,
}
