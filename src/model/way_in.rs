//! How clients outside a member get to a service in it, and what may stand in front of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where clients outside its member reach a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WayIn {
    /// At its member's gateway, else at its load balancer if it is of that type.
    #[default]
    Usual,
    /// At addresses and host names that it names itself, as far as they are in the
    /// [`addresses_from`](super::Member::addresses_from) of its member.
    Named,
    /// At the addresses of what stands in front of it, or of nodes of its member.
    Front,
    /// At the addresses of what stands in front of it, which takes no traffic now.
    Closed,
}

impl WayIn {
    /// Whether it is one of the service itself, which counts whatever its type is and whatever
    /// gateway its member has.
    pub fn is_own(self) -> bool {
        self != Self::Usual
    }
}

/// A kind of object that may stand in front of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrontKind {
    /// A Gateway of the Gateway API.
    Gateway,
    /// An Ingress.
    Ingress,
    /// Another Service.
    Service,
}

impl FrontKind {
    /// Its name in the annotation `via` and in messages.
    pub fn text(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Ingress => "ingress",
            Self::Service => "service",
        }
    }
}

/// An object that stands in front of services: `gateway/NAMESPACE/NAME`, of which a listener may be
/// named behind a fourth `/`, `ingress/NAMESPACE/NAME` or `service/NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrontObject {
    /// What it is.
    pub kind: FrontKind,
    /// `NAMESPACE/NAME`.
    pub key: Arc<str>,
    /// The listener of a Gateway whose port counts where none is called as the port of the service.
    pub listener: Option<Arc<str>>,
}

impl fmt::Display for FrontObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.text(), self.key)?;
        match &self.listener {
            Some(listener) => write!(f, "/{listener}"),
            None => Ok(()),
        }
    }
}

/// A text that names no object in front of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected gateway/NAMESPACE/NAME, gateway/NAMESPACE/NAME/LISTENER, ingress/NAMESPACE/NAME or service/NAMESPACE/NAME"
)]
pub struct FrontObjectError;

impl FromStr for FrontObject {
    type Err = FrontObjectError;

    fn from_str(text: &str) -> Result<Self, FrontObjectError> {
        let mut parts = text.split('/');
        let kind = match parts.next() {
            Some("gateway") => FrontKind::Gateway,
            Some("ingress") => FrontKind::Ingress,
            Some("service") => FrontKind::Service,
            _ => return Err(FrontObjectError),
        };
        let mut name = || parts.next().filter(|part| is_object_name(part));
        let (Some(namespace), Some(object)) = (name(), name()) else {
            return Err(FrontObjectError);
        };
        let listener = parts.next();
        let is_whole = parts.next().is_none()
            && listener.is_none_or(|name| kind == FrontKind::Gateway && is_object_name(name));
        is_whole
            .then(|| Self {
                kind,
                key: format!("{namespace}/{object}").into(),
                listener: listener.map(Into::into),
            })
            .ok_or(FrontObjectError)
    }
}

/// Whether a text may be the name of an object: a DNS subdomain as Kubernetes has it.
fn is_object_name(text: &str) -> bool {
    let is_part =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"-.".contains(&octet);
    let is_end = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    let octets = text.as_bytes();
    octets.len() <= 253
        && is_end(octets.first())
        && is_end(octets.last())
        && octets.iter().copied().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_in_front_are_written_as_they_are_read() {
        for text in [
            "gateway/infra/public",
            "gateway/infra/public.example/https-1",
            "ingress/shop/web",
            "service/infra/envoy",
        ] {
            assert_eq!(text.parse::<FrontObject>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "gateway",
            "gateway/public",
            "gateway//public",
            "gateway/infra/",
            "gateway/infra/public/a/b",
            "gateway/infra/Public",
            "ingress/shop/web/http",
            "service/infra/envoy/http",
            "route/infra/envoy",
        ] {
            assert_eq!(text.parse::<FrontObject>(), Err(FrontObjectError), "{text}");
        }
    }
}
