//! A client for commands of an operator.

use std::sync::Arc;

use kube::Client;

use super::secrets::Secrets;

/// A client of a context that an operator names, and the secrets that it sends.
#[derive(Clone)]
pub struct OperatorClient {
    /// The client. What it may do is the operator's affair.
    pub client: Client,
    /// The API's URL, without a user and a password.
    pub url: String,
    /// What nothing that the API says may show.
    pub(super) secrets: Arc<Secrets>,
}

impl OperatorClient {
    /// A text of the API without the secrets that were sent to it.
    pub fn mask(&self, text: &str) -> String {
        self.secrets.mask(text)
    }
}
