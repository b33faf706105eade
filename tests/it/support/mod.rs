//! What several tests share.

pub(crate) mod asked;
pub(crate) mod attackers;
pub(crate) mod cli;
pub(crate) mod collector;
pub(crate) mod fake_cluster;
pub(crate) mod fake_vault;
pub(crate) mod issuer;
pub(crate) mod opens;
pub(crate) mod oracle;
pub(crate) mod pods;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod schemathesis;
pub(crate) mod service;
pub(crate) mod sops;
pub(crate) mod ssh_keygen;

use std::path::PathBuf;

/// Says why a test checks nothing here, and fails it where `VANTA_REQUIRE_ORACLES` is set.
#[expect(clippy::print_stderr, reason = "whoever runs the tests has to know what did not run")]
pub(crate) fn passed_over(reason: &str) {
    assert!(variable("VANTA_REQUIRE_ORACLES").is_none(), "VANTA_REQUIRE_ORACLES is set: {reason}");
    eprintln!("skipped: {reason}");
}

/// An environment variable that is not empty.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration of their own")]
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
