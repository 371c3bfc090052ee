//! Metrics of members.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::contact::Contacts;
use super::declare::{Declare, signed};
use crate::model::{MemberState, UnixSeconds};

/// The values of the label `state`.
const STATES: [&str; 6] = [
    "syncing",
    "never-synced",
    "ready",
    "held",
    "lost",
    "returning",
];

/// The values of the label `event`.
const EVENTS: [&str; 5] = [
    "relist",
    "failure",
    "heartbeat-failure",
    "malformed-object",
    "stall",
];

/// Something that happened between a source and its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceEvent {
    /// Lists were started anew.
    Relist,
    /// A list or watch failed.
    Failure,
    /// A heartbeat failed.
    Heartbeat,
    /// An object could not be read, and was left out.
    Malformed,
    /// It listed without progress, and began from nothing.
    Stall,
}

/// The values of the label `result`.
const RENEWALS: [&str; 3] = ["renewed", "refused", "failed"];

/// What became of an attempt to renew a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// There is a new one.
    Renewed,
    /// The right to ask for it is missing.
    Refused,
    /// There is none for another reason.
    Failed,
}

/// What is shown of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberGauges {
    /// Its state.
    pub state: MemberState,
    /// When its facts were last live; `None` while they are, or when there are none.
    pub last_live: Option<UnixSeconds>,
    /// Services that it exports.
    pub services: usize,
    /// Warnings about it.
    pub warnings: usize,
}

/// The metrics of all members.
#[derive(Debug)]
pub(super) struct Members {
    /// 1 for the state that a member is in.
    state: IntGaugeVec,
    /// Services that a member exports.
    services: IntGaugeVec,
    /// Warnings about a member.
    warnings: IntGaugeVec,
    /// Octets of a member's persisted facts.
    persisted: IntGaugeVec,
    /// Withdrawals of a member's shards that are held back.
    held_back: IntGaugeVec,
    /// How long ago a member's facts were last live; set when somebody looks.
    age: IntGaugeVec,
    /// When each member's facts were last live.
    last_live: Mutex<BTreeMap<Box<str>, Option<UnixSeconds>>>,
    /// When each was last heard, and how it is asked.
    pub(super) contacts: Contacts,
    /// Events of sources.
    events: IntCounterVec,
    /// When what a member is asked with expires.
    credential_expiry: IntGaugeVec,
    /// When the certificate that a member's API shows expires.
    certificate_expiry: IntGaugeVec,
    /// Attempts to renew tokens.
    renewals: IntCounterVec,
    /// Members that an origin gives.
    origins: IntGaugeVec,
    /// What is refused of an origin.
    refused: IntGaugeVec,
    /// What of an origin is no member, and no mistake.
    ignored: IntGaugeVec,
    /// Whether it is not known yet which members an origin gives.
    awaited: IntGaugeVec,
    /// Members that wait for an operator's word that they are gone.
    unconfirmed: IntGauge,
    /// Whether the overrides of the host cluster may not be up to date.
    stale_overrides: IntGauge,
    /// For how long they may not be.
    overrides_age: IntGauge,
}

impl Members {
    /// No member.
    pub(super) fn new(declare: &Declare) -> Self {
        Self {
            state: declare.gauges(
                "gazetteer_publish_member_state",
                "1 for the state that a member is in.",
                &["member", "state"],
            ),
            services: declare.gauges(
                "gazetteer_publish_member_services",
                "Services that a member exports.",
                &["member"],
            ),
            warnings: declare.gauges(
                "gazetteer_publish_member_warnings",
                "Warnings about a member, as `gazetteer clusters` shows them.",
                &["member"],
            ),
            persisted: declare.gauges(
                "gazetteer_publish_persisted_bytes",
                "Size of a member's persisted facts.",
                &["member"],
            ),
            held_back: declare.gauges(
                "gazetteer_publish_held_back_withdrawals",
                "Withdrawals of a member's shards that are held back for confirmation.",
                &["member"],
            ),
            age: declare.gauges(
                "gazetteer_publish_source_age_seconds",
                "How long ago a member's facts were last live; 0 while they are.",
                &["member"],
            ),
            last_live: Mutex::default(),
            contacts: Contacts::default(),
            events: declare.counters(
                "gazetteer_sources_events_total",
                "Events of sources, by event.",
                &["member", "event"],
            ),
            credential_expiry: declare.gauges(
                "gazetteer_sources_credential_expiry_timestamp_seconds",
                "When the token or client certificate for a member expires, in seconds since 1970.",
                &["member"],
            ),
            origins: declare.gauges(
                "gazetteer_membership_members",
                "Members, by where they come from.",
                &["origin"],
            ),
            refused: declare.gauges(
                "gazetteer_membership_refused",
                "Fragments and objects that are wrong.",
                &["origin"],
            ),
            ignored: declare.gauges(
                "gazetteer_membership_ignored",
                "Objects of the host cluster that are no members, and no mistakes: those of Argo CD.",
                &["origin"],
            ),
            awaited: declare.gauges(
                "gazetteer_membership_awaited",
                "1 while it is not known yet since the start which members an origin gives.",
                &["origin"],
            ),
            unconfirmed: declare.gauge(
                "gazetteer_membership_held_back",
                "Members that are gone by all that is known, and stay until an operator confirms it.",
            ),
            stale_overrides: declare.gauge(
                "gazetteer_membership_overrides_stale",
                "1 while the ConfigMap with overrides is out of reach, missing or wrong: what was last right is in force.",
            ),
            overrides_age: declare.gauge(
                "gazetteer_membership_overrides_age_seconds",
                "How long ago the ConfigMap with overrides was last in contact; 0 while it is.",
            ),
            certificate_expiry: declare.gauges(
                "gazetteer_sources_certificate_expiry_timestamp_seconds",
                "When the certificate of a member's API expires, in seconds since 1970.",
                &["member"],
            ),
            renewals: declare.counters(
                "gazetteer_sources_credential_renewals_total",
                "Attempts to renew the token for a member.",
                &["member", "result"],
            ),
        }
    }

    /// Shows a member.
    pub(super) fn set(&self, member: &str, gauges: &MemberGauges) {
        let present = state(gauges.state);
        for state in STATES {
            let gauge = self.state.with_label_values(&[member, state]);
            gauge.set(i64::from(state == present));
        }
        self.services
            .with_label_values(&[member])
            .set(signed(gauges.services));
        self.warnings
            .with_label_values(&[member])
            .set(signed(gauges.warnings));
        // Shown as 0 from the start: what first appears when it happens is no increase to Prometheus.
        self.held_back.with_label_values(&[member]);
        for event in EVENTS {
            self.events.with_label_values(&[member, event]);
        }
        self.last_live
            .lock()
            .insert(member.into(), gauges.last_live);
    }

    /// How many members an origin gives.
    pub(super) fn set_origin(&self, origin: &str, members: usize) {
        let gauge = self.origins.with_label_values(&[origin]);
        gauge.set(signed(members));
    }

    /// How much of an origin is refused.
    pub(super) fn set_refused(&self, origin: &str, refused: usize) {
        let gauge = self.refused.with_label_values(&[origin]);
        gauge.set(signed(refused));
    }

    /// How much of an origin is no member, and no mistake.
    pub(super) fn set_ignored(&self, origin: &str, ignored: usize) {
        let gauge = self.ignored.with_label_values(&[origin]);
        gauge.set(signed(ignored));
    }

    /// Whether it is not known yet which members an origin gives.
    pub(super) fn set_awaited(&self, origin: &str, is_awaited: bool) {
        let gauge = self.awaited.with_label_values(&[origin]);
        gauge.set(i64::from(is_awaited));
    }

    /// How many members wait for an operator's word that they are gone.
    pub(super) fn set_members_held_back(&self, members: usize) {
        self.unconfirmed.set(signed(members));
    }

    /// Whether the overrides of the host cluster may not be up to date, and for how many seconds the host
    /// has been out of contact.
    pub(super) fn set_overrides(&self, is_stale: bool, age: u64) {
        self.stale_overrides.set(i64::from(is_stale));
        self.overrides_age.set(signed(age));
    }

    /// The size of a member's persisted facts.
    pub(super) fn set_persisted(&self, member: &str, octets: u64) {
        self.persisted
            .with_label_values(&[member])
            .set(signed(octets));
    }

    /// How many withdrawals of a member's shards are held back.
    pub(super) fn set_held_back(&self, member: &str, withdrawals: usize) {
        self.held_back
            .with_label_values(&[member])
            .set(signed(withdrawals));
    }

    /// Something happened between a source and its member.
    pub(super) fn count(&self, member: &str, event: SourceEvent) {
        let [relist, failure, heartbeat, malformed, stall] = EVENTS;
        let event = match event {
            SourceEvent::Relist => relist,
            SourceEvent::Failure => failure,
            SourceEvent::Heartbeat => heartbeat,
            SourceEvent::Malformed => malformed,
            SourceEvent::Stall => stall,
        };
        self.events.with_label_values(&[member, event]).inc();
    }

    /// Counts an attempt to renew the token for a member.
    pub(super) fn count_renewal(&self, member: &str, result: Renewal) {
        let [renewed, refused, failed] = RENEWALS;
        let result = match result {
            Renewal::Renewed => renewed,
            Renewal::Refused => refused,
            Renewal::Failed => failed,
        };
        self.renewals.with_label_values(&[member, result]).inc();
    }

    /// When what a member is asked with expires, if it does.
    pub(super) fn set_credential_expiry(&self, member: &str, expires: Option<UnixSeconds>) {
        show_time(&self.credential_expiry, member, expires);
        self.contacts
            .note(member, |contact| contact.expires = expires);
        if expires.is_some() {
            for result in RENEWALS {
                self.renewals.with_label_values(&[member, result]);
            }
        }
    }

    /// When the certificate that a member's API shows expires, if it has shown one.
    pub(super) fn set_certificate_expiry(&self, member: &str, expires: Option<UnixSeconds>) {
        show_time(&self.certificate_expiry, member, expires);
    }

    /// Forgets a member.
    pub(super) fn remove(&self, member: &str) {
        self.last_live.lock().remove(member);
        self.contacts.remove(member);
        // A series that never was needs no removal.
        for state in STATES {
            let _ = self.state.remove_label_values(&[member, state]);
        }
        for event in EVENTS {
            let _ = self.events.remove_label_values(&[member, event]);
        }
        for result in RENEWALS {
            let _ = self.renewals.remove_label_values(&[member, result]);
        }
        let gauges = [
            &self.services,
            &self.warnings,
            &self.persisted,
            &self.held_back,
            &self.age,
            &self.credential_expiry,
            &self.certificate_expiry,
        ];
        for gauges in gauges {
            let _ = gauges.remove_label_values(&[member]);
        }
    }

    /// Brings the ages up to now.
    pub(super) fn age(&self, now: UnixSeconds) {
        for (member, last_live) in self.last_live.lock().iter() {
            let age = last_live.map_or(0, |at| now.0.saturating_sub(at.0));
            self.age.with_label_values(&[member]).set(signed(age));
        }
    }
}

/// Shows a time of a member, or that there is none.
fn show_time(gauges: &IntGaugeVec, member: &str, at: Option<UnixSeconds>) {
    match at {
        Some(at) => gauges.with_label_values(&[member]).set(signed(at.0)),
        // A series that never was needs no removal.
        None => drop(gauges.remove_label_values(&[member])),
    }
}

/// The label of a state.
fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Syncing(_) => "syncing",
        MemberState::NeverSynced => "never-synced",
        MemberState::Ready => "ready",
        MemberState::Held => "held",
        MemberState::Lost => "lost",
        MemberState::Returning => "returning",
    }
}
