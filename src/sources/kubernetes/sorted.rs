//! Lists whose order never counts as a change.

/// Sorted, without duplicates.
pub(super) fn sorted<T: Ord>(mut values: Vec<T>) -> Box<[T]> {
    values.sort_unstable();
    values.dedup();
    values.into()
}
