//! Who may ask, and how old what they are granted may be.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::freshness::{ISSUE_LIMIT, READ_LIMIT};

/// How callers prove who they are, beside service accounts, and for how long grants are trusted.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct CallerArgs {
    /// The file of clients and the hashes of their secrets
    #[arg(long, env = "VANTA_CLIENTS_FILE")]
    pub(super) clients_file: Option<PathBuf>,
    /// The file of OIDC issuers, whose ID tokens prove who a caller is
    #[arg(long, env = "VANTA_OIDC_FILE")]
    pub(super) oidc_file: Option<PathBuf>,
    /// After how many seconds without news of the grants nothing is read any more
    #[arg(
        long,
        env = "VANTA_GRANTS_STALE_AFTER",
        value_name = "SECONDS",
        default_value_t = READ_LIMIT.as_secs(),
        value_parser = clap::value_parser!(u64).range(ISSUE_LIMIT.as_secs()..=24 * 60 * 60)
    )]
    grants_stale_after: u64,
}

impl CallerArgs {
    /// With this file of clients, and all else as it is by default.
    pub(super) fn with_clients(file: PathBuf) -> Self {
        Self { clients_file: Some(file), oidc_file: None, grants_stale_after: READ_LIMIT.as_secs() }
    }

    /// How long reads are answered without news of the grants.
    pub(super) fn grants_stale_after(&self) -> Duration {
        Duration::from_secs(self.grants_stale_after)
    }
}
