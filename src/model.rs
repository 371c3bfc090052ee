//! Plain facts: what the configuration and the sources say, and nothing that was decided from it.
//!
//! No serialization, no Kubernetes types, no I/O, no clock. Facts are shared by `Arc`: a source, the
//! writer and the snapshot hold the same ones.

mod addresses;
mod asked_probe;
mod damper;
mod delta;
mod event;
mod export;
mod federation;
mod fleet;
mod geo;
mod inside;
pub mod limits;
mod member;
mod origin;
mod overrides;
mod place;
mod probe;
mod rate_limits;
mod regions;
mod roster;
mod service;
mod shared_overrides;
mod state;
mod static_zone;
mod text;
mod way_in;

pub use addresses::{
    AddressPolicy, Addresses, Unusable, canonical_network, parse_address, parse_network,
};
pub use asked_probe::IgnoredProbe;
pub use damper::Damper;
pub use delta::{CONFIRM_DELAY, Change, Delta, Epoch, Identity, LearntTopology, Loss};
pub use event::{Event, EventKind, Peer};
pub use export::IgnoredReason;
pub use federation::{
    ExportMode, Federation, NameServer, Pattern, Policy, SrvForm, WhenAllDown, local_apex,
};
pub use fleet::{Fleet, RegionCost, StaticRegion};
pub use geo::{GeoCode, GeoDatabase, GeoDatabaseError, GeoRecord};
pub use inside::{Inside, Pod, PodName};
pub use member::{EVERY_MEMBER, Gateway, Member, MemberIdx, MemberSet, allows};
pub use origin::{MemberList, MemberOrigin};
pub use overrides::{Drain, FULL_SHARE, Freeze, OverrideTarget, OverrideTargetError, Overrides};
pub use place::{ListenerIdx, Location, Network, Place, VantageIdx};
pub use probe::{
    Check, Evidence, Finding, Findings, HttpCheck, Probe, ProbeSettings, ProbeTarget, ProbeTargets,
    Tls, Verdict,
};
pub use rate_limits::{RateClass, RateLimits};
pub use roster::Roster;
pub use service::{
    Endpoints, Export, HostNames, MOST_ADDRESSES, NamespacedName, Port, Protocol, Service,
    ServiceKind, Spec, Specs, Steering,
};
pub use shared_overrides::{
    ConfirmedRemoval, OVERRIDES_KEY, OverridesNews, OverridesSaid, SharedOverrides, SharedText,
};
pub use state::{Joined, MemberState, MemberStatus, TopologyFacts, UnixSeconds};
pub use static_zone::{ServiceAlias, StaticSet, StaticZone};
pub use text::{Shown, kept, with_causes};
pub use way_in::{FrontKind, FrontObject, FrontObjectError, WayIn};
