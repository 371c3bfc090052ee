//! A client of any server over HTTP: the connector, TLS and credentials of members' clients, from
//! files that a source of the configuration names.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::config::AuthInfo;

use super::error::ClientError;
use super::files::Files;
use super::settings::ClientSettings;
use super::verifier::SeenExpiry;
use super::{kubeconfig, pem, transport};
use crate::config::{UrlSource, read};
use crate::model::limits::CONFIGURATION_FILE;
use crate::model::with_causes;

/// A client of one server.
pub(in crate::sources) struct WebClient {
    /// Sends requests.
    client: Client,
    /// What it was built from.
    files: Files,
}

impl WebClient {
    /// A client of the server of a URL. Errors say which file is wrong, and why. Blocks.
    pub(in crate::sources) fn new(source: &UrlSource) -> Result<Self, String> {
        let files = Files::read(source.files().cloned().collect());
        let client = settings(source)
            .and_then(|settings| transport::client(&settings, SeenExpiry::default()))
            .map_err(|error| error.to_string())?;
        Ok(Self { client, files })
    }

    /// Sends a request, whose URI is a path. Errors say what failed.
    pub(in crate::sources) fn send(
        &self,
        request: Request<()>,
    ) -> impl Future<Output = Result<Response<WebBody>, String>> + Send + use<> {
        let client = self.client.clone();
        async move {
            let sent = client.send(request.map(|()| Body::empty())).await;
            let answer = sent.map_err(|error| match &error {
                kube::Error::Service(source) => with_causes(&**source),
                error => with_causes(error),
            })?;
            Ok(answer.map(WebBody))
        }
    }

    /// Whether its files have changed since that was asked last. Blocks.
    pub(in crate::sources) fn is_outdated(&mut self) -> bool {
        self.files.refresh()
    }
}

/// The body of an answer.
pub(in crate::sources) struct WebBody(Body);

impl WebBody {
    /// All of it; `None` where that is more than so many octets. Errors say what failed.
    pub(in crate::sources) async fn within(
        mut self,
        most: usize,
    ) -> Result<Option<Vec<u8>>, String> {
        let mut octets = Vec::new();
        while let Some(frame) = self.0.frame().await {
            let frame = frame.map_err(|error| with_causes(&error))?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if octets.len() + data.len() > most {
                return Ok(None);
            }
            octets.extend_from_slice(data);
        }
        Ok(Some(octets))
    }
}

/// What a client is built from. Blocks.
fn settings(source: &UrlSource) -> Result<ClientSettings, ClientError> {
    let content = |key: &str, path: &Path| {
        read::read(path, &CONFIGURATION_FILE)
            .map_err(|error| ClientError::Credentials(format!("{key}: {error}")))
    };
    let mut user = AuthInfo::default();
    if let Some(path) = &source.token_file {
        let token = String::from_utf8(content("token-file", path)?).unwrap_or_default();
        let token = token.trim().into();
        if !kubeconfig::is_token(&token) {
            let why = "token-file: not one word of ASCII".to_owned();
            return Err(ClientError::Credentials(why));
        }
        user.token = Some(token);
    }
    if let Some((certificate, key)) = &source.identity {
        let encoded = |key, path| content(key, path).map(|octets| STANDARD.encode(octets));
        user.client_certificate_data = Some(encoded("certificate", certificate)?);
        user.client_key_data = Some(encoded("key", key)?.into());
    }
    let roots = source.ca.as_ref().map(|path| {
        let roots = pem::certificates(&content("ca", path)?);
        if roots.is_empty() {
            let why = "ca: no certificate in PEM".to_owned();
            return Err(ClientError::Credentials(why));
        }
        Ok(roots)
    });
    let url: Uri = source.url.parse().map_err(wrong_url)?;
    let mut server = url.into_parts();
    server.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    Ok(ClientSettings {
        server: Uri::from_parts(server).map_err(wrong_url)?,
        roots: roots.transpose()?,
        skips_verification: false,
        tls_server_name: None,
        proxy: None,
        user,
        is_withheld: false,
    })
}

/// A URL that was right when the configuration was read.
fn wrong_url<E>(_: E) -> ClientError {
    ClientError::Credentials("url: not a URL".to_owned())
}
