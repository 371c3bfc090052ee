//! What the API says, read: pages of lists and lines of watches, each object converted as it is
//! read. Pure.

use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Status;
use kube::runtime::watcher::Event;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::client::Secrets;
use super::super::convert::{self, ConvertedObject, NodeFacts, ServiceFacts, SliceFacts};
use super::super::failure::{Failure, place};
use super::super::front::{self, FrontFacts};
use super::super::index::{ObjectKind, Observation};
use super::super::objects::{GatewayObject, IngressObject, NodeObject, ServiceObject, SliceObject};
use crate::model::NamespacedName;
use crate::model::limits::MEMBER_OBJECTS;

/// The annotation of the bookmark that ends a streamed list.
const END: &str = "k8s.io/initial-events-end";

/// Objects of one page that are read: some servers do not keep to the number that is asked for.
const PAGE_OBJECTS: usize = MEMBER_OBJECTS.length() / 10;

/// A kind of object that can be listed and watched.
pub(super) trait Watched: DeserializeOwned + Send + 'static {
    /// What such an object says.
    type Facts: Send;

    /// Which kind.
    const KIND: ObjectKind;

    /// Only metadata is asked for.
    const IS_METADATA: bool = false;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// What it says.
    fn convert(self) -> ConvertedObject<Self::Facts>;

    /// An event of this kind.
    fn observe(event: Event<ConvertedObject<Self::Facts>>) -> Observation;
}

/// A ServiceExport: its name says all.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ExportMetadata {
    /// The metadata.
    metadata: ObjectMeta,
}

impl Watched for ServiceObject {
    type Facts = ServiceFacts;
    const KIND: ObjectKind = ObjectKind::Services;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn convert(self) -> ConvertedObject<ServiceFacts> {
        convert::service(self)
    }

    fn observe(event: Event<ConvertedObject<ServiceFacts>>) -> Observation {
        Observation::Services(event)
    }
}

impl Watched for SliceObject {
    type Facts = SliceFacts;
    const KIND: ObjectKind = ObjectKind::Slices;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn convert(self) -> ConvertedObject<SliceFacts> {
        convert::slice(&self)
    }

    fn observe(event: Event<ConvertedObject<SliceFacts>>) -> Observation {
        Observation::Slices(event)
    }
}

impl Watched for NodeObject {
    type Facts = NodeFacts;
    const KIND: ObjectKind = ObjectKind::Nodes;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn convert(self) -> ConvertedObject<NodeFacts> {
        convert::node(&self)
    }

    fn observe(event: Event<ConvertedObject<NodeFacts>>) -> Observation {
        Observation::Nodes(event)
    }
}

impl Watched for ExportMetadata {
    type Facts = NamespacedName;
    const KIND: ObjectKind = ObjectKind::Exports;
    const IS_METADATA: bool = true;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn convert(self) -> ConvertedObject<NamespacedName> {
        convert::export(&self.metadata)
    }

    fn observe(event: Event<ConvertedObject<NamespacedName>>) -> Observation {
        Observation::Exports(event)
    }
}

impl Watched for GatewayObject {
    type Facts = FrontFacts;
    const KIND: ObjectKind = ObjectKind::Gateways;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn convert(self) -> ConvertedObject<FrontFacts> {
        front::gateway(&self)
    }

    fn observe(event: Event<ConvertedObject<FrontFacts>>) -> Observation {
        Observation::Gateways(event)
    }
}

impl Watched for IngressObject {
    type Facts = FrontFacts;
    const KIND: ObjectKind = ObjectKind::Ingresses;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn convert(self) -> ConvertedObject<FrontFacts> {
        front::ingress(&self)
    }

    fn observe(event: Event<ConvertedObject<FrontFacts>>) -> Observation {
        Observation::Ingresses(event)
    }
}

/// One object, read.
pub(super) struct ReadObject<W: Watched> {
    /// Its version; empty when it has none.
    pub(super) version: String,
    /// What it says.
    pub(super) seen: ConvertedObject<W::Facts>,
}

/// Enough of an object that cannot be read to say which one it is.
#[derive(Deserialize)]
struct Named {
    /// Its metadata.
    metadata: Identifiers,
}

/// Which object it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifiers {
    /// Its namespace.
    namespace: Option<String>,
    /// Its name.
    name: Option<String>,
    /// Its version.
    resource_version: Option<String>,
}

/// Reads one object. One that is not as it should be says nothing but that; only one without a
/// name is an error.
fn object<W: Watched>(text: &str) -> Result<ReadObject<W>, serde_json::Error> {
    let error = match serde_json::from_str::<W>(text) {
        Ok(object) => {
            let version = object.metadata().resource_version.clone();
            return Ok(ReadObject {
                version: version.unwrap_or_default(),
                seen: object.convert(),
            });
        }
        Err(error) => error,
    };
    let Named { metadata } = serde_json::from_str(text)?;
    let named = ObjectMeta {
        namespace: metadata.namespace,
        name: metadata.name,
        ..ObjectMeta::default()
    };
    Ok(ReadObject {
        version: metadata.resource_version.unwrap_or_default(),
        seen: convert::unreadable(&named, &place(&error)),
    })
}

/// A page of a list.
pub(super) struct Page {
    /// Where the list stands.
    pub(super) version: Option<String>,
    /// Where the next page begins, when there is one.
    pub(super) more: Option<String>,
    /// Its objects, each as part of a list.
    pub(super) objects: Vec<Observation>,
}

/// What a list says of itself.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ListMetadata {
    /// Where it stands.
    resource_version: Option<String>,
    /// Where it goes on.
    #[serde(rename = "continue")]
    more: Option<String>,
}

/// Reads a page.
pub(super) fn page<W: Watched>(what: &str, octets: &[u8]) -> Result<Page, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(octets);
    let mut page = PageOf::<W> {
        metadata: ListMetadata::default(),
        objects: Vec::new(),
        is_too_long: false,
        kind: PhantomData,
    };
    let read = reader
        .deserialize_map(&mut page)
        .and_then(|()| reader.end());
    if page.is_too_long {
        return Err(Failure::too_much(
            &format!("a page of the {what}"),
            &MEMBER_OBJECTS,
        ));
    }
    read.map_err(|error| Failure::undecodable(what, &error))?;
    Ok(Page {
        version: page.metadata.resource_version,
        more: page.metadata.more.filter(|token| !token.is_empty()),
        objects: page.objects,
    })
}

/// A page that is being read.
struct PageOf<W> {
    /// What the list says of itself.
    metadata: ListMetadata,
    /// The objects.
    objects: Vec<Observation>,
    /// There are more than are read.
    is_too_long: bool,
    /// What they are.
    kind: PhantomData<W>,
}

impl<'de, W: Watched> Visitor<'de> for &mut PageOf<W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "metadata" => self.metadata = map.next_value()?,
                "items" => map.next_value_seed(Items(self))?,
                _ => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The objects of a page.
struct Items<'a, W>(&'a mut PageOf<W>);

impl<'de, W: Watched> DeserializeSeed<'de> for Items<'_, W> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, W: Watched> Visitor<'de> for Items<'_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects")
    }

    /// An empty list may be `null`.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        while let Some(text) = items.next_element::<&RawValue>()? {
            if self.0.objects.len() >= PAGE_OBJECTS {
                self.0.is_too_long = true;
                return Err(serde::de::Error::custom("too long"));
            }
            let read = object::<W>(text.get()).map_err(serde::de::Error::custom)?;
            self.0.objects.push(W::observe(Event::InitApply(read.seen)));
        }
        Ok(())
    }
}

/// What a line of a watch says.
pub(super) enum WatchLine<W: Watched> {
    /// An object is there, or is as it says now.
    Applied(ReadObject<W>),
    /// An object is gone.
    Deleted(ReadObject<W>),
    /// Nothing has changed up to this version.
    Bookmark {
        /// The version.
        version: String,
        /// It ends a streamed list.
        ends_list: bool,
    },
    /// The watch ends.
    Error(Failure),
}

/// A line as it is written.
#[derive(Deserialize)]
struct Written<'a> {
    /// What it says of the object.
    #[serde(rename = "type")]
    kind: String,
    /// The object.
    #[serde(borrow)]
    object: &'a RawValue,
}

/// The object of a bookmark.
#[derive(Deserialize)]
struct Bookmark {
    /// Its metadata.
    metadata: ObjectMeta,
}

/// Reads a line of a watch.
pub(super) fn line<W: Watched>(
    what: &str,
    octets: &[u8],
    secrets: &Secrets,
) -> Result<WatchLine<W>, Failure> {
    let undecodable = |error: serde_json::Error| Failure::undecodable(what, &error);
    let Written { kind, object: text } = serde_json::from_slice(octets).map_err(undecodable)?;
    match kind.as_str() {
        "ADDED" | "MODIFIED" => object(text.get())
            .map(WatchLine::Applied)
            .map_err(undecodable),
        "DELETED" => object(text.get())
            .map(WatchLine::Deleted)
            .map_err(undecodable),
        "BOOKMARK" => {
            let Bookmark { metadata } = serde_json::from_str(text.get()).map_err(undecodable)?;
            let annotations = metadata.annotations.unwrap_or_default();
            Ok(WatchLine::Bookmark {
                version: metadata.resource_version.unwrap_or_default(),
                ends_list: annotations.contains_key(END),
            })
        }
        "ERROR" => {
            let status: Status = serde_json::from_str(text.get()).map_err(undecodable)?;
            Ok(WatchLine::Error(Failure::of_status(&status, secrets)))
        }
        _ => Err(Failure::Answer(format!(
            "{what}: an event of no known type"
        ))),
    }
}
