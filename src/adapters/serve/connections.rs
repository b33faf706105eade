//! How many connections may be open at once.
//!
//! Invariant: connections alone never use up the process's file descriptors, which the state, the
//! audit and the SOPS files need as well.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;

use axum_server::Handle;
use axum_server::accept::Accept;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use prometheus_client::metrics::counter::Counter;

/// The most open connections of a listener, however many files the process may open. One on which
/// is waited takes about 30 KiB, and 40 with TLS.
const MOST_CONNECTIONS: u64 = 8192;

/// Raises the soft limit of open files to the hard one, which needs no privilege.
pub fn raise_open_files() -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
}

/// The most open connections of a listener: of two, each takes a quarter of the files at most.
pub(super) fn most_connections() -> nix::Result<usize> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(usize::try_from((soft / 4).min(MOST_CONNECTIONS)).expect("8192 fits"))
}

/// The most connections on which is waited: a quarter of them stays for whoever asks for something.
pub fn most_waiting() -> nix::Result<usize> {
    Ok(most_connections()? / 4 * 3)
}

/// Closes a connection at once where too many are open.
#[derive(Debug, Clone)]
pub(super) struct AtMost {
    pub(super) most: usize,
    /// Counts the connections, the one that is being accepted among them.
    pub(super) open: Handle<SocketAddr>,
    /// Counts those that are closed at once.
    pub(super) refused: Counter,
}

impl<Stream, Service> Accept<Stream, Service> for AtMost {
    type Stream = Stream;
    type Service = Service;
    type Future = Ready<io::Result<(Stream, Service)>>;

    fn accept(&self, stream: Stream, service: Service) -> Self::Future {
        if self.open.connection_count() > self.most {
            self.refused.inc();
            // No louder: whoever opens too many must not fill the log as well.
            tracing::debug!(most = self.most, "a connection is closed, since too many are open");
            return ready(Err(io::ErrorKind::QuotaExceeded.into()));
        }
        ready(Ok((stream, service)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one_and_connections_stay_well_below() {
        raise_open_files().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
        let most = most_connections().unwrap();
        assert!(most > 0 && most as u64 <= MOST_CONNECTIONS.min(soft / 4));
    }
}
