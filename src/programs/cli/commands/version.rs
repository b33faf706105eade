//! `version`

use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

pub(in crate::programs::cli) fn run(printer: &Printer) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if printer.for_people() {
        return Printer::line(&format!("vanta-cli {version}"));
    }
    printer.document(&serde_json::json!({ "version": version }))
}
