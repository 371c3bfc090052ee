//! Members that come from elsewhere than the configuration: a folder of fragments. Other origins may
//! join it, each with a list of its own and [`Presence`] for who is gone.

mod folder;
mod host;
mod overrides;
mod presence;
mod survey;

pub use self::folder::MembersFolder;
pub use self::host::{HostChange, HostMembers};
pub use self::overrides::follow_overrides;
pub use self::presence::{OtherOrigins, Presence, RecentDepartures};
pub use self::survey::{HostSurvey, survey_host};
