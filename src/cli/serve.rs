//! `gazetteer serve`: the daemon from its configuration to its end.

use std::num::NonZero;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::arguments::ServeArguments;
use super::cookies::Cookies;
use super::kept_members::{self, KnownMembers};
use super::locating::Locating;
use super::output;
use super::overriding::Overriding;
use super::predecessor::unless_taken;
use super::ready::ReadyLine;
use super::reload::Running;
use super::resolving::Resolving;
use super::rights;
use super::runtimes::Runtimes;
use super::service_manager::{self, ServiceManager};
use super::signals::{SignalAction, Signals};
use super::signing::FollowedKeys;
use super::state_dir::StateDir;
use super::watchdog;
use crate::config::{Config, Listen, Loaded, Source};
use crate::names::Label;
use crate::sources::kubernetes::{CredentialStore, HostClients, ObjectCredentials};
use crate::sources::members::HostMembers;
use crate::sources::{ConfirmedMembers, Lifetime, Supervisor};
use crate::telemetry::Metrics;
use crate::{admin, health, publish, serve, sources, telemetry};

/// How many lists members may make at once: enough that a slow one delays nobody for long, and few
/// enough that a start with many members stays small.
const LISTS: usize = 8;

/// How the daemon ended.
enum End {
    /// Everything was finished.
    Done,
    /// A second signal cut it short.
    Cut,
}

/// Serves until a signal.
pub(super) fn serve(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let logs = telemetry::init(&arguments.log, arguments.log_format.into())?;
    let loaded = match kept_members::load(&arguments.file) {
        Ok(KnownMembers { loaded, notes }) => {
            for note in notes {
                warn!("{note}");
            }
            awaiting(loaded)
        }
        Err(problems) => {
            for problem in problems {
                output::complain(&problem.to_string());
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let config = &loaded.config;
    rights::make_files_private();
    let listen = with_workers(&config.listen);
    let passed = service_manager::passed_sockets()?;
    let sockets = unless_taken(
        || serve::bind_with(&listen, &passed),
        |error| matches!(error, serve::ServeError::InUse { .. }),
    )?;
    let bind = |address| {
        unless_taken(
            || admin::bind(address),
            |error| matches!(error, admin::AdminError::InUse { .. }),
        )
    };
    let admin = config.listen.admin.map(bind).transpose()?;
    rights::drop(config)?;
    // Dropped last: it writes what is logged until the end.
    let logs = logs.detach();
    let metrics = Arc::new(Metrics::new().with_logs(&logs));
    let (state, storage) = StateDir::lock(&config.state_dir)?;
    let runtimes = Runtimes::start().context("threads")?;
    let sources = runtimes.sources();
    let bound = (sockets, admin);
    let kept = (state, storage);
    let daemon = daemon(loaded, sources, bound, kept, metrics);
    let end = runtimes.run(daemon);
    Ok(match end? {
        End::Done => ExitCode::SUCCESS,
        End::Cut => ExitCode::FAILURE,
    })
}

/// What was loaded, to be served: not ready before those lists of members were heard that nobody has
/// heard yet.
fn awaiting(mut loaded: Loaded) -> Loaded {
    let unheard = loaded.unheard();
    for list in &unheard {
        info!(%list, "which members there are is not known yet: waiting for it");
    }
    Arc::make_mut(&mut loaded.config.fleet).awaited = unheard;
    loaded
}

/// Everything that runs, in the order in which it ends.
struct Daemon {
    /// Answers queries.
    serving: serve::Serving,
    /// Watches members.
    supervisor: Supervisor,
    /// Runs what is watched.
    sources: Handle,
    /// Resolves load balancer host names.
    resolving: Resolving,
    /// Reads the GeoIP database.
    locating: Locating,
    /// Watches the overrides of a host cluster.
    overriding: Overriding,
    /// Follows DNSSEC keys.
    signing: FollowedKeys,
    /// Follows the secrets of DNS cookies.
    cookies: Cookies,
    /// Probes published addresses.
    health: health::Prober,
    /// Publishes snapshots.
    writer: publish::Writer,
    /// Shows all of it.
    admin: TaskTracker,
    /// Ends the admin address.
    end_admin: CancellationToken,
    /// What it all keeps.
    state: StateDir,
}

/// Runs the daemon until it is told to end, with members and what else is watched on `sources`.
async fn daemon(
    loaded: Loaded,
    sources: Handle,
    (sockets, admin): (serve::Sockets, Option<admin::AdminSocket>),
    (state, storage): (StateDir, publish::Storage),
    metrics: Arc<Metrics>,
) -> anyhow::Result<End> {
    let config = Arc::new(loaded.config.clone());
    let mut signals = Signals::new().context("signals")?;
    let (signing, keys) = FollowedKeys::load(&config, &metrics, sources.clone())?;
    let (handle, writer) = publish::spawn(
        Arc::clone(&config),
        Arc::clone(&metrics),
        storage.clone(),
        keys,
    )?;
    let cookies = Cookies::load(&config, &storage, &metrics, sources.clone());
    let guards = (signing.signatures(), cookies.guard());
    let serving = sockets.run(&handle.snapshots, metrics.counters(), guards)?;
    let ready_line = ReadyLine::new(&serving, admin.as_ref());
    state.set_address(ready_line.admin);

    let (ending, end_admin) = (CancellationToken::new(), CancellationToken::new());
    let admin_task = TaskTracker::new();
    if let Some(admin) = admin {
        let shown = view(&handle, &metrics, (&config, &state), &ending, &signing);
        admin_task.spawn(admin.run(shown, end_admin.clone()));
    }
    let tasks = (&admin_task, &end_admin);
    serve_control(&config, &storage, &handle, &metrics, tasks);
    admin_task.close();
    ready_line.print(false)?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        members = config.sources.len(),
        "serving"
    );

    let objects = ObjectCredentials::default();
    let hosts = (sources.clone(), HostClients::default());
    let mut supervisor = supervise(&handle, &metrics, &config.state_dir, objects.clone());
    {
        let _runs = sources.enter();
        supervisor.apply(&config.sources);
    }
    let health = probe(&handle, &metrics)?;
    let mut daemon = Daemon {
        serving,
        supervisor,
        resolving: Resolving::start(&config, &handle, sources.clone()),
        locating: Locating::start(&config, &handle, &metrics, sources.clone()),
        overriding: Overriding::start(&config, &handle, &metrics, hosts.clone()),
        signing,
        cookies,
        sources,
        health,
        writer,
        admin: admin_task,
        end_admin,
        state,
    };
    let host = HostMembers::new(hosts, objects, Arc::clone(&metrics));
    let departures = handle.departures.clone();
    let mut running = Running::new(loaded, Arc::clone(&metrics), departures, host);
    let mut ready = handle.ready.clone();
    let mut is_ready = false;
    let mut manager = ServiceManager::default();
    let fed = watchdog::start(&handle, &daemon.serving);
    let asked = loop {
        let new = tokio::select! {
            asked = signals.next() => match asked {
                SignalAction::Reload => {
                    manager.reloading();
                    running.reload()
                }
                SignalAction::End | SignalAction::EndNow => break asked,
            },
            new = running.changed() => new,
            became = ready.wait_for(|ready| *ready), if !is_ready => {
                is_ready = true;
                if became.is_ok() {
                    ready_line.print(true)?;
                    info!("ready");
                    manager.ready(&handle);
                }
                None
            }
            () = handle.deltas.closed() => anyhow::bail!("the writer of snapshots has ended"),
        };
        if let Some(new) = new
            && let Some(asked) = daemon.apply(&new, &handle, &mut signals).await
        {
            break asked;
        }
        manager.reloaded(&handle);
    };
    service_manager::stopping();
    ending.cancel();
    let delay = match asked {
        SignalAction::End => running.config().shutdown_delay,
        SignalAction::EndNow | SignalAction::Reload => Duration::ZERO,
    };
    info!(?delay, "shutting down");
    let end = daemon.end_after(delay, &mut signals).await;
    drop(fed);
    end
}

impl Daemon {
    /// Takes a new configuration into use. Returns early when a signal asks for the end, however
    /// long that takes.
    async fn apply(
        &mut self,
        config: &Arc<Config>,
        handle: &publish::Handle,
        signals: &mut Signals,
    ) -> Option<SignalAction> {
        let mut taken = pin!(self.take(config, handle));
        loop {
            tokio::select! {
                () = &mut taken => return None,
                asked = signals.next() => match asked {
                    // The file is watched: what it says now is not missed.
                    SignalAction::Reload => {}
                    SignalAction::End | SignalAction::EndNow => return Some(asked),
                },
            }
        }
    }

    /// Takes a new configuration into use. The writer knows of new members before they speak.
    async fn take(&mut self, config: &Arc<Config>, handle: &publish::Handle) {
        if handle.configs.send(Arc::clone(config)).await.is_err() {
            warn!("the writer is gone, configuration not applied");
            return;
        }
        {
            let _runs = self.sources.enter();
            self.supervisor.apply(&config.sources);
        }
        self.resolving.apply(config, handle).await;
        self.locating.apply(config, handle).await;
        self.overriding.apply(config, handle).await;
        self.signing.apply(config).await;
        self.cookies.apply(config).await;
    }

    /// Ends everything after `delay`, or at once when a second signal asks for that.
    async fn end_after(self, delay: Duration, signals: &mut Signals) -> anyhow::Result<End> {
        let finish = async {
            tokio::time::sleep(delay).await;
            self.finish().await
        };
        tokio::select! {
            finished = finish => finished.map(|()| End::Done),
            () = signals.next_end() => {
                warn!("shut down immediately");
                Ok(End::Cut)
            }
        }
    }

    /// Ends everything in order: queries, sources, the writer with its files, the admin address.
    async fn finish(self) -> anyhow::Result<()> {
        self.serving.shutdown().await;
        self.supervisor.shutdown().await;
        self.resolving.shutdown().await;
        self.locating.shutdown().await;
        self.overriding.shutdown().await;
        self.signing.shutdown().await;
        self.cookies.shutdown().await;
        // A thread that panicked has said so.
        let _ = tokio::task::spawn_blocking(|| self.health.stop()).await;
        // A writer that panicked has said so; then there is nothing left to wait for.
        let _ = tokio::task::spawn_blocking(|| self.writer.stop()).await;
        self.state.set_address(None);
        self.end_admin.cancel();
        self.admin.wait().await;
        info!("shut down");
        Ok(())
    }
}

/// What the admin address shows.
fn view(
    handle: &publish::Handle,
    metrics: &Arc<Metrics>,
    (config, state): (&Config, &StateDir),
    ending: &CancellationToken,
    signing: &FollowedKeys,
) -> admin::View {
    admin::View {
        snapshots: Arc::clone(&handle.snapshots),
        ready: handle.ready.clone(),
        ending: ending.clone(),
        metrics: Arc::clone(metrics),
        signatures: Arc::clone(signing.signatures()),
        key_troubles: signing.troubles(),
        overrides: handle.overrides.clone(),
        events: handle.events.clone(),
        hosts: config.listen.admin_hosts.clone().into(),
        state_dir: state.absolute().into(),
    }
}

/// Takes commands, unless the state folder cannot hold their socket: that stops nothing.
fn serve_control(
    config: &Config,
    storage: &publish::Storage,
    handle: &publish::Handle,
    metrics: &Arc<Metrics>,
    (tasks, end): (&TaskTracker, &CancellationToken),
) {
    match admin::bind_control(&config.state_dir) {
        Ok(control) => drop(tasks.spawn(control.run(
            handle.commands.clone(),
            Arc::clone(metrics),
            end.clone(),
        ))),
        Err(error) => {
            let error = anyhow::Error::new(error);
            storage.fails(
                "control",
                format!("the control socket is not served: {error:#}"),
            );
        }
    }
}

/// Starts to probe what is published.
fn probe(handle: &publish::Handle, metrics: &Arc<Metrics>) -> anyhow::Result<health::Prober> {
    let (targets, findings) = (handle.targets.clone(), handle.findings.clone());
    let deltas = handle.deltas.clone();
    let cancel = CancellationToken::new();
    health::spawn(targets, findings, deltas, Arc::clone(metrics), cancel)
        .context("thread of probes")
}

/// Watches members: none yet.
fn supervise(
    handle: &publish::Handle,
    metrics: &Arc<Metrics>,
    state_dir: &Path,
    objects: ObjectCredentials,
) -> Supervisor {
    let lists = Arc::new(Semaphore::new(LISTS));
    let credentials = Arc::new(CredentialStore {
        folder: state_dir.join("credentials"),
        objects,
    });
    let tokens = credentials.folder.clone();
    let gone = move |member: &Label| sources::kubernetes::forget_token(&tokens, member);
    let (metrics, confirmed) = (Arc::clone(metrics), handle.confirmed.clone());
    let start = move |lifetime| {
        let (lists, metrics) = (Arc::clone(&lists), Arc::clone(&metrics));
        let credentials = Arc::clone(&credentials);
        run_source(lifetime, lists, metrics, confirmed.clone(), credentials)
    };
    Supervisor::new(
        handle.deltas.clone(),
        handle.unconfirmed.clone(),
        start,
        gone,
    )
}

/// Runs the source of a member. `lists` bounds the lists that all members make at once.
async fn run_source(
    lifetime: Lifetime,
    lists: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    confirmed: ConfirmedMembers,
    credentials: Arc<CredentialStore>,
) {
    match &lifetime.source.source {
        Source::File { path } => {
            let path = path.clone();
            sources::file::run(path, confirmed, lifetime, metrics).await;
        }
        Source::Url(url) => {
            let url = url.clone();
            Box::pin(sources::url::run(*url, confirmed, lifetime, metrics)).await;
        }
        Source::Kubeconfig { .. } | Source::InCluster | Source::Object { .. } => {
            Box::pin(sources::kubernetes::run(
                lifetime,
                lists,
                metrics,
                &credentials,
            ))
            .await;
        }
    }
}

/// The listeners with as many workers as there are cores, unless the configuration says.
fn with_workers(listen: &Listen) -> Listen {
    let mut listen = listen.clone();
    if listen.workers == 0 {
        listen.workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    }
    listen
}
