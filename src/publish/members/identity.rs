//! Whether facts are those of the cluster that a member is now.

use crate::config::{Source, file_origin};
use crate::model::Identity;

/// Whether facts learnt under `old` are those of another cluster than `new`: another origin, or
/// another UID where both are known (docs/kubernetes.md, Identity).
pub(in crate::publish) fn is_other(old: &Identity, new: &Identity) -> bool {
    let uids = old.uid.as_ref().zip(new.uid.as_ref());
    old.origin != new.origin || uids.is_some_and(|(old, new)| old != new)
}

/// What is known of the cluster when `new` is heard: a UID or version that may not be read now is
/// the last one known.
pub(in crate::publish) fn merge(old: Option<&Identity>, mut new: Identity) -> Identity {
    if let Some(old) = old {
        new.uid = new.uid.or_else(|| old.uid.clone());
        new.version = new.version.or_else(|| old.version.clone());
    }
    new
}

/// Whether facts from `origin` may be those of `source`. Only the source itself knows the URL of
/// its API, so two APIs cannot be told apart here: [`is_other`] does when the source speaks.
pub(in crate::publish) fn may_be(origin: &str, source: &Source) -> bool {
    match source {
        Source::File { path } => origin == file_origin(path),
        Source::Url(url) => origin == url.url,
        Source::Kubeconfig { .. } | Source::InCluster | Source::Object { .. } => {
            origin.contains("://")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(origin: &str, uid: Option<&str>) -> Identity {
        Identity {
            origin: origin.into(),
            uid: uid.map(Into::into),
            version: None,
        }
    }

    #[test]
    fn another_origin_or_another_uid_is_another_cluster() {
        let check = |old: (&str, Option<&str>), new: (&str, Option<&str>), expected| {
            let got = is_other(&identity(old.0, old.1), &identity(new.0, new.1));
            assert_eq!(got, expected, "{old:?} {new:?}");
        };
        check(("https://a", Some("1")), ("https://a", Some("1")), false);
        check(("https://a", Some("1")), ("https://a", None), false);
        check(("https://a", None), ("https://a", Some("1")), false);
        check(("https://a", Some("1")), ("https://a", Some("2")), true);
        check(("https://a", Some("1")), ("https://b", Some("1")), true);
    }

    #[test]
    fn facts_of_a_file_are_not_those_of_an_api_or_another_file() {
        let file = Source::File {
            path: "/f/a.toml".into(),
        };
        let check = |origin, source: &Source, expected| {
            assert_eq!(may_be(origin, source), expected, "{origin}");
        };
        check("/f/a.toml", &file, true);
        check("/f/b.toml", &file, false);
        check("https://a", &file, false);
        check("https://a", &Source::InCluster, true);
        check("/f/a.toml", &Source::InCluster, false);
        let here = std::env::current_dir().unwrap().join("a.toml");
        let relative = Source::File {
            path: "a.toml".into(),
        };
        check(here.to_str().unwrap(), &relative, true);
    }
}
