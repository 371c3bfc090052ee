//! The record of [`Inside`].

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::labels::Labels;
use crate::model::{Inside, Pod};
use crate::names::{Label, LabelError};

/// [`Inside`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum InsideV1<'a> {
    /// [`Inside::ClusterIps`].
    ClusterIps(Vec<IpAddr>),
    /// [`Inside::Pods`]: host name, address, whether it is ready.
    #[serde(borrow)]
    Pods(Vec<(Option<&'a str>, IpAddr, bool)>),
}

impl<'a> From<&'a Inside> for InsideV1<'a> {
    fn from(inside: &'a Inside) -> Self {
        let pod = |pod: &'a Pod| {
            let hostname = pod.hostname.as_ref().map(Label::as_str);
            (hostname, pod.address, pod.is_ready)
        };
        match inside {
            Inside::ClusterIps(addresses) => Self::ClusterIps(addresses.to_vec()),
            Inside::Pods(pods) => Self::Pods(pods.iter().map(pod).collect()),
        }
    }
}

impl InsideV1<'_> {
    /// Reads it.
    pub(super) fn read(self, known: &mut Labels) -> Result<Inside, LabelError> {
        let pods = match self {
            Self::ClusterIps(addresses) => return Ok(Inside::ClusterIps(addresses.into())),
            Self::Pods(pods) => pods,
        };
        let pods = pods.into_iter().map(|(hostname, address, is_ready)| {
            let hostname = hostname.map(|name| known.label(name)).transpose()?;
            Ok(Pod {
                hostname,
                address,
                is_ready,
            })
        });
        Ok(Inside::of_pods(pods.collect::<Result<_, _>>()?))
    }
}
