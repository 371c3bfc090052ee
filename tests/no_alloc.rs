//! The query path allocates nothing.
