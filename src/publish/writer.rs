//! The one writer: its thread, its loop, and when it publishes.

pub(super) mod confirming;
pub(super) mod execute;
pub(super) mod pace;
pub(super) mod publication;
pub(super) mod retire;
pub(super) mod run;
pub(super) mod serial;
pub(super) mod thread;
