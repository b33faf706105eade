//! Traces of what the agent fetches, where a collector is named: else nothing here is made or sent.
//!
//! Invariant: a span holds names that are written here, times, identifiers and kinds of problems.

use std::cell::Cell;
use std::sync::mpsc::{SyncSender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::export::{Message, export};

/// How many spans may wait to be exported; more are dropped.
const QUEUE: usize = 256;

/// How long the agent's end waits for the last spans.
const FLUSH: Duration = Duration::from_millis(500);

/// Where spans go, and how many of the traces.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Collector {
    /// `http://HOST:PORT`, and a path where there is one.
    pub(super) endpoint: String,
    /// The part of the traces that is exported, from 0 to 1.
    pub(super) ratio: f64,
}

/// Makes spans, and has them exported by a thread of its own.
pub(super) struct Tracer {
    queue: SyncSender<Message>,
    ratio: f64,
}

/// Which span something happens in.
#[derive(Debug, Clone, Copy)]
struct Place {
    trace: [u8; 16],
    span: [u8; 8],
    is_sampled: bool,
}

/// A span that has ended.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) trace: [u8; 16],
    pub(super) id: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: &'static str,
    /// Whether it is a request to the vault.
    pub(super) is_request: bool,
    /// In nanoseconds since 1970.
    pub(super) began: u64,
    pub(super) ended: u64,
    /// The kind of what went wrong, where something did.
    pub(super) error: Option<&'static str>,
}

thread_local! {
    /// The span that this thread is in.
    static CURRENT: Cell<Option<Place>> = const { Cell::new(None) };
}

impl Tracer {
    /// Starts the exporting thread; none where it cannot be started.
    pub(super) fn start(collector: Collector) -> Option<Self> {
        let (queue, spans) = std::sync::mpsc::sync_channel(QUEUE);
        let Collector { endpoint, ratio } = collector;
        let thread = std::thread::Builder::new().name("traces".to_owned());
        thread.spawn(move || export(&endpoint, &spans)).ok()?;
        Some(Self { queue, ratio })
    }

    /// Does work in a span, which begins a trace where the thread is in none. The work is given what
    /// is sent as `traceparent` (W3C Trace Context) to whoever does a part of it; `error` says what
    /// kind of error came of it.
    pub(super) fn within<T>(
        &self,
        name: &'static str,
        is_request: bool,
        work: impl FnOnce(&str) -> T,
        error: impl FnOnce(&T) -> Option<&'static str>,
    ) -> T {
        let before = CURRENT.get();
        let Some(place) = self.place(before) else { return work("") };
        CURRENT.set(Some(place));
        let began = now();
        let done = work(&place.trace_parent());
        CURRENT.set(before);
        if place.is_sampled {
            let span = Span {
                trace: place.trace,
                id: place.span,
                parent: before.map(|before| before.span),
                name,
                is_request,
                began,
                ended: now(),
                error: error(&done),
            };
            // Whoever fetches never waits for the collector.
            let _ = self.queue.try_send(Message::Ended(span));
        }
        done
    }

    /// Another place in the trace, or in a new one; none where there are no random bytes.
    fn place(&self, before: Option<Place>) -> Option<Place> {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        getrandom::fill(&mut span).ok()?;
        if let Some(before) = before {
            return Some(Place { span, ..before });
        }
        getrandom::fill(&mut trace).ok()?;
        Some(Place { trace, span, is_sampled: is_sampled(trace, self.ratio) })
    }

    /// Waits a little until what has ended is exported.
    pub(super) fn flush(&self) {
        let (done, exported) = channel();
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = exported.recv_timeout(FLUSH);
        }
    }
}

impl Place {
    fn trace_parent(self) -> String {
        let flags = u8::from(self.is_sampled);
        format!("00-{}-{}-{flags:02x}", hex::encode(self.trace), hex::encode(self.span))
    }
}

/// Whether a trace is one of so many, by its identifier, so that others can decide alike.
fn is_sampled(trace: [u8; 16], ratio: f64) -> bool {
    let (_, last) = trace.split_last_chunk::<8>().expect("16 bytes have 8 last ones");
    let place = u64::from_be_bytes(*last) >> 1;
    #[expect(clippy::cast_precision_loss, reason = "which of two neighbours is nearer is all one")]
    let (place, all) = (place as f64, (1_u64 << 63) as f64);
    // The largest number is rounded up to all of them.
    ratio >= 1.0 || place < ratio * all
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_none_of_the_traces_are_sampled_or_so_many_of_them() {
        let ids = (0..=u8::MAX).map(|byte| [byte; 16]);
        let sampled = |ratio| ids.clone().filter(|id| is_sampled(*id, ratio)).count();
        assert_eq!((sampled(0.0), sampled(0.5), sampled(1.0)), (0, 128, 256));
    }

    #[test]
    fn a_part_of_a_fetch_is_in_its_trace_and_the_next_fetch_is_not() {
        let (queue, spans) = std::sync::mpsc::sync_channel(QUEUE);
        let tracer = Tracer { queue, ratio: 1.0 };
        let fetch = || {
            let inner =
                |_: &str| tracer.within("inner", true, str::to_owned, |_| Some("temporary"));
            tracer.within("outer", false, inner, |_| None)
        };
        let sent = [fetch(), fetch()];
        let mut ended = std::iter::from_fn(|| match spans.try_recv() {
            Ok(Message::Ended(span)) => Some(span),
            _ => None,
        });
        let mut seen = Vec::new();
        for trace_parent in sent {
            let (inner, outer) = (ended.next().unwrap(), ended.next().unwrap());
            assert_eq!((inner.parent, outer.parent), (Some(outer.id), None));
            assert_eq!((inner.trace, inner.error), (outer.trace, Some("temporary")));
            let (trace, id) = (hex::encode(inner.trace), hex::encode(inner.id));
            assert_eq!(trace_parent, format!("00-{trace}-{id}-01"));
            seen.push(trace);
        }
        assert_ne!(seen[0], seen[1]);
    }
}
