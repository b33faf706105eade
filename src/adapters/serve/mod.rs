//! The listeners: TLS, time-outs, limits, drain; and what they tell of themselves.

mod connections;
mod listener;
mod metrics;
mod program;
mod telemetry;
mod tls;

pub use connections::{most_waiting, raise_open_files};
pub use listener::{Listener, ServeError, bind};
pub use metrics::{Counted, Metrics, Reload, open_metrics, scraped};
pub use program::{Signals, end, ended, runtime, start};
pub use telemetry::init_logging;
pub use tls::{PemError, TlsError, TlsFiles, server_config};
