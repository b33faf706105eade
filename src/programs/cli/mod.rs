//! `vanta-cli`: what a person, a script or a pipeline does with a vault.
//!
//! Invariant: standard output holds what was asked for and nothing else; a token or a value is
//! on it only where that is what was asked for, and never on standard error.

mod args;
mod audit_args;
mod commands;
mod config;
mod failure;
mod printer;
mod session;

use std::process::ExitCode;

use clap::Parser as _;

use crate::adapters::process::Status;
use crate::adapters::process::hardening::{close_to_others, forbid_core_dumps};
use args::{Args, Command, InjectAs, TokenCommand};
use config::Config;
use failure::Failure;
use printer::Printer;

/// Reads the command line, does what it says, and gives the code to exit with.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let asked_for_help = !error.use_stderr();
            // With nowhere to print to, the code still says it.
            let _ = error.print();
            return if asked_for_help { ExitCode::SUCCESS } else { Status::Usage.into() };
        }
    };
    let Args { global, command } = args;
    // Before there is anything in memory that a dump or another process could show.
    let closed = forbid_core_dumps().and_then(|()| match &command {
        // The command opens the file through this process, which holds nothing else.
        Command::Hold(args) if args.inject_as == InjectAs::File => Ok(()),
        _ => close_to_others(),
    });
    if let Err(error) = closed {
        let what = format!("the process cannot be closed to others: {error}");
        Printer::failure(&Failure::new(Status::InputOutput, what));
        return Status::InputOutput.into();
    }
    let printer = Printer::new(global.output);
    match run(&global, command, &printer) {
        Ok(code) => code,
        Err(failure) => {
            Printer::failure(&failure);
            failure.status.into()
        }
    }
}

fn run(global: &args::Global, command: Command, printer: &Printer) -> Result<ExitCode, Failure> {
    let config = || Config::new(global);
    match command {
        Command::Token { command: TokenCommand::Generate(args) } => {
            commands::token::generate(&config()?, args, printer)?;
        }
        Command::Token { command: TokenCommand::Revoke(args) } => {
            commands::token::revoke(&config()?, args, printer)?;
        }
        Command::Token { command: TokenCommand::Inspect } => {
            commands::token::inspect(&config()?, printer)?;
        }
        Command::Explain(args) => commands::explain::run(&config()?, args, printer)?,
        Command::Get(args) => commands::get::run(&config()?, &args, printer)?,
        Command::List(args) => commands::list::run(&config()?, &args, printer)?,
        Command::Hold(args) => return commands::hold::run(&args),
        Command::RunWithSecrets(args) => {
            match commands::run_with_secrets::run(&config()?, &args)? {}
        }
        Command::Client { command: args::ClientCommand::Hash(args) } => {
            commands::client::hash(&args, printer)?;
        }
        Command::Audit { command } => return commands::audit::run(config, command, printer),
        Command::Completion { shell } => commands::completion::run(shell)?,
        Command::Who(args) => commands::who::run(&config()?, &args, printer)?,
        Command::Version => commands::version::run(printer)?,
    }
    Ok(ExitCode::SUCCESS)
}
