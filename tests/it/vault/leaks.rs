//! No secret is in a log, a metric, the state or the audit, in any of the forms it could take.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::collector::Collector;
use crate::support::program::{Program, Site, agent, example};
use crate::support::service::{GREETING, SIGNING_KEY};

/// Every form of a text that is looked for: as it is, in hexadecimal, and in base64 at each of
/// the three places where it can begin within a group.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned(), hex::encode(text), hex::encode_upper(text)];
    for before in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&b"\0\0"[..before], text.as_bytes()].concat());
        // Characters that depend on what stands before or after are left out.
        let from = [0, 2, 3][before];
        let inner = encoded[from..encoded.len() - 2].to_owned();
        forms.push(inner.replace('+', "-").replace('/', "_"));
        forms.push(inner);
    }
    forms
}

fn find(what: &[(&str, String)], place: &str, content: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in what {
        for form in forms(text) {
            if content.windows(form.len()).any(|window| window == form.as_bytes()) {
                found.push(format!("{name} is in {place}"));
            }
        }
    }
    found
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the folder is readable").path());
    paths
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable")))
        .collect()
}

#[test]
fn the_search_finds_what_is_planted_in_each_form() {
    let marker = [("the marker", "a-planted-marker-value".to_owned())];
    for form in forms(&marker[0].1) {
        let content = format!("noise {form} noise");
        assert!(!find(&marker, "here", content.as_bytes()).is_empty(), "{form}");
    }
    for before in ["", "x", "xy", "xyz"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{} and more", marker[0].1));
        assert!(!find(&marker, "here", encoded.as_bytes()).is_empty(), "after {before:?}");
    }
    assert!(find(&marker, "here", b"a-planted-marker-valu").is_empty());
}

#[test]
fn no_secret_is_in_a_log_a_metric_the_state_or_the_audit() {
    let site = Site::new();
    let collector = Collector::start();
    let mut command = site.command();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint);
    let mut vault = Program::start(command, "http");
    let (api, agent) = (&vault.api, agent());
    let token = vault.token(&site, "*");
    let limited = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 1});
    let limited = vault.token_with(&site, &limited);
    for (path, token) in [
        ("dev/APP_DB_PASSWORD", &token),
        ("dev?values=true", &token),
        ("dev", &token),
        ("dev/NO_SUCH", &token),
        ("dev/APP_NONE", &token),
        ("prod/APP_DB_PASSWORD", &token),
        ("dev/APP_DB_PASSWORD", &limited),
        ("dev/APP_DB_PASSWORD", &limited),
        ("dev/APP_DB_PASSWORD", &token.replace("eyJ", "eyK")),
        ("dev/APP_DB_PASSWORD", &format!("{token}A")),
        ("dev/APP_DB_PASSWORD", &site.client_secret),
    ] {
        assert!(vault.read(&agent, path, token).is_some());
    }
    // Secrets in the wrong places: as a body, as a name, as a query.
    let post = |path: &str, media_type: &str, body: &str| {
        let request = agent.post(format!("{api}/api/v1/vault/{path}"));
        request.header("content-type", media_type).send(body).expect("the vault answers");
    };
    post("tokens/generate", "application/json", &json!({"token": token}).to_string());
    post("tokens/revoke", "application/x-www-form-urlencoded", &format!("token={token}"));
    post("tokens/revoke", "application/json", &token);
    for path in [&token, &site.client_secret] {
        vault.read(&agent, &format!("dev/{path}"), &limited);
        vault.read(&agent, &format!("dev?pattern={path}"), &limited);
    }
    let read = vault.read(&agent, "dev/APP_DB_PASSWORD", &token).expect("the vault answers");
    assert_eq!(read.status, 401, "the token was revoked");
    // A file that cannot be opened, and one that is none.
    site.write("secrets/bad.enc.yaml", &format!("GREETING: {GREETING}\n"));
    site.write("access/bad.yaml", "nonsense: [");

    let key_file = std::fs::read_to_string(example("age-key.txt")).expect("the example is there");
    let age_key = key_file.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
    let secrets = [
        ("the password", "example-password-1".to_owned()),
        ("the greeting", GREETING.to_owned()),
        ("the token", token.rsplit('.').next().expect("a token has parts").to_owned()),
        ("the limited token", limited.rsplit('.').next().expect("a token has parts").to_owned()),
        ("the client's secret", site.client_secret.clone()),
        ("the signing key", SIGNING_KEY.to_owned()),
        ("the age key", age_key.expect("the file holds a key").to_owned()),
    ];
    crate::support::program::until("the bad file is looked at", || {
        vault.log().contains("the environment was not loaded").then_some(())
    });
    let metrics = vault.health("/metrics").1;
    let ready = vault.health("/readyz").1;
    vault.signal(Signal::SIGTERM);
    vault.wait();
    let log = vault.log();
    assert!(log.contains("out-of-scope"), "the log holds what happened: {log}");
    // Who read which key is for the audit alone: neither a metric nor a trace tells it.
    let exported = collector.bodies();
    assert!(!exported.is_empty(), "spans are exported at the latest when the vault ends");
    for told in ["APP_DB_PASSWORD", "APP_NONE", "NO_SUCH", "client:", "GREETING", "127.0.0.1"] {
        assert!(!metrics.contains(told), "{told} is in the metrics");
        assert!(!String::from_utf8_lossy(&exported).contains(told), "{told} is in the traces");
    }
    let mut places = vec![
        ("the traces".to_owned(), exported),
        ("the log".to_owned(), log.into_bytes()),
        ("the metrics".to_owned(), metrics.into_bytes()),
        ("readiness".to_owned(), ready.into_bytes()),
    ];
    places.extend(files(&site.path("state")));
    places.extend(files(&site.path("audit")));
    assert!(places.len() >= 5, "the state and the audit are files");
    let found: Vec<String> =
        places.iter().flat_map(|(place, content)| find(&secrets, place, content)).collect();
    assert!(found.is_empty(), "{found:#?}");
}
