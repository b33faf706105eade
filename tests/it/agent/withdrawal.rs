//! Grants that are withdrawn from a running pod, and given back.

use super::pod::{Pod, until_file};
use super::served::{Served, access, policy};
use crate::support::program::until;

const WITHDRAWN: &str = "SecretAccess checkout was withdrawn";

fn served() -> Served {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    served
}

#[test]
fn a_withdrawn_grant_keeps_its_file_and_says_so_loudly_until_it_is_back() {
    for named in ["", "checkout"] {
        let served = served();
        let pod = Pod::new(&served.api()).with("VANTA_ACCESS", named);
        let mut agent = pod.ready();
        served.grant(&[policy()]);
        let status = agent.until_status(WITHDRAWN);
        assert!(status.starts_with("ready: "), "{status}");
        assert!(status.contains(".env keeps its values as they were"), "{status}");
        assert_eq!(pod.probe(), (Some(0), status));
        let logged = agent.logged(WITHDRAWN);
        assert!(logged.iter().all(|line| line["level"] == "ERROR"), "{logged:?}");
        assert!(pod.read(".env").unwrap().contains("example-password-1"));
        assert!(agent.is_running());

        served.put("dev-rotated");
        served.grant(&[access("checkout", "APP_*", ""), policy()]);
        until_file(&pod, ".env", "rotated-in-the-example");
        agent.until_status("ready\n");
    }
}

#[test]
fn a_withdrawn_grant_removes_its_file_where_that_is_wished() {
    let served = served();
    let pod = Pod::new(&served.api()).with("VANTA_ON_REVOKE", "remove");
    let mut agent = pod.ready();
    served.grant(&[access("checkout", "APP_*", "")]);
    until("the file is gone", || pod.tree().is_empty().then_some(()));
    assert!(!agent.logged("its values are removed from .env").is_empty());
    assert!(agent.is_running());
    assert_eq!(pod.probe().0, Some(0));
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    until_file(&pod, ".env", "APP_DB_USER");
}

#[test]
fn a_shared_file_keeps_or_loses_what_was_withdrawn_and_nothing_else() {
    let smtp = || access("smtp", "smtp.host", "");
    for (on_revoke, stays) in [("keep", true), ("remove", false)] {
        let served = served();
        served.grant(&[access("checkout", "APP_*", ""), smtp(), policy()]);
        let pod = Pod::new(&served.api()).with("VANTA_ON_REVOKE", on_revoke);
        let agent = pod.ready();
        assert!(pod.read(".env").unwrap().contains("smtp_host='smtp.example.com'"));
        served.grant(&[smtp(), policy()]);
        until("it is heard of", || (!agent.logged(WITHDRAWN).is_empty()).then_some(()));
        // The other's changes come through all the same.
        served.put("dev-elsewhere");
        let content = until_file(&pod, ".env", "smtp_host='mail.elsewhere.example'");
        assert_eq!(content.contains("APP_DB_PASSWORD='example-password-1'"), stays, "{content}");
    }
}

#[test]
fn what_was_withdrawn_gives_way_to_what_is_granted_under_another_name() {
    let served = served();
    served.grant(&[access("checkout", "APP_*", ""), access("hint", "GREETING", ""), policy()]);
    let pod = Pod::new(&served.api());
    let agent = pod.ready();
    served.grant(&[access("renamed", "APP_*", ""), policy()]);
    agent.until_status("SecretAccess hint was withdrawn");
    served.put("dev-rotated");
    let content = until_file(&pod, ".env", "rotated-in-the-example");
    assert!(!content.contains("example-password-1"), "{content}");
    assert!(content.contains("GREETING="), "{content}");
}

#[test]
fn a_narrowed_policy_takes_keys_from_the_file() {
    let served = served();
    let pod = Pod::new(&served.api());
    let agent = pod.ready();
    served.grant(&[
        access("checkout", "APP_*", ""),
        policy().replace("keyPatterns: ['*']", "keyPatterns: [APP_DB_USER]"),
    ]);
    until("the others are gone", || {
        (pod.read(".env").unwrap() == "APP_DB_USER='app'\n").then_some(())
    });
    assert_eq!(agent.status(), "ready\n");
}
