//! What changes beside a running vault is taken up, and a bad change leaves the last good one.

use crate::support::program::{Site, agent, example, until};
use crate::support::service::GRANTS;

#[test]
fn a_grant_that_is_deleted_from_the_folder_stops_a_live_token() {
    let site = Site::new();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().status, 200);
    site.write("access/all.yaml", &GRANTS.replace("'APP_*', GREETING", "GREETING"));
    until("the token is refused", || {
        (vault.read(&agent, "dev/APP_DB_USER", &token)?.status == 403).then_some(())
    });
}

#[test]
fn grants_that_cannot_be_read_leave_the_last_good_ones() {
    let site = Site::new();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    site.write("access/all.yaml", "kind: Nonsense");
    until("it is logged", || vault.log().contains("stays in use").then_some(()));
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().status, 200);
    assert!(vault.health("/metrics").1.contains(r#"source="Grants",result="failure"} 1"#));
}

#[test]
fn a_bad_file_leaves_the_last_good_version_serving_and_is_loud() {
    let site = Site::new();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    let good = std::fs::read_to_string(example("dev.enc.yaml")).unwrap();
    site.write(
        "secrets/dev.enc.yaml",
        &good.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA"),
    );
    let unhealthy = r#"vanta_environment_healthy{environment="dev"} 0"#;
    until("the metric says so", || vault.health("/metrics").1.contains(unhealthy).then_some(()));
    assert!(vault.log().contains("the environment was not loaded"));
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().text, "app");
    assert_eq!(vault.health("/readyz").0, 200);
    site.write("secrets/dev.enc.yaml", &good);
    let healthy = r#"vanta_environment_healthy{environment="dev"} 1"#;
    until("it is well again", || vault.health("/metrics").1.contains(healthy).then_some(()));
}

#[test]
fn a_client_that_is_taken_from_the_file_is_refused() {
    let site = Site::new();
    let vault = site.start();
    vault.token(&site, "APP_*");
    site.write("clients.yaml", "clients: []");
    until("the client is refused", || {
        let answer = agent()
            .post(format!("{}/api/v1/vault/tokens/generate", vault.api))
            .header("authorization", "Basic Y2k6eA==")
            .send_json(serde_json::json!({"environment": "dev", "key_pattern": "APP_*"}))
            .unwrap();
        (answer.status() == 401 && vault.log().contains(r#""credentials":0"#)).then_some(())
    });
}

#[test]
fn a_vault_without_grants_or_secrets_is_alive_and_not_ready_and_says_why() {
    let site = Site::new();
    site.write("access/all.yaml", "kind: Nonsense");
    std::fs::remove_file(site.path("secrets/dev.enc.yaml")).unwrap();
    let vault = site.start();
    assert_eq!(vault.health("/healthz").0, 200);
    let (status, text) = vault.health("/readyz");
    assert_eq!(status, 503);
    assert!(
        text.contains("the grants are not read yet") && text.contains("no environment"),
        "{text}"
    );
    site.write("access/all.yaml", GRANTS);
    std::fs::copy(example("dev.enc.yaml"), site.path("secrets/dev.enc.yaml")).unwrap();
    until("it is ready", || (vault.health("/readyz").0 == 200).then_some(()));
}
