//! Files that stay fresh: changes, tokens that end or are used up, authorities that change.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use vanta::adapters::serve::TlsFiles;

use super::pod::{Pod, identity_token_for, until_file};
use super::served::{Served, access, policy};
use crate::support::program::until;

fn granted(more: &str) -> Served {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", more), policy()]);
    served
}

#[test]
fn a_change_is_in_the_file_within_a_second() {
    let served = granted("");
    let pod = Pod::new(&served.api());
    let agent = pod.ready();
    until("it waits for a change", || (served.waiting() == 1).then_some(()));
    let changed = Instant::now();
    served.put("dev-rotated");
    until_file(&pod, ".env", "rotated-in-the-example");
    assert!(changed.elapsed() < Duration::from_secs(1), "{:?}", changed.elapsed());
    assert_eq!(agent.logged("the file was written").len(), 2);
}

#[test]
fn while_nothing_changes_the_vault_is_asked_next_to_nothing() {
    let served = granted("");
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    // Whoever waits at the vault asks nothing until it is answered.
    until("it waits for a change", || (served.waiting() == 1).then_some(()));
    assert_eq!(served.audited("issue").len(), 1);
    assert_eq!(served.audited("read-all").len(), 1, "the wait is not over");
    served.put("dev-rotated");
    until_file(&pod, ".env", "rotated-in-the-example");
    until("it waits again", || (served.waiting() == 1).then_some(()));
    assert_eq!(served.audited("issue").len(), 1);
    assert_eq!(served.audited("read-all").len(), 2, "the change, and the wait is not over");
    assert!(served.audited("access").len() <= 2);
}

#[test]
fn a_vault_that_does_not_wait_is_asked_again_after_some_seconds_alone() {
    let served = Served::start_without_waiting();
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    let third =
        until("it asks for the third time", || served.audited("read-all").into_iter().nth(2));
    let time =
        |line: &serde_json::Value| line["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let took = time(&third).duration_since(time(&served.audited("read-all")[0]));
    assert!(took > SignedDuration::from_secs(3), "{took}");
    served.put("dev-rotated");
    until_file(&pod, ".env", "rotated-in-the-example");
}

#[test]
fn a_token_is_renewed_at_two_thirds_of_its_life() {
    let served = granted("");
    let pod = Pod::new(&served.api());
    // No token outlives the identity that it was issued to.
    pod.write("token", &identity_token_for("checkout", 6));
    let agent = pod.ready();
    let began = Instant::now();
    until("there is another token", || (served.audited("issue").len() == 2).then_some(()));
    let renewed = began.elapsed();
    assert!((3..=5).contains(&renewed.as_secs()), "{renewed:?}");
    until("it waits again", || (served.waiting() == 1).then_some(()));
    served.put("dev-rotated");
    until_file(&pod, ".env", "rotated-in-the-example");
    assert_eq!(agent.status(), "ready\n");
    let refused = served.audited("read-all");
    assert!(refused.iter().all(|line| line["outcome"] != "refused"), "{refused:?}");
}

#[test]
fn a_token_with_one_use_is_replaced_after_it_and_the_vault_is_not_asked_in_a_loop() {
    let served = granted("usageLimit: 1");
    let pod = Pod::new(&served.api());
    let agent = pod.ready();
    for (fixture, expected) in
        [("dev-rotated", "rotated-in-the-example"), ("dev-elsewhere", "example-password-1")]
    {
        until("it waits for a change", || (served.waiting() == 1).then_some(()));
        served.put(fixture);
        until_file(&pod, ".env", expected);
    }
    until("it waits for a change", || (served.waiting() == 1).then_some(()));
    assert_eq!(served.audited("issue").len(), 4, "one for each change, and one to wait with");
    let reads = served.audited("read-all");
    assert!(reads.iter().all(|line| line["outcome"] != "refused"), "{reads:?}");
    assert_eq!(agent.status(), "ready\n");
}

#[test]
fn an_identity_is_read_again_for_each_use() {
    let served = granted("");
    let pod = Pod::new(&served.api());
    pod.write("token", &identity_token_for("checkout", 6));
    let agent = pod.ready();
    // As the kubelet does when it has another one: this one proves nothing any more.
    pod.write("token", "of.another.cluster");
    agent.until_status("ready: the vault refuses");
    pod.write("token", &identity_token_for("checkout", 7));
    agent.until_status("ready\n");
}

#[test]
fn what_a_widened_policy_opens_is_in_the_file_though_the_token_was_issued_before() {
    let served = Served::start();
    let (checkout, hint) = (access("checkout", "APP_*", ""), access("hint", "GREETING", ""));
    let narrow = policy().replace("keyPatterns: ['*']", "keyPatterns: [APP_DB_USER, GREETING]");
    served.grant(&[checkout.clone(), hint, narrow]);
    let pod = Pod::new(&served.api()).with("VANTA_ON_REVOKE", "remove");
    let _agent = pod.ready();
    assert_eq!(pod.read(".env").unwrap(), "APP_DB_USER='app'\nGREETING='hello from VANTA'\n");
    // The other one's end has the agent ask at once what is granted, and not within a minute.
    served.grant(&[checkout, policy()]);
    let content = until_file(&pod, ".env", "APP_API_URL");
    assert!(content.contains("APP_DB_PASSWORD"), "{content}");
    assert_eq!(served.audited("issue").len(), 3);
}

/// An authority of this name, and files with a certificate that it issued for a loopback vault.
fn issue(pod: &Pod, name: &str) -> (String, TlsFiles) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &authority).unwrap();
    pod.write("tls.crt", &certificate.pem());
    pod.write("tls.key", &key.serialize_pem());
    let path = |name: &str| pod.secret("").parent().unwrap().join(name);
    (authority.pem(), TlsFiles { certificate: path("tls.crt"), key: path("tls.key") })
}

#[test]
fn the_authority_is_waited_for_and_read_again_when_it_changes() {
    let certificates = Pod::new("");
    let (first, files) = issue(&certificates, "first");
    let config = files.load().unwrap();
    let mut served = Served::start_with(config.clone());
    served.grant(&[access("checkout", "APP_*", ""), policy()]);
    let pod = Pod::new(&served.api());
    let agent = pod.start();
    let status = agent.until_status("there is no certificate authority in ");
    assert!(status.contains("ConfigMap vanta-ca"), "{status}");
    pod.write("ca.crt", "no certificate");
    agent.until_status("the file holds no certificate");
    let (other, _) = issue(&Pod::new(""), "other");
    pod.write("ca.crt", &other);
    agent.until_status("cannot be believed: no authority that is trusted here");
    pod.write("ca.crt", &first);
    agent.until_status("ready\n");

    let (second, files) = issue(&certificates, "second");
    files.reload(&config).unwrap();
    served.away();
    served.back();
    let status = agent.until_status("cannot be believed: no authority that is trusted here");
    assert!(status.starts_with("ready: the vault at https://127.0.0.1:"), "{status}");
    pod.write("ca.crt", &second);
    agent.until_status("ready\n");
    std::fs::remove_file(pod.secret("").parent().unwrap().join("ca.crt")).unwrap();
    served.away();
    served.back();
    served.put("dev-rotated");
    until_file(&pod, ".env", "rotated-in-the-example");
    println!("the agent had {} KiB resident at the most", agent.peak_memory());
    assert!(agent.peak_memory() < 32 * 1024);
}
