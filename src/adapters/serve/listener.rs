//! One listener: HTTP/1.1 with a time for everything that a client may be slow with, and a bound
//! of open connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use prometheus_client::metrics::counter::Counter;

use super::connections::{AtMost, most_connections};

/// How long a client may take for a request's head, also while it is silent between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest head of a request, in bytes: a 16 KiB token and some more.
const MAX_HEAD_LEN: usize = 32 * 1024;

/// The most header lines of a request.
const MAX_HEADERS: usize = 64;

/// A listener cannot be opened or failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServeError {
    address: String,
    source: io::Error,
}

/// A bound port, not served yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    most_connections: usize,
    refused: Counter,
}

/// Binds an address. How many connections may be open follows from the process's limits of now.
pub fn bind(address: SocketAddr) -> Result<Listener, ServeError> {
    let error = |source| ServeError { address: address.to_string(), source };
    let socket = TcpListener::bind(address).map_err(error)?;
    let address = socket.local_addr().map_err(error)?;
    let most_connections = most_connections().map_err(io::Error::from).map_err(error)?;
    Ok(Listener { socket, address, most_connections, refused: Counter::default() })
}

impl Listener {
    /// The address, with the port that was really bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts the connections that are closed at once, since too many are open.
    #[must_use]
    pub fn counting(self, refused: Counter) -> Self {
        Self { refused, ..self }
    }

    /// Another bound of open connections than the one that follows from the process's limits.
    #[cfg(test)]
    fn at_most(self, most_connections: usize) -> Self {
        Self { most_connections, ..self }
    }

    /// Serves until the handle says to drain; over TLS where a certificate is given.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        handle: Handle<SocketAddr>,
    ) -> Result<(), ServeError> {
        let address = self.address.to_string();
        let served = self.serve_connections(router, tls, handle).await;
        served.map_err(|source| ServeError { address, source })
    }

    async fn serve_connections(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        handle: Handle<SocketAddr>,
    ) -> io::Result<()> {
        let at_most =
            AtMost { most: self.most_connections, open: handle.clone(), refused: self.refused };
        let mut server = axum_server::from_tcp(self.socket)?.handle(handle).http1_only();
        server
            .http_builder()
            .http1()
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_LEN)
            .max_headers(MAX_HEADERS);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        match tls {
            None => server.acceptor(at_most).serve(service).await,
            Some(tls) => {
                let tls = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
                server.acceptor(tls.acceptor(at_most)).serve(service).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Asks over an open connection, and says what comes back, which is nothing once it is closed.
    async fn ask(stream: &mut TcpStream) -> String {
        // A connection that is closed already may refuse to be written to.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut bytes)).await;
        let read = read.expect("it is answered or closed").unwrap_or(0);
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    #[tokio::test]
    async fn connections_over_the_bound_are_closed_and_those_within_it_go_on() {
        let refused = Counter::default();
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap().at_most(2);
        let listener = listener.counting(refused.clone());
        let (address, handle) = (listener.address(), Handle::new());
        let router = Router::new().route("/", get(|| async { "served" }));
        let server = tokio::spawn(listener.serve(router, None, handle.clone()));

        let connect = || async { TcpStream::connect(address).await.unwrap() };
        let (mut first, mut second) = (connect().await, connect().await);
        assert!(ask(&mut first).await.ends_with("served"));
        assert!(ask(&mut second).await.ends_with("served"));
        for _ in 0..8 {
            assert_eq!(ask(&mut connect().await).await, "");
        }
        assert_eq!(refused.get(), 8);
        assert!(ask(&mut first).await.ends_with("served"), "it was within the bound");

        drop(first);
        while handle.connection_count() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(ask(&mut connect().await).await.ends_with("served"), "a place is free again");
        handle.shutdown();
        server.await.unwrap().unwrap();
    }
}
