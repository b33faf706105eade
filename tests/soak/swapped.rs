//! Reads of a store while its file is exchanged, for long: none may fail or see two versions, and
//! each good version has to arrive.

use std::time::{Duration, Instant};

use vanta::adapters::sops::SopsStore;

use crate::report::Report;
use crate::sops::exchange::{Exchange, Way, under_load, version};
use crate::sops::fixtures::unnamed;

/// For how long files are exchanged in each way.
const EACH: Duration = Duration::from_secs(30);

/// How many reads the store has to answer in a second, all the while.
const RATE: f64 = 5000.0;

/// Of so many exchanges the last is waited for; those before it have the next on their heels.
const AWAITED: usize = 5;

/// A good version that has not arrived by then never does.
const AT_MOST: Duration = Duration::from_secs(10);

pub(crate) fn swapped(report: &mut Report) {
    report.line(
        "| how | reads | reads/s | exchanges | taken up | seen after, in ms: p50 | p99 | at most |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    );
    let mut slowest = f64::INFINITY;
    for way in [Way::Rename, Way::Links, Way::Pieces] {
        let Some(exchange) = Exchange::new() else {
            report.line("\nThere is no sops to make files with: nothing was done.");
            report.fail();
            return;
        };
        exchange.put(way, 0);
        let (store, _) = exchange.workshop.open(unnamed());
        let (began, mut waits) = (Instant::now(), Vec::new());
        let load = under_load(
            &store,
            |_, _| began.elapsed() >= EACH,
            |number| {
                exchange.put(way, number);
                if number.is_multiple_of(AWAITED) {
                    waits.push(arrival(&store, &Exchange::value(number)));
                }
            },
        );
        waits.sort_unstable();
        let of_hundred = |at: usize| waits[(waits.len() - 1) * at / 100].as_secs_f64() * 1e3;
        let (reads, rate, exchanges, seen) = (load.reads, load.rate(), load.exchanges, load.seen);
        report.line(format!(
            "| {way:?} | {reads} | {rate:.0} | {exchanges} | {seen} | {:.1} | {:.1} | {:.1} |",
            of_hundred(50),
            of_hundred(99),
            of_hundred(100),
        ));
        slowest = slowest.min(rate);
    }
    let kept = if slowest >= RATE { "kept" } else { "not kept" };
    report.line(format!(
        "\nNo read failed, none saw two versions, and each version that was waited for, every {AWAITED}th, \
         arrived. Two read and one looks for changes, each as fast as it can, in a process without a \
         network; {RATE:.0} reads a second are {kept}.",
    ));
    if slowest < RATE {
        report.fail();
    }
}

/// How long it takes until a version is read that is in place.
fn arrival(store: &SopsStore, value: &str) -> Duration {
    let began = Instant::now();
    while version(store) != value {
        assert!(began.elapsed() < AT_MOST, "the good version {value} never arrived");
        std::thread::yield_now();
    }
    began.elapsed()
}
