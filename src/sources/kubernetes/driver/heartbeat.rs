//! Whether the API answers: GET `/readyz`, whatever it says (names: decision 5).

use kube::api::GetParams;
use kube::core::Request;
use tokio::time::MissedTickBehavior;

use super::super::failure::Failure;
use super::link::{Link, Over, Report};

/// Sends heartbeats for as long as the session lasts.
///
/// Every request that is under way has a connection of its own (HTTP/1.1), so a heartbeat never
/// waits behind a watch.
pub(super) async fn run(link: Link) -> Over {
    let mut ticks = tokio::time::interval(link.timing.heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(over) = link.report(Report::Beat(beat(&link).await)).await {
            return over;
        }
    }
}

/// One heartbeat. Any answer is one, an error too.
async fn beat(link: &Link) -> Result<(), String> {
    let request = Request::new("").get("readyz", &GetParams::default());
    let request = request.map_err(|error| error.to_string())?;
    let client = link.client();
    match tokio::time::timeout(link.timing.answer, client.request_text(request)).await {
        Err(_) => Err(format!("no answer in {:?}", link.timing.answer)),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match Failure::of(&error) {
            Failure::Transport(why) => Err(why),
            _ => Ok(()),
        },
    }
}
