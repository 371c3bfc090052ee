//! The overrides that all replicas share: one `ConfigMap` of the host cluster, watched. Here it is not
//! understood, and that the host fails to say something is only passed on.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::model::{OVERRIDES_KEY, OverridesNews, OverridesSaid, SharedText, kept};
use crate::sources::kubernetes::{
    HostClient, HostNews, HostObject, HostQuery, HostTiming, follow_host,
};
use crate::telemetry::Metrics;

/// Follows the `ConfigMap` `namespace/name` for as long as somebody receives. Never fails; a full queue
/// makes it wait.
pub async fn follow_overrides(
    client: Arc<HostClient>,
    (namespace, name): (String, String),
    to: mpsc::Sender<OverridesNews>,
    metrics: Arc<Metrics>,
) {
    let (news, mut heard) = mpsc::channel(1);
    let query = HostQuery::config_map(&namespace, &name);
    let follow = follow_host(client, query, news, Arc::default(), HostTiming::default());
    let tell = async {
        while let Some(news) = heard.recv().await {
            if let HostNews::Failed {
                limit: Some(limit), ..
            } = &news
            {
                metrics.limit_exceeded(limit);
            }
            let Some(said) = said(news, &name) else {
                continue;
            };
            let object = format!("{namespace}/{name}");
            if to.send(OverridesNews { object, said }).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = tell => {}
    }
}

/// What news of `ConfigMap`s say of the one called `name`, if anything.
fn said(news: HostNews, name: &str) -> Option<OverridesSaid> {
    let is_it = |object: &HostObject| object.name == name;
    Some(match news {
        HostNews::Listed(objects) => {
            OverridesSaid::Seen(objects.into_iter().find(is_it).map(shared))
        }
        HostNews::Applied(object) if is_it(&object) => OverridesSaid::Seen(Some(shared(object))),
        HostNews::Deleted(object) if is_it(&object) => OverridesSaid::Seen(None),
        HostNews::Applied(_) | HostNews::Deleted(_) => return None,
        HostNews::NotServed => OverridesSaid::Lost("ConfigMaps are not served".to_owned()),
        HostNews::Failed { why, .. } => OverridesSaid::Lost(kept(&why)),
    })
}

/// What a `ConfigMap` says.
fn shared(object: HostObject) -> SharedText {
    let text = object.body["data"][OVERRIDES_KEY].as_str();
    SharedText {
        text: text.map(str::to_owned),
        version: object.version,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn news_of_others_say_nothing() {
        let object = |name: &str, text: Option<&str>| HostObject {
            name: name.to_owned(),
            version: "7".to_owned(),
            body: json!({"data": text.map(|text| json!({OVERRIDES_KEY: text}))}),
        };
        let seen = |text: Option<&str>| {
            let (version, text) = ("7".to_owned(), text.map(str::to_owned));
            Some(OverridesSaid::Seen(Some(SharedText { version, text })))
        };
        let check = |news, expected| assert_eq!(said(news, "o"), expected);
        let all = vec![object("p", Some("x")), object("o", Some("y"))];
        check(HostNews::Listed(all), seen(Some("y")));
        check(
            HostNews::Listed(Vec::new()),
            Some(OverridesSaid::Seen(None)),
        );
        check(HostNews::Applied(object("o", None)), seen(None));
        check(HostNews::Applied(object("p", None)), None);
        check(HostNews::Deleted(object("p", None)), None);
        let gone = HostNews::Deleted(object("o", None));
        check(gone, Some(OverridesSaid::Seen(None)));
    }
}
