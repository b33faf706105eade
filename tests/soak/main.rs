//! Long runs: what is measured against the real programs, or happens too seldom for a test.
//!
//! `cargo test --release --test soak -- RUN… [--report FILE]`. A run prints its section, and adds
//! it to the file where one is named. Figures are of the machine that ran them; what is compared
//! is of one run.
#![expect(clippy::print_stdout, clippy::panic, reason = "a run tells what it found, or fails")]

mod attacked;
mod crashed;
mod described;
mod encrypted;
#[path = "../e2e/support/kubectl.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod kubectl;
mod report;
mod severed;
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and fail so")]
mod sops;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;
mod swapped;
mod wire;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use report::Report;

/// A run: its name, what it does, and the function that does it.
type Run = (&'static str, &'static str, fn(&mut Report));

/// The runs, in the order in which `make soak` goes through them.
const RUNS: &[Run] = &[
    ("slowloris", "good reads beside 200 connections that never finish", attacked::slowloris),
    ("heavy", "good reads beside bodies of a gibibyte and heads of a mebibyte", attacked::heavy),
    ("killed", "the audit after the vault was killed under load 20 times", crashed::killed),
    ("encrypted", "SOPS files against real sops, changed, and hostile", encrypted::encrypted),
    ("swapped", "SOPS files that are exchanged under 5,000 reads a second", swapped::swapped),
    ("described", "requests made from the OpenAPI document, by schemathesis", described::attacked),
    // This one is run inside a cluster.
    ("severed", "the grants of a real API server that is cut off", severed::severed),
];

/// Waits for what takes minutes.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_mins(6), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut names, mut file) = (Vec::new(), None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--report" => file = arguments.next(),
            // What cargo says to every test's program.
            _ if argument.starts_with("--") => {}
            _ => names.push(argument),
        }
    }
    let known = |name: &String| RUNS.iter().find(|(known, ..)| known == name);
    let Some(chosen) = names.iter().map(known).collect::<Option<Vec<&Run>>>() else {
        println!("soak: there is no such run; without a name, they are listed");
        return ExitCode::from(64);
    };
    if chosen.is_empty() {
        for (name, what, _) in RUNS {
            println!("{name:12} {what}");
        }
    }
    let mut kept = true;
    for (name, what, run) in chosen {
        let mut report = Report::new(name, what);
        run(&mut report);
        kept &= report.close(file.as_deref());
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
