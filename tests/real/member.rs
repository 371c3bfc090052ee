//! One control plane: etcd, an API server and the controllers that pods and slices need.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde_json::json;

use crate::api::{Api, Refusal};
use crate::files;
use crate::pki::Pki;
use crate::process::{Process, program};
use crate::wait::{START, until};

/// The token of the administrator.
const ADMIN: &str = "administrator-of-the-tests";
/// The controllers that make endpoint slices out of deployments and tokens of Secrets; nothing else runs, no
/// scheduler and no kubelet: pods name their node, and tests write their status.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,endpointslice-controller,\
    serviceaccount-token-controller";

/// A member cluster.
pub(crate) struct Member {
    /// Its name in gazetteer's configuration.
    pub(crate) name: &'static str,
    /// The region label of its node.
    pub(crate) region: &'static str,
    /// The zone label of its node.
    pub(crate) zone: &'static str,
    /// Its load balancers' network: `203.0.113.<this>` and up.
    pub(crate) network: u8,
    /// Its own loopback address.
    pub(crate) address: Ipv4Addr,
    /// Its administrator.
    pub(crate) api: Api,
    /// Where its data and logs are.
    folder: PathBuf,
    /// Certificates and keys.
    pki: Pki,
    /// The database.
    etcd: Mutex<Option<Process>>,
    /// The API server.
    server: Mutex<Option<Process>>,
    /// The controllers.
    controllers: Mutex<Option<Process>>,
    /// What the API server is told besides.
    more: Mutex<Vec<String>>,
}

impl Member {
    /// The port of every API server; each has an address of its own.
    pub(crate) const PORT: u16 = 6443;

    /// A member that does not run yet.
    pub(crate) fn new(
        (name, region, zone): (&'static str, &'static str, &'static str),
        network: u8,
        address: Ipv4Addr,
        run: &Path,
        pki: &Pki,
    ) -> Self {
        let folder = run.join(name);
        std::fs::create_dir_all(&folder).expect("member folder");
        let tokens = format!("{ADMIN},administrator,administrator,\"system:masters\"\n");
        files::write(&folder.join("tokens.csv"), tokens);
        let kubeconfig = kubeconfig(address, &pki.authority);
        files::write(&folder.join("admin.kubeconfig"), &kubeconfig);
        Self {
            name,
            region,
            zone,
            network,
            address,
            api: Api::new(&kubeconfig),
            folder,
            pki: pki.clone(),
            etcd: Mutex::default(),
            server: Mutex::default(),
            controllers: Mutex::default(),
            more: Mutex::default(),
        }
    }

    /// The URL of its API.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:{}", self.address, Self::PORT)
    }

    /// The certificates and keys of its API.
    pub(crate) fn pki(&self) -> &Pki {
        &self.pki
    }

    /// A kubeconfig of its administrator, with the context `member`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The nth load balancer address of its network.
    pub(crate) fn balancer(&self, n: u8) -> String {
        format!("203.0.113.{}", self.network + n)
    }

    /// Logs of its programs.
    pub(crate) fn logs(&self) -> [PathBuf; 3] {
        [
            "etcd.log",
            "kube-apiserver.log",
            "kube-controller-manager.log",
        ]
        .map(|log| self.folder.join(log))
    }

    /// Starts the controllers anew: where the database went back, what they know is of the future.
    pub(crate) fn restart_controllers(&self) {
        drop(self.controllers.lock().take());
        self.start();
    }

    /// Starts what does not run, and waits until all of it answers.
    pub(crate) fn start(&self) {
        self.start_etcd();
        self.start_server();
        start(&self.controllers, || {
            let kubeconfig = self.kubeconfig();
            let arguments = [
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--controllers={CONTROLLERS}"),
                format!(
                    "--service-account-private-key-file={}",
                    self.pki.account_key.display()
                ),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
                "--kube-api-qps=200".to_owned(),
                "--kube-api-burst=400".to_owned(),
                "--profiling=false".to_owned(),
                "--v=1".to_owned(),
            ];
            self.spawn("kube-controller-manager", &arguments)
        });
    }

    /// Starts the database.
    fn start_etcd(&self) {
        start(&self.etcd, || {
            let clients = format!("http://{}:2379", self.address);
            let peers = format!("http://{}:2380", self.address);
            let arguments = [
                format!("--data-dir={}", self.data().display()),
                format!("--name={}", self.name),
                format!("--listen-client-urls={clients}"),
                format!("--advertise-client-urls={clients}"),
                format!("--listen-peer-urls={peers}"),
                format!("--initial-advertise-peer-urls={peers}"),
                format!("--initial-cluster={}={peers}", self.name),
                "--unsafe-no-fsync".to_owned(),
            ];
            self.spawn("etcd", &arguments)
        });
        until(&format!("etcd of {}", self.name), START, || {
            check(&self.etcd)?;
            std::net::TcpStream::connect((self.address, 2379))
                .map(drop)
                .map_err(|error| error.to_string())
        });
    }

    /// Starts the API server and waits until it is ready.
    pub(crate) fn start_server(&self) {
        self.launch_server();
        until(&format!("API of {}", self.name), START, || {
            check(&self.server)?;
            self.api
                .get("/readyz")
                .map_err(|refusal| refusal.to_string())
        });
    }

    /// Starts the API server.
    fn launch_server(&self) {
        let pki = &self.pki;
        start(&self.server, || {
            let mut arguments = vec![
                format!("--etcd-servers=http://{}:2379", self.address),
                format!("--bind-address={}", self.address),
                format!("--secure-port={}", Self::PORT),
                // A loopback address cannot be advertised; nothing here uses the advertised one.
                "--advertise-address=192.0.2.1".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
                "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
                "--authorization-mode=RBAC".to_owned(),
                "--disable-admission-plugins=ServiceAccount".to_owned(),
                format!(
                    "--token-auth-file={}",
                    self.folder.join("tokens.csv").display()
                ),
                format!("--tls-cert-file={}", pki.certificate.display()),
                format!("--tls-private-key-file={}", pki.key.display()),
                format!("--client-ca-file={}", pki.authority.display()),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!(
                    "--service-account-key-file={}",
                    pki.account_public.display()
                ),
                format!(
                    "--service-account-signing-key-file={}",
                    pki.account_key.display()
                ),
                "--profiling=false".to_owned(),
                "--v=1".to_owned(),
            ];
            arguments.extend(self.more.lock().clone());
            self.spawn("kube-apiserver", &arguments)
        });
    }

    /// Kills the API server and starts it with these arguments besides, until it is started with others.
    pub(crate) fn restart_server_with(&self, more: &[&str]) {
        self.kill_server();
        *self.more.lock() = more.iter().map(|argument| (*argument).to_owned()).collect();
        self.start_server();
    }

    /// `kill -9` of the API server.
    pub(crate) fn kill_server(&self) {
        drop(self.server.lock().take());
    }

    /// Keeps a copy of the database under a name; it is down meanwhile.
    pub(crate) fn save_etcd(&self, name: &str) {
        drop(self.etcd.lock().take());
        files::copy_folder(&self.data(), &self.folder.join(format!("saved-{name}")));
        self.start_etcd();
    }

    /// Goes back to the database that was kept under a name: controllers and API server are killed,
    /// and all start again on it.
    pub(crate) fn restore_etcd(&self, name: &str) {
        self.go_back(name);
        self.start();
    }

    /// Goes back to the database that was kept under a name: controllers and API server are killed,
    /// and the API server alone is started again on it, which is ready some time later.
    pub(crate) fn go_back(&self, name: &str) {
        drop(self.controllers.lock().take());
        self.kill_server();
        drop(self.etcd.lock().take());
        files::copy_folder(&self.folder.join(format!("saved-{name}")), &self.data());
        self.start_etcd();
        self.launch_server();
    }

    /// The RBAC objects of `deploy/rbac.yaml`, as they are in the repository.
    pub(crate) fn apply_rights(&self, objects: &[serde_json::Value]) {
        for object in objects {
            let text = |pointer: &str| object.pointer(pointer).and_then(|value| value.as_str());
            let name = text("/metadata/name").expect("name in deploy/rbac.yaml");
            let namespace = text("/metadata/namespace").unwrap_or("default");
            let path = match text("/kind").expect("kind in deploy/rbac.yaml") {
                "Namespace" => "/api/v1/namespaces".to_owned(),
                "ServiceAccount" => {
                    self.namespace(namespace);
                    format!("/api/v1/namespaces/{namespace}/serviceaccounts")
                }
                "Role" => format!("{RBAC}/namespaces/{namespace}/roles"),
                "RoleBinding" => format!("{RBAC}/namespaces/{namespace}/rolebindings"),
                "ClusterRole" => format!("{RBAC}/clusterroles"),
                "ClusterRoleBinding" => format!("{RBAC}/clusterrolebindings"),
                other => panic!("{other} in deploy/rbac.yaml"),
            };
            self.api.apply(&format!("{path}/{name}"), object);
        }
    }

    /// Makes sure that a namespace exists.
    pub(crate) fn namespace(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.api
            .apply(&format!("/api/v1/namespaces/{name}"), &object);
    }

    /// A new token of a service account.
    pub(crate) fn token(&self, namespace: &str, account: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 7200}
        });
        let answer = self.api.create(&path, &request);
        let token = answer
            .pointer("/status/token")
            .and_then(|token| token.as_str());
        token.expect("token").to_owned()
    }

    /// Whether a token is accepted, as the status code of a list of services.
    pub(crate) fn status_with(&self, token: &str) -> u16 {
        let client = Api::new(&kubeconfig_with(self.address, &self.pki.authority, token));
        match client.get("/api/v1/services?limit=1") {
            Ok(_) => 200,
            Err(Refusal::Status(code, _)) => code,
            Err(Refusal::Transport(_)) => 0,
        }
    }

    /// The database's files.
    fn data(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    /// Starts one of its programs.
    fn spawn(&self, name: &str, arguments: &[String]) -> Process {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let log = self.folder.join(format!("{name}.log"));
        let title = format!("{name} of {}", self.name);
        Process::spawn(&title, &program(name), &arguments, &log, false)
    }
}

/// The API group of roles and bindings.
pub(crate) const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Starts a program unless it runs.
fn start(place: &Mutex<Option<Process>>, spawn: impl FnOnce() -> Process) {
    let mut place = place.lock();
    let alive = place
        .as_mut()
        .is_some_and(|process| process.check_alive().is_ok());
    if !alive {
        // The old one is reaped before a new one takes its address.
        drop(place.take());
        *place = Some(spawn());
    }
}

/// Whether a program that was started still runs.
fn check(place: &Mutex<Option<Process>>) -> Result<(), String> {
    match place.lock().as_mut() {
        Some(process) => process.check_alive(),
        None => Err("not started".to_owned()),
    }
}

/// The administrator's kubeconfig.
fn kubeconfig(address: Ipv4Addr, authority: &Path) -> String {
    kubeconfig_with(address, authority, ADMIN)
}

/// A kubeconfig with one context.
fn kubeconfig_with(address: Ipv4Addr, authority: &Path, token: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "member",
        "clusters": [{"name": "member", "cluster": {
            "server": format!("https://{address}:{}", Member::PORT),
            "certificate-authority": authority,
        }}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "member", "context": {"cluster": "member", "user": "user"}}],
    })
    .to_string()
}
