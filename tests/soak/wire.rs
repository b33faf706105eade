//! A wire to a server that can be cut: bytes are held and nobody is told, as where a network is
//! parted.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Ends where the process does.
pub(crate) struct Wire {
    near: SocketAddr,
    whole: Arc<(Mutex<bool>, Condvar)>,
}

impl Wire {
    /// A wire to the server at `HOST:PORT`.
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let near = listener.local_addr().expect("a listener has an address");
        let whole = Arc::new((Mutex::new(true), Condvar::new()));
        let (wire, server) = (Arc::clone(&whole), server.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (wire, server) = (Arc::clone(&wire), server.clone());
                std::thread::spawn(move || {
                    hold(&wire);
                    let Ok(server) = TcpStream::connect(server) else { return };
                    let [from_client, to_server] = [&client, &server].map(TcpStream::try_clone);
                    let (Ok(from_client), Ok(to_server)) = (from_client, to_server) else { return };
                    let back = Arc::clone(&wire);
                    std::thread::spawn(move || carry(&wire, from_client, to_server));
                    carry(&back, server, client);
                });
            }
        });
        Self { near, whole }
    }

    /// Where its near end is, as `HOST:PORT`.
    pub(crate) fn address(&self) -> String {
        self.near.to_string()
    }

    pub(crate) fn cut(&self) {
        self.set(false);
    }

    pub(crate) fn mend(&self) {
        self.set(true);
    }

    fn set(&self, is_whole: bool) {
        *self.whole.0.lock().expect("no holder panics") = is_whole;
        self.whole.1.notify_all();
    }
}

/// Waits until the wire is whole.
fn hold(wire: &(Mutex<bool>, Condvar)) {
    let whole = wire.0.lock().expect("no holder panics");
    drop(wire.1.wait_while(whole, |whole| !*whole).expect("no holder panics"));
}

fn carry(wire: &(Mutex<bool>, Condvar), mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        hold(wire);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    // Each end is told that the other has gone, once that can be known.
    hold(wire);
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
