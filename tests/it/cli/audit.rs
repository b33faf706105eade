//! `vanta-cli audit`, against a real vault and on what it leaves behind.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::cli::{Ran, cli_at, run, without_identity};
use crate::support::program::{Program, Site, agent, until};

/// A vault that was used and has ended in peace: its folder of the audit, and its log.
struct Left {
    site: Site,
    log: PathBuf,
}

impl Left {
    fn new() -> Self {
        let site = Site::new();
        let mut vault = site.start();
        use_it(&site, &vault);
        vault.signal(Signal::SIGTERM);
        vault.wait();
        let log = site.path("log");
        until("the last head is in the log", || vault.log().contains("signature").then_some(()));
        fs::write(&log, vault.log()).unwrap();
        Self { site, log }
    }

    fn file(&self) -> PathBuf {
        self.site.path("audit/audit.jsonl")
    }

    fn verify(&self, more: &[&str]) -> Ran {
        let folder = self.site.path("audit");
        let mut arguments = vec!["audit", "verify", "--folder", text(&folder)];
        arguments.extend(["--checkpoints", text(&self.log)]);
        run(without_identity(&[&arguments, more].concat()))
    }

    /// What is found after a change of the lines, as JSON.
    fn found(&self, change: impl FnOnce(&mut Vec<String>)) -> Vec<Value> {
        let before = fs::read_to_string(self.file()).unwrap();
        let mut lines: Vec<String> = before.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(self.file(), lines.iter().flat_map(|line| [line, "\n"]).collect::<String>())
            .unwrap();
        let ran = self.verify(&["-o=json"]);
        let told = self.verify(&[]).stdout;
        fs::write(self.file(), before).unwrap();
        let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
        let findings = report["findings"].as_array().expect("there is a list").clone();
        assert_eq!(ran.code, Some(i32::from(!findings.is_empty())), "{}", ran.stderr);
        for finding in &findings {
            let fault = finding["fault"].as_str().expect("it is text");
            assert!(told.contains(&format!(" {fault}: ")), "{told}");
        }
        findings
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

/// One token and four reads: five entries.
fn use_it(site: &Site, vault: &Program) {
    let token = vault.token(site, "APP_*");
    for _ in 0..4 {
        assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().status, 200);
    }
}

fn as_administrator(site: &Site, vault: &Program, arguments: &[&str]) -> Ran {
    let mut command = cli_at(&vault.api, &site.client_secret, arguments);
    command.env("VANTA_CLIENT_ID", "ops");
    run(command)
}

#[test]
fn a_folder_is_verified_with_the_heads_in_the_log() {
    let left = Left::new();
    let ran = left.verify(&[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    insta::assert_snapshot!(ran.stdout, @r"
    vanta-vault: entries 1 to 5, signed through 5
    nothing is wrong
    ");
    assert!(ran.stderr.contains("compared with no key"), "{}", ran.stderr);
    // The tail is known to be whole, since the head was signed at the end.
    let findings = left.found(|lines| lines.truncate(3));
    assert_eq!(
        (&findings[0]["fault"], &findings[0]["sequence"]),
        (&"end-removed".into(), &4.into())
    );
}

#[test]
fn what_is_done_to_the_file_is_told_with_its_place() {
    type Change = fn(&mut Vec<String>);
    let left = Left::new();
    let cases: [(Change, &str, u64, u64); 5] = [
        (|lines| lines[2] = lines[2].replace("granted", "refused"), "changed", 3, 3),
        (|lines| drop(lines.remove(2)), "missing", 3, 4),
        (|lines| lines.swap(2, 3), "missing", 3, 4),
        (|lines| lines.insert(4, lines[1].clone()), "out-of-place", 5, 2),
        (|lines| lines[4] = lines[4].replace("granted", "refused"), "not-as-signed", 5, 5),
    ];
    for (change, fault, line, sequence) in cases {
        let findings = left.found(change);
        assert_eq!(findings[0]["fault"], fault, "{findings:?}");
        assert_eq!(findings[0]["file"], text(&left.file()));
        assert_eq!(
            (&findings[0]["line"], &findings[0]["sequence"]),
            (&line.into(), &sequence.into())
        );
    }
    assert_eq!(left.found(|_| {}), Vec::<Value>::new());
}

#[test]
fn what_a_vault_writes_to_standard_output_is_its_audit_and_its_heads() {
    let site = Site::new();
    let stdout = site.path("stdout");
    let mut command = site.command();
    command.env("VANTA_AUDIT_STDOUT", "true");
    command.stdout(fs::File::create(&stdout).unwrap());
    let mut vault = Program::start(command, "http");
    use_it(&site, &vault);
    vault.signal(Signal::SIGTERM);
    vault.wait();
    let written = fs::read_to_string(&stdout).unwrap();
    let lines: Vec<&str> = written.lines().filter(|line| !line.contains("signature")).collect();
    assert_eq!(lines, site.audit());
    let folder = site.path("audit");
    let arguments = ["audit", "verify", "--folder", text(&folder), "--checkpoints", text(&stdout)];
    let ran = run(without_identity(&arguments));
    assert!(ran.stdout.contains("entries 1 to 5, signed through 5"), "{}", ran.stdout);
}

#[test]
fn a_head_that_another_key_signed_is_told() {
    let left = Left::new();
    let ran = left.verify(&["--public-key", &"11".repeat(32)]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("not by a key given"), "{}", ran.stdout);
}

#[test]
fn who_cuts_the_beginning_cannot_excuse_it_with_an_entry() {
    use vanta::domain::record::{Event, Link, Outcome, Record};

    let left = Left::new();
    let forge = |lines: &mut Vec<String>| {
        let mut record = Record::new(jiff::Timestamp::now(), Event::Remove, Outcome::Granted);
        record.removed_through = Some(2);
        let end = Link::after(&lines[4]).unwrap();
        lines.push(end.join("vanta-vault", record).0);
        lines.drain(..2);
    };
    let findings = left.found(forge);
    assert_eq!(
        (&findings[0]["fault"], &findings[0]["sequence"]),
        (&"beginning-unproved".into(), &2.into())
    );
    let mut lines = left.site.audit();
    forge(&mut lines);
    fs::write(left.file(), lines.join("\n") + "\n").unwrap();
    let ran = left.verify(&[]);
    assert!(ran.stdout.contains("begins with entry 3"), "{}", ran.stdout);
    let ran = left.verify(&["--trust-removals"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stderr.contains("as an entry of it says, which nothing proves"), "{}", ran.stderr);
}

#[test]
fn what_the_vault_removed_as_configured_is_proved_by_its_key() {
    let site = Site::new();
    let file = site.path("audit/audit.jsonl");
    for first in [1, 6] {
        let mut vault = site.start();
        use_it(&site, &vault);
        vault.signal(Signal::SIGTERM);
        vault.wait();
        fs::rename(&file, site.path(&format!("audit/audit-{first:020}.jsonl"))).unwrap();
    }
    let mut command = site.command();
    command.env("VANTA_AUDIT_KEEP", "1");
    let mut vault = Program::start(command, "http");
    let ran = as_administrator(&site, &vault, &["audit", "verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("removed, as the vault signed"), "{}", ran.stderr);
    let key = ran.stderr.split("the public key ").nth(1).and_then(|told| told.split(' ').next());
    let key = key.expect("the key is told").to_owned();
    vault.signal(Signal::SIGTERM);
    vault.wait();
    let folder = site.path("audit");
    let verify = |more: &[&str]| {
        let arguments = ["audit", "verify", "--folder", text(&folder)];
        run(without_identity(&[&arguments, more].concat()))
    };
    assert_eq!(verify(&["--public-key", &key]).code, Some(0));
    let ran = verify(&[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("no signature of a known key proves it"), "{}", ran.stdout);
}

#[test]
fn refusals_that_were_left_out_are_told_of_when_the_vault_ends_and_signed() {
    let site = Site::new();
    let mut vault = site.start();
    let token = vault.token(&site, "APP_*");
    for _ in 0..5 {
        assert_eq!(vault.read(&agent(), "dev/GREETING", &token).unwrap().status, 403);
    }
    assert_eq!(site.audit().len(), 2);
    let query = ["audit", "query", "--outcome=refused"];
    let ran = as_administrator(&site, &vault, &query);
    assert!(!ran.stdout.contains("others"), "{}", ran.stdout);
    vault.signal(Signal::SIGTERM);
    vault.wait();
    let last: Value = serde_json::from_str(site.audit().last().unwrap()).unwrap();
    assert_eq!((&last["outcome"], &last["left_out"]), (&"refused".into(), &3.into()));
    let signed = format!("\"sequence\":{}", last["sequence"]);
    until("the last head is in the log", || {
        let log = vault.log();
        log.lines().any(|line| line.contains("signature") && line.contains(&signed)).then_some(())
    });
    let vault = site.start();
    let ran = as_administrator(&site, &vault, &query);
    assert!(ran.stdout.contains("(and 3 others)"), "{}", ran.stdout);
}

#[test]
fn a_folder_is_not_taken_for_compared_with_heads_that_are_not_there() {
    let left = Left::new();
    let folder = left.site.path("audit");
    let folder = text(&folder);
    let none = run(without_identity(&["audit", "verify", "--folder", folder]));
    assert_eq!(none.code, Some(0), "{}", none.stderr);
    assert!(none.stderr.contains("nothing signed was compared"), "{}", none.stderr);
    let file = left.file();
    let wrong = ["audit", "verify", "--folder", folder, "--checkpoints", text(&file)];
    let wrong = run(without_identity(&wrong));
    assert_eq!(wrong.code, Some(74), "{}", wrong.stdout);
    assert!(wrong.stderr.contains("it holds no checkpoint"), "{}", wrong.stderr);
}

#[test]
fn a_folder_without_an_audit_is_no_whole_audit() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(without_identity(&["audit", "verify", "--folder", text(folder.path())]));
    assert_eq!(ran.code, Some(74), "{}", ran.stdout);
}

#[test]
fn a_running_vault_is_asked_and_its_answers_are_verified() {
    let site = Site::new();
    let vault = site.start();
    use_it(&site, &vault);
    let ran = as_administrator(&site, &vault, &["audit", "verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("nothing is wrong"), "{}", ran.stdout);
    let refused = run(cli_at(&vault.api, &site.client_secret, &["audit", "verify"]));
    assert_eq!(refused.code, Some(77), "{}", refused.stderr);
}

#[test]
fn entries_are_asked_for_and_printed() {
    let site = Site::new();
    let vault = site.start();
    use_it(&site, &vault);
    let ran = as_administrator(&site, &vault, &["audit", "query", "--event=read", "--limit=3"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 3), "{}", ran.stderr);
    for line in ran.stdout.lines() {
        assert!(line.contains("client:ci  dev  APP_DB_USER"), "{line}");
    }
    let query = ["audit", "query", "-o=json", "--subject=client:ci", "--order=oldest"];
    let ran = as_administrator(&site, &vault, &query);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["entries"].as_array().unwrap().len(), 5);
    assert_eq!(answer["entries"][0]["event"], "issue");
}

#[test]
fn a_tail_that_was_removed_is_told_when_the_vault_starts_under_whichever_name() {
    let site = Site::new();
    let start = |replica: &str| {
        let mut command = site.command();
        command.env("VANTA_REPLICA", replica);
        Program::start(command, "http")
    };
    for (replica, removed) in [("one", 0), ("two", 2), ("three", 0)] {
        let mut vault = start(replica);
        use_it(&site, &vault);
        let told = vault.log().contains("does not hold its last signed head");
        assert_eq!(told, replica == "three", "{replica}");
        if !told {
            let verified = as_administrator(&site, &vault, &["audit", "verify"]);
            assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        }
        vault.signal(Signal::SIGTERM);
        vault.wait();
        let mut lines = site.audit();
        lines.truncate(lines.len() - removed);
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(site.path("audit/audit.jsonl"), text).unwrap();
    }
}

/// A client that never ends by itself.
struct Following(std::process::Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_written_is_followed() {
    use std::io::BufRead as _;
    use std::process::Stdio;

    let site = Site::new();
    let vault = site.start();
    use_it(&site, &vault);
    let mut command = cli_at(&vault.api, &site.client_secret, &["audit", "tail"]);
    command.env("VANTA_CLIENT_ID", "ops").stdout(Stdio::piped());
    let mut tail = Following(command.spawn().unwrap());
    // It follows from the end on, once it has asked where that is.
    until("it has asked", || {
        site.audit().iter().any(|line| line.contains(r#""event":"query""#)).then_some(())
    });
    vault.token(&site, "APP_*");
    let mut line = String::new();
    std::io::BufReader::new(tail.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("issue") && line.contains("client:ci"), "{line}");
}
