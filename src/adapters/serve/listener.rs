//! One listener: HTTP/1.1 with a time for everything that a client may be slow with.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};

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
}

/// Binds an address.
pub fn bind(address: SocketAddr) -> Result<Listener, ServeError> {
    let error = |source| ServeError { address: address.to_string(), source };
    let socket = TcpListener::bind(address).map_err(error)?;
    let address = socket.local_addr().map_err(error)?;
    Ok(Listener { socket, address })
}

impl Listener {
    /// The address, with the port that was really bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the handle says to drain; over TLS where a certificate is given.
    pub async fn serve(
        self,
        router: Router,
        tls: Option<RustlsConfig>,
        handle: Handle<SocketAddr>,
    ) -> Result<(), ServeError> {
        let address = self.address.to_string();
        let served = match tls {
            None => self.serve_with(router, handle, |server| server).await,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
                self.serve_with(router, handle, |server| server.acceptor(acceptor)).await
            }
        };
        served.map_err(|source| ServeError { address, source })
    }

    async fn serve_with<A>(
        self,
        router: Router,
        handle: Handle<SocketAddr>,
        accept: impl FnOnce(axum_server::Server<SocketAddr>) -> axum_server::Server<SocketAddr, A>,
    ) -> io::Result<()>
    where
        A: Accept<
                tokio::net::TcpStream,
                axum::middleware::AddExtension<Router, axum::extract::ConnectInfo<SocketAddr>>,
            > + Clone
            + Send
            + Sync
            + 'static,
        A::Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
        A::Service: axum_server::service::SendService<http::Request<hyper::body::Incoming>> + Send,
        A::Future: Send,
    {
        let mut server = accept(axum_server::from_tcp(self.socket)?).handle(handle).http1_only();
        server
            .http_builder()
            .http1()
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_LEN)
            .max_headers(MAX_HEADERS);
        server.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
    }
}
