//! The keys that sign tokens are exchanged while the vault is used.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::support::program::{Program, Site, agent, until};
use crate::support::service::SIGNING_KEY;

/// Text of the old key as a JWK, and another one.
fn keys() -> [String; 2] {
    use base64::Engine;
    let encode = |key: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key);
    let other = SIGNING_KEY.chars().rev().collect::<String>();
    [
        json!({"kty": "oct", "kid": "old", "k": encode(SIGNING_KEY)}).to_string(),
        json!({"kty": "oct", "kid": "new", "alg": "HS256", "k": encode(&other)}).to_string(),
    ]
}

fn set(keys: &[&str]) -> String {
    format!("{{\"keys\": [{}]}}", keys.join(","))
}

/// How often the vault has said that it has read its keys.
fn times_read(vault: &Program) -> usize {
    vault.log().matches("the signing keys were read").count()
}

#[test]
fn keys_are_rotated_in_three_steps_under_load_with_no_answer_but_good_ones() {
    let site = Site::new();
    let vault = site.start();
    let (ended, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let from_before = vault.token(&site, "APP_*");
    let [old, new] = keys();
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let agent = agent();
                    while !ended.load(Ordering::Relaxed) {
                        let token = vault.token(&site, "APP_*");
                        for _ in 0..5 {
                            let read = vault.read(&agent, "dev/APP_DB_USER", &token).unwrap();
                            assert_eq!(read.status, 200, "{read:?}");
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        for step in [set(&[&old, &new]), set(&[&new, &old])] {
            let before = (times_read(&vault), answers.load(Ordering::Relaxed));
            site.write("signing-key", &step);
            until("the keys are read", || (times_read(&vault) > before.0).then_some(()));
            let enough = || (answers.load(Ordering::Relaxed) > before.1 + 40).then_some(());
            until("the step is used", enough);
        }
        // Whoever holds a token of the old key is done, or asks again, once it has ended.
        assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &from_before).unwrap().status, 200);
        ended.store(true, Ordering::Relaxed);
        for thread in load {
            thread.join().unwrap();
        }
    });
    let of_new = vault.token(&site, "APP_*");
    let before = times_read(&vault);
    site.write("signing-key", &set(&[&new]));
    until("the keys are read", || (times_read(&vault) > before).then_some(()));
    assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &of_new).unwrap().status, 200);
    let refused = vault.read(&agent(), "dev/APP_DB_USER", &from_before).unwrap();
    assert!(refused.text.contains("token-unknown-key"), "{refused:?}");
}

#[test]
fn keys_that_cannot_be_read_leave_those_in_use_that_were_read_before() {
    let site = Site::new();
    let vault = site.start();
    let token = vault.token(&site, "APP_*");
    for bad in ["short", "{\"keys\": []}", "{\"keys\": [{\"kty\": \"oct\", \"k\": \"c2VjcmV0\"}]}"]
    {
        let failures = vault.log().matches("stay in use").count();
        site.write("signing-key", bad);
        let said = || (vault.log().matches("stay in use").count() > failures).then_some(());
        until("the failure is said", said);
        let (status, ready) = vault.health("/readyz");
        assert_eq!(status, 200);
        assert!(ready.contains("signing_keys\":\"wrong since"), "{ready}");
        assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().status, 200);
    }
    assert!(!vault.log().contains("c2VjcmV0"));
    site.write("signing-key", SIGNING_KEY);
    let mended = || vault.health("/readyz").1.contains("signing_keys\":\"ok").then_some(());
    until("it is mended", mended);
}
