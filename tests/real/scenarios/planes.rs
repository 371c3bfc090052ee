//! What the other scenarios take for granted of the control planes.

use serde_json::json;

use crate::fleet::Fleet;
use crate::objects::slices;
use crate::wait::{SOON, until};

/// Pods of a deployment become endpoints as their status is written; gazetteer's account may list
/// services and may not list pods.
pub(crate) fn pods_become_endpoints(fleet: &Fleet) {
    for member in &fleet.members {
        member.service("planes", "web", true, &json!([{"ip": member.balancer(1)}]));
        member.deployment("planes", "web", 2);
        member.set_pods("planes", "web", 2, true);
        until("two ready endpoints", SOON, || {
            let list = member
                .api
                .get(&slices("planes"))
                .map_err(|why| why.to_string())?;
            let ready = list["items"]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten())
                .filter(|endpoint| endpoint["conditions"]["ready"] == true)
                .count();
            if ready == 2 {
                Ok(())
            } else {
                Err(list["items"].to_string())
            }
        });
        let (namespace, account) = fleet.account();
        let token = member.token(namespace, account);
        assert_eq!(
            member.status_with(&token),
            200,
            "list of services by {account}"
        );
    }
}
