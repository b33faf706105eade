//! `audit verify`

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::adapters::audit::{Checkpoints, PublicKey, join, verify_folder};
use crate::adapters::process::Status;
use crate::contract::api::audit::{AuditQuery, CheckpointsQuery, MOST_CHECKPOINTS, MOST_ENTRIES};
use crate::domain::chain::{Place, Report, Verifier};
use crate::domain::record_filter::Order;
use crate::programs::cli::audit_args::Verify;
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

/// How long the vault may take to show an entry that it has signed already.
const SETTLING: Duration = Duration::from_secs(10);

/// How long to wait before it is asked for such an entry again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn run(
    config: impl FnOnce() -> Result<Config, Failure>,
    args: &Verify,
    printer: &Printer,
) -> Result<ExitCode, Failure> {
    let mut known = Checkpoints::default();
    for file in &args.checkpoints {
        known.read(file, &args.public_key).map_err(|error| {
            let what = format!("{} cannot be read: {error}", file.display());
            Failure::new(Status::InputOutput, what)
        })?;
    }
    let report = if args.folder.is_empty() {
        of_vault(&config()?, args, known)?
    } else {
        of_folders(args, known)?
    };
    print(&report, printer)?;
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { Status::Failed.into() })
}

fn of_folders(args: &Verify, known: Checkpoints) -> Result<Report, Failure> {
    let (mut verifier, report) = begin(args, known, &args.public_key);
    let mut notes = Vec::new();
    for folder in &args.folder {
        let more = verify_folder(folder, &mut verifier).map_err(|error| {
            let what = format!("{} cannot be verified: {error}", folder.display());
            Failure::new(Status::InputOutput, what)
        })?;
        notes.extend(more);
    }
    Ok(join(report, verifier.finish(), notes))
}

fn begin(args: &Verify, known: Checkpoints, keys: &[PublicKey]) -> (Verifier, Report) {
    let (verifier, report) = known.begin(keys);
    if args.trust_removals {
        (verifier.taking_removals_on_their_word(), report)
    } else {
        (verifier, report)
    }
}

fn of_vault(config: &Config, args: &Verify, mut known: Checkpoints) -> Result<Report, Failure> {
    let identity = config.identity()?;
    let mut notes = Vec::new();
    let mut keys = args.public_key.clone();
    // Before the entries: a head that is signed meanwhile is of entries that are not fetched yet.
    let mut heads =
        CheckpointsQuery { limit: Some(MOST_CHECKPOINTS), ..CheckpointsQuery::default() };
    loop {
        let page = config.client.audit_checkpoints(identity, &heads)?;
        if keys.is_empty() {
            let key: PublicKey = page.public_key.parse().map_err(|_| {
                Failure::new(Status::Software, "the vault's answer holds no usable public key")
            })?;
            notes.push(format!(
                "the public key {key} is the vault's own word; give it with --public-key to compare"
            ));
            keys.push(key);
        }
        for checkpoint in page.checkpoints {
            known.take(checkpoint, &keys, None);
        }
        heads.cursor = page.next;
        if heads.cursor.is_none() {
            break;
        }
    }
    let signed: Vec<_> =
        known.good.iter().map(|known| (known.head.replica.clone(), known.head.sequence)).collect();
    let (mut verifier, report) = begin(args, known, &keys);
    verifier.begin_file(false);
    let mut place = Place { file: "api".to_owned(), line: 0 };
    let mut query = AuditQuery {
        order: Some(Order::Oldest),
        limit: Some(MOST_ENTRIES),
        ..AuditQuery::default()
    };
    let mut settling = None;
    loop {
        let page = config.client.audit_lines(identity, &query)?;
        take(&mut verifier, &mut place, &page.lines);
        query.cursor = page.last;
        if page.next.is_some() {
            continue;
        }
        let lacking = lacking(&signed, &verifier);
        let since = *settling.get_or_insert_with(Instant::now);
        if lacking.is_empty() || since.elapsed() > SETTLING {
            // What another replica has not ended holds back the lines of all, and not of one.
            for replica in lacking {
                let of_one = AuditQuery { replica: Some(replica), ..query.clone() };
                take_rest(config, of_one, &mut verifier, &mut place)?;
            }
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(join(report, verifier.finish(), notes))
}

/// The replicas of which an entry was signed that was not given.
fn lacking(signed: &[(String, u64)], verifier: &Verifier) -> BTreeSet<String> {
    let lacks = |(replica, sequence): &&(String, u64)| !verifier.reaches(replica, *sequence);
    signed.iter().filter(lacks).map(|(replica, _)| replica.clone()).collect()
}

fn take_rest(
    config: &Config,
    mut query: AuditQuery,
    verifier: &mut Verifier,
    place: &mut Place,
) -> Result<(), Failure> {
    let identity = config.identity()?;
    loop {
        let page = config.client.audit_lines(identity, &query)?;
        take(verifier, place, &page.lines);
        query.cursor = page.last;
        if page.next.is_none() {
            return Ok(());
        }
    }
}

fn take(verifier: &mut Verifier, place: &mut Place, lines: &[String]) {
    for line in lines {
        place.line += 1;
        verifier.line(place, line);
    }
}

fn print(report: &Report, printer: &Printer) -> Result<(), Failure> {
    if !printer.for_people() {
        return printer.document(report);
    }
    let mut lines = Vec::new();
    for chain in &report.chains {
        let signed = chain.signed_through.map_or_else(
            || "no checkpoint is of an entry of it".to_owned(),
            |through| format!("signed through {through}"),
        );
        let (first, last) = (chain.first, chain.last);
        lines.push(format!("{}: entries {first} to {last}, {signed}", chain.replica));
    }
    for finding in &report.findings {
        let place = finding.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let of = match (&finding.replica, finding.sequence) {
            (Some(replica), Some(sequence)) => format!("{replica} {sequence}: "),
            _ => String::new(),
        };
        lines.push(format!("WRONG {place}{of}{}: {}", finding.fault, finding.what));
    }
    if report.more_findings > 0 {
        lines.push(format!("WRONG and {} times more", report.more_findings));
    }
    let end = if report.is_whole() { "nothing is wrong" } else { "the audit is not whole" };
    lines.push(end.to_owned());
    report.notes.iter().for_each(|note| Printer::note(note));
    lines.iter().try_for_each(|line| Printer::line(line))
}
