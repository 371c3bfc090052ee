//! An API server that misbehaves by the octet: replies that do not end, and others that the fake
//! API server, which speaks HTTP as it should, cannot give.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::program;

/// Writes a reply, whatever it is.
type Reply = Box<dyn Fn(&mut TcpStream) -> io::Result<()> + Send + Sync>;

/// How requests are answered.
#[derive(Default)]
pub(crate) struct Script {
    /// Last segments of paths, whether a watch is meant, and what is done.
    replies: Vec<(&'static str, bool, Reply)>,
    /// The services of the member.
    services: Vec<Value>,
    /// What it says is its version.
    version: Option<String>,
}

impl Script {
    /// A well-behaved member without services.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Answers requests so whose path ends in this segment.
    pub(crate) fn reply(
        mut self,
        end: &'static str,
        is_watch: bool,
        reply: impl Fn(&mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.replies.push((end, is_watch, Box::new(reply)));
        self
    }

    /// Has these services, each with a ready endpoint.
    pub(crate) fn services(mut self, services: Vec<Value>) -> Self {
        self.services = services;
        self
    }

    /// Says this version.
    pub(crate) fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }
}

/// The server; it ends when it is dropped.
pub(crate) struct Api {
    /// Where it listens.
    address: SocketAddr,
    /// Ends it.
    ended: Arc<AtomicBool>,
}

impl Api {
    /// Starts it.
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (script, ended) = (Arc::new(script), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&ended);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                let script = Arc::clone(&script);
                // It ends with the connection, which ends with the program under test.
                std::thread::spawn(move || drop(script.serve(stream)));
            }
        });
        Self { address, ended }
    }

    /// Writes a kubeconfig with these contexts, each of which reaches it under another name of its host.
    pub(crate) fn kubeconfig_of(&self, folder: &Path, contexts: [(&str, &str); 2]) {
        let port = self.address.port();
        let cluster = |(name, host): &(&str, &str)| json!({"name": name, "cluster": {"server": format!("http://{host}:{port}")}});
        let context =
            |(name, _): &(&str, &str)| json!({"name": name, "context": {"cluster": name}});
        let config = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": contexts.iter().map(cluster).collect::<Vec<_>>(),
            "contexts": contexts.iter().map(context).collect::<Vec<_>>(),
        });
        program::replace(&folder.join("kubeconfig"), &config.to_string());
    }

    /// Writes a kubeconfig with the context `fake`, whose user has these keys (JSON is YAML). With an exec
    /// plugin it is said to speak TLS, which it does not: for plain HTTP no plugin is run.
    pub(crate) fn kubeconfig(&self, folder: &Path, user: &Value) {
        let scheme = if user["exec"].is_null() {
            "http"
        } else {
            "https"
        };
        let config = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": format!("{scheme}://{}", self.address)}}],
            "users": [{"name": "fake", "user": user}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        });
        program::replace(&folder.join("kubeconfig"), &config.to_string());
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes its thread.
        drop(TcpStream::connect(self.address));
    }
}

impl Script {
    /// Answers the requests of one connection.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut header = String::new();
            while requests.read_line(&mut header)? > 2 {
                header.clear();
            }
            let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let end = path.rsplit('/').next().unwrap_or_default();
            let is_watch = query.contains("watch=");
            let mut replies = self.replies.iter();
            let scripted = replies.find(|(of, watch, _)| *of == end && *watch == is_watch);
            if let Some((_, _, reply)) = scripted {
                reply(&mut stream)?;
            } else if is_watch {
                head(&mut stream)?;
            } else {
                let body = self.body(end).to_string();
                json_reply(&mut stream, &body)?;
            }
        }
    }

    /// What an API server says at a path.
    fn body(&self, end: &str) -> Value {
        let named = |service: &Value| {
            service["metadata"]["name"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        };
        match end {
            "version" => json!({
                "major": "1", "minor": "30", "gitVersion": self.version.as_deref().unwrap_or("v1.30.1"),
                "gitCommit": "", "buildDate": "", "gitTreeState": "", "goVersion": "",
                "compiler": "", "platform": "",
            }),
            "kubernetes" => json!({"metadata": {
                "name": "kubernetes", "namespace": "default",
                "uid": "u",
            }}),
            "services" => list(&self.services),
            "endpointslices" => {
                let slices = self.services.iter().map(named).map(|name| slice(&name));
                list(&slices.collect::<Vec<_>>())
            }
            _ => list(&[]),
        }
    }
}

/// A list of objects.
fn list(items: &[Value]) -> Value {
    json!({"metadata": {"resourceVersion": "1"}, "items": items})
}

/// An exported service of type `LoadBalancer` at these addresses, with these annotations.
pub(crate) fn load_balancer(name: &str, addresses: &[&str], annotations: &Value) -> Value {
    let ingress = addresses.iter().map(|address| json!({"ip": address}));
    let mut service = json!({
        "metadata": {
            "name": name, "namespace": "my-namespace", "uid": name,
            "annotations": {"gazetteer.dev/export": "true"},
        },
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.0.1",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
        "status": {"loadBalancer": {"ingress": ingress.collect::<Vec<_>>()}},
    });
    for (key, value) in annotations.as_object().into_iter().flatten() {
        service["metadata"]["annotations"][format!("gazetteer.dev/{key}")] = value.clone();
    }
    service
}

/// The slice of a service, with one ready endpoint.
pub(crate) fn slice(service: &str) -> Value {
    json!({
        "metadata": {
            "name": format!("{service}-x"), "namespace": "my-namespace", "uid": format!("e{service}"),
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": true}}],
        "ports": [],
    })
}

/// A reply with a body of JSON.
pub(crate) fn json_reply(stream: &mut TcpStream, body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The head of a reply whose body comes in chunks.
pub(crate) fn head(stream: &mut TcpStream) -> io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())
}

/// A body that begins so and then repeats a piece for as long as it is read.
pub(crate) fn endless(stream: &mut TcpStream, begin: &str, piece: &str) -> io::Result<()> {
    head(stream)?;
    write!(stream, "{:x}\r\n{begin}\r\n", begin.len())?;
    let piece = piece.repeat(1 + (1 << 20) / piece.len());
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    loop {
        stream.write_all(chunk.as_bytes())?;
    }
}
