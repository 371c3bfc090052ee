//! What answers a request.

use crate::answer::{Client, Outcome, Substitute};
use crate::snapshot::Snapshot;
use crate::telemetry::Tally;
use crate::wire::Qname;

/// What answers a request: [`crate::answer`], or a stand-in of a test that fails where the real one
/// must not. Every implementation is compiled into its own loop.
pub trait Respond: Clone + Send + Sync + 'static {
    /// A request that is read.
    type Prepared<'a>;

    /// Reads a request into `place`; `qname` is room for its name.
    fn prepare<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &'a [u8],
        qname: &'a mut Qname,
        place: &mut Option<Self::Prepared<'a>>,
    );

    /// Takes the steps of several requests that gain by being taken together.
    fn look_up(&self, prepared: &mut [Option<Self::Prepared<'_>>]);

    /// Answers a request into `out`, and counts what else happens.
    fn complete(
        &self,
        prepared: &mut Self::Prepared<'_>,
        client: &Client,
        tally: &mut Tally,
        out: &mut [u8],
    ) -> Outcome;

    /// Answers a request that needs a signature which nobody can make in time; returns the length of the
    /// response in `out`, `None` for none.
    fn refuse(
        &self,
        prepared: &Self::Prepared<'_>,
        client: &Client,
        refusal: Substitute,
        out: &mut [u8],
    ) -> Option<usize>;

    /// Answers a request, and makes the signatures that it needs.
    fn sign(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        client: &Client,
        tally: &mut Tally,
        out: &mut [u8],
    ) -> Option<usize>;
}

impl<F> Respond for F
where
    F: Fn(&Snapshot, &[u8], &Client, &mut [u8]) -> Option<usize> + Clone + Send + Sync + 'static,
{
    type Prepared<'a> = (&'a Snapshot, &'a [u8]);

    fn prepare<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &'a [u8],
        _qname: &'a mut Qname,
        place: &mut Option<Self::Prepared<'a>>,
    ) {
        *place = Some((snapshot, request));
    }

    fn look_up(&self, _prepared: &mut [Option<Self::Prepared<'_>>]) {}

    fn complete(
        &self,
        (snapshot, request): &mut Self::Prepared<'_>,
        client: &Client,
        _tally: &mut Tally,
        out: &mut [u8],
    ) -> Outcome {
        self(snapshot, request, client, out).map_or(Outcome::Nothing, Outcome::Reply)
    }

    fn refuse(
        &self,
        _prepared: &Self::Prepared<'_>,
        _client: &Client,
        _refusal: Substitute,
        _out: &mut [u8],
    ) -> Option<usize> {
        None
    }

    fn sign(
        &self,
        snapshot: &Snapshot,
        request: &[u8],
        client: &Client,
        _tally: &mut Tally,
        out: &mut [u8],
    ) -> Option<usize> {
        self(snapshot, request, client, out)
    }
}
