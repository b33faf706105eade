//! What one read costs, whole and in its parts: real SOPS file, SQLite and synced audit.
//!
//! Compare figures of one run with each other: they are of the machine that ran them.

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, clippy::panic, reason = "the tests use more of it, and fail by panicking")]
mod support;

use std::path::PathBuf;
use std::sync::Arc;

use divan::Bencher;
use serde_json::json;
use tokio::runtime::Runtime;
use vanta::domain::grants::Permission;
use vanta::domain::identity::{Administers, Identity, Method};
use vanta::domain::policy::{Request, Target, decide};

use support::service::{self, Vault};

fn main() {
    divan::main();
}

/// `decide` among so many SecretAccesses of other subjects.
#[divan::bench(args = [1, 100, 1000])]
fn decide_among(bencher: Bencher<'_, '_>, others: usize) {
    let runtime = Runtime::new().expect("a runtime starts");
    let vault = runtime.block_on(Vault::start());
    let mut grants = (**vault.grants.borrow().as_ref().expect("there are grants")).clone();
    let mut other = grants.accesses[0].clone();
    other.subject = "client:other".parse().expect("a subject");
    grants.accesses.extend(std::iter::repeat_n(other, others));
    let identity = Identity {
        method: Method::AccessToken,
        subject: "client:ci".parse().expect("a subject"),
        pod: None,
        service_account_uid: None,
        credential_id: None,
        expires_at: None,
        administers: Administers::Nothing,
    };
    let request = Request {
        environment: "dev".parse().expect("a name"),
        permission: Permission::Read,
        target: Target::Key("APP_DB_USER".parse().expect("a key")),
    };
    let now = jiff::Timestamp::now();
    bencher.bench(|| decide(&grants, &identity, &request, now).is_ok());
}

/// A whole request without a port: verify, decide, decrypt, record and sync, answer.
#[divan::bench(args = [false, true])]
fn read_with_a_limit(bencher: Bencher<'_, '_>, limited: bool) {
    let runtime = Runtime::new().expect("a runtime starts");
    let vault = runtime.block_on(Vault::start());
    vault.grant(&service::GRANTS.replace(", usageLimit: 1000", ""));
    let mut body = json!({"environment": "dev", "key_pattern": "APP_*"});
    if limited {
        body["usage_limit"] = json!(u32::MAX);
    }
    let token = runtime.block_on(vault.token_with(body));
    bencher.bench(|| {
        let reply = runtime.block_on(vault.read("dev/APP_DB_USER", &token, &[]));
        assert_eq!(reply.status, 200);
    });
}

/// The same while so many others ask: one sync of the audit serves all that wait.
#[divan::bench(args = [1, 16, 64])]
fn reads_at_once(bencher: Bencher<'_, '_>, at_once: usize) {
    let runtime = Runtime::new().expect("a runtime starts");
    let vault = Arc::new(runtime.block_on(Vault::start()));
    vault.grant(&service::GRANTS.replace(", usageLimit: 1000", ""));
    let token = Arc::new(runtime.block_on(vault.token("APP_*")));
    bencher.counter(divan::counter::ItemsCount::new(at_once)).bench(|| {
        runtime.block_on(async {
            let reads: Vec<_> = (0..at_once)
                .map(|_| {
                    let (vault, token) = (vault.clone(), token.clone());
                    tokio::spawn(async move { vault.read("dev/APP_DB_USER", &token, &[]).await })
                })
                .collect();
            for read in reads {
                assert_eq!(read.await.expect("no reader panics").status, 200);
            }
        });
    });
}

/// From a change of the file until each of so many that wait has its fifty new values.
#[divan::bench(args = [1, 100, 1000], sample_count = 10)]
fn a_change_reaches(bencher: Bencher<'_, '_>, waiting: usize) {
    let fixture = |name: &str| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops");
        folder.join(format!("{name}.enc.yaml"))
    };
    let runtime = Runtime::new().expect("a runtime starts");
    let vault = Arc::new(runtime.block_on(Vault::start()));
    vault.grant(&service::GRANTS.replace(", usageLimit: 1000", ""));
    vault.put("dev", &fixture("fifty"));
    let token = Arc::new(runtime.block_on(vault.token("APP_*")));
    let call = |vault: Arc<Vault>, token: Arc<String>, etag: Arc<String>| async move {
        let headers = [("if-none-match", etag.as_str()), ("prefer", "wait=60")];
        vault.read("dev?values=true", &token, &headers).await
    };
    let mut next = ["fifty-rotated", "fifty"].into_iter().cycle();
    let wait = || {
        runtime.block_on(async {
            let now = vault.read("dev?values=true", &token, &[]).await;
            let etag = Arc::new(now.header("etag").to_owned());
            let mut callers = Vec::with_capacity(waiting);
            for at in 1..=waiting {
                callers.push(tokio::spawn(call(vault.clone(), token.clone(), etag.clone())));
                while at % 500 == 0 && vault.waiting() < at {
                    tokio::task::yield_now().await;
                }
            }
            while vault.waiting() < waiting {
                tokio::task::yield_now().await;
            }
            (callers, fixture(next.next().expect("it goes round")))
        })
    };
    bencher.counter(divan::counter::ItemsCount::new(waiting)).with_inputs(wait).bench_local_values(
        |(callers, version)| {
            runtime.block_on(async {
                vault.put("dev", &version);
                for caller in callers {
                    assert_eq!(caller.await.expect("no caller panics").status, 200);
                }
            });
        },
    );
}
