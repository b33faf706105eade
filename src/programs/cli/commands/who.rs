//! `who`

use crate::contract::api::holders::{Holder, HoldersQuery};
use crate::domain::held::Held;
use crate::programs::cli::args::Who;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

/// Shows who was last given what, and whether it is still what there is.
pub(in crate::programs::cli) fn run(
    config: &Config,
    args: &Who,
    printer: &Printer,
) -> Result<(), Failure> {
    let query = HoldersQuery {
        environment: Some(args.environment.to_string()),
        key: args.key.as_ref().map(ToString::to_string),
        subject: args.subject.as_ref().map(ToString::to_string),
        limit: Some(args.limit as usize),
    };
    let found = config.client.holders(config.identity()?, &query)?;
    if !printer.for_people() {
        return printer.document(&found);
    }
    if found.holders.is_empty() {
        Printer::note("nobody was given this, as far as the audit tells");
    }
    found.holders.iter().try_for_each(|holder| Printer::line(&row(holder)))?;
    if found.more {
        Printer::note("there are more: see --limit");
    }
    Ok(())
}

/// A holder as a line for people.
fn row(holder: &Holder) -> String {
    let current = if holder.current { "current" } else { "behind " };
    let pod =
        holder.held.pod.as_ref().map(|pod| format!(" in pod {}", pod.name)).unwrap_or_default();
    let Held { subject, time, scope, revision, keys, .. } = &holder.held;
    let keys =
        if let [_] = keys.as_slice() { "1 key".to_owned() } else { format!("{} keys", keys.len()) };
    format!("{time:.0}  {current}  {revision:.12}  {scope} ({keys})  {subject}{pod}")
}
