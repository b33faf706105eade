//! What a crash leaves: each value that left has its line in the audit.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::passed_over;
use crate::support::program::{Program, Site, agent, until};
use crate::support::service::GRANTS;
use vanta::domain::record::line_hash;

/// How many values leave before each crash: together they are more than two files of the audit.
const ENOUGH: usize = 1700;

/// The request ids of granted reads, from lines that each name the hash of the one before.
fn granted(lines: &[String]) -> HashSet<String> {
    let mut previous = "0".repeat(64);
    let mut ids = HashSet::new();
    for (number, line) in lines.iter().enumerate() {
        let entry: Value = serde_json::from_str(line).expect("a line is JSON");
        assert_eq!(entry["previous"], previous.as_str(), "the chain breaks at line {number}");
        assert_eq!(entry["sequence"], number as u64 + 1);
        previous = line_hash(line);
        if entry["event"] == "read" && entry["outcome"] == "granted" {
            ids.insert(entry["request_id"].as_str().expect("an id is text").to_owned());
        }
    }
    ids
}

#[test]
fn after_kill_9_under_load_each_value_that_left_is_in_the_audit() {
    let site = Site::new();
    site.write("access/all.yaml", &GRANTS.replace(", usageLimit: 1000", ""));
    let received = Mutex::new(HashMap::new());
    let start = || {
        let mut command = site.command();
        command.env("VANTA_AUDIT_MAX_MIB", "1");
        Program::start(command, "http")
    };
    for round in 1..=3 {
        let vault = start();
        let before = received.lock().expect("no reader panics").len();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (agent, token) = (agent(), vault.token(&site, "APP_*"));
                    while let Some(read) = vault.read(&agent, "dev/APP_DB_USER", &token) {
                        assert_eq!(read.status, 200, "{read:?}");
                        let mut received = received.lock().expect("no reader panics");
                        received.insert(read.id, read.text);
                    }
                });
            }
            until("enough values have left", || {
                let so_far = received.lock().expect("no reader panics").len();
                (so_far >= before + ENOUGH).then_some(())
            });
            vault.signal(Signal::SIGKILL);
        });
        // Whatever the crash left at the end is cut off by the next start.
        drop(vault);
        drop(start());
        let granted = granted(&site.audit());
        let received = received.lock().expect("no reader panics");
        assert!(received.len() >= round * ENOUGH);
        for (id, value) in received.iter() {
            assert_eq!(value, "app");
            assert!(granted.contains(id), "the value of request {id} left without a record");
        }
    }
    assert!(site.full_files().len() > 1, "nothing was rotated meanwhile");
}

/// How many uses a token has left, as an administrator is told; none where it is not good.
fn uses_left(vault: &Program, site: &Site, token: &str) -> usize {
    let asked = agent()
        .post(format!("{}/api/v1/vault/tokens/introspect", vault.api))
        .header("authorization", site.basic("ops"))
        .send_form([("token", token)]);
    let said: Value = asked.unwrap().body_mut().read_json().unwrap();
    said["uses_left"].as_u64().map_or(0, |left| usize::try_from(left).unwrap())
}

#[test]
fn a_crash_loses_uses_and_grants_none() {
    const LIMIT: usize = 300;
    let site = Site::new();
    let body = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": LIMIT});
    let mut vault = site.start();
    let token = vault.token_with(&site, &body);
    let given = AtomicUsize::new(0);
    for round in 1..=3 {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let agent = agent();
                    while let Some(read) = vault.read(&agent, "dev/APP_DB_USER", &token) {
                        assert_eq!(read.status, 200, "{read:?}");
                        given.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let enough = || (given.load(Ordering::Relaxed) >= round * LIMIT / 8).then_some(());
            until("some values have left", enough);
            vault.signal(Signal::SIGKILL);
        });
        vault.wait();
        vault = site.start();
        let (given, left) = (given.load(Ordering::Relaxed), uses_left(&vault, &site, &token));
        assert!(left > 0 && given + left <= LIMIT, "{given} were given, {left} are left");
    }
    let agent = agent();
    for _ in 0..uses_left(&vault, &site, &token) {
        assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().status, 200);
    }
    let refused = vault.read(&agent, "dev/APP_DB_USER", &token).unwrap();
    assert!(refused.text.contains("token-exhausted"), "{refused:?}");
}

/// A file system of so many KiB, where this process may mount one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: std::path::PathBuf, kib: u32) -> Option<Self> {
        let size = format!("size={kib}k");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&path)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the vault may not be gone yet.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn with_the_audit_disk_full_nothing_is_given_and_it_recovers_when_there_is_room() {
    let site = Site::new();
    let Some(_disk) = SmallDisk::mount(site.path("audit"), 1024) else {
        return passed_over("no small file system can be mounted here");
    };
    std::fs::write(site.path("audit/ballast"), vec![0; 1000 * 1024]).unwrap();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    let mut given = HashSet::new();
    let refused = until("the disk is full", || {
        let read = vault.read(&agent, "dev/APP_DB_USER", &token)?;
        if read.status == 200 {
            given.insert(read.id);
            return None;
        }
        Some(read)
    });
    assert_eq!(refused.status, 503);
    assert!(refused.text.contains("audit-unavailable"), "{refused:?}");
    std::fs::remove_file(site.path("audit/ballast")).unwrap();
    let read = vault.read(&agent, "dev/APP_DB_USER", &token).unwrap();
    assert_eq!(read.status, 200, "{read:?}");
    given.insert(read.id);
    assert_eq!(granted(&site.audit()), given);
}

/// A revocation that is sent and not waited for.
fn revoke_and_leave(vault: &Program, token: &str, after: Duration) {
    let body = format!("token={token}");
    let mut stream = TcpStream::connect(vault.api.strip_prefix("http://").unwrap()).unwrap();
    write!(
        stream,
        "POST /api/v1/vault/tokens/revoke HTTP/1.1\r\nhost: x\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    std::thread::sleep(after);
}

#[test]
fn a_client_that_goes_away_leaves_no_revocation_half_done() {
    let site = Site::new();
    let (vault, agent) = (site.start(), agent());
    let tokens: Vec<String> = (0..60).map(|_| vault.token(&site, "APP_*")).collect();
    for (number, token) in tokens.iter().enumerate() {
        revoke_and_leave(&vault, token, Duration::from_micros(number as u64 * 50));
    }
    // What the vault has begun it ends: in force and in the audit, or neither.
    until("each revocation is whole", || {
        let refused = tokens.iter().filter(|token| {
            vault.read(&agent, "dev/APP_DB_USER", token).is_some_and(|read| read.status == 401)
        });
        let refused = refused.count();
        let recorded =
            site.audit().iter().filter(|line| line.contains(r#""event":"revoke""#)).count();
        (refused > 0 && refused == recorded).then_some(())
    });
}
