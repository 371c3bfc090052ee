//! Three control planes, shared by every scenario of a run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use crate::loopback;
use crate::member::Member;
use crate::pki;
use crate::process::program;

/// Name, region and zone of each member.
const PLACES: [(&str, &str, &str); 3] = [
    ("ew1b", "europe-west1", "europe-west1-b"),
    ("ew1d", "europe-west1", "europe-west1-d"),
    ("ue1b", "us-east1", "us-east1-b"),
];

/// The members of a run.
pub(crate) struct Fleet {
    /// Two in one region, one in another.
    pub(crate) members: [Member; 3],
    /// `deploy/rbac.yaml`, object by object.
    pub(crate) rights: Vec<Value>,
    /// Where everything of this run is kept.
    pub(crate) folder: PathBuf,
    /// How many gazetteers were started, for their folders.
    pub(crate) daemons: AtomicU8,
}

impl Fleet {
    /// Starts three control planes.
    pub(crate) fn start(folder: &Path) -> Self {
        // Said at once, rather than by three threads.
        for name in [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kubectl",
        ] {
            program(name);
        }
        let addresses = loopback::addresses([1, 2, 3], &[2379, 2380, Member::PORT]);
        let pki = pki::create(&folder.join("pki"), &addresses);
        let mut places = PLACES.into_iter().zip(addresses).zip([10u8, 50, 90]);
        let members = std::array::from_fn(|_| {
            let ((place, address), network) = places.next().expect("three places");
            Member::new(place, network, address, folder, &pki)
        });
        let fleet = Self {
            members,
            rights: rights(),
            folder: folder.to_owned(),
            daemons: AtomicU8::new(0),
        };
        fleet.mend();
        fleet
    }

    /// Brings every member back to what a scenario starts with: all programs run, gazetteer has its
    /// rights, and the node has its labels.
    pub(crate) fn mend(&self) {
        std::thread::scope(|scope| {
            let mending = self.members.each_ref().map(|member| {
                scope.spawn(|| {
                    member.start();
                    member.apply_rights(&self.rights);
                    member.label_node(member.region, member.zone);
                })
            });
            for thread in mending {
                // Joined by hand: the scope itself would replace the message of a panic.
                if let Err(panic) = thread.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
    }

    /// The service account of `deploy/rbac.yaml`: namespace and name.
    pub(crate) fn account(&self) -> (&str, &str) {
        let account = self
            .rights
            .iter()
            .find(|object| object["kind"] == "ServiceAccount");
        let metadata = &account.expect("a ServiceAccount in deploy/rbac.yaml")["metadata"];
        let name = metadata["name"]
            .as_str()
            .expect("name of the ServiceAccount");
        (metadata["namespace"].as_str().unwrap_or("default"), name)
    }

    /// A folder for the next gazetteer.
    pub(crate) fn daemon_folder(&self) -> PathBuf {
        let number = self.daemons.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("gazetteer-{number}"))
    }
}

impl Member {
    /// Gives its one node these topology labels.
    pub(crate) fn label_node(&self, region: &str, zone: &str) {
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "node", "labels": {
                "topology.kubernetes.io/region": region,
                "topology.kubernetes.io/zone": zone,
            }}
        });
        self.api.apply("/api/v1/nodes/node", &node);
    }
}

/// The objects of `deploy/rbac.yaml`.
fn rights() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rbac.yaml");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
