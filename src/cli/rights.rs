//! What the daemon may do: once its sockets are bound it gives up everything else.
//!
//! ```text
//! sockets bound ─▶ bounding set ─▶ groups, group, user ─▶ capabilities ─▶ no_new_privs ─▶ files opened
//! ```
//!
//! Capabilities and `no_new_privs` belong to a thread, and threads inherit them: they are dropped while
//! there is one thread alone. What is opened afterwards is opened by whoever the daemon is then, so
//! that what it will not be able to read later fails at the start.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{
    AccessFlags, Gid, Group, Uid, User, access, geteuid, getgrouplist, setgroups, setresgid,
    setresuid,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, no_new_privs, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};
use tracing::info;

use crate::config::{Account, Config, Source};
use crate::names::Label;
use crate::sources::kubernetes;

/// Whom an account is, as the system knows it.
#[derive(Debug)]
pub(super) struct Ids {
    /// The user.
    user: Uid,
    /// Its group.
    group: Gid,
    /// All of its groups.
    groups: Vec<Gid>,
}

/// Makes what is created from now on private: facts and overrides are nobody else's.
pub(super) fn make_files_private() {
    umask(Mode::from_bits_truncate(0o077));
}

/// Looks an account up; `None` when none is configured.
pub(super) fn ids(account: &Account) -> anyhow::Result<Option<Ids>> {
    let Some(name) = &account.user else {
        return Ok(None);
    };
    let number = name.parse().ok().map(Uid::from_raw);
    let found = match number {
        Some(number) => User::from_uid(number),
        None => User::from_name(name),
    };
    let found = found.with_context(|| format!("user \"{name}\""))?;
    let user = found.as_ref().map(|user| user.uid).or(number);
    let user = user.ok_or_else(|| anyhow!("user \"{name}\": unknown user"))?;
    let group = match &account.group {
        Some(name) => self::group(name)?,
        None => found
            .as_ref()
            .map(|user| user.gid)
            .ok_or_else(|| anyhow!("user \"{name}\": unknown user: give group"))?,
    };
    let groups = match &found {
        // A name that comes from the system has no NUL.
        Some(user) => getgrouplist(&CString::new(user.name.as_str())?, group)
            .with_context(|| format!("groups of user \"{name}\""))?,
        None => vec![group],
    };
    Ok(Some(Ids {
        user,
        group,
        groups,
    }))
}

/// Looks a group up.
fn group(name: &str) -> anyhow::Result<Gid> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    let found = Group::from_name(name).with_context(|| format!("group \"{name}\""))?;
    let found = found.map(|group| group.gid);
    found.ok_or_else(|| anyhow!("group \"{name}\": unknown group"))
}

/// Becomes the configured user, and gives up all capabilities and the way to any. To be called while
/// the process has one thread, once all sockets are bound. Then looks whether everything that is
/// configured can be read yet.
pub(super) fn drop(config: &Config) -> anyhow::Result<()> {
    let was_root = geteuid().is_root();
    let before = capabilities(None).context("capabilities")?;
    // Needs a capability itself, so it comes first; a process that has it not can win back none.
    if before.effective.contains(CapabilitySet::SETPCAP) {
        empty_bounding_set().context("bounding set of capabilities")?;
    }
    if let Some(ids) = ids(&config.account)? {
        become_user(&ids)?;
    }
    // Kernels before 4.3 have no ambient set.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).context("cannot drop capabilities")?;
    set_no_new_privs(true).context("no_new_privs")?;
    info!(
        user = geteuid().as_raw(),
        group = nix::unistd::getegid().as_raw(),
        capabilities_dropped = before.permitted.bits().count_ones(),
        no_new_privs = no_new_privs().unwrap_or_default(),
        "privileges dropped"
    );
    // Who was no root has lost nothing by which files are read.
    if was_root {
        check_files(config)
    } else {
        Ok(())
    }
}

/// Takes every capability that the kernel knows from what programs may be given.
fn empty_bounding_set() -> io::Result<()> {
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(one) {
            Ok(true) => remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The kernel knows no more of them.
            Err(_) => break,
        }
    }
    Ok(())
}

/// Becomes a user. glibc does it for all threads of the process.
fn become_user(ids: &Ids) -> anyhow::Result<()> {
    let Ids {
        user,
        group,
        groups,
    } = ids;
    if geteuid() == *user && nix::unistd::getegid() == *group {
        return Ok(());
    }
    if !geteuid().is_root() {
        bail!(
            "user: only root can become another user; this is the user {}",
            geteuid()
        );
    }
    setgroups(groups).context("cannot set groups")?;
    setresgid(*group, *group, *group).with_context(|| format!("cannot become group {group}"))?;
    setresuid(*user, *user, *user).with_context(|| format!("cannot become user {user}"))
}

/// Looks whether whoever the daemon is now may read what is configured, and what kubeconfigs name. What
/// is missing or wrong is the affair of those who read it; what may not be read will never be. Of the
/// state folder nothing is asked: what only keeps stops nothing.
fn check_files(config: &Config) -> anyhow::Result<()> {
    for path in [Some(&config.path), config.geoip.as_ref()]
        .into_iter()
        .flatten()
    {
        check_file(path, None)?;
    }
    // One kubeconfig often has the contexts of all members: it is read once.
    let mut kubeconfigs = BTreeMap::<&Path, Vec<(&Label, &str)>>::new();
    for member in &config.sources {
        match &member.source {
            Source::Kubeconfig { path, context } => {
                check_file(path, Some(&member.member))?;
                let contexts = kubeconfigs.entry(path).or_default();
                contexts.push((&member.member, context));
            }
            Source::File { path } => check_file(path, Some(&member.member))?,
            Source::Url(url) => {
                for file in url.files() {
                    check_file(file, Some(&member.member))?;
                }
            }
            Source::InCluster | Source::Object { .. } => {}
        }
    }
    for (path, members) in kubeconfigs {
        let contexts: Vec<_> = members.iter().map(|(_, context)| *context).collect();
        let named = kubernetes::files_named(path, &contexts);
        for ((member, _), files) in members.iter().zip(named) {
            for file in files {
                check_file(&file, Some(member))?;
            }
        }
    }
    Ok(())
}

/// Refuses a file that may not be read, and says for which member it was to be. Where a kubeconfig has a
/// secret in place of a path, there is no such file, and so no word of it here.
fn check_file(path: &Path, member: Option<&Label>) -> anyhow::Result<()> {
    if !is_denied(path, AccessFlags::R_OK) {
        return Ok(());
    }
    let needed = member.map_or_else(String::new, |member| format!(" for member \"{member}\""));
    bail!(
        "{}: cannot be read{needed}: the daemon is user {} without capabilities once its sockets are bound",
        path.display(),
        geteuid()
    )
}

/// Whether rights are missing. Opens nothing: what is no file could wait for ever.
fn is_denied(path: &Path, flags: AccessFlags) -> bool {
    access(path, flags) == Err(Errno::EACCES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_names_or_numbers() {
        let find = |user: &str, group: Option<&str>| {
            ids(&Account {
                user: Some(user.to_owned()),
                group: group.map(str::to_owned),
            })
        };
        assert!(ids(&Account::default()).unwrap().is_none());
        let root = find("root", None).unwrap().unwrap();
        assert_eq!((root.user.as_raw(), root.group.as_raw()), (0, 0));
        let other = find("4000000", Some("4000001")).unwrap().unwrap();
        assert_eq!(other.user.as_raw(), 4_000_000);
        assert_eq!(other.groups, [Gid::from_raw(4_000_001)]);
        for (user, group, words) in [
            ("no-such-user", None, "user \"no-such-user\""),
            ("4000000", None, "give group"),
            ("root", Some("no-such-group"), "group \"no-such-group\""),
        ] {
            let error = find(user, group).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
