//! A member's API, called with paths and JSON as an administrator.

use std::sync::OnceLock;
use std::time::Duration;

use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

/// The runtime of every asynchronous call of the tests.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("runtime")
    })
}

/// A client of one API server.
#[derive(Clone)]
pub(crate) struct Api {
    /// kube's client.
    client: Client,
}

/// What an API call may end in besides its object.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server answered with this status code.
    Status(u16, String),
    /// No answer.
    Transport(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(code, message) => write!(f, "{code} {message}"),
            Self::Transport(message) => f.write_str(message),
        }
    }
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Status(status.code, status.message),
            other => Self::Transport(format!("{other:?}")),
        }
    }
}

impl Api {
    /// A client of the first context of a kubeconfig text.
    pub(crate) fn new(kubeconfig: &str) -> Self {
        runtime().block_on(async {
            let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("kubeconfig");
            let options = KubeConfigOptions::default();
            let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .expect("client configuration");
            config.connect_timeout = Some(Duration::from_secs(2));
            config.read_timeout = Some(Duration::from_secs(30));
            let client = Client::try_from(config).expect("client");
            Self { client }
        })
    }

    /// kube's client, for watches.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// One call; an empty or plain answer is a JSON string.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Value, Refusal> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(body)
            .expect("request");
        let text = self.client.request_text(request).await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Refusal> {
        runtime().block_on(self.call("GET", path, "application/json", Vec::new()))
    }

    /// POST, which must succeed.
    pub(crate) fn create(&self, path: &str, object: &Value) -> Value {
        runtime()
            .block_on(self.call("POST", path, "application/json", bytes(object)))
            .unwrap_or_else(|refusal| panic!("POST {path}: {refusal}"))
    }

    /// Merge patch, which must succeed.
    pub(crate) fn patch(&self, path: &str, patch: &Value) -> Value {
        let kind = "application/merge-patch+json";
        runtime()
            .block_on(self.call("PATCH", path, kind, bytes(patch)))
            .unwrap_or_else(|refusal| panic!("PATCH {path}: {refusal}"))
    }

    /// Makes the object at `path` what `object` says, whether or not it exists.
    pub(crate) fn apply(&self, path: &str, object: &Value) -> Value {
        let query = format!("{path}?fieldManager=tests&force=true");
        let kind = "application/apply-patch+yaml";
        runtime()
            .block_on(self.call("PATCH", &query, kind, bytes(object)))
            .unwrap_or_else(|refusal| panic!("apply {path}: {refusal}"))
    }

    /// DELETE; an object that is gone already is fine.
    pub(crate) fn delete(&self, path: &str) {
        let call = self.call("DELETE", path, "application/json", Vec::new());
        match runtime().block_on(call) {
            Ok(_) | Err(Refusal::Status(404, _)) => {}
            Err(refusal) => panic!("DELETE {path}: {refusal}"),
        }
    }
}

/// A JSON value as a request body.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON")
}
