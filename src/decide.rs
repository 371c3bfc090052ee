//! The one pure function that chooses members, and the plans it works on. No clock, no randomness.
