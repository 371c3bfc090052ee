//! Where the nodes of a cluster stand, learnt from one list of them: for those who only look.

use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use super::convert::{self, ObjectContent};
use super::index::Topology;
use super::objects::NodeObject;
use crate::model::LearntTopology;

/// Where the nodes of a cluster stand.
#[derive(Debug)]
pub struct NodeSurvey {
    /// How many nodes there are.
    pub nodes: usize,
    /// Nodes with the region that was learnt.
    pub in_region: usize,
    /// Region and zones, as a member's are learnt.
    pub learnt: LearntTopology,
    /// Nodes that do not say their region.
    pub without_region: usize,
    /// Nodes that do not say their zone.
    pub without_zone: usize,
    /// The networks of pods and the addresses of nodes, ascending.
    pub networks: Arc<[IpNet]>,
}

/// Learns from Node objects as the daemon does from a member's. What is no Node is passed over.
pub fn survey_nodes(objects: Vec<Value>) -> NodeSurvey {
    let mut topology = Topology::default();
    let nodes = objects.len();
    let (mut without_region, mut without_zone) = (0, 0);
    for object in objects {
        let Ok(node) = serde_json::from_value::<NodeObject>(object) else {
            continue;
        };
        if let ObjectContent::Facts(facts) = convert::node(&node).content {
            without_region += usize::from(facts.region.is_none());
            without_zone += usize::from(facts.zone.is_none());
            topology.count(None, Some(&facts));
        }
    }
    let learnt = topology.learn();
    let region = learnt.region.as_ref();
    NodeSurvey {
        nodes,
        in_region: region.map_or(0, |region| topology.nodes_in(region)),
        learnt,
        without_region,
        without_zone,
        networks: topology.networks(),
    }
}
