//! HTTP as an attacker speaks it: bytes over a socket, with no client between that tidies them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::program::{DEADLINE, Program};

/// A connection to the vault's API, whose reads end at [`DEADLINE`].
pub(crate) fn connect(vault: &Program) -> TcpStream {
    let address = vault.api.split_once("://").expect("the address is a URL").1;
    let stream = TcpStream::connect(address).expect("the vault listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time-out can be set");
    stream
}

/// What comes back until the vault closes the connection.
pub(crate) fn answer(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The status of an answer, or 0 where there is none.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next());
    status.and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// `GET` of exactly these bytes, with more header lines: the answer, whole.
pub(crate) fn get(vault: &Program, target: &[u8], headers: &str) -> String {
    let mut stream = connect(vault);
    let mut request = b"GET ".to_vec();
    request.extend_from_slice(target);
    request.extend_from_slice(b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    request.extend_from_slice(headers.as_bytes());
    request.extend_from_slice(b"\r\n");
    // The vault may close before all is written.
    let _ = stream.write_all(&request);
    answer(stream)
}
