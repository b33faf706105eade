//! The listeners: TLS, time-outs, limits, drain; and what they tell of themselves.

#[cfg(feature = "vault")]
mod collector;
mod connections;
mod listener;
mod metrics;
mod program;
mod telemetry;
mod tls;
#[cfg(feature = "vault")]
mod traces;

pub use connections::{most_waiting, raise_open_files};
pub use listener::{Listener, ServeError, bind};
#[cfg(test)]
pub(crate) use metrics::described;
pub use metrics::{
    Counted, DURATIONS, EnvironmentStanding, Method, Metrics, Proof, Registrar, Reload, scraped,
};
pub use program::{Signals, end, ended, runtime, start};
pub use telemetry::{Exported, init_logging};
pub use tls::{PemError, TlsError, TlsFiles, server_config};
#[cfg(feature = "vault")]
pub use traces::{InvalidTraces, TraceSettings, Traces, answered, request, step, trace_id};
