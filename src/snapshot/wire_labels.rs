//! Labels in wire form.

use smallvec::SmallVec;

/// Labels in wire form, without a root.
pub(super) fn wire_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Box<[u8]> {
    inline_labels(labels).into_boxed_slice()
}

/// The same, without an allocation as a rule.
pub(super) fn inline_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> SmallVec<[u8; 64]> {
    let mut wire = SmallVec::new();
    for label in labels {
        wire.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        wire.extend_from_slice(label.as_bytes());
    }
    wire
}
