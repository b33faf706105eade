//! A key's service that sends sops elsewhere: its token does not go there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::{Scenario, Service, transit, wrapped};
use crate::support::sops;

/// A server that answers everything alike, and what it was asked.
struct Server {
    address: String,
    asked: Receiver<String>,
}

impl Server {
    fn answering(status: &'static str, headers: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: 0\r\n\r\n");
        let (asks, asked) = channel();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let asks_more = asks.send(head(&mut stream)).is_ok();
                // A client that goes away in the middle is its own affair.
                let _ = stream.write_all(answer.as_bytes());
                if !asks_more {
                    return;
                }
            }
        });
        Self { address, asked }
    }

    /// One that sends whoever asks to another.
    fn redirecting(status: &'static str, to: &Self) -> Self {
        Self::answering(status, &format!("location: {}/v1/any/path\r\n", to.address))
    }

    /// How many of the requests so far had the token.
    fn tokens(&self) -> usize {
        let has_token = |head: &String| {
            let mut lines = head.lines().map(str::to_ascii_lowercase);
            lines.any(|line| line == "x-vault-token: the-vault-token")
        };
        self.asked.try_iter().filter(has_token).count()
    }
}

/// What a request says before its body.
fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut part) = (String::new(), [0; 4096]);
    while !head.contains("\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(read) if read > 0 => head += &String::from_utf8_lossy(&part[..read]),
            _ => break,
        }
    }
    head
}

#[test]
fn a_hashicorp_vault_cannot_send_the_token_to_another_server() {
    for sops in sops::generations() {
        for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
        {
            let elsewhere = Server::answering("404 Not Found", "");
            let server = Server::redirecting(status, &elsewhere);
            let allowed = format!("hc_vault:{}/v1/transit/keys/sops", server.address);
            // Also where the vault was started with the opposite.
            let environment = [
                ("VAULT_TOKEN", "the-vault-token"),
                ("VAULT_DISABLE_REDIRECTS", "false"),
                ("HOME", "/nowhere"),
            ];
            let keys = transit(&server.address, "transit", "sops", "vault:v1:eA==");
            let file = wrapped("app.enc.yaml", &keys);
            let service = Service::new(&allowed, sops, &environment);
            let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
            let error = scenario.failed("prod");
            let of = format!("{}, {status}: {error}", sops.display());
            assert!(server.tokens() > 0, "{of}: the allowed one was not asked");
            assert_eq!(elsewhere.asked.try_iter().count(), 0, "{of}: it went elsewhere");
        }
    }
}

#[test]
fn without_what_the_vault_sets_sops_takes_the_token_elsewhere() {
    for sops in sops::generations() {
        let elsewhere = Server::answering("404 Not Found", "");
        let server = Server::redirecting("307 Temporary Redirect", &elsewhere);
        let folder = tempfile::tempdir().unwrap();
        let keys = transit(&server.address, "transit", "sops", "vault:v1:eA==");
        fs::write(folder.path().join("file.yaml"), wrapped("app.enc.yaml", &keys)).unwrap();
        let mut command = sops::command(sops, folder.path(), Path::new("/nowhere"));
        command.env_remove("VAULT_DISABLE_REDIRECTS").env("VAULT_TOKEN", "the-vault-token");
        let output = command.args(["decrypt", "file.yaml"]).output().unwrap();
        assert!(!output.status.success());
        assert!(server.tokens() > 0 && elsewhere.tokens() > 0, "{}", sops.display());
    }
}
