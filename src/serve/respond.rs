//! What answers a request.

use crate::answer::Client;
use crate::snapshot::Snapshot;
use crate::telemetry::Tally;
use crate::wire::Qname;

/// What answers a request: [`crate::answer`], or a stand-in of a test that fails where the real one
/// must not. Every implementation is compiled into its own loop.
pub trait Respond: Clone + Send + Sync + 'static {
    /// A request that is read.
    type Prepared<'a>;

    /// Reads a request; `qname` is room for its name.
    fn prepare<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &'a [u8],
        qname: &'a mut Qname,
    ) -> Self::Prepared<'a>;

    /// Takes the steps of several requests that gain by being taken together.
    fn look_up(&self, prepared: &mut [Option<Self::Prepared<'_>>]);

    /// Answers a request into `out`, and counts what else happens; returns the length of the response, `None` for none.
    fn complete(
        &self,
        prepared: &mut Self::Prepared<'_>,
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
    ) -> Self::Prepared<'a> {
        (snapshot, request)
    }

    fn look_up(&self, _prepared: &mut [Option<Self::Prepared<'_>>]) {}

    fn complete(
        &self,
        (snapshot, request): &mut Self::Prepared<'_>,
        client: &Client,
        _tally: &mut Tally,
        out: &mut [u8],
    ) -> Option<usize> {
        self(snapshot, request, client, out)
    }
}
