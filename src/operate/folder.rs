//! The members folder: a fragment and a kubeconfig for each member.

use std::path::{Path, PathBuf};

use super::credential::{CONTEXT, MemberCredential};
use super::entry::{KnownMember, MemberEntry, Neighbour, Other, is_ending};
use super::error::OperateError;
use super::file;
use crate::names::Label;

/// A members folder.
pub(super) struct Folder {
    /// The folder.
    pub(super) path: PathBuf,
    /// The configuration that it is beside.
    pub(super) configuration: PathBuf,
    /// The configuration's own members.
    pub(super) neighbours: Vec<Neighbour>,
}

impl Folder {
    /// The fragment of a member.
    fn fragment(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.toml"))
    }

    /// The kubeconfig of a member.
    fn kubeconfig(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.kubeconfig"))
    }

    /// What is written down of a member.
    pub(super) fn known(&self, name: &Label) -> Result<KnownMember, OperateError> {
        let fragment = self.fragment(name.as_str());
        let mut known = KnownMember::default();
        if let Some(text) = file::text(&fragment)? {
            let table = text.parse::<toml::Table>();
            let table = table.map_err(|error| OperateError::file(&fragment, &error.message()))?;
            let source = |key| table.get("source")?.get(key)?.as_str();
            let named = source("kubeconfig").map(|path| self.path.join(path));
            known.has_definition = true;
            known.is_ending = is_ending(&table);
            let ours = self.kubeconfig(name.as_str());
            if named != Some(ours) || source("context") != Some(CONTEXT) {
                known.foreign = Some(fragment.display().to_string());
            }
        }
        let path = self.kubeconfig(name.as_str());
        if let Some(text) = file::text(&path)? {
            known.credential = MemberCredential::read(&text);
            if known.credential.is_none() {
                known.foreign = Some(path.display().to_string());
            }
        }
        Ok(known)
    }

    /// Refuses a folder in which nothing can be written, or in whose parent it cannot be made.
    pub(super) fn check_writable(&self) -> Result<(), OperateError> {
        let parent = self.configuration.parent().unwrap_or(Path::new("."));
        let folder = if self.path.exists() {
            &self.path
        } else {
            parent
        };
        file::check_writable(folder)
    }

    /// The kubeconfigs that `join` wrote for other members.
    pub(super) fn others(&self, name: &Label) -> Result<Vec<Other>, OperateError> {
        let entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(OperateError::file(&self.path, &error)),
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let others = paths.filter_map(|path| {
            let stem = path.file_stem()?.to_str()?;
            let other: Label = stem.parse().ok()?;
            let is_kubeconfig = path.extension()?.to_str()? == "kubeconfig";
            if !is_kubeconfig || other == *name || !self.fragment(stem).exists() {
                return None;
            }
            let text = file::text(&path).ok()??;
            MemberCredential::read(&text)?;
            Some(Other {
                name: other,
                text,
                path: path.clone(),
                context: CONTEXT.to_owned(),
            })
        });
        Ok(others.collect())
    }

    /// Writes a member down: the kubeconfig before what names it. A fragment that is there stays as it
    /// is: keys may have been added to it.
    pub(super) fn write(
        &self,
        entry: &MemberEntry<'_>,
        is_dry: bool,
    ) -> Result<Vec<(String, String)>, OperateError> {
        let name = entry.name.as_str();
        let would = |word: &str| {
            if is_dry {
                format!("would be {word}")
            } else {
                word.to_owned()
            }
        };
        let shown = |path: &Path| path.display().to_string();
        if !is_dry {
            file::make_folder(&self.path)?;
        }
        let kubeconfig = self.kubeconfig(name);
        let mut did = Vec::new();
        match entry.credential {
            Some(credential) => {
                if !is_dry {
                    file::write(&kubeconfig, &credential.render())?;
                }
                did.push((shown(&kubeconfig), would("written")));
            }
            None => did.push((shown(&kubeconfig), "unchanged".to_owned())),
        }
        let fragment = self.fragment(name);
        if file::text(&fragment)?.is_some() {
            did.push((shown(&fragment), "unchanged".to_owned()));
            return Ok(did);
        }
        if !is_dry {
            file::write(&fragment, &definition(entry))?;
        }
        did.push((shown(&fragment), would("written")));
        Ok(did)
    }

    /// Takes a member away: what names the kubeconfig before that.
    pub(super) fn remove(
        &self,
        name: &Label,
        is_dry: bool,
    ) -> Result<Vec<(String, String)>, OperateError> {
        let name = name.as_str();
        let mut did = Vec::new();
        for path in [self.fragment(name), self.kubeconfig(name)] {
            let shown = path.display().to_string();
            if is_dry {
                if path.exists() {
                    did.push((shown, "would be removed".to_owned()));
                }
            } else if file::remove(&path)? {
                did.push((shown, "removed".to_owned()));
            }
        }
        Ok(did)
    }
}

/// A fragment.
fn definition(entry: &MemberEntry<'_>) -> String {
    let name = entry.name;
    let renew = if entry.is_ending {
        ", renew = false"
    } else {
        ""
    };
    format!(
        "# Written by `gazetteer join`, which leaves it as it is from now on: keys of [[member]] may be added.\n\
         version = \"v1\"\nname = \"{name}\"\n\
         source = {{ kubeconfig = \"{name}.kubeconfig\", context = \"{CONTEXT}\"{renew} }}\n{}",
        entry.keys
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::credential::ApiEndpoint;

    #[test]
    fn a_fragment_keeps_what_was_added_to_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder {
            path: parent.path().join("members.d"),
            configuration: parent.path().join("gazetteer.toml"),
            neighbours: Vec::new(),
        };
        let name: Label = "m".parse().unwrap();
        let credential = MemberCredential {
            endpoint: ApiEndpoint {
                server: "https://203.0.113.7:6443".to_owned(),
                authority: None,
                server_name: None,
                proxy: None,
                is_unverified: false,
            },
            token: "a.b.c".into(),
        };
        let entry = |credential| MemberEntry {
            name: &name,
            credential,
            keys: "region = \"r\"\n".to_owned(),
            is_ending: true,
        };
        assert!(!folder.known(&name).unwrap().is_there());
        folder.write(&entry(Some(&credential)), true).unwrap();
        assert!(!folder.path.exists());
        folder.write(&entry(Some(&credential)), false).unwrap();
        let known = folder.known(&name).unwrap();
        assert!(known.is_there() && known.foreign.is_none() && known.is_ending);
        let added = "namespaces = [\"shop\"]\n";
        let fragment = folder.fragment("m");
        let text = file::text(&fragment).unwrap().unwrap() + added;
        file::write(&fragment, &text).unwrap();
        let did = folder.write(&entry(None), false).unwrap();
        assert!(
            did.iter().all(|(_, result)| result == "unchanged"),
            "{did:?}"
        );
        assert_eq!(file::text(&fragment).unwrap(), Some(text));
        assert!(folder.others(&name).unwrap().is_empty());
        assert_eq!(folder.others(&"n".parse().unwrap()).unwrap().len(), 1);
        file::write(
            &fragment,
            "source = { kubeconfig = \"else\", context = \"a@b\" }",
        )
        .unwrap();
        assert!(folder.known(&name).unwrap().foreign.is_some());
        assert_eq!(folder.remove(&name, false).unwrap().len(), 2);
        assert!(!folder.known(&name).unwrap().is_there());
    }
}
