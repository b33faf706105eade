//! The arguments of `audit`.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;

use crate::adapters::audit::PublicKey;
use crate::contract::api::audit::AuditQuery;
use crate::domain::claims::TokenId;
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key};
use crate::domain::record::{Event, Outcome};
use crate::domain::record_filter::Order;

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Find what was changed, cut, inserted or moved, up to the last signed checkpoint
    #[command(long_about = "Find what was changed, cut, inserted or moved, up to the last signed \
        checkpoint.\n\nWith --folder the files of a folder are verified, and nothing is asked of \
        a vault; the checkpoints are those of the vault's log. Without it the vault is asked for \
        entries and checkpoints, and they are verified here.\n\nThe exit code is 0 where nothing \
        is wrong and 1 where something is. A chain that does not begin with its first entry is \
        wrong unless the vault signed that it removed those before: a folder is compared with \
        --public-key alone. Entries that were removed from the end, after the last \
        checkpoint, cannot be found.")]
    Verify(Verify),
    /// Print entries of the audit
    Query(Query),
    /// Print entries of the audit as they are written
    Tail(Tail),
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli audit verify [OPTIONS]")]
pub(super) struct Verify {
    /// A folder of the audit's files; the option again for each replica's
    #[arg(long, value_name = "DIR")]
    pub(super) folder: Vec<PathBuf>,
    /// A file of checkpoints: the vault's log, or its standard output
    #[arg(long, value_name = "FILE")]
    pub(super) checkpoints: Vec<PathBuf>,
    /// The key that checkpoints and removals must be signed with, as 64 hexadecimal digits
    #[arg(long, value_name = "KEY")]
    pub(super) public_key: Vec<PublicKey>,
    /// Take the audit's own word for what was removed at its beginning, where no signature of a
    /// known key proves it
    #[arg(long)]
    pub(super) trust_removals: bool,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli audit query [OPTIONS]")]
pub(super) struct Query {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// At this time or later, as in 2026-01-05T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<Timestamp>,
    /// How many at the most
    #[arg(long, value_name = "N", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// Which come first
    #[arg(long, value_name = "newest|oldest", default_value = "newest")]
    pub(super) order: Order,
}

#[derive(clap::Args)]
#[command(override_usage = "vanta-cli audit tail [OPTIONS]")]
pub(super) struct Tail {
    #[command(flatten)]
    pub(super) wanted: Wanted,
}

/// Which entries are wanted.
#[derive(clap::Args)]
pub(super) struct Wanted {
    /// Of this subject, as in client:ci
    #[arg(long)]
    pub(super) subject: Option<Subject>,
    /// Of this environment
    #[arg(long, short)]
    pub(super) environment: Option<Environment>,
    /// With this key
    #[arg(long, short)]
    pub(super) key: Option<Key>,
    /// Of this event, as in read
    #[arg(long)]
    pub(super) event: Option<Event>,
    /// With this outcome, as in refused
    #[arg(long)]
    pub(super) outcome: Option<Outcome>,
    /// With this access token, by its id
    #[arg(long)]
    pub(super) jti: Option<TokenId>,
    /// Written by this replica
    #[arg(long, value_name = "NAME")]
    pub(super) replica: Option<String>,
    /// Of this request, by the id in its answer and in the log
    #[arg(long, value_name = "ID")]
    pub(super) request_id: Option<String>,
}

impl Wanted {
    pub(super) fn query(&self) -> AuditQuery {
        fn text<T: ToString>(value: Option<&T>) -> Option<String> {
            value.map(ToString::to_string)
        }
        AuditQuery {
            subject: text(self.subject.as_ref()),
            environment: text(self.environment.as_ref()),
            key: text(self.key.as_ref()),
            event: text(self.event.as_ref()),
            outcome: text(self.outcome.as_ref()),
            jti: text(self.jti.as_ref()),
            replica: self.replica.clone(),
            request_id: self.request_id.clone(),
            ..AuditQuery::default()
        }
    }
}
