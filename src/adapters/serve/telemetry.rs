//! The log: JSON lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry};

/// The cluster's client logs whole answers of the API server, which may hold a token; what it meets
/// is logged where it is asked.
const QUIET: &str = "kube_client=off";

/// The signed heads of the audit are logged however little else is: they are what a log that is
/// gathered elsewhere proves the audit with.
const ALWAYS: &str = "vanta::audit::checkpoint=info";

/// What traces are made of is no part of the log.
pub(super) const SPANS: &str = "vanta::trace";

/// What takes what the log leaves out, and has a filter of its own.
pub type Exported = Box<dyn Layer<Registry> + Send + Sync>;

/// The log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not one.
    #[error(
        "the log's filter (VANTA_LOG) is refused: {0}; use a level, or directives such as `vanta=debug,info`"
    )]
    Filter(#[from] ParseError),
    /// It was started before.
    #[error("the log cannot be started: {0}")]
    Started(#[from] TryInitError),
}

/// Starts the log of a program: for people on a terminal, else JSON, one object a line.
///
/// `filter` is a directive of `tracing-subscriber`, such as `info` or `vanta=debug`.
pub fn init_logging(filter: &str, exported: Option<Exported>) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{ALWAYS},{SPANS}=off,{filter}"))?;
    let registry = tracing_subscriber::registry().with(exported);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    if std::io::stderr().is_terminal() {
        registry.with(lines.compact().with_filter(filter)).try_init()?;
    } else {
        let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
        registry.with(lines.with_filter(filter)).try_init()?;
    }
    Ok(())
}
