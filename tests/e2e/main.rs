//! What VANTA promises on a real cluster, seen from outside: real pods, a real kubelet, `helm`.
//!
//! `scripts/cluster-tests` makes the cluster, installs the chart, runs this, and takes it down.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod administrators;
mod changes;
mod events;
mod files;
mod identities;
mod jobs;
mod leaks;
mod objects;
mod outages;
mod standards;
mod support;
mod waiting;
