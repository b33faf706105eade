//! What whoever runs the vault is told of bad and missing files: in the log, and in `/readyz`.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::program::{Program, Site, agent, example, until};

/// The lines of the log with this message.
fn lines(vault: &Program, message: &str) -> Vec<Value> {
    let log = vault.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"].as_str().is_some_and(|said| said == message)).collect()
}

/// What `/readyz` says of the secrets, by environment.
fn secrets(vault: &Program) -> Value {
    let mut said: Value = serde_json::from_str(&vault.health("/readyz").1).unwrap();
    said["secrets"].take()
}

const GONE: &str = "the environment's file is gone: nothing of it is served";

#[test]
fn a_file_that_is_deleted_is_told_of_once_in_the_log_in_readiness_and_to_callers() {
    let site = Site::new();
    fs::copy(example("dev.enc.yaml"), site.path("secrets/other.enc.yaml")).unwrap();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    fs::remove_file(site.path("secrets/dev.enc.yaml")).unwrap();
    let refused = until("it is refused", || {
        vault.read(&agent, "dev/APP_DB_USER", &token).filter(|read| read.status == 404)
    });
    let problem: Value = serde_json::from_str(&refused.text).unwrap();
    assert_eq!(problem["type"], "https://vanta.dev/problems/environment-not-found");
    assert_eq!(problem["detail"], "environment dev is not served any more: its file is gone");
    until("the log says so", || (lines(&vault, GONE).len() == 1).then_some(()));
    let line = &lines(&vault, GONE)[0];
    assert_eq!((&line["level"], &line["environment"]), (&json!("WARN"), &json!("dev")));
    let gone = "its file is gone since the vault was started: nothing of it is served";
    assert_eq!(secrets(&vault), json!({"dev": gone, "other": "ok"}));
    fs::copy(example("dev.enc.yaml"), site.path("secrets/dev.enc.yaml")).unwrap();
    until("it is served again", || (secrets(&vault)["dev"] == "ok").then_some(()));
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().text, "app");
    assert_eq!(lines(&vault, GONE).len(), 1);
}

#[test]
fn what_all_environments_fail_for_is_told_once() {
    let site = Site::new();
    for number in 0..30 {
        let copy = site.path(&format!("secrets/e{number}.enc.yaml"));
        fs::copy(example("dev.enc.yaml"), copy).unwrap();
    }
    site.write("signers", "# nobody yet\nnonsense\n");
    let mut command = site.command();
    command.env("VANTA_SOPS_TRUSTED_SIGNERS", site.path("signers"));
    let vault = Program::start(command, "http");
    let told = lines(&vault, "several environments were not loaded, all for the same reason");
    let [told] = &told[..] else { panic!("{told:?}") };
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("signers, line 2: "), "{reason}");
    assert_eq!((&told["not_loaded"], &told["serve_earlier"]), (&json!(31), &json!(0)));
    let names = told["environments"].as_str().unwrap();
    assert!(names.starts_with("dev, e0, e1, e10, ") && names.ends_with(" and 21 more"), "{names}");
    assert!(lines(&vault, "the environment was not loaded").is_empty());
    let said = secrets(&vault);
    let said = said.as_object().unwrap();
    assert_eq!(said["*"], json!(format!("31 environments: not loaded: {reason}")));
    let alike = said.values().filter(|each| **each == json!("as many others: see *")).count();
    assert_eq!((said.len(), alike), (32, 31));
}

#[test]
fn the_log_says_whose_identities_are_taken_before_what_they_open() {
    let site = Site::new();
    fs::create_dir(site.path("identities")).unwrap();
    fs::copy(example("age-key.txt"), site.path("identities/dev.txt")).unwrap();
    let mut command = site.command();
    command.env("VANTA_AGE_IDENTITIES_PATH", site.path("identities"));
    let vault = Program::start(command, "http");
    let own = "environments have age identities of their own in this folder, which alone open them";
    let shared = "the age identities of this file open every environment without one of its own";
    let (told_own, told) = (lines(&vault, own), lines(&vault, shared));
    let path = example("age-key.txt").display().to_string();
    assert_eq!(
        (&told[0]["variable"], &told[0]["path"], &told[0]["identities"], &told[0]["level"]),
        (&json!("SOPS_AGE_KEY_FILE"), &json!(path), &json!(1), &json!("INFO"))
    );
    assert_eq!(told_own[0]["environments"], json!(1));
    let log = vault.log();
    assert!(log.find(shared) < log.find("the environment was loaded"), "{log}");
    assert!(!log.contains("AGE-SECRET-KEY"));
    drop(vault);

    let mut command = site.command();
    let key = fs::read_to_string(example("age-key.txt")).unwrap();
    command.env_remove("SOPS_AGE_KEY_FILE").env("SOPS_AGE_KEY", key);
    let vault = Program::start(command, "http");
    let given = "the age identities of this variable open every environment without one of its own";
    let told = lines(&vault, given);
    assert_eq!((&told[0]["variable"], &told[0]["identities"]), (&json!("SOPS_AGE_KEY"), &json!(1)));
    assert!(!vault.log().contains("AGE-SECRET-KEY"));
}

#[test]
fn identities_that_change_are_told_of_and_a_bad_change_leaves_those_before() {
    let site = Site::new();
    let good = fs::read_to_string(example("age-key.txt")).unwrap();
    site.write("age-key", &good);
    let mut command = site.command();
    command.env("SOPS_AGE_KEY_FILE", site.path("age-key"));
    let (vault, agent) = (Program::start(command, "http"), agent());
    let token = vault.token(&site, "APP_*");
    site.write("age-key", "hunter2\n");
    let kept = "the age identities that were read before stay in use";
    until("it is told", || (!lines(&vault, kept).is_empty()).then_some(()));
    let reason = lines(&vault, kept)[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("line 1 is no age identity"), "{reason}");
    let failed = "vanta_reloads_total{source=\"Identities\",result=\"failure\"} 1";
    assert!(vault.health("/metrics").1.contains(failed));
    let said = secrets(&vault);
    assert_eq!(said["dev"], "ok");
    let of_all = said["*"].as_str().unwrap();
    assert!(of_all.contains(&reason) && of_all.ends_with("stay in use"), "{said}");
    assert!(!of_all.contains("hunter2") && !vault.log().contains("hunter2"));
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().text, "app");
    site.write("age-key", &format!("{good}{good}"));
    let again = "age identities were read again";
    until("it is told", || (!lines(&vault, again).is_empty()).then_some(()));
    assert_eq!(lines(&vault, again)[0]["identities"], json!(2));
    assert_eq!(secrets(&vault), json!({"dev": "ok"}));
}

#[test]
fn what_is_odd_about_a_file_is_what_the_line_says() {
    let site = Site::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops/names.enc.yaml");
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops/age-key.txt");
    fs::copy(fixture, site.path("secrets/names.enc.yaml")).unwrap();
    let mut command = site.command();
    command.env("SOPS_AGE_KEY_FILE", key);
    let vault = Program::start(command, "http");
    let said =
        "the environment was loaded, and \"with space\" is not served: it is not the name of a key";
    assert_eq!(lines(&vault, said)[0]["environment"], json!("names"), "{}", vault.log());
}

#[test]
fn a_bad_version_that_is_gone_at_once_leaves_a_trace_in_the_log_and_in_a_metric_that_stays() {
    let site = Site::new();
    let vault = site.start();
    let good = fs::read_to_string(example("dev.enc.yaml")).unwrap();
    let series = r#"vanta_environment_brief_refusals_total{environment="dev"} "#;
    let count = || {
        let metrics = vault.health("/metrics").1;
        metrics.lines().find_map(|line| line.strip_prefix(series))?.parse::<u64>().ok()
    };
    assert_eq!(count(), Some(0));
    // Each for longer than it is between two looks, and for less than what is an alarm.
    let began = Instant::now();
    until("it is counted", || {
        let is_bad = (began.elapsed().as_millis() / 400).is_multiple_of(2);
        site.write("secrets/dev.enc.yaml", if is_bad { "a: [" } else { &good });
        (count()? > 0).then_some(())
    });
    let said = "versions of the environment's file were refused, and gone before that was an alarm";
    let line = until("the log says so", || lines(&vault, said).pop());
    assert_eq!((&line["environment"], &line["kind"]), (&json!("dev"), &json!("refused")));
    assert_eq!((&line["level"], &line["times"]), (&json!("WARN"), &json!(1)));
    assert!(line["reason"].as_str().unwrap().contains("YAML"), "{line}");
    // What was counted outlives the file.
    fs::remove_file(site.path("secrets/dev.enc.yaml")).unwrap();
    let gone = || !vault.health("/metrics").1.contains("vanta_environment_healthy{");
    until("it is gone", || gone().then_some(()));
    assert!(count().unwrap() > 0);
}
