//! Where a member comes from.

use std::fmt;

/// Where a member comes from (docs/membership.md, Where members come from).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberOrigin {
    /// `[[member]]` of the configuration.
    #[default]
    Config,
    /// A fragment of the members folder.
    Folder,
    /// A Secret of this name in the host cluster.
    Secret(String),
    /// A `ClusterProfile` of this name in the host cluster.
    Profile(String),
}

impl MemberOrigin {
    /// Its kind in one word, as metrics have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Folder => "folder",
            Self::Secret(_) => "secret",
            Self::Profile(_) => "profile",
        }
    }
}

/// As `gazetteer clusters -o wide` shows it: `config`, `folder`, `secret/NAME` or `profile/NAME`.
impl fmt::Display for MemberOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Config | Self::Folder => f.write_str(kind),
            Self::Secret(name) | Self::Profile(name) => write!(f, "{kind}/{name}"),
        }
    }
}

/// A list that says which members there are, beside the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberList {
    /// The members folder.
    Folder,
    /// Secrets of the host cluster.
    Secrets,
    /// `ClusterProfile`s of the host cluster.
    Profiles,
}

impl MemberList {
    /// All of them, in the order of the members that they give.
    pub const ALL: [Self; 3] = [Self::Folder, Self::Secrets, Self::Profiles];

    /// The [kind](MemberOrigin::kind) of the members that it gives.
    pub fn origin(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Secrets => "secret",
            Self::Profiles => "profile",
        }
    }
}

impl fmt::Display for MemberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "the members folder",
            Self::Secrets => "Secrets of the host cluster",
            Self::Profiles => "ClusterProfiles of the host cluster",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_its_object() {
        let shown = [
            MemberOrigin::Config,
            MemberOrigin::Folder,
            MemberOrigin::Secret("a.b".to_owned()),
            MemberOrigin::Profile("c".to_owned()),
        ];
        let shown = shown.map(|origin| origin.to_string());
        assert_eq!(shown, ["config", "folder", "secret/a.b", "profile/c"]);
    }
}
