//! A key's service that sends sops elsewhere: its token does not go there.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::{Scenario, Service, transit, wrapped};
use crate::support::sops;

/// A service that answers everything with a redirect.
fn redirecting(status: &'static str, to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 {status}\r\nlocation: {to}/v1/any/path\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n"
    );
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that goes away in the middle is its own affair.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// Whether anybody has connected.
fn connected(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    listener.accept().ok().map(|(stream, _)| stream)
}

#[test]
fn a_hashicorp_vault_cannot_send_the_token_to_another_server() {
    for sops in sops::generations() {
        for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
        {
            let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
            let to = format!("http://{}", elsewhere.local_addr().unwrap());
            let address = redirecting(status, &to);
            let allowed = format!("hc_vault:{address}/v1/transit/keys/sops");
            // Also where the vault was started with the opposite.
            let environment = [
                ("VAULT_TOKEN", "the-vault-token"),
                ("VAULT_DISABLE_REDIRECTS", "false"),
                ("HOME", "/nowhere"),
            ];
            let keys = transit(&address, "transit", "sops", "vault:v1:eA==");
            let file = wrapped("app.enc.yaml", &keys);
            let service = Service::new(&allowed, sops, &environment);
            let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
            let error = scenario.failed("prod");
            let went = connected(&elsewhere).is_some();
            assert!(!went, "{}, {status}: it went elsewhere: {error}", sops.display());
        }
    }
}
