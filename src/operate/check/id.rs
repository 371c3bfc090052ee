//! What can be checked: the one table of ids. docs/checks.md has a heading for each.

use std::fmt;

/// Declares the checks, in the order in which they are shown.
macro_rules! checks {
    ($($id:ident = $name:literal, $title:literal;)*) => {
        /// A check.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CheckId {
            $(#[doc = $title] $id,)*
        }

        /// All checks, in the order in which they are shown.
        pub const CHECKS: &[CheckId] = &[$(CheckId::$id),*];

        impl CheckId {
            /// As it is called, and the anchor of its heading in docs/checks.md.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $name,)*
                }
            }

            /// What is so when it passes.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$id => $title,)*
                }
            }
        }
    };
}

checks! {
    Config = "config", "The configuration is right";
    FactsFiles = "facts-files", "Every facts file is there and right";
    Fragments = "fragments", "Every fragment of the members folder is right";
    HostMembers = "host-members", "The host cluster says which members there are, and each can be reached as it says";
    DaemonReady = "daemon-ready", "The daemon is ready";
    DaemonStateDir = "daemon-state-dir", "The daemon can use its state folder";
    DaemonOverrides = "daemon-overrides", "Nothing is frozen, held back or drained for long";
    ApiReachable = "api-reachable", "The API answers over TCP, TLS and `/readyz`";
    ApiCertificate = "api-certificate", "The API's certificate is verified and good for 30 days";
    ApiIdentity = "api-identity", "The API is that of the cluster that the member was, and of no other member";
    ApiClock = "api-clock", "The API's clock is within 5 s of the clock here";
    Credential = "credential", "The API takes the daemon's credential, which lives on for a while";
    RightsList = "rights-list", "The daemon may list each kind that it reads";
    RightsWatch = "rights-watch", "The daemon may watch each kind that it reads";
    RightsPaths = "rights-paths", "The daemon may get `/readyz` and `/version`";
    RightsLeast = "rights-least", "The daemon may do no more than it needs";
    Labels = "labels", "Nodes say their region and zone, and both can be published";
    Exports = "exports", "Each exported service has an address and a ready endpoint";
    Via = "via", "What services ask for in front of them can be read, and is there";
    Networks = "networks", "No network is in that of another member";
    Names = "names", "No name is over 255 octets, and no namespace is called as a federation";
    ClustersetId = "clusterset-id", "The member is called as its clusterset calls it";
    DnsUdp = "dns-udp", "Each listener and name server answers over UDP";
    DnsTcp = "dns-tcp", "Each listener and name server answers over TCP";
    ParentNs = "parent-ns", "The zone above delegates the apex to the name servers that are configured";
    ParentGlue = "parent-glue", "The zone above has the addresses of name servers that are configured";
    ParentDs = "parent-ds", "The zone above has the DS record of a signed apex, and none of another";
    Stub = "stub", "The DNS server of the member forwards what is served here";
    Ecs = "ecs", "The resolver passes client subnets on";
}

impl CheckId {
    /// Where it is described.
    pub fn doc(self) -> String {
        format!("docs/checks.md#{self}")
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_checks_has_exactly_these_headings() {
        let page = include_str!("../../../docs/checks.md");
        let mut told = Vec::new();
        let mut lines = page.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("### ") {
                let title = lines.find(|line| !line.is_empty()).unwrap_or_default();
                told.push((name, title));
            }
        }
        let names: Vec<_> = told.iter().map(|(name, _)| *name).collect();
        let ids: Vec<_> = CHECKS.iter().map(|id| id.name()).collect();
        assert_eq!(names, ids);
        for (id, (_, title)) in CHECKS.iter().zip(told) {
            let expected = format!("{}.", id.title());
            assert!(title.starts_with(&expected), "{id}: {title:?}");
        }
    }
}
