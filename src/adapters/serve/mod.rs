//! The listeners: TLS, time-outs, limits, drain; and what they tell of themselves.

mod listener;
mod metrics;
mod telemetry;
mod tls;

pub use listener::{Listener, ServeError, bind};
pub use metrics::{Metrics, Reload};
pub use telemetry::init_logging;
pub use tls::{TlsError, TlsFiles};
