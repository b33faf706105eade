//! The reader of SOPS files against real sops, against changed bytes, and against files that would
//! cost more than they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use vanta::adapters::sops::{EncryptedFile, Format, Identities, Leave};

use crate::report::Report;
use crate::sops::made::keys::Keys;
use crate::sops::made::mutations::{self, Changed};
use crate::sops::made::random::Random;
use crate::sops::made::{Maker, Outcome, each, hostile};
use crate::support;

const FILES: usize = 1000;
/// How often a byte of each file is changed that opens without leave.
const CHANGES: usize = 20;
const SEED: u64 = 20_260_201;
/// What a hostile file takes of a processor at the most, before it comes to its keys.
const SOON: Duration = Duration::from_millis(100);
/// How often each is tried. What else runs takes something of a processor's caches and pace, so the
/// least counts.
const TRIES: usize = 5;

/// What was found in some of the files.
#[derive(Default)]
struct Found {
    same: BTreeMap<&'static str, usize>,
    refused: usize,
    never: usize,
    changed: BTreeMap<Changed, usize>,
    different: Vec<String>,
}

impl Found {
    fn and(mut self, other: Self) -> Self {
        for (format, count) in other.same {
            *self.same.entry(format).or_default() += count;
        }
        for (changed, count) in other.changed {
            *self.changed.entry(changed).or_default() += count;
        }
        self.refused += other.refused;
        self.never += other.never;
        self.different.extend(other.different);
        self
    }
}

/// Every file that sops reads is read the same, and a changed one is refused or serves the same.
pub(crate) fn encrypted(report: &mut Report) {
    let programs = support::sops::generations();
    if programs.is_empty() {
        report.line("There is no sops to compare with: nothing was done.");
        report.fail();
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let keys = Keys::new(folder.path());
    let found = each(&keys, &programs, SEED, FILES, |maker, number| one(maker, &keys, number));
    let found = found.into_iter().fold(Found::default(), Found::and);
    let same: usize = found.same.values().sum();
    let formats: Vec<String> =
        found.same.iter().map(|(format, count)| format!("{format} {count}")).collect();
    let count = |changed| found.changed.get(&changed).copied().unwrap_or_default();
    let (refused, kept) = (count(Changed::Refused), count(Changed::Same));
    report.line(format!(
        "Of {FILES} files made in turn by {} generations of sops, {same} were read as sops reads \
         them, to the byte ({}); {} were refused, and sops cannot read them back either; {} could \
         not be made. {} differed.\n",
        programs.len(),
        formats.join(", "),
        found.refused,
        found.never,
        found.different.len(),
    ));
    report.line(format!(
        "Of {} changes of one byte, {refused} were refused and {kept} served the same.\n",
        refused + kept
    ));
    for how in &found.different {
        report.line(format!("```\n{how}\n```\n"));
    }
    if !found.different.is_empty() || refused + kept < 5 * FILES {
        report.fail();
    }
    soon(report);
}

fn one(maker: &Maker<'_>, keys: &Keys, number: usize) -> Found {
    let mut found = Found::default();
    let (outcome, made) = maker.compare(number);
    match outcome {
        Outcome::Same => {}
        Outcome::NotEncrypted => found.never = 1,
        Outcome::RefusedByBoth => found.refused = 1,
        Outcome::Different(how) => found.different.push(how),
    }
    let Some(made) = made else { return found };
    if found.refused == 0 && found.different.is_empty() {
        found.same.insert(made.format.extension(), 1);
    }
    let mut random = Random(SEED ^ number as u64);
    match mutations::change(&made, &keys.identities, &mut random, CHANGES) {
        Ok(changes) => {
            for changed in changes {
                *found.changed.entry(changed).or_default() += 1;
            }
        }
        Err(how) => found.different.push(how),
    }
    found
}

/// What this thread has had of a processor, whatever else runs beside it.
fn worked() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("a thread knows of itself");
    let taken = usage.user_time() + usage.system_time();
    Duration::from_micros(taken.num_microseconds().unsigned_abs())
}

/// How long hostile files take where there is one identity.
fn soon(report: &mut Report) {
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops/age-key.txt");
    let identities = Identities::read(&key).expect("the fixture's key is valid");
    let mut times = Vec::new();
    let files = hostile::files();
    for (name, text) in &files {
        let extension = name.rsplit('.').next().unwrap_or_default();
        let format = Format::from_extension(extension).expect("it ends as a format does");
        let tries = (0..TRIES).map(|_| {
            let before = worked();
            let opened = EncryptedFile::open(text.as_bytes(), format, &identities, Leave::ALL);
            (worked().saturating_sub(before), opened.is_err())
        });
        let (taken, is_refused) = tries.min().expect("it is tried");
        if !is_refused {
            report.line(format!("{name} was opened."));
            report.fail();
        }
        times.push((taken, name));
    }
    times.sort_unstable();
    let slowest = times.iter().rev().take(5);
    let slowest: Vec<String> = slowest
        .map(|(taken, name)| format!("{name} {:.1} ms", taken.as_secs_f64() * 1e3))
        .collect();
    report.line(format!(
        "{} hostile files were refused; these took the most of a processor, at the best of {TRIES} times: {}.",
        files.len(),
        slowest.join(", ")
    ));
    // Trying an identity on each of many recipients is work that is asked for: it is bounded by
    // their number, and told here.
    let parsed = times.iter().filter(|(_, name)| !name.starts_with("many-stanzas"));
    if parsed.map(|(taken, _)| *taken).max() > Some(SOON) {
        report.fail();
    }
}
