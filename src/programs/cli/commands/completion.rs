//! `completion`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::programs::cli::args::Args;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

pub(in crate::programs::cli) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "vanta-cli", &mut script);
    Printer::raw(&script)
}
