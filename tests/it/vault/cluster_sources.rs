//! The vault in a cluster: where its files and its signing key are.

use super::cluster::{ACCESS, POLICY, Scenario, access_token, generate, read, sops};
use crate::support::fake_cluster::Mood;
use crate::support::program::{Program, agent, until};

#[test]
fn config_maps_are_the_environments_and_two_for_one_are_refused_by_name() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &scenario.token());
    assert_eq!(read(&vault, &token), 200);
    scenario.cluster.apply(&sops("copy", "prod.enc.yaml"));
    until("both are named", || {
        let log = vault.log();
        (log.contains("ConfigMap copy") && log.contains("ConfigMap prod")).then_some(())
    });
    assert_eq!(read(&vault, &token), 200, "the last good version serves");
    scenario.cluster.delete("configmaps", "vanta-system", "copy");
    scenario.cluster.delete("configmaps", "vanta-system", "prod");
    until("it is gone", || (read(&vault, &token) == 404).then_some(()));
    assert_eq!(vault.health("/readyz").0, 200, "a cluster without any environment is one");
}

#[test]
fn until_the_config_maps_are_read_no_environment_is_called_missing() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    scenario.cluster.feel(Mood::Forbids("configmaps"));
    let vault = Program::start(scenario.command(), "http");
    until("the grants are read", || vault.log().contains("the grants were read").then_some(()));
    assert_eq!(generate(&vault, &scenario.token()).0, 503);
    let (status, said) = vault.health("/readyz");
    assert!(status == 503 && said.contains("the ConfigMaps are not read yet"), "{said}");
    assert_eq!(scenario.cluster.ready("shop", "checkout"), None, "no status is made up");
    scenario.cluster.feel(Mood::Willing);
    scenario.until_reason("checkout", "Granted");
}

#[test]
fn clients_are_known_in_a_cluster_too_and_a_folder_may_hold_the_files() {
    let scenario = Scenario::with(&[]);
    scenario
        .cluster
        .apply(&ACCESS.replace("serviceAccount: checkout", "client: ci").replace("prod", "dev"));
    let policy = POLICY.replace("serviceAccounts: ['*']", "clients: [ci]");
    scenario.cluster.apply(&policy.replace("prod", "dev"));
    let mut command = scenario.command();
    command.env("VANTA_SOPS_FILES_PATH", scenario.site.path("secrets"));
    let vault = Program::start(command, "http");
    until("it is ready", || (vault.health("/readyz").0 == 200).then_some(()));
    let token = vault.token(&scenario.site, "APP_*");
    assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().text, "app");
    assert_eq!(scenario.cluster.asked("GET /api/v1/namespaces/vanta-system/configmaps"), 0);
}

#[test]
fn the_signing_key_is_made_once_and_never_told() {
    let scenario = Scenario::with(&[]);
    let make = || {
        let mut command = scenario.command();
        command.env_remove("VANTA_KUBERNETES").env_remove("VANTA_STATE_PATH");
        command.args(["signing-key", "--create-secret", "vanta-signing-key"]);
        let output = command.output().expect("the program starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("the log is text"))
    };
    let (code, log) = make();
    assert_eq!(code, Some(0), "{log}");
    let secret = || scenario.cluster.get("secrets", "vanta-system", "vanta-signing-key").unwrap();
    let first = secret();
    let key = first["stringData"]["signing-key"].as_str().unwrap();
    assert!(key.len() == 43 && !log.contains(key), "{log}");
    let (code, log) = make();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("kept"), "{log}");
    assert_eq!(secret(), first);
}
