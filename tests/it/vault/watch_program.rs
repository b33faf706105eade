//! Waiting for a change at the real program: over connections, with a folder that is polled.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use vanta::adapters::serve::{most_waiting, raise_open_files};

use crate::support::program::{DEADLINE, Program, Site, agent, until};
use crate::support::service::GRANTS;

/// A connection on which an answer is waited for.
struct Waiter(BufReader<TcpStream>);

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(": ")?;
            given.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Waiter {
    fn ask(vault: &Program, token: &str, etag: &str) -> Self {
        let stream = TcpStream::connect(vault.api.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut waiter = Self(BufReader::new(stream));
        waiter.ask_again(token, etag);
        waiter
    }

    fn ask_again(&mut self, token: &str, etag: &str) {
        self.ask_for(60, token, etag);
    }

    fn ask_for(&mut self, seconds: u64, token: &str, etag: &str) {
        let head = format!(
            "GET /api/v1/vault/dev?values=true HTTP/1.1\r\nhost: x\r\n\
             authorization: Bearer {token}\r\nif-none-match: {etag}\r\nprefer: wait={seconds}\r\n\r\n"
        );
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
    }

    fn answer(&mut self) -> Answer {
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the connection was closed");
            head.push_str(&line);
        }
        let mut answer = Answer { head, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if answer.status() != "304" {
            self.0.read_exact(&mut body).unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        answer
    }
}

fn etag(vault: &Program, token: &str) -> String {
    let answer = agent()
        .get(format!("{}/api/v1/vault/dev?values=true", vault.api))
        .header("authorization", format!("Bearer {token}"))
        .call()
        .unwrap();
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

fn until_waiting(vault: &Program, number: usize) {
    let line = format!("vanta_waiting {number}\n");
    until("so many wait", || vault.health("/metrics").1.contains(&line).then_some(()));
}

/// Puts another version of the environment in the place of the first.
fn rotate(site: &Site) -> Instant {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops");
    let rotated = std::fs::read_to_string(fixtures.join("dev-rotated.enc.yaml")).unwrap();
    site.write("secrets/dev.enc.yaml", &rotated);
    Instant::now()
}

#[test]
fn a_change_of_the_file_reaches_who_waits_on_the_same_connection_again_and_again() {
    let site = Site::new();
    let vault = site.start();
    let token = vault.token(&site, "APP_*");
    let mut waiter = Waiter::ask(&vault, &token, &etag(&vault, &token));
    until_waiting(&vault, 1);
    let changed = rotate(&site);
    let answer = waiter.answer();
    println!("answered {:?} after the file was changed", changed.elapsed());
    assert_eq!((answer.status(), answer.header("preference-applied")), ("200", Some("wait=60")));
    assert!(answer.body.contains("rotated-in-the-example"), "{}", answer.body);
    waiter.ask_again(&token, answer.header("etag").unwrap());
    until_waiting(&vault, 1);
    let withdrawn = Instant::now();
    std::fs::remove_file(site.path("access/all.yaml")).unwrap();
    assert_eq!(waiter.answer().status(), "403");
    println!("refused {:?} after the grant's file was deleted", withdrawn.elapsed());
}

#[test]
fn a_wait_is_longer_than_any_other_request_may_be_handled() {
    let site = Site::new();
    let vault = site.start();
    let token = vault.token(&site, "APP_*");
    let etag = etag(&vault, &token);
    let mut waiter = Waiter::ask(&vault, &token, &etag);
    until_waiting(&vault, 1);
    rotate(&site);
    let answer = waiter.answer();
    let asked = Instant::now();
    waiter.ask_for(17, &token, answer.header("etag").unwrap());
    let answer = waiter.answer();
    assert_eq!((answer.status(), answer.header("preference-applied")), ("304", Some("wait=17")));
    assert!(asked.elapsed() >= Duration::from_secs(17), "{:?}", asked.elapsed());
    // The metric of how fast the vault answers says nothing of it.
    let metrics = vault.health("/metrics").1;
    let count = |name: &str, label: &str| {
        let line = metrics.lines().find(|line| {
            line.starts_with(&format!("vanta_http_request_duration_seconds_{name}{{"))
                && line.contains(label)
                && line.contains("route=\"/api/v1/vault/{environment}\"")
        });
        line.unwrap().rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(count("bucket", "le=\"5.0\""), count("count", ""));
}

#[test]
fn a_connection_that_closes_leaves_nothing_behind() {
    let site = Site::new();
    let vault = site.start();
    let token = vault.token(&site, "APP_*");
    let etag = etag(&vault, &token);
    let waiters: Vec<Waiter> = (0..20).map(|_| Waiter::ask(&vault, &token, &etag)).collect();
    until_waiting(&vault, 20);
    let records = site.audit().len();
    drop(waiters);
    until_waiting(&vault, 0);
    assert_eq!(site.audit().len(), records, "nobody was answered");
}

#[test]
fn sigterm_answers_who_waits_at_once() {
    let site = Site::new();
    let mut vault = site.start();
    let token = vault.token(&site, "APP_*");
    let etag = etag(&vault, &token);
    let mut waiters: Vec<Waiter> = (0..20).map(|_| Waiter::ask(&vault, &token, &etag)).collect();
    until_waiting(&vault, 20);
    vault.signal(Signal::SIGTERM);
    let signalled = Instant::now();
    for waiter in &mut waiters {
        let answer = waiter.answer();
        assert_eq!((answer.status(), answer.header("preference-applied")), ("304", None));
    }
    assert_eq!(vault.wait().code(), Some(0));
    println!("ended {:?} after the signal", signalled.elapsed());
    let last: Vec<Value> = site
        .audit()
        .iter()
        .rev()
        .take(20)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(last.iter().all(|line| line["outcome"] == "not-modified"), "{last:?}");
}

#[test]
fn a_thousand_connections_get_the_change_while_others_read() {
    raise_open_files().unwrap();
    // Fewer where the machine allows few open files.
    let many = most_waiting().unwrap().min(1000);
    let site = Site::new();
    site.write("access/all.yaml", &GRANTS.replace(", usageLimit: 1000", ""));
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    let etag = etag(&vault, &token);
    let mut waiters: Vec<Waiter> = (0..many).map(|_| Waiter::ask(&vault, &token, &etag)).collect();
    until_waiting(&vault, many);
    let changed = rotate(&site);
    let read = vault.read(&agent, "dev/APP_DB_USER", &token).unwrap();
    assert_eq!(read.status, 200);
    for waiter in &mut waiters {
        assert!(waiter.answer().body.contains("rotated-in-the-example"));
    }
    println!("{many} connections were answered in {:?}", changed.elapsed());
    until_waiting(&vault, 0);
}
