//! The sessions of one member, one after another.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{info, warn};

use super::super::super::unconfirmed::Unconfirmed;
use super::super::client::{ClientOrigin, Connection, connect};
use super::super::failure::Failure;
use super::super::index::{Index, ObjectKind, TopologySource, WayRules};
use super::contact::Contact;
use super::delta_sender::DeltaSender;
use super::link::Stopped;
use super::pauses::Pauses;
use super::session::{Session, SessionEnd};
use super::timing::Timing;
use crate::config::MemberSource;
use crate::model::Shown;
use crate::names::Label;
use crate::telemetry::SourceEvent;

/// Runs the sessions of a member, one after another, while somebody receives.
pub(super) async fn run(
    source: &MemberSource,
    origin: &ClientOrigin,
    sender: DeltaSender,
    mut unconfirmed: Unconfirmed,
    lists: Arc<Semaphore>,
    timing: &Timing,
) -> Stopped {
    tokio::time::sleep(jitter(&sender.member, timing.jitter)).await;
    let topology_source = if source.has_topology {
        TopologySource::Configuration
    } else {
        TopologySource::Nodes
    };
    let rules = WayRules {
        addresses_from: source.addresses_from.clone(),
        front: source.front.clone(),
    };
    let kinds: &[ObjectKind] = match topology_source {
        TopologySource::Configuration => &[ObjectKind::Services, ObjectKind::Slices],
        TopologySource::Nodes => &[ObjectKind::Services, ObjectKind::Slices, ObjectKind::Nodes],
    };
    let mut contact = Contact::new(
        kinds,
        timing.down,
        timing.optional_wait,
        timing.stall,
        Instant::now(),
    );
    let mut connection = match first_connection(origin, &sender, &mut contact, timing).await {
        Ok(connection) => connection,
        Err(over) => return over,
    };
    let mut pauses = Pauses::new(timing);
    loop {
        contact.restart(Instant::now());
        let mut session = Session::new(
            &sender,
            source,
            origin.clone(),
            &mut contact,
            Index::new(topology_source, rules.clone()),
            connection.url.clone(),
            timing,
        );
        let began = Instant::now();
        let ended = session
            .run(
                connection,
                kinds,
                &mut unconfirmed,
                Arc::clone(&lists),
                timing,
            )
            .await;
        // What it holds is given back before anything else.
        drop(session);
        connection = match ended {
            Err(over) => return over,
            Ok(SessionEnd::Moved(moved)) => {
                let url = Shown(&moved.url);
                info!(member = %sender.member, %url, "API server URL has changed, reconnecting");
                *moved
            }
            Ok(SessionEnd::Stuck) => {
                let waited = contact.longest_stall();
                warn!(member = %sender.member, ?waited, "list made no progress, starting over");
                sender.count(SourceEvent::Stall);
                contact.give_up();
                match first_connection(origin, &sender, &mut contact, timing).await {
                    Ok(connection) => connection,
                    Err(over) => return over,
                }
            }
            Ok(SessionEnd::TooMuch(failure)) => {
                if began.elapsed() >= timing.longest_rare_pause {
                    pauses = Pauses::new(timing);
                }
                let again =
                    after_excess(origin, &sender, &mut contact, &failure, &mut pauses, timing);
                match again.await {
                    Ok(connection) => connection,
                    Err(over) => return over,
                }
            }
        };
    }
}

/// Holds a member that has said more than is kept, and connects again after a pause.
async fn after_excess(
    origin: &ClientOrigin,
    sender: &DeltaSender,
    contact: &mut Contact,
    failure: &Failure,
    pauses: &mut Pauses,
    timing: &Timing,
) -> Result<Connection, Stopped> {
    if let Failure::TooMuch { limit, .. } = failure {
        sender.count_excess(limit);
    }
    if let Some(lost) = contact.exceed(failure.text().to_owned(), Instant::now()) {
        sender.send_contact(lost).await?;
    }
    tokio::time::sleep(pauses.after(failure)).await;
    first_connection(origin, sender, contact, timing).await
}

/// Builds the first client, however long that takes.
async fn first_connection(
    origin: &ClientOrigin,
    sender: &DeltaSender,
    contact: &mut Contact,
    timing: &Timing,
) -> Result<Connection, Stopped> {
    let mut pauses = Pauses::new(timing);
    loop {
        let pause = match connect(origin).await {
            Ok(connection) => return Ok(connection),
            Err(error) => {
                if let Some(limit) = error.limit() {
                    sender.count_excess(limit);
                }
                if let Some(lost) = contact.lose_client(error.to_string()) {
                    sender.send_contact(lost).await?;
                }
                // Files cost nothing, and one that is right is to be used at once.
                if error.is_of_files() {
                    timing.files
                } else {
                    pauses.longer()
                }
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// How long this member waits before it starts: always the same for one name.
fn jitter(member: &Label, longest: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    member.hash(&mut hasher);
    longest * u32::try_from(hasher.finish() % 1000).unwrap_or_default() / 1000
}
