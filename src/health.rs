//! Active probes of published addresses: what answers, what does not, and since when.
//!
//! ```text
//! targets ──▶ due ──▶ a bounded number of probes at once ──▶ history ──Delta::Probed──▶ the writer
//!              ▲                                               │
//!              └───────────────── interval ────────────────────┘
//! ```
//!
//! All of it is one task on a thread of its own, so that probes delay neither answers nor the writer.
//! A target is unknown until it has passed once: one that cannot be reached from here at all, behind
//! a firewall, is never held against its service. When nothing of an address family is heard, it is
//! our own network that fails, and no verdict worsens.

mod check;
mod connect;
mod driver;
mod history;
mod reachability;
mod thread;

pub use thread::{Prober, spawn};
