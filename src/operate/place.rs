//! The daemon's side: where members are written down.

use std::path::PathBuf;

use kube::config::Kubeconfig;

use super::contexts::{ApiTrust, ContextChoice, open};
use super::entry::{KnownMember, MemberEntry, Neighbour, Other};
use super::error::OperateError;
use super::folder::Folder;
use super::host::Host;
use super::installation::Installation;
use crate::config::{Source, read};
use crate::model::limits::CONFIGURATION_FILE;
use crate::names::Label;

/// Where the daemon's members are written down.
#[derive(Debug, Clone)]
pub enum Where {
    /// Fragments beside a configuration.
    Folder {
        /// The folder of fragments.
        folder: PathBuf,
        /// The configuration, whose own members nothing here touches.
        configuration: PathBuf,
        /// Its own members.
        neighbours: Vec<Neighbour>,
    },
    /// Secrets of a host cluster.
    Host {
        /// The operator's context of the host cluster.
        choice: ContextChoice,
        /// The namespace of the Secrets.
        namespace: String,
    },
}

/// Where the daemon's members are written down, opened.
pub(super) enum MemberStore {
    /// A folder.
    Folder(Folder),
    /// A host cluster.
    Host(Host),
}

impl MemberStore {
    /// Opens it. Changes nothing.
    pub(super) async fn open(place: &Where) -> Result<Self, OperateError> {
        match place {
            Where::Folder {
                folder,
                configuration,
                neighbours,
            } => Ok(Self::Folder(Folder {
                path: folder.clone(),
                configuration: configuration.clone(),
                neighbours: neighbours.clone(),
            })),
            Where::Host { choice, namespace } => {
                let opened = open(choice, &ApiTrust::default()).await?;
                let host = Host::open(opened.api, namespace.clone()).await?;
                Ok(Self::Host(host))
            }
        }
    }

    /// Which installation it is; a new one, if none has joined anything yet. Writes nothing.
    pub(super) fn installation(&self) -> Result<Installation, OperateError> {
        match self {
            Self::Folder(folder) => Installation::of_folder(&folder.path),
            Self::Host(host) => Ok(Installation::of(host.uid.as_bytes())),
        }
    }

    /// Where it is, in words.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => folder.path.display().to_string(),
            Self::Host(host) => format!("namespace {} of the host cluster", host.namespace),
        }
    }

    /// What is written down of a member.
    pub(super) async fn known(&self, name: &Label) -> Result<KnownMember, OperateError> {
        match self {
            Self::Folder(folder) => folder.known(name),
            Self::Host(host) => host.known(name).await,
        }
    }

    /// Refuses a name that is not for this place.
    pub(super) fn check_name(&self, name: &Label) -> Result<(), OperateError> {
        let Self::Folder(folder) = self else {
            return Ok(());
        };
        let mut neighbours = folder.neighbours.iter();
        if neighbours.any(|neighbour| neighbour.name == *name) {
            let file = folder.configuration.display();
            let why = format!("member \"{name}\" is in {file} itself: remove it there first");
            return Err(OperateError::Refused(why));
        }
        Ok(())
    }

    /// Kubeconfigs of all members but one, as far as they can be read.
    pub(super) async fn others(&self, name: &Label) -> Result<Vec<Other>, OperateError> {
        match self {
            Self::Folder(folder) => {
                let mut others = folder.others(name)?;
                others.extend(folder.neighbours.iter().filter_map(other));
                Ok(others)
            }
            Self::Host(host) => host.others(name).await,
        }
    }

    /// Refuses a place where nothing could be written.
    pub(super) async fn check_writable(&self, name: &Label) -> Result<(), OperateError> {
        match self {
            Self::Folder(folder) => folder.check_writable(),
            Self::Host(host) => host.check_writable(name).await,
        }
    }

    /// Keeps what a new installation is known by.
    pub(super) fn keep(&self, installation: &Installation) -> Result<(), OperateError> {
        match self {
            Self::Folder(folder) => installation.keep(&folder.path),
            Self::Host(_) => Ok(()),
        }
    }

    /// Writes a member down: each object or file, and what became of it.
    pub(super) async fn write(
        &self,
        entry: MemberEntry<'_>,
        is_dry: bool,
    ) -> Result<Vec<(String, String)>, OperateError> {
        match self {
            Self::Folder(folder) => folder.write(&entry, is_dry),
            Self::Host(host) => host.write(&entry, is_dry).await,
        }
    }

    /// Takes a member away: each object or file, and what became of it.
    pub(super) async fn remove(
        &self,
        name: &Label,
        is_dry: bool,
    ) -> Result<Vec<(String, String)>, OperateError> {
        match self {
            Self::Folder(folder) => folder.remove(name, is_dry),
            Self::Host(host) => host.remove(name, is_dry).await,
        }
    }
}

/// The kubeconfig of a member of the configuration's own, if it can be read. One with a plugin is left
/// alone: what it does here is not known.
fn other(neighbour: &Neighbour) -> Option<Other> {
    let Source::Kubeconfig { path, context } = &neighbour.source else {
        return None;
    };
    let text = read::read_text(path, &CONFIGURATION_FILE).ok()?;
    let kubeconfig = Kubeconfig::from_yaml(&text).ok()?;
    let mut users = kubeconfig.auth_infos.iter();
    let has_plugin = users.any(|user| {
        let user = user.auth_info.as_ref();
        user.is_some_and(|user| user.exec.is_some())
    });
    (!has_plugin).then(|| Other {
        name: neighbour.name.clone(),
        text,
        path: path.clone(),
        context: context.clone(),
    })
}
