//! What a folder that somebody prepared, or a vault that is none, can bring an agent to: nothing.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use vanta::contract::api::problem::ProblemKind;

use super::pod::Pod;
use super::served::{Served, access, policy};
use crate::support::fake_vault::{FakeVault, Mood};
use crate::support::program::until;

fn served(path: &str) -> Served {
    let served = Served::start();
    served.grant(&[access("checkout", "APP_*", &format!("file: {{path: {path}}}")), policy()]);
    served
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_and_what_it_led_to_is_left_alone() {
    let served = served(".env");
    let pod = Pod::new(&served.api());
    let victim = pod.secret("").parent().unwrap().join("victim");
    for name in [".env", ".vanta", ".vanta-unfinished"] {
        std::fs::write(&victim, "as it was").unwrap();
        symlink(&victim, pod.secret(name)).unwrap();
    }
    let _agent = pod.ready();
    assert_eq!(pod.tree(), [".env 600"]);
    assert!(pod.read(".env").unwrap().contains("APP_DB_USER='app'"));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "as it was");
    let kept = pod.secret(".vanta").symlink_metadata().unwrap();
    assert!(kept.is_file());
}

#[test]
fn a_link_in_the_place_of_a_folder_is_refused_by_name() {
    let served = served("app/.env");
    let pod = Pod::new(&served.api());
    let elsewhere = pod.secret("").parent().unwrap().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, pod.secret("app")).unwrap();
    let agent = pod.start();
    let status = agent.until_status("app/.env in the secrets folder is refused");
    assert!(status.contains("app is no folder of the agent's own"), "{status}");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    std::fs::remove_file(pod.secret("app")).unwrap();
    agent.until_status("ready\n");
}

#[test]
fn a_folder_or_a_file_in_the_way_is_said() {
    let served = served("app/.env");
    let pod = Pod::new(&served.api());
    std::fs::create_dir_all(pod.secret("app/.env")).unwrap();
    std::fs::write(pod.secret("app/.env/x"), "").unwrap();
    pod.start().until_status("app/.env in the secrets folder cannot be written");
    let pod = Pod::new(&served.api());
    std::fs::write(pod.secret("app"), "").unwrap();
    pod.start().until_status("app is no folder of the agent's own");
}

#[test]
fn whoever_answers_nonsense_is_asked_again_and_never_believed() {
    for (mood, said) in [
        (Mood::Babbles, "the answer is not the JSON that was expected"),
        (Mood::Redirects, "sends elsewhere"),
        (Mood::Fails(ProblemKind::Internal), "made up by a test"),
        (Mood::Fails(ProblemKind::IdentityUnavailable), "cannot answer now"),
        (Mood::Fails(ProblemKind::CredentialsRefused), "the vault refuses"),
        (Mood::Fails(ProblemKind::InvalidRequest), "does not take the request"),
    ] {
        let vault = FakeVault::in_mood(mood, &[]);
        // A sidecar has no budget, so that it outlasts this one.
        let pod = Pod::new(&vault.address).with("VANTA_START_UP_BUDGET", "1");
        let began = Instant::now();
        let mut agent = pod.start();
        let status = agent.until_status(said);
        assert!(status.starts_with("waiting: "), "{status}");
        until("it has asked for the fifth time", || (vault.asked().len() >= 5).then_some(()));
        // The waits between them are 125, 250, 500 and 1,000 milliseconds at least.
        assert!(began.elapsed() >= Duration::from_millis(1875), "{:?}", began.elapsed());
        assert!(agent.is_running());
        assert!(pod.tree().is_empty());
    }
}

#[test]
fn what_the_agent_keeps_beside_the_files_holds_names_alone() {
    let served = served(".env");
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    let kept = until("it is kept", || pod.read(".vanta"));
    super::pod::assert_silent(&kept);
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["files"][0]["path"], ".env");
    assert_eq!(kept["files"][0]["of"][0]["access"], "shop/checkout");
}
