//! Every bound on what others choose: clients, members, operators and the files that they write.
//!
//! Whoever exceeds one pays alone: a member is held with the reason shown, a client is refused, and
//! the rest goes on. Each limit has a name, under which `gazetteer_limit_exceeded_total` counts how
//! often it was met; docs/limits.md has the same table.

/// A bound on something that others choose.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it bounds, as the metric's label says it.
    pub name: &'static str,
    /// The largest value that is let through, in `unit`.
    pub most: u64,
    /// What `most` counts.
    pub unit: &'static str,
    /// Why it is not higher.
    pub reason: &'static str,
}

impl Limit {
    /// The largest value, as a length in memory.
    pub const fn length(&self) -> usize {
        // Every value below fits 32 bits, or a platform of 64 bits is needed anyway.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a compile-time constant of this file"
        )]
        let length = self.most as usize;
        length
    }

    /// Whether a value is more than is let through.
    pub const fn is_exceeded_by(&self, value: u64) -> bool {
        value > self.most
    }
}

/// A number of mebibytes, in octets.
const fn mebibytes(number: u64) -> u64 {
    number << 20
}

/// Declares the limits, and the list of all of them.
macro_rules! limits {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $most:expr, $unit:literal, $reason:literal;)*) => {
        $($(#[$doc])* pub static $constant: Limit =
            Limit { name: $name, most: $most, unit: $unit, reason: $reason };)*

        /// All limits, in the order of the table in docs/limits.md.
        pub static LIMITS: &[&Limit] = &[$(&$constant),*];
    };
}

limits! {
    /// Body of one page of a list of a member's API.
    LIST_PAGE = "list-page", mebibytes(64), "octets", "a page of 500 objects at their largest would be held whole";
    /// Body of a member's `/version` or `/readyz`.
    SMALL_BODY = "small-body", 64 << 10, "octets", "both are a few hundred octets long";
    /// Body of a reply to a request for a token.
    TOKEN_BODY = "token-body", mebibytes(1), "octets", "a token is a few thousand octets long";
    /// One line of a watch.
    WATCH_LINE = "watch-line", mebibytes(8), "octets", "etcd keeps no object above 1.5 MiB";
    /// Objects of one member, of all kinds together.
    MEMBER_OBJECTS = "member-objects", 2_000_000, "objects", "more than any cluster that Kubernetes supports";
    /// Octets that the facts of one member hold; `facts-limit` of the member sets another number.
    MEMBER_FACTS = "member-facts", mebibytes(1024), "octets", "a member must leave memory to the others";
    /// Objects of one kind that are read of the host cluster.
    HOST_OBJECTS = "host-objects", 1024, "objects", "there may be 256 members";
    /// Octets of one list of the host cluster.
    HOST_LIST = "host-list", mebibytes(64), "octets", "a list is held whole until it is read";
    /// Output of an exec plugin, both streams together.
    EXEC_OUTPUT = "exec-output", mebibytes(1), "octets", "a credential is a few thousand octets long";
    /// How long an exec plugin may run.
    EXEC_TIME = "exec-time", 30, "seconds", "a plugin that asks a person has nobody to ask";
    /// A configuration file or a kubeconfig.
    CONFIGURATION_FILE = "configuration-file", mebibytes(16), "octets", "read and kept whole";
    /// A file of secrets of DNS cookies.
    COOKIE_SECRETS_FILE = "cookie-secrets-file", 4096, "octets", "it has four lines of 32 digits, and remarks";
    /// Federations of a configuration.
    FEDERATIONS = "federations", 4096, "federations", "the zones of each are compared with those of all others";
    /// A facts file.
    FACTS_FILE = "facts-file", mebibytes(512), "octets", "read whole; a million services are some 200 MiB";
    /// A facts document of a server.
    FACTS_DOCUMENT = "facts-document", mebibytes(64), "octets", "held whole, and asked for again and again";
    /// One table of a facts file, such as a service with its endpoints.
    FACTS_TABLE = "facts-table", mebibytes(4), "octets", "parsed whole; as a tree it is some 20 times as large";
    /// A master file, each that is included for itself.
    ZONE_FILE = "zone-file", mebibytes(256), "octets", "read whole";
    /// Records of a zone's master files.
    ZONE_RECORDS = "zone-records", 2_000_000, "records", "kept whole in memory";
    /// One entry of a master file.
    ZONE_ENTRY = "zone-entry", 256 << 10, "octets", "the rdata of a record has at most 65,535 octets";
    /// Master files of one zone.
    ZONE_FILES = "zone-files", 1024, "files", "files that include each other several times grow without end";
    /// How deep master files include each other.
    INCLUDE_DEPTH = "include-depth", 8, "files deep", "a file might include itself";
    /// A GeoIP database.
    GEOIP_FILE = "geoip-file", mebibytes(256), "octets", "kept whole in memory";
    /// Load balancer host names of one member that are resolved.
    MEMBER_HOSTNAMES = "member-hostnames", 4096, "host names", "each is asked for again and again";
    /// Outside addresses of one shard, of each family.
    SHARD_ADDRESSES = "shard-addresses", 4096, "addresses", "a message holds 65,535 octets";
    /// The least time between two probes of a target that facts ask for; less is this.
    PROBE_INTERVAL = "probe-interval", 500, "milliseconds", "whoever writes facts must not make us flood an address";
    /// Octets that one message holds: records beyond it are left out by a draw.
    MESSAGE = "message", 65_535, "octets", "the length of a message over TCP is 16 bits (RFC 1035, 4.2.2)";
    /// A string that a member says: a version, a message, a reason, a label.
    MEMBER_STRING = "member-string", 256, "octets", "shown to people, kept for each member and event";
    /// Problems that are reported of one file.
    PROBLEMS = "problems", 100, "problems", "nobody reads more, and each is kept";
    /// Octets that a TCP connection may have unsent.
    TCP_UNSENT = "tcp-unsent", 256 << 10, "octets", "a client that does not read must not fill the memory";
    /// Connections to the admin address, and to the control socket.
    ADMIN_CONNECTIONS = "admin-connections", 64, "connections", "people and scrapers are few";
    /// Of these, connections that only `/livez`, `/readyz` and `/metrics` may take.
    ADMIN_KEPT = "admin-kept", 8, "connections", "whoever else asks, health is told";
    /// How long the head of a request to the admin address may take.
    ADMIN_HEAD = "admin-head", 5, "seconds", "a head is one packet";
    /// Head of a request to the admin address, or to the control socket.
    ADMIN_HEAD_SIZE = "admin-head-size", 16 << 10, "octets", "a head is some hundred octets long";
    /// Body of a command to the control socket.
    CONTROL_COMMAND = "control-command", 16 << 10, "octets", "a command names one thing";
    /// How long a whole request to the admin address may take.
    ADMIN_REQUEST = "admin-request", 30, "seconds", "the longest answer, of all members, takes less";
    /// Drains and cordons in force at once.
    DRAINS = "drains", 1_000, "drains", "each is looked at once in a second; regions and zones take many members at once";
    /// Services that are gone or have another TTL or fewer members while caches may hold them as they were.
    LINGERING = "lingering", 65_536, "services", "each is looked at once in a second; with more, `safe at` is that of the longest TTL";
    /// A file of the last facts of one member in `state-dir`.
    KEPT_FACTS = "kept-facts", mebibytes(2048), "octets", "read at a start; what a member may hold in memory takes less";
    /// What probes have found, in `state-dir`.
    KEPT_PROBES = "kept-probes", mebibytes(64), "octets", "all addresses that are kept take less";
    /// The file of what operators have decided.
    OVERRIDES_FILE = "overrides-file", mebibytes(1), "octets", "as many drains as there may be take less";
    /// A file of a DNSSEC key.
    KEY_FILE = "key-file", 16 << 10, "octets", "a key file is some hundred octets long";
    /// Files in the folder of DNSSEC keys.
    KEY_FILES = "key-files", 16_384, "files", "each is read again whenever one changes";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_limit_has_a_name_of_its_own_and_a_reason() {
        let names: HashSet<_> = LIMITS.iter().map(|limit| limit.name).collect();
        assert_eq!(names.len(), LIMITS.len());
        for limit in LIMITS {
            let is_label = |octet: u8| octet.is_ascii_lowercase() || octet == b'-';
            assert!(limit.name.bytes().all(is_label), "{limit:?}");
            assert!(limit.most > 0 && !limit.reason.is_empty(), "{limit:?}");
            assert!(!limit.is_exceeded_by(limit.most) && limit.is_exceeded_by(limit.most + 1));
        }
    }

    #[test]
    fn the_page_of_limits_has_the_same_table() {
        let page = include_str!("../../docs/limits.md");
        for limit in LIMITS {
            let row = format!("| `{}` |", limit.name);
            assert!(page.contains(&row), "docs/limits.md has no row {row}");
        }
    }
}
