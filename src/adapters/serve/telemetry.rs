//! The log: JSON lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The cluster's client logs whole answers of the API server, which may hold a token; what it meets
/// is logged where it is asked.
const QUIET: &str = "kube_client=off";

/// The signed heads of the audit are logged however little else is: they are what a log that is
/// gathered elsewhere proves the audit with.
const ALWAYS: &str = "vanta::audit::checkpoint=info";

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
pub fn init_logging(filter: &str) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{ALWAYS},{filter}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    if std::io::stderr().is_terminal() {
        registry.with(lines.compact()).try_init()?;
    } else {
        registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init()?;
    }
    Ok(())
}
