//! Waiting for a change: what ends it, what is answered then, and what it costs the others.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::validation::sign;
use crate::support::program::DEADLINE;
use crate::support::service::{GRANTS, Reply, Vault, until};

const ALL: &str = "dev?values=true";

/// A file made by sops for the example environment's identity.
pub(super) fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops");
    folder.join(format!("{name}.enc.yaml"))
}

/// A vault, a token for `APP_*` of dev, and the revision that its holder has.
struct Scenario {
    vault: Arc<Vault>,
    token: String,
    etag: String,
}

impl Scenario {
    async fn new() -> Self {
        Self::of(Vault::start().await, json!(null)).await
    }

    /// With a limit of uses, where one is given; the first is taken already.
    async fn of(vault: Vault, usage_limit: Value) -> Self {
        let mut body = json!({
            "environment": "dev", "key_pattern": "APP_*", "permissions": ["read", "list"],
        });
        if !usage_limit.is_null() {
            body["usage_limit"] = usage_limit;
        }
        let token = vault.token_with(body).await;
        let first = vault.read(ALL, &token, &[]).await;
        assert_eq!(first.status, 200, "{first:?}");
        let etag = first.header("etag").to_owned();
        Self { vault: Arc::new(vault), token, etag }
    }

    /// Asks with what the caller has and this preference.
    fn ask(&self, prefer: &str) -> JoinHandle<Reply> {
        self.ask_with(&self.token, prefer)
    }

    fn ask_with(&self, token: &str, prefer: &str) -> JoinHandle<Reply> {
        let (vault, token) = (Arc::clone(&self.vault), token.to_owned());
        let (etag, prefer) = (self.etag.clone(), prefer.to_owned());
        tokio::spawn(async move {
            vault.read(ALL, &token, &[("if-none-match", &etag), ("prefer", &prefer)]).await
        })
    }

    /// Asks to wait, and is waiting.
    async fn wait(&self) -> JoinHandle<Reply> {
        let asked = self.ask("wait=60");
        self.until_waiting(1).await;
        asked
    }

    async fn until_waiting(&self, number: usize) {
        until(&format!("{number} wait"), || self.vault.waiting() == number).await;
    }
}

/// The answer, which comes soon.
async fn soon(asked: JoinHandle<Reply>) -> Reply {
    tokio::time::timeout(DEADLINE, asked).await.expect("it does not come").unwrap()
}

/// Whether nothing comes for a while.
async fn still_waits(asked: &JoinHandle<Reply>) -> bool {
    tokio::time::sleep(Duration::from_millis(300)).await;
    !asked.is_finished()
}

#[tokio::test]
async fn a_changed_value_is_answered_at_once_and_recorded_at_that_moment() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    let records = scenario.vault.audit().len();
    assert!(still_waits(&asked).await);
    assert_eq!(scenario.vault.audit().len(), records, "waiting is no answer");
    let changed = Timestamp::now();
    scenario.vault.put("dev", &fixture("dev-rotated"));
    let reply = soon(asked).await;
    println!("answered {:?} after the change", Timestamp::now().duration_since(changed));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("preference-applied"), "wait=60");
    assert_eq!(reply.json()["values"]["APP_DB_PASSWORD"], "rotated-in-the-example");
    assert_ne!(reply.header("etag"), scenario.etag);
    let line = scenario.vault.audit().pop().unwrap();
    assert_eq!((&line["event"], &line["outcome"]), (&json!("read-all"), &json!("granted")));
    assert_eq!(line["request_id"], reply.header("x-request-id"));
    assert_eq!(format!("\"{}\"", line["revision"].as_str().unwrap()), reply.header("etag"));
    let time: Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    assert!(time >= changed, "it was decided when it was answered, not when it was asked");
    assert_eq!(scenario.vault.waiting(), 0);
}

#[tokio::test]
async fn the_answer_has_the_form_that_was_asked_for() {
    let scenario = Scenario::new().await;
    let (vault, token, etag) =
        (Arc::clone(&scenario.vault), scenario.token.clone(), scenario.etag.clone());
    let asked = tokio::spawn(async move {
        let headers = [("if-none-match", &*etag), ("prefer", "wait=60"), ("accept", "text/plain")];
        vault.read("dev?values=true&pattern=APP_*", &token, &headers).await
    });
    scenario.until_waiting(1).await;
    scenario.vault.put("dev", &fixture("dev-rotated"));
    assert!(soon(asked).await.text.contains("APP_DB_PASSWORD='rotated-in-the-example'\n"));
}

#[tokio::test]
async fn grants_that_narrow_change_what_is_in_scope() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    scenario.vault.grant(&GRANTS.replace("keyPattern: 'APP_*'", "keyPattern: APP_DB_USER"));
    let reply = soon(asked).await;
    assert_eq!(reply.json()["values"], json!({"APP_DB_USER": "app"}));
}

#[tokio::test]
async fn what_changes_elsewhere_is_no_change_and_the_end_is_304() {
    let scenario = Scenario::new().await;
    let asked = scenario.ask("wait=2");
    scenario.until_waiting(1).await;
    // Another environment, other keys of this one, another subject's grant, a bad file.
    scenario.vault.put("prod", &fixture("dev-rotated"));
    scenario.vault.put("dev", &fixture("dev-elsewhere"));
    let more = "---
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: other}
spec: {subject: {client: other}, environment: dev, keyPattern: '*'}
";
    scenario.vault.grant(&format!("{GRANTS}{more}"));
    scenario.vault.put("dev", Path::new(file!()));
    assert!(still_waits(&asked).await);
    let reply = soon(asked).await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (304, ""));
    assert_eq!(reply.header("preference-applied"), "wait=2");
    assert_eq!(reply.header("etag"), scenario.etag);
    let line = scenario.vault.audit().pop().unwrap();
    assert_eq!(line["outcome"], "not-modified");
    assert_eq!(line["request_id"], reply.header("x-request-id"));
}

#[tokio::test]
async fn nobody_waits_who_did_not_ask_for_it_or_has_something_else() {
    let scenario = Scenario::new().await;
    for prefer in ["respond-async", "wait", "wait=soon", "wait=0", "wait=-5"] {
        let reply = soon(scenario.ask(prefer)).await;
        assert_eq!(reply.status, 304, "{prefer}");
        assert!(!reply.headers.contains_key("preference-applied"), "{prefer}");
    }
    let long = ("prefer", "wait=3600");
    for headers in [vec![long], vec![("if-none-match", "\"another\""), long]] {
        let reply = scenario.vault.read(ALL, &scenario.token, &headers).await;
        assert_eq!((reply.status.as_u16(), reply.header("preference-applied")), (200, "wait=60"));
    }
    assert_eq!(scenario.vault.waiting(), 0);
}

#[tokio::test]
async fn a_revoked_token_stops_waiting() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    let revoked = scenario.vault.revoke(&format!("token={}", scenario.token)).await;
    assert_eq!(revoked.status, 200);
    let revoked = Instant::now();
    let reply = soon(asked).await;
    println!("refused {:?} after the revocation", revoked.elapsed());
    assert_eq!(reply.problem(), "token-revoked");
    let line = scenario.vault.audit().pop().unwrap();
    assert_eq!((&line["outcome"], &line["reason"]), (&json!("refused"), &json!("token-revoked")));
}

#[tokio::test]
async fn a_blocked_subject_stops_waiting() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    let blocked = scenario.vault.revoke("subject=client:ci&block=true").await;
    assert_eq!(blocked.status, 200);
    assert_eq!(soon(asked).await.problem(), "token-revoked");
}

#[tokio::test]
async fn a_withdrawn_grant_stops_the_waiting() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    scenario.vault.grant("");
    let withdrawn = Instant::now();
    let reply = soon(asked).await;
    println!("refused {:?} after the withdrawal", withdrawn.elapsed());
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (403, "out-of-scope"));
    assert_eq!(scenario.vault.audit().pop().unwrap()["outcome"], "refused");
}

#[tokio::test]
async fn a_token_that_ends_stops_waiting() {
    let scenario = Scenario::of(Vault::start_for_waiting(1).await, json!(null)).await;
    let part = |index| -> Value {
        let part = scenario.token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, mut claims) = (part(0), part(1));
    // It has ended, and for two seconds more the leeway of 30 passes it.
    let now = Timestamp::now().as_second();
    for (claim, at) in [("iat", now - 40), ("nbf", now - 40), ("exp", now - 28)] {
        claims[claim] = json!(at);
    }
    let token = sign(&header.to_string(), &claims.to_string());
    let asked = scenario.ask_with(&token, "wait=60");
    scenario.until_waiting(1).await;
    assert_eq!(soon(asked).await.problem(), "token-expired");
    let line = scenario.vault.audit().pop().unwrap();
    assert_eq!((&line["outcome"], &line["reason"]), (&json!("refused"), &json!("token-expired")));
}

#[tokio::test]
async fn an_environment_that_is_gone_is_404() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    scenario.vault.remove("dev");
    assert_eq!(soon(asked).await.problem(), "environment-not-found");
}

#[tokio::test]
async fn values_take_a_use_and_waiting_takes_none() {
    let scenario = Scenario::of(Vault::start().await, json!(2)).await;
    assert_eq!(soon(scenario.ask("wait=1")).await.status, 304);
    let (one, other) = (scenario.ask("wait=60"), scenario.ask("wait=60"));
    scenario.until_waiting(2).await;
    scenario.vault.put("dev", &fixture("dev-rotated"));
    let mut statuses = [soon(one).await.status.as_u16(), soon(other).await.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "the last use was one caller's");
    assert_eq!(soon(scenario.ask("wait=60")).await.problem(), "token-exhausted");
}

#[tokio::test]
async fn a_token_that_is_used_up_meanwhile_is_refused_at_the_end() {
    let scenario = Scenario::of(Vault::start().await, json!(2)).await;
    let asked = scenario.ask("wait=2");
    scenario.until_waiting(1).await;
    assert_eq!(scenario.vault.read("dev/APP_DB_USER", &scenario.token, &[]).await.status, 200);
    assert!(still_waits(&asked).await);
    assert_eq!(soon(asked).await.problem(), "token-exhausted");
}

#[tokio::test]
async fn whoever_goes_away_leaves_nothing_behind() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    let records = scenario.vault.audit().len();
    asked.abort();
    scenario.until_waiting(0).await;
    scenario.vault.put("dev", &fixture("dev-rotated"));
    let next = scenario.vault.read(ALL, &scenario.token, &[]).await;
    assert_eq!(next.status, 200);
    assert_eq!(scenario.vault.audit().len(), records + 1, "the one that left was not answered");
}

#[tokio::test]
async fn a_vault_that_ends_answers_who_waits_and_lets_nobody_wait() {
    let scenario = Scenario::new().await;
    let asked = scenario.wait().await;
    scenario.vault.service.end_waits();
    for asked in [asked, scenario.ask("wait=60")] {
        let reply = soon(asked).await;
        assert_eq!(reply.status, 304);
        assert!(!reply.headers.contains_key("preference-applied"));
    }
    assert_eq!(scenario.vault.audit().pop().unwrap()["outcome"], "not-modified");
}

#[tokio::test]
async fn one_too_many_is_answered_at_once() {
    let scenario = Scenario::of(Vault::start_for_waiting(2).await, json!(null)).await;
    let waiting = [scenario.ask("wait=60"), scenario.ask("wait=60")];
    scenario.until_waiting(2).await;
    let reply = soon(scenario.ask("wait=60")).await;
    assert_eq!(reply.status, 304);
    assert!(!reply.headers.contains_key("preference-applied"), "it was not waited for");
    scenario.vault.put("dev", &fixture("dev-rotated"));
    for asked in waiting {
        assert_eq!(soon(asked).await.status, 200);
    }
    assert_eq!(soon(scenario.ask("wait=60")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_hold_no_place_and_all_get_the_change_while_others_read() {
    const MANY: usize = 2000;
    let vault = Vault::start().await;
    vault.grant(&GRANTS.replace(", usageLimit: 1000", ""));
    let scenario = Scenario::of(vault, json!(null)).await;
    let mut waiting = Vec::new();
    for at in 1..=MANY {
        waiting.push(scenario.ask("wait=60"));
        // As many requests at once as the vault takes are another matter.
        if at % 500 == 0 {
            scenario.until_waiting(at).await;
        }
    }
    let read = || scenario.vault.read("dev/APP_DB_USER", &scenario.token, &[]);
    assert_eq!(read().await.status, 200, "no place is taken");
    let changed = Instant::now();
    scenario.vault.put("dev", &fixture("dev-rotated"));
    let (mut reads, mut slowest) = (0, Duration::ZERO);
    while waiting.iter().any(|asked| !asked.is_finished()) {
        let began = Instant::now();
        assert_eq!(read().await.status, 200);
        (reads, slowest) = (reads + 1, slowest.max(began.elapsed()));
        assert!(changed.elapsed() < DEADLINE, "not all are answered");
    }
    println!(
        "{MANY} were answered in {:?}, and {reads} reads meanwhile, the slowest in {slowest:?}",
        changed.elapsed()
    );
    for asked in waiting {
        let reply = soon(asked).await;
        assert_eq!(reply.json()["values"]["APP_DB_PASSWORD"], "rotated-in-the-example");
    }
    let granted = |line: &&Value| line["event"] == "read-all" && line["outcome"] == "granted";
    assert_eq!(scenario.vault.audit().iter().filter(granted).count(), MANY + 1);
    assert_eq!(scenario.vault.waiting(), 0);
}
