//! A request as a fake server reads it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

/// One request, as far as it matters.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Its first line, without the line's end.
    pub(crate) line: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let (mut length, mut authorization) = (0, String::new());
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header == "\r\n" {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "authorization" => value.trim().clone_into(&mut authorization),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Self { line: line.trim_end().to_owned(), authorization, body })
    }
}
