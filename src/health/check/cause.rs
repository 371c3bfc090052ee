//! What is seen of errors of other libraries.

use crate::health::connect::answered;
use crate::health::history::ProbeOutcome;

/// What is seen of an error of another library: the error below it, if there is one.
pub(super) fn deepest(error: &(dyn std::error::Error + 'static)) -> ProbeOutcome {
    let mut deepest = error;
    while let Some(below) = deepest.source() {
        deepest = below;
    }
    match deepest.downcast_ref() {
        Some(error) => answered(error),
        None => ProbeOutcome::Answered(deepest.to_string().into()),
    }
}
