//! The OpenAPI document at length: many more requests than a test makes, of several seeds.

use crate::report::Report;
use crate::support::schemathesis::{Attack, attack};

/// How many requests are made up for each operation with each seed, at the most. It bounds their
/// number, so that it is the same with each seed; a seed changes what is in them.
const EXAMPLES: u32 = 500;

const SEEDS: [u32; 5] = [1, 2, 3, 4, 5];

pub(crate) fn attacked(report: &mut Report) {
    report.line("| seed | requests | |\n| ---: | ---: | --- |");
    for seed in SEEDS {
        let Some(outcome) = attack(Attack { examples: EXAMPLES, seed }) else {
            report.line("\nschemathesis is not installed: `scripts/setup test` does it.");
            return;
        };
        let answered = outcome.log.matches(r#""message":"answered""#).count();
        if outcome.as_described {
            report.line(format!("| {seed} | {answered} | answered as described |"));
        } else {
            report.line(format!("| {seed} | {answered} | not all as described: see below |"));
            report.fail();
            report.line(format!("\n```\n{}\n```", outcome.said));
            return;
        }
    }
}
