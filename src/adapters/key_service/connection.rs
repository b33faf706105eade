//! One gRPC connection over a unix socket (RFC 9113; gRPC over HTTP/2).

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use h2::client::{Builder, SendRequest};
use h2::{RecvStream, SendStream};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::error::{Cause, KeyServiceError};
use super::protocol::MAX_ANSWER;

/// The longest message of a failure that is looked at, in bytes.
const MAX_MESSAGE: usize = 8 * 1024;

/// The most bytes of an answer's headers.
const MAX_HEADERS: u32 = 64 * 1024;

/// A connection, which is driven by a task of its own.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    /// Ends when the connection does.
    pub(super) driver: JoinHandle<()>,
}

impl Connection {
    /// Greets the other side.
    pub(super) async fn over(stream: UnixStream) -> Result<Self, KeyServiceError> {
        let mut builder = Builder::new();
        builder.enable_push(false).max_header_list_size(MAX_HEADERS);
        let (requests, connection) =
            builder.handshake(stream).await.map_err(|_| KeyServiceError::Ended)?;
        // Why a connection ends is of no use to anybody: the call that it ends says that it did.
        let driver = tokio::spawn(async { drop(connection.await) });
        Ok(Self { requests, driver })
    }

    /// Sends a framed request to `KeyService/Decrypt`, and gives the framed answer.
    pub(super) async fn decrypt(
        &mut self,
        framed: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
        let request = Request::post("http://localhost/KeyService/Decrypt")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "vanta-vault")
            .body(())
            .expect("the request is always this one");
        let mut requests = self.requests.clone().ready().await.map_err(ended)?;
        let (response, body) = requests.send_request(request, false).map_err(ended)?;
        send(body, framed)?;
        let (head, body) = response.await.map_err(ended)?.into_parts();
        if head.status != StatusCode::OK {
            return Err(KeyServiceError::BadAnswer);
        }
        // A failure may be in the head alone.
        if head.headers.contains_key("grpc-status") {
            status(&head.headers)?;
        }
        receive(body).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn send(mut body: SendStream<Bytes>, framed: Vec<u8>) -> Result<(), KeyServiceError> {
    // It waits in the connection for the other side's window.
    body.send_data(Bytes::from(framed), true).map_err(ended)
}

/// The body, where the trailers say that it is an answer.
async fn receive(mut body: RecvStream) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
    // Of its full size at once: where it grew, it would leave copies behind.
    let mut answer = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
    while let Some(data) = body.data().await {
        let data = data.map_err(ended)?;
        if answer.len() + data.len() > MAX_ANSWER {
            return Err(KeyServiceError::BadAnswer);
        }
        answer.extend_from_slice(&data);
        let _ = body.flow_control().release_capacity(data.len());
    }
    let trailers = body.trailers().await.map_err(ended)?;
    status(&trailers.ok_or(KeyServiceError::BadAnswer)?)?;
    Ok(answer)
}

/// Whether the call went well, by `grpc-status` and `grpc-message`.
fn status(headers: &HeaderMap) -> Result<(), KeyServiceError> {
    match headers.get("grpc-status").map(HeaderValue::as_bytes) {
        Some(b"0") => Ok(()),
        Some(_) => {
            let message = headers.get("grpc-message").map_or(&[][..], HeaderValue::as_bytes);
            let message = String::from_utf8_lossy(&message[..message.len().min(MAX_MESSAGE)]);
            Err(KeyServiceError::Refused(Cause::of(&message)))
        }
        None => Err(KeyServiceError::BadAnswer),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes it as it is")]
fn ended(error: h2::Error) -> KeyServiceError {
    // A stream that is reset, for headers that are too long say, leaves the connection as it is.
    if error.is_reset() && !error.is_go_away() && !error.is_io() {
        KeyServiceError::BadAnswer
    } else {
        KeyServiceError::Ended
    }
}
