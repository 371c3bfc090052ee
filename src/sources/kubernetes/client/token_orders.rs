//! What those who renew tokens ask of whoever asks the host cluster.

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

use super::object_tokens::{self, TokenOrder};
use super::objects::ObjectCredentials;
use crate::config::MemberObject;

impl ObjectCredentials {
    /// Where the orders come from now on of those who renew tokens; none come to whoever had them before.
    pub fn take_orders(&self) -> mpsc::Receiver<TokenOrder> {
        let (sender, orders) = object_tokens::orders();
        *self.orders.lock() = Some(sender);
        orders
    }

    /// The token that stands in its Secret now, as the host says, and not as it was last heard. `None`
    /// where there is none, or the host does not say. The time-out is the caller's.
    pub(in super::super) async fn present_token(
        &self,
        object: &MemberObject,
    ) -> Option<SecretString> {
        let place = self.place(object)?;
        let orders = self.orders.lock().clone()?;
        let (asking, said) = oneshot::channel();
        orders.send(TokenOrder::Read(place, asking)).await.ok()?;
        said.await.ok()
    }

    /// Has a renewed token written into the Secret that its predecessor is from. A full queue makes whoever
    /// renews wait.
    pub(in super::super) async fn write_back(&self, object: &MemberObject, token: SecretString) {
        let (place, orders) = (self.place(object), self.orders.lock().clone());
        if let Some((place, orders)) = place.zip(orders) {
            let object = object.clone();
            let order = TokenOrder::Write {
                object,
                place,
                token,
            };
            // Nobody takes it where the host is followed no more.
            let _ = orders.send(order).await;
        }
    }
}
