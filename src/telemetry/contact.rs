//! What is news too often to be in a snapshot: when members were last heard, and when what they are
//! asked with expires.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::model::UnixSeconds;

/// When the API of a member was last heard, and how it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastContact {
    /// When it last answered; `None` when it has not in this process, or is a file.
    pub heard: Option<Instant>,
    /// When the token or client certificate for it expires, if it does.
    pub expires: Option<UnixSeconds>,
}

/// The contact to all members.
#[derive(Debug, Default)]
pub(super) struct Contacts(Mutex<BTreeMap<Box<str>, LastContact>>);

impl Contacts {
    /// Notes something of a member.
    pub(super) fn note(&self, member: &str, note: impl FnOnce(&mut LastContact)) {
        let mut contacts = self.0.lock();
        match contacts.get_mut(member) {
            Some(contact) => note(contact),
            None => note(contacts.entry(member.into()).or_default()),
        }
    }

    /// What is known of a member.
    pub(super) fn get(&self, member: &str) -> LastContact {
        self.0.lock().get(member).copied().unwrap_or_default()
    }

    /// Forgets a member.
    pub(super) fn remove(&self, member: &str) {
        self.0.lock().remove(member);
    }
}
