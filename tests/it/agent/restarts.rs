//! An agent that is started again in its pod, as the kubelet does after it was killed.

use super::pod::{Pod, until_file};
use super::served::{Served, access, policy};
use crate::support::program::until;

fn served() -> Served {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    served
}

#[test]
fn it_is_ready_at_once_with_its_files_while_the_vault_is_away_and_fresh_when_it_is_back() {
    let mut served = served();
    let pod = Pod::new(&served.api()).with("VANTA_ACCESS", "checkout");
    pod.ready().kill();
    served.away();
    let mut agent = pod.start();
    let status = agent.until_status("ready: the vault at ");
    assert!(status.contains("cannot answer now"), "{status}");
    assert_eq!(pod.probe().0, Some(0));
    assert!(agent.is_running());
    served.put("dev-rotated");
    served.back();
    until_file(&pod, ".env", "rotated-in-the-example");
    agent.until_status("ready\n");
}

#[test]
fn it_waits_where_a_file_from_before_is_gone_or_is_another() {
    let mut served = served();
    let pod = Pod::new(&served.api());
    pod.ready().kill();
    served.away();
    std::fs::remove_file(pod.secret(".env")).unwrap();
    pod.start().until_status("waiting: the vault at ");
    std::os::unix::fs::symlink("/etc/passwd", pod.secret(".env")).unwrap();
    pod.start().until_status("waiting: the vault at ");
    std::fs::write(pod.secret(".vanta"), "no manifest").unwrap();
    pod.start().until_status("waiting: the vault at ");
    served.back();
    pod.start().until_status("ready\n");
    assert!(pod.read(".env").unwrap().contains("APP_DB_USER='app'"));
}

#[test]
fn an_agent_that_was_never_ready_is_not_so_after_a_restart() {
    let mut served = served();
    let pod = Pod::new(&served.api()).with("VANTA_ACCESS", "checkout,missing");
    let agent = pod.start();
    until_file(&pod, ".env", "APP_DB_USER");
    agent.until_status("there is no SecretAccess missing");
    agent.kill();
    served.away();
    pod.start().until_status("waiting: the vault at ");
}

#[test]
fn what_was_withdrawn_meanwhile_is_kept_or_removed_as_is_wished() {
    for (on_revoke, left) in [("keep", 1), ("remove", 0)] {
        let served = served();
        let pod = Pod::new(&served.api()).with("VANTA_ON_REVOKE", on_revoke);
        pod.ready().kill();
        served.grant(&[policy()]);
        let mut agent = pod.start();
        until("it is heard of", || {
            (!agent.logged("SecretAccess checkout was withdrawn").is_empty()).then_some(())
        });
        until("the file is as is wished", || (pod.tree().len() == left).then_some(()));
        assert!(agent.status().starts_with("ready"), "{}", agent.status());
        assert!(agent.is_running());
        agent.kill();
        // And after that, too.
        let mut agent = pod.ready();
        assert!(agent.is_running());
        assert_eq!(pod.tree().len(), left);
    }
}

#[test]
fn a_shared_file_with_something_withdrawn_meanwhile_stays_until_something_else_in_it_changes() {
    let smtp = || access("smtp", "smtp.host", "");
    let served = served();
    served.grant(&[access("checkout", "APP_*", ""), smtp(), policy()]);
    let pod = Pod::new(&served.api());
    pod.ready().kill();
    let before = pod.read(".env").unwrap();
    served.grant(&[smtp(), policy()]);
    let agent = pod.start();
    agent.until_status("SecretAccess checkout was withdrawn");
    until("it waits for a change", || (served.waiting() == 1).then_some(()));
    assert_eq!(pod.read(".env").unwrap(), before);
    served.put("dev-elsewhere");
    let content = until_file(&pod, ".env", "mail.elsewhere.example");
    assert_eq!(content, "smtp_host='mail.elsewhere.example'\n");
}

#[test]
fn a_file_whose_grant_has_moved_meanwhile_moves() {
    let served = served();
    let pod = Pod::new(&served.api());
    pod.ready().kill();
    served.grant(&[access("checkout", "APP_*", "file: {path: app/.env}"), policy()]);
    let _agent = pod.start();
    until("it has moved", || (pod.tree() == ["app 700", "app/.env 600"]).then_some(()));
}

#[test]
fn an_unfinished_file_is_replaced() {
    let served = served();
    let pod = Pod::new(&served.api());
    std::fs::write(pod.secret(".vanta-unfinished"), "half of a sec").unwrap();
    let _agent = pod.ready();
    assert_eq!(pod.tree(), [".env 600"]);
}
