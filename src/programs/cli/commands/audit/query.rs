//! `audit query` and `audit tail`

use std::convert::Infallible;
use std::time::Duration;

use crate::adapters::process::Status;
use crate::contract::api::audit::{AuditPage, AuditQuery, MOST_ENTRIES};
use crate::domain::names::Key;
use crate::domain::record::{Entry, Event};
use crate::domain::record_filter::Order;
use crate::programs::cli::audit_args::{Query, Tail};
use crate::programs::cli::config::Config;
use crate::programs::cli::failure::Failure;
use crate::programs::cli::printer::Printer;

/// How long `tail` waits before it asks again. Each question is an entry of the audit too.
const PAUSE: Duration = Duration::from_secs(3);

pub(super) fn query(config: &Config, args: &Query, printer: &Printer) -> Result<(), Failure> {
    let (identity, wanted) = (config.identity()?, args.limit as usize);
    let mut query = AuditQuery {
        since: args.since.map(|time| time.to_string()),
        until: args.until.map(|time| time.to_string()),
        order: Some(args.order),
        ..args.wanted.query()
    };
    let mut entries = Vec::new();
    loop {
        query.limit = Some((wanted - entries.len()).min(MOST_ENTRIES));
        let page = config.client.audit(identity, &query)?;
        entries.extend(page.entries);
        query.cursor = page.next;
        if page.next.is_none() || entries.len() >= wanted {
            break;
        }
    }
    if !printer.for_people() {
        return printer.document(&serde_json::json!({ "entries": entries }));
    }
    if entries.is_empty() {
        Printer::note("no entry of the audit is as asked for");
    }
    entries.iter().try_for_each(|entry| Printer::line(&row(entry)))
}

/// Prints what is written from now on; as JSON or YAML one document an entry. The questions that
/// this asks are entries as well, and are not printed unless they are asked for.
pub(super) fn tail(config: &Config, args: &Tail, printer: &Printer) -> Result<Infallible, Failure> {
    let identity = config.identity()?;
    let newest = AuditQuery { limit: Some(1), ..AuditQuery::default() };
    let mut query = AuditQuery {
        order: Some(Order::Oldest),
        limit: Some(MOST_ENTRIES),
        cursor: config.client.audit(identity, &newest)?.last,
        ..args.wanted.query()
    };
    let mut away = false;
    let questions = args.wanted.event == Some(Event::Query);
    loop {
        let page = match config.client.audit(identity, &query) {
            Ok(page) => {
                away = false;
                page
            }
            // The vault is away for a moment, when it is restarted as well.
            Err(error) => {
                let failure = Failure::from(error);
                if failure.status != Status::Temporary {
                    return Err(failure);
                }
                if !std::mem::replace(&mut away, true) {
                    Printer::warning(&failure.what);
                }
                AuditPage { entries: Vec::new(), next: None, last: query.cursor }
            }
        };
        for entry in page.entries {
            if entry.record.event == Event::Query && !questions {
                continue;
            }
            if printer.for_people() {
                Printer::line(&row(&entry))?;
            } else {
                printer.document(&entry)?;
            }
        }
        query.cursor = page.last;
        if page.next.is_none() {
            std::thread::sleep(PAUSE);
        }
    }
}

/// An entry as a line for people.
fn row(entry: &Entry) -> String {
    let record = &entry.record;
    let subject = record.subject.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let keys: Vec<&str> = record.keys.iter().map(Key::as_str).collect();
    let keys = match keys.as_slice() {
        [] => None,
        few if few.len() <= 3 => Some(few.join(",")),
        many => Some(format!("{},… ({} keys)", many[..2].join(","), many.len())),
    };
    let environment = record.environment.as_ref().map(ToString::to_string);
    let left_out = record.left_out.map(|others| format!("(and {others} others)"));
    let more: String = [environment, keys, record.reason.clone(), left_out]
        .into_iter()
        .flatten()
        .flat_map(|part| ["  ".to_owned(), part])
        .collect();
    format!(
        "{:.0}  {:<12} {:<12} {subject}{more}",
        record.time,
        record.event.to_string(),
        record.outcome.to_string()
    )
}
