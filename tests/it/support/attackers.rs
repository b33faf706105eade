//! Clients that hold a connection and never finish what they began: of the tests and of the soak.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What a client does with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Connects and says nothing.
    Silent,
    /// Sends a head byte by byte, for ever.
    HeadDribble,
    /// Sends a body byte by byte, for ever.
    BodyDribble,
    /// Begins HTTP/2 and leaves it at that.
    HalfPreface,
    /// Begins the first message of TLS.
    HalfHello,
    /// Sends the first message of TLS whole, and nothing more.
    WholeHello,
}

impl Attack {
    /// Those that need no TLS.
    pub(crate) const ALL: [Self; 4] =
        [Self::Silent, Self::HeadDribble, Self::BodyDribble, Self::HalfPreface];

    /// What is sent at once.
    fn opening(self) -> Vec<u8> {
        match self {
            Self::Silent => Vec::new(),
            Self::HeadDribble => b"GET /api/v1/access HTTP/1.1\r\nhost: x\r\nx: ".to_vec(),
            Self::BodyDribble => b"POST /api/v1/vault/tokens/generate HTTP/1.1\r\nhost: x\r\n\
                content-type: application/json\r\ncontent-length: 60000\r\n\r\n{"
                .to_vec(),
            Self::HalfPreface => b"PRI * HT".to_vec(),
            Self::HalfHello => client_hello()[..40].to_vec(),
            Self::WholeHello => client_hello(),
        }
    }

    fn dribbles(self) -> bool {
        matches!(self, Self::HeadDribble | Self::BodyDribble)
    }
}

/// The first message of a TLS client, as rustls writes it.
fn client_hello() -> Vec<u8> {
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring has the protocols")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "vault.example".try_into().expect("it is a name");
    let mut client =
        rustls::ClientConnection::new(config.into(), name).expect("a client can be made");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("a vector takes all");
    hello
}

/// A connection in the hands of an attacker.
pub(crate) struct Attacker {
    pub(crate) attack: Attack,
    stream: TcpStream,
    last: Instant,
}

impl Attacker {
    /// How long an attacker waits between two bytes.
    const PACE: Duration = Duration::from_millis(500);

    pub(crate) fn begin(address: &str, attack: Attack) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&attack.opening())?;
        stream.set_nonblocking(true)?;
        Ok(Self { attack, stream, last: Instant::now() })
    }

    /// Sends the next byte where it is time for one; whether the connection is still open.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.attack.dribbles() && self.last.elapsed() >= Self::PACE {
            self.last = Instant::now();
            match self.stream.write(b" ") {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        let mut bytes = [0; 1024];
        loop {
            match self.stream.read(&mut bytes) {
                // What the server says before it closes is read and thrown away.
                Ok(count) if count > 0 => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Ok(_) | Err(_) => return false,
            }
        }
    }
}
