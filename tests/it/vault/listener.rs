//! The listener gives nobody for ever, and lets what is in progress finish.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::support::program::{DEADLINE, Site, until};
use crate::support::raw::{answer, connect};

#[test]
fn a_client_that_never_ends_its_head_is_let_go() {
    let site = Site::new();
    let vault = site.start();
    let began = Instant::now();
    let slow: Vec<TcpStream> = ["", "GET /api/v1/access HTTP/1.1\r\nHost: x\r\n", "PRI * HT"]
        .into_iter()
        .map(|head| {
            let mut stream = connect(&vault);
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    for stream in slow {
        let text = answer(stream);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    assert!(began.elapsed() < DEADLINE, "the connections were not closed");
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let site = Site::new();
    let vault = site.start();
    let many = "x: y\r\n".repeat(10_000);
    for more in [many, format!("x: {}\r\n", "y".repeat(100_000))] {
        let mut stream = connect(&vault);
        // The vault may close before all is written.
        let _ = write!(stream, "GET /api/v1/access HTTP/1.1\r\nhost: x\r\n{more}\r\n");
        let text = answer(stream);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
    }
    assert_eq!(vault.health("/readyz").0, 200);
}

#[test]
fn sigterm_lets_a_request_in_progress_finish_and_takes_no_other() {
    let site = Site::new();
    let mut vault = site.start();
    let mut stream = connect(&vault);
    let head = "POST /api/v1/vault/tokens/generate HTTP/1.1\r\nhost: x\r\nauthorization: Basic eDp5\r\n\
                content-type: application/json\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The vault has the head, and waits for the body, once it says so.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    vault.signal(Signal::SIGTERM);
    until("new connections are refused", || {
        TcpStream::connect(vault.api.strip_prefix("http://").unwrap()).is_err().then_some(())
    });
    stream.write_all(b"{}").unwrap();
    let text = answer(stream);
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    assert_eq!(vault.wait().code(), Some(0));
}
