//! One member's session: joins what its tasks report, and says what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{Instrument, debug, info, warn};

use super::super::super::unconfirmed::Unconfirmed;
use super::super::client::{Access, ClientOrigin, Connection};
use super::super::failure::Failure;
use super::super::index::{Index, ObjectKind, Observation};
use super::super::objects::{GatewayObject, IngressObject, NodeObject, ServiceObject, SliceObject};
use super::contact::{Contact, WatchStatus};
use super::delta_sender::DeltaSender;
use super::expiries::Expiries;
use super::identity::Identification;
use super::link::{Link, Stopped, TaskReport};
use super::read::ExportMetadata;
use super::renewal::RenewalNews;
use super::timing::Timing;
use super::{follow, heartbeat, optional, renew};
use crate::config::MemberSource;
use crate::model::limits::{MEMBER_FACTS, MEMBER_OBJECTS};
use crate::model::{Change, Shown};
use crate::telemetry::{Renewal, SourceEvent, clock};

/// Reports under way; when full, watches wait, and the API server keeps what they have not read.
const REPORTS: usize = 64;

/// How often contact is judged when nothing is reported.
const TICK: Duration = Duration::from_millis(250);

/// How a session ends while somebody receives.
pub(super) enum SessionEnd {
    /// The API has moved: the connection to where it is now.
    Moved(Box<Connection>),
    /// There is more than is kept.
    TooMuch(Failure),
    /// It lists without progress: everything is to be listed from nothing.
    Stuck,
}

/// A session with one API.
pub(super) struct Session<'a> {
    /// Sends what comes of it to the writer.
    sender: &'a DeltaSender,
    /// Where clients are built from.
    origin: ClientOrigin,
    /// Whether the member is in contact.
    contact: &'a mut Contact,
    /// The member's objects, joined.
    index: Index,
    /// Octets that its facts may hold.
    facts_limit: u64,
    /// The API's URL.
    url: String,
    /// Which cluster it is, asked anew after each loss.
    identification: Identification,
    /// Why new credentials cannot be used.
    credentials: Option<String>,
    /// When the present ones expire, and the API's certificate as far as it was seen.
    expiries: Expiries,
    /// The last attempt to renew the token was refused.
    is_renewal_refused: bool,
    /// Whether kinds that need not be there are watched, as far as that was logged.
    has_optional: BTreeMap<ObjectKind, bool>,
    /// Kinds that are watched, or are tried to be.
    started: BTreeSet<ObjectKind>,
    /// Everything that runs for this session; ends with it.
    tasks: JoinSet<()>,
}

/// How the tasks of a session are told things.
struct Controls {
    /// The present client.
    access: watch::Sender<Access>,
    /// Calls on open watches to start again.
    restarts: watch::Sender<u64>,
    /// Calls on open watches to list anew.
    relists: watch::Sender<u64>,
    /// Calls on tasks that pause to go on.
    returns: watch::Sender<u64>,
}

impl<'a> Session<'a> {
    /// A session with the API at `url`, of which nothing is known.
    pub(super) fn new(
        sender: &'a DeltaSender,
        source: &'a MemberSource,
        origin: ClientOrigin,
        contact: &'a mut Contact,
        index: Index,
        url: String,
        timing: &Timing,
    ) -> Self {
        Self {
            sender,
            origin,
            facts_limit: source.facts_limit,
            contact,
            index,
            identification: Identification::new(url.clone(), timing),
            url,
            credentials: None,
            expiries: Expiries::default(),
            is_renewal_refused: false,
            has_optional: BTreeMap::new(),
            started: BTreeSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs the session until the API moves, says more than is kept, or is stuck.
    pub(super) async fn run(
        &mut self,
        connection: Connection,
        kinds: &[ObjectKind],
        unconfirmed: &mut Unconfirmed,
        lists: Arc<Semaphore>,
        timing: &Timing,
    ) -> Result<SessionEnd, Stopped> {
        let (reports, mut heard) = mpsc::channel(REPORTS);
        let (access, accesses) = watch::channel(connection.access.clone());
        let (restarts, restart) = watch::channel(0);
        let (relists, relist) = watch::channel(0);
        let (returns, returned) = watch::channel(0);
        let link = Link {
            access: accesses,
            reports,
            returns: returned,
            look: Arc::default(),
            renew: Arc::default(),
            rebuild: Arc::default(),
            restarts: restart,
            relists: relist,
            lists,
            never_streams: Arc::default(),
            timing: *timing,
        };
        let controls = Controls {
            access,
            restarts,
            relists,
            returns,
        };
        self.expiries.replace(&connection);
        self.start(&link, kinds);
        let origin = self.origin.clone();
        if let Some(kept) = &origin.kept {
            let member = self.sender.member.clone();
            let (kept, origin) = (Arc::clone(kept), self.origin.clone());
            self.spawn(renew::renew_tokens(link.clone(), member, kept, origin));
        }
        self.spawn(renew::run(link.clone(), origin, connection));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let report = tokio::select! {
                report = heard.recv() => report,
                _ = ticks.tick() => None,
                () = unconfirmed.wait() => {
                    self.list_again(&controls);
                    None
                }
            };
            if let Some(report) = report
                && let Some(moved) = self.hear(report, &link, &controls).await?
            {
                return Ok(SessionEnd::Moved(moved));
            }
            if let Some(failure) = self.excess() {
                return Ok(SessionEnd::TooMuch(failure));
            }
            self.notice_expiries();
            self.judge(&link).await?;
            if self.contact.is_stuck(Instant::now()) {
                return Ok(SessionEnd::Stuck);
            }
        }
    }

    /// What there is more of than is kept.
    fn excess(&self) -> Option<Failure> {
        let (objects, octets) = (self.index.objects() as u64, self.index.octets() as u64);
        if MEMBER_OBJECTS.is_exceeded_by(objects) {
            return Some(Failure::too_much("its objects", &MEMBER_OBJECTS));
        }
        (octets > self.facts_limit).then(|| {
            let what = format!(
                "its facts: more than {} octets (facts-limit)",
                self.facts_limit
            );
            Failure::TooMuch {
                limit: &MEMBER_FACTS,
                what,
            }
        })
    }

    /// Starts the tasks.
    fn start(&mut self, link: &Link, kinds: &[ObjectKind]) {
        for kind in kinds {
            let link = link.clone();
            match kind {
                ObjectKind::Services => self.spawn(follow::run::<ServiceObject>(link)),
                ObjectKind::Slices => self.spawn(follow::run::<SliceObject>(link)),
                ObjectKind::Nodes => self.spawn(follow::run::<NodeObject>(link)),
                ObjectKind::Exports | ObjectKind::Gateways | ObjectKind::Ingresses => {}
            }
        }
        self.started.extend(kinds);
        self.spawn(optional::run::<ExportMetadata>(link.clone()));
        self.spawn(heartbeat::run(link.clone()));
        self.start_wanted(link);
    }

    /// Starts to watch what services have asked for since.
    fn start_wanted(&mut self, link: &Link) {
        let wanted: Vec<ObjectKind> = self.index.wanted().collect();
        for kind in wanted {
            if !self.started.insert(kind) {
                continue;
            }
            self.contact.want(kind, Instant::now());
            let link = link.clone();
            match kind {
                ObjectKind::Gateways => self.spawn(optional::run::<GatewayObject>(link)),
                ObjectKind::Ingresses => self.spawn(optional::run::<IngressObject>(link)),
                ObjectKind::Nodes => self.spawn(optional::run::<NodeObject>(link)),
                ObjectKind::Services | ObjectKind::Slices | ObjectKind::Exports => {}
            }
        }
    }

    /// Runs a task of this session.
    fn spawn(&mut self, task: impl Future<Output = Stopped> + Send + 'static) {
        let task = async {
            task.await;
        };
        self.tasks.spawn(task.in_current_span());
    }

    /// Takes in what a task reports. A connection to elsewhere ends the session.
    async fn hear(
        &mut self,
        report: TaskReport,
        link: &Link,
        controls: &Controls,
    ) -> Result<Option<Box<Connection>>, Stopped> {
        if report.is_answer() {
            self.sender.note_heard();
        }
        match report {
            TaskReport::Objects(objects) => {
                for object in objects {
                    self.observe(object).await?;
                }
                for warning in self.index.take_warnings() {
                    if warning.is_malformed {
                        self.sender.count(SourceEvent::Malformed);
                    }
                    let resource = warning.kind.resource();
                    let (object, text) = (Shown(&warning.object), Shown(&warning.text));
                    warn!(resource, %object, "{text}");
                }
                self.start_wanted(link);
            }
            TaskReport::Watch(kind, status) => {
                match &status {
                    WatchStatus::Listing => self.sender.count(SourceEvent::Relist),
                    WatchStatus::Failed(failure) => {
                        self.sender.count(SourceEvent::Failure);
                        match failure {
                            Failure::Unauthorized(_) => link.renew.notify_one(),
                            Failure::TooMuch { limit, .. } => self.sender.count_excess(limit),
                            _ => {}
                        }
                    }
                    _ => {}
                }
                debug!(resource = kind.resource(), ?status, "watch");
                self.notice_optional(kind, &status).await?;
                self.contact.hear(kind, status, Instant::now());
            }
            TaskReport::Beat(result) => {
                if result.is_err() {
                    self.sender.count(SourceEvent::Heartbeat);
                }
                if self.contact.beat(result, Instant::now()) {
                    controls.restarts.send_modify(|count| *count += 1);
                }
            }
            TaskReport::Returned => {
                debug!("the API is ready again");
                controls.returns.send_modify(|count| *count += 1);
                self.identification.hurry();
            }
            TaskReport::Identity(result) => {
                let failure = result.as_ref().err().map(ToString::to_string);
                self.contact.hear_identity(failure, Instant::now());
                if let Some(identity) = self.identification.hear(result)
                    && self.contact.passes_changes()
                {
                    // A version that is new while in contact is said at once.
                    self.sender.send(Change::Identity(identity)).await?;
                }
            }
            TaskReport::Renewal(news) => self.notice_renewal(&news),
            TaskReport::Connection(Err(error)) => {
                if let Some(limit) = error.limit() {
                    self.sender.count_excess(limit);
                }
                let error = error.to_string();
                if self.credentials.as_ref() != Some(&error) {
                    warn!(error = %Shown(&error), "new credentials are unusable, keeping the old ones");
                    self.credentials = Some(error);
                }
            }
            TaskReport::Connection(Ok(connection)) if connection.url != self.url => {
                return Ok(Some(connection));
            }
            TaskReport::Connection(Ok(connection)) => {
                info!("credentials renewed");
                self.credentials = None;
                self.expiries.replace(&connection);
                controls.access.send_replace(connection.access);
                controls.returns.send_modify(|count| *count += 1);
            }
        }
        Ok(None)
    }

    /// Takes in an object, or the end of a list. What a complete list lacks is said as one list, so
    /// that the writer sees how much that is; and while it waits for another one, not before every
    /// kind was listed.
    async fn observe(&mut self, observation: Observation) -> Result<(), Stopped> {
        let listed = observation.ends_list();
        let changes = self.index.observe(observation);
        if let Some(kind) = listed {
            self.contact.listed(kind);
        }
        if !self.contact.passes_changes() || listed.is_some() && self.contact.awaits_lists() {
            return Ok(());
        }
        let says_services =
            |change: &Change| !matches!(change, Change::Topology(_) | Change::Networks(_));
        if listed.is_some() && changes.iter().any(says_services) {
            return self.say_all().await;
        }
        for change in changes {
            self.sender.send(change).await?;
        }
        Ok(())
    }

    /// Says everything that is known.
    async fn say_all(&mut self) -> Result<(), Stopped> {
        for change in self.index.sync().into_iter().flatten() {
            self.sender.send(change).await?;
        }
        Ok(())
    }

    /// Has every kind listed again, to say everything once more.
    fn list_again(&mut self, controls: &Controls) {
        if self.contact.want_lists(Instant::now()) {
            info!(member = %self.sender.member, "listing again to confirm removals");
            controls.relists.send_modify(|count| *count += 1);
        }
    }

    /// Says a loss, a return or a sync, if it is time.
    async fn judge(&mut self, link: &Link) -> Result<(), Stopped> {
        let now = Instant::now();
        while let Some(change) = self.contact.evaluate(now) {
            if matches!(change, Change::Lost(_)) {
                self.identification.forget();
            }
            self.sender.send_contact(change).await?;
        }
        if self.contact.take_lists(now) {
            self.say_all().await?;
        }
        let is_missing = self.contact.awaits_identity() && self.identification.identity().is_none();
        let is_old = self.contact.passes_changes() && self.identification.is_old(now);
        if is_missing || is_old {
            self.identification.ask(link, &mut self.tasks, now);
        }
        if !self.contact.may_sync(now) {
            return Ok(());
        }
        let Some(identity) = self.identification.identity() else {
            return Ok(());
        };
        if let Some(changes) = self.index.sync() {
            self.sender.send(Change::Identity(identity)).await?;
            for change in changes {
                self.sender.send(change).await?;
            }
            self.contact.synced();
            debug!(member = %self.sender.member, services = self.index.published(), "listed");
        }
        Ok(())
    }

    /// Shows when credentials and the API's certificate expire, and logs that they have.
    fn notice_expiries(&mut self) {
        if let Some((credential, certificate)) = self.expiries.news() {
            self.sender.show_expiries(credential, certificate);
        }
        if let Some(at) = self.expiries.end(clock::now()) {
            warn!(expired = %at, "credential expired");
        }
    }

    /// Counts and logs what became of an attempt to renew the token.
    fn notice_renewal(&mut self, news: &RenewalNews) {
        let is_refused = matches!(news, RenewalNews::Refused(..));
        let was_refused = std::mem::replace(&mut self.is_renewal_refused, is_refused);
        let result = match news {
            RenewalNews::Renewed(None) => {
                info!("token renewed");
                Renewal::Renewed
            }
            RenewalNews::Renewed(Some(error)) => {
                warn!(%error, "token renewed, and not kept: a restart begins with the configured one");
                Renewal::Renewed
            }
            RenewalNews::Found(None) => {
                info!("token renewed by another replica");
                return;
            }
            RenewalNews::Found(Some(error)) => {
                warn!(%error, "token renewed by another replica, and not kept");
                return;
            }
            RenewalNews::Refused(reason, expires) => {
                if !was_refused {
                    let reason = Shown(reason);
                    warn!(%reason, %expires, "the token may not be renewed and ends; say renew = false if that is meant");
                }
                Renewal::Refused
            }
            RenewalNews::Failed(reason) => {
                warn!(reason = %Shown(reason), "the token was not renewed");
                Renewal::Failed
            }
        };
        self.sender.count_renewal(result);
    }

    /// Logs when kinds that need not be there cannot be watched, and when they can again. What leads
    /// over one that was never there leads nowhere.
    async fn notice_optional(
        &mut self,
        kind: ObjectKind,
        status: &WatchStatus,
    ) -> Result<(), Stopped> {
        if self.contact.needs(kind) {
            return Ok(());
        }
        let has = self.has_optional.get(&kind).copied();
        let resource = kind.resource();
        match status {
            WatchStatus::Failed(failure) if !matches!(failure, Failure::Transport(_)) => {
                let is_refused = matches!(failure, Failure::Refused { .. });
                if is_refused && has != Some(false) {
                    let reason = Shown(failure.text());
                    warn!(resource, %reason, "cannot be watched: {}", optional::missing_without(kind));
                    self.has_optional.insert(kind, false);
                }
                let changes = self.index.refuse(kind, failure.text());
                if self.contact.passes_changes() {
                    for change in changes {
                        self.sender.send(change).await?;
                    }
                }
            }
            WatchStatus::Up if has != Some(true) => {
                info!(resource, "is watched");
                self.has_optional.insert(kind, true);
            }
            _ => {}
        }
        Ok(())
    }
}
