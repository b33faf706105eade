//! `audit`

mod query;
mod verify;

use std::process::ExitCode;

use crate::programs::cli::audit_args::AuditCommand;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

pub(in crate::programs::cli) fn run(
    config: impl FnOnce() -> Result<Config, Failure>,
    command: AuditCommand,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    match command {
        AuditCommand::Verify(args) => verify::run(config, &args, printer),
        AuditCommand::Query(args) => {
            query::query(&config()?, &args, printer).map(|()| ExitCode::SUCCESS)
        }
        AuditCommand::Tail(args) => match query::tail(&config()?, &args, printer)? {},
    }
}
