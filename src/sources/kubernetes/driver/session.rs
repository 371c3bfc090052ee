//! One member's session: joins what its tasks report, and says what comes of it.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::core::DeserializeGuard;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{Instrument, debug, info, warn};

use super::super::super::unconfirmed::Unconfirmed;
use super::super::client::{Connection, connect};
use super::super::failure::Failure;
use super::super::index::{Index, Kind, Observation, TopologySource};
use super::super::objects::{NodeObject, ServiceObject, SliceObject};
use super::contact::{Contact, News};
use super::identity::identify;
use super::link::{Link, Over, Pauses, Report};
use super::speaker::Speaker;
use super::{Timing, exports, follow, heartbeat, renew};
use crate::config::{MemberSource, Source};
use crate::model::{Change, Identity};
use crate::names::Label;
use crate::telemetry::SourceEvent;

/// Reports under way; when full, watches wait, and the API server keeps what they have not read.
const REPORTS: usize = 64;

/// How often contact is judged when nothing is reported.
const TICK: Duration = Duration::from_millis(250);

/// Runs the sessions of a member, one after another, while somebody receives.
pub(super) async fn run(
    source: &MemberSource,
    speaker: Speaker,
    mut unconfirmed: Unconfirmed,
    lists: Arc<Semaphore>,
    timing: Timing,
) -> Over {
    tokio::time::sleep(jitter(&speaker.member, timing.jitter)).await;
    let topology_source = if source.has_topology {
        TopologySource::Configuration
    } else {
        TopologySource::Nodes
    };
    let kinds: &[Kind] = match topology_source {
        TopologySource::Configuration => &[Kind::Services, Kind::Slices],
        TopologySource::Nodes => &[Kind::Services, Kind::Slices, Kind::Nodes],
    };
    let mut contact = Contact::new(kinds, timing.down, timing.exports_wait, Instant::now());
    let mut connection = match first_connection(source, &speaker, &mut contact, &timing).await {
        Ok(connection) => connection,
        Err(over) => return over,
    };
    loop {
        contact.restart(Instant::now());
        let mut session = Session {
            speaker: &speaker,
            source: &source.source,
            contact: &mut contact,
            index: Index::new(topology_source),
            url: connection.url.clone(),
            identity: None,
            asks_identity: false,
            asked_at: Instant::now(),
            credentials: None,
            has_exports: None,
            confirming: None,
            tasks: JoinSet::new(),
        };
        connection = match session
            .run(
                connection,
                kinds,
                &mut unconfirmed,
                Arc::clone(&lists),
                timing,
            )
            .await
        {
            Ok(moved) => moved,
            Err(over) => return over,
        };
        info!(member = %speaker.member, url = %connection.url, "the API has moved");
    }
}

/// Builds the first client, however long that takes.
async fn first_connection(
    source: &MemberSource,
    speaker: &Speaker,
    contact: &mut Contact,
    timing: &Timing,
) -> Result<Connection, Over> {
    let mut pauses = Pauses::new(timing);
    loop {
        match connect(&source.source).await {
            Ok(connection) => return Ok(connection),
            Err(error) => {
                if let Some(lost) = contact.lose_client(error.to_string()) {
                    speaker.say_contact(lost).await?;
                }
            }
        }
        tokio::time::sleep(pauses.longer()).await;
    }
}

/// How long this member waits before it starts: always the same for one name.
fn jitter(member: &Label, longest: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    member.hash(&mut hasher);
    longest * u32::try_from(hasher.finish() % 1000).unwrap_or_default() / 1000
}

/// A session with one API.
struct Session<'a> {
    /// Says what comes of it.
    speaker: &'a Speaker,
    /// Where clients are built from.
    source: &'a Source,
    /// Whether the member is in contact.
    contact: &'a mut Contact,
    /// The member's objects, joined.
    index: Index,
    /// The API's URL.
    url: String,
    /// Which cluster it is, asked anew after each loss.
    identity: Option<Identity>,
    /// The question is under way.
    asks_identity: bool,
    /// When that was asked last.
    asked_at: Instant,
    /// Why new credentials cannot be used.
    credentials: Option<String>,
    /// Whether service exports are watched, as far as that was logged.
    has_exports: Option<bool>,
    /// The kinds that are still to be listed again before everything is said again, since the writer
    /// asked for it.
    confirming: Option<BTreeSet<Kind>>,
    /// Everything that runs for this session; ends with it.
    tasks: JoinSet<()>,
}

/// How the tasks of a session are told things.
struct Controls {
    /// The present client.
    client: watch::Sender<Client>,
    /// Calls on open watches to start again.
    restarts: watch::Sender<u64>,
    /// Calls on open watches to list anew.
    relists: watch::Sender<u64>,
    /// Ends pauses.
    wake: Arc<Notify>,
}

impl Session<'_> {
    /// Runs the session until the API moves: then the connection to where it is now.
    async fn run(
        &mut self,
        connection: Connection,
        kinds: &[Kind],
        unconfirmed: &mut Unconfirmed,
        lists: Arc<Semaphore>,
        timing: Timing,
    ) -> Result<Connection, Over> {
        let (reports, mut heard) = mpsc::channel(REPORTS);
        let (client, clients) = watch::channel(connection.client.clone());
        let (restarts, restart) = watch::channel(0);
        let (relists, relist) = watch::channel(0);
        let wake = Arc::new(Notify::new());
        let link = Link {
            client: clients,
            reports,
            wake: Arc::clone(&wake),
            renew: Arc::default(),
            restarts: restart,
            relists: relist,
            lists,
            never_streams: Arc::default(),
            timing,
        };
        let controls = Controls {
            client,
            restarts,
            relists,
            wake,
        };
        self.start(&link, kinds);
        self.spawn(renew::run(link.clone(), self.source.clone(), connection));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let report = tokio::select! {
                report = heard.recv() => report,
                _ = ticks.tick() => None,
                () = unconfirmed.wait() => {
                    self.list_again(kinds, &controls);
                    None
                }
            };
            if let Some(report) = report
                && let Some(moved) = self.hear(report, &link, &controls).await?
            {
                return Ok(moved);
            }
            self.judge(&link).await?;
        }
    }

    /// Starts the tasks.
    fn start(&mut self, link: &Link, kinds: &[Kind]) {
        for kind in kinds {
            let path = kind.path();
            let link = link.clone();
            match kind {
                Kind::Services => {
                    self.spawn(follow::run::<DeserializeGuard<ServiceObject>>(link, path));
                }
                Kind::Slices => {
                    self.spawn(follow::run::<DeserializeGuard<SliceObject>>(link, path));
                }
                Kind::Nodes => {
                    self.spawn(follow::run::<DeserializeGuard<NodeObject>>(link, path));
                }
                Kind::Exports => {}
            }
        }
        self.spawn(exports::run(link.clone()));
        self.spawn(heartbeat::run(link.clone()));
    }

    /// Runs a task of this session.
    fn spawn(&mut self, task: impl Future<Output = Over> + Send + 'static) {
        let task = async {
            task.await;
        };
        self.tasks.spawn(task.in_current_span());
    }

    /// Takes in what a task reports. A connection to elsewhere ends the session.
    async fn hear(
        &mut self,
        report: Report,
        link: &Link,
        controls: &Controls,
    ) -> Result<Option<Connection>, Over> {
        match report {
            Report::Objects(objects) => {
                for object in objects {
                    self.observe(object).await?;
                }
                for warning in self.index.take_warnings() {
                    if warning.is_malformed {
                        self.speaker.count(SourceEvent::Malformed);
                    }
                    let resource = warning.kind.resource();
                    warn!(resource, object = %warning.object, "{}", warning.text);
                }
            }
            Report::Watch(kind, news) => {
                match &news {
                    News::Listing => self.speaker.count(SourceEvent::Relist),
                    News::Failed(failure) => {
                        self.speaker.count(SourceEvent::Failure);
                        if matches!(failure, Failure::Unauthorized(_)) {
                            link.renew.notify_one();
                        }
                    }
                    _ => {}
                }
                if kind == Kind::Exports {
                    self.notice_exports(&news);
                    if let (News::Failed(_), Some(kinds)) = (&news, &mut self.confirming) {
                        // An extra: nothing waits for it.
                        kinds.remove(&kind);
                    }
                }
                debug!(resource = kind.resource(), ?news, "watch");
                self.contact.hear(kind, news, Instant::now());
            }
            Report::Beat(result) => {
                if result.is_err() {
                    self.speaker.count(SourceEvent::Heartbeat);
                }
                if self.contact.beat(result, Instant::now()) {
                    controls.restarts.send_modify(|count| *count += 1);
                    controls.wake.notify_waiters();
                }
            }
            Report::Identity(result) => {
                self.asks_identity = false;
                match result {
                    Ok(identity) => self.identify(identity).await?,
                    Err(error) => debug!(%error, "identity unknown"),
                }
            }
            Report::Connection(Err(error)) => {
                let error = error.to_string();
                if self.credentials.as_ref() != Some(&error) {
                    warn!(%error, "credentials have changed and cannot be used, the old ones stay");
                    self.credentials = Some(error);
                }
            }
            Report::Connection(Ok(connection)) if connection.url != self.url => {
                return Ok(Some(*connection));
            }
            Report::Connection(Ok(connection)) => {
                info!("credentials renewed");
                self.credentials = None;
                controls.client.send_replace(connection.client.clone());
                controls.wake.notify_waiters();
                self.spawn(renew::run(link.clone(), self.source.clone(), *connection));
            }
        }
        Ok(None)
    }

    /// Takes in an object, or the end of a list. What a complete list lacks is said as one list, so
    /// that the writer sees how much that is; and while it waits for another one, not before every
    /// kind was listed.
    async fn observe(&mut self, observation: Observation) -> Result<(), Over> {
        let listed = observation.ends_list();
        let changes = self.index.observe(observation);
        if !self.contact.passes_changes() {
            return Ok(());
        }
        if let (Some(kind), Some(kinds)) = (listed, &mut self.confirming) {
            kinds.remove(&kind);
            return Ok(());
        }
        let says_services =
            |change: &Change| !matches!(change, Change::Topology(_) | Change::Networks(_));
        if listed.is_some() && changes.iter().any(says_services) {
            return self.say_all().await;
        }
        for change in changes {
            self.speaker.say(change).await?;
        }
        Ok(())
    }

    /// Says everything that is known.
    async fn say_all(&mut self) -> Result<(), Over> {
        for change in self.index.sync().into_iter().flatten() {
            self.speaker.say(change).await?;
        }
        Ok(())
    }

    /// Has every kind listed again, to say everything once more.
    fn list_again(&mut self, kinds: &[Kind], controls: &Controls) {
        if !self.contact.passes_changes() {
            // A list is under way anyhow.
            return;
        }
        let extra = (self.has_exports == Some(true)).then_some(Kind::Exports);
        info!(member = %self.speaker.member, "listed again, for confirmation");
        self.confirming = Some(kinds.iter().copied().chain(extra).collect());
        controls.relists.send_modify(|count| *count += 1);
    }

    /// Says a loss, a return or a sync, if it is time.
    async fn judge(&mut self, link: &Link) -> Result<(), Over> {
        let now = Instant::now();
        while let Some(change) = self.contact.evaluate(now) {
            if matches!(change, Change::Lost(_)) {
                self.identity = None;
            }
            self.speaker.say_contact(change).await?;
        }
        if self.confirming.as_ref().is_some_and(BTreeSet::is_empty) {
            self.confirming = None;
            if self.contact.passes_changes() {
                self.say_all().await?;
            }
        }
        if !self.contact.may_sync(now) || self.confirming.is_some() {
            let is_time = now.duration_since(self.asked_at) >= link.timing.identity;
            if is_time && self.contact.passes_changes() {
                self.ask_identity(link);
            }
            return Ok(());
        }
        let Some(identity) = self.identity.clone() else {
            self.ask_identity(link);
            return Ok(());
        };
        if let Some(changes) = self.index.sync() {
            self.speaker.say(Change::Identity(identity)).await?;
            for change in changes {
                self.speaker.say(change).await?;
            }
            self.contact.synced();
            debug!(member = %self.speaker.member, services = self.index.published(), "listed");
        }
        Ok(())
    }

    /// Takes in which cluster this is. A version that is new while in contact is said at once.
    async fn identify(&mut self, identity: Identity) -> Result<(), Over> {
        let known = self.identity.replace(identity.clone());
        match known {
            Some(known) if known != identity && self.contact.passes_changes() => {
                self.speaker.say(Change::Identity(identity)).await
            }
            _ => Ok(()),
        }
    }

    /// Logs when service exports cannot be watched, and when they can again.
    fn notice_exports(&mut self, news: &News) {
        match news {
            News::Failed(failure @ Failure::Refused { .. }) if self.has_exports != Some(false) => {
                let reason = failure.text();
                warn!(
                    reason,
                    "service exports cannot be watched: annotations alone count"
                );
                self.has_exports = Some(false);
            }
            News::Up if self.has_exports != Some(true) => {
                info!("service exports are watched");
                self.has_exports = Some(true);
            }
            _ => {}
        }
    }

    /// Asks which cluster this is, unless that is under way.
    fn ask_identity(&mut self, link: &Link) {
        if self.asks_identity {
            return;
        }
        self.asks_identity = true;
        self.asked_at = Instant::now();
        let (link, url) = (link.clone(), self.url.clone());
        self.tasks.spawn(async move {
            let identity = identify(&link.client(), url, link.timing.answer).await;
            // When the session is over, nobody needs to know.
            let _ = link.report(Report::Identity(identity)).await;
        });
    }
}
