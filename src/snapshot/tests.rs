//! A small world, built up and torn down.
