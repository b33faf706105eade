//! What changes beside a running vault is taken up, and a bad change leaves the last good one.

use crate::support::program::{Program, Site, agent, example, until};
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
    let (status, said) = vault.health("/readyz");
    assert_eq!(status, 200);
    assert!(said.contains(r#""grants":"wrong since 20"#) && said.contains("all.yaml"), "{said}");
    assert!(said.contains("line 1") && said.contains("stays in use"), "{said}");
}

#[test]
fn a_grant_is_deleted_beside_files_that_cannot_be_read() {
    let site = Site::new();
    let (vault, agent) = (site.start(), agent());
    let token = vault.token(&site, "APP_*");
    let pipe = site.path("access/pipe.yaml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", site.path("access/a.yaml")).unwrap();
    site.write("access/bad.yaml", "kind: AGE-SECRET-KEY-1HUNTER2");
    until("it is logged", || vault.log().contains("bad.yaml").then_some(()));
    assert!(!vault.log().contains("HUNTER2"));
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().status, 200);
    std::fs::remove_file(site.path("access/all.yaml")).unwrap();
    until("the token is refused", || {
        (vault.read(&agent, "dev/APP_DB_USER", &token)?.status == 403).then_some(())
    });
}

#[test]
fn a_failure_that_passes_without_a_change_of_the_file_is_got_over() {
    let site = Site::new();
    let vault = site.start();
    std::fs::rename(site.path("clients.yaml"), site.path("away.yaml")).unwrap();
    let gone = r#""clients":"wrong since 20"#;
    until("the clients are gone", || vault.health("/readyz").1.contains(gone).then_some(()));
    let body = serde_json::json!({"environment": "dev", "key_pattern": "APP_*"});
    assert_eq!(vault.generate(&site, &body).0, 401);
    std::fs::rename(site.path("away.yaml"), site.path("clients.yaml")).unwrap();
    until("the client is back", || (vault.generate(&site, &body).0 == 200).then_some(()));
    until("readiness is well", || {
        vault.health("/readyz").1.contains(r#""clients":"ok""#).then_some(())
    });
}

#[test]
fn folders_of_state_and_audit_are_made_and_a_missing_sops_folder_is_named() {
    let site = Site::new();
    for folder in ["state", "audit"] {
        std::fs::remove_dir(site.path(folder)).unwrap();
    }
    std::fs::remove_dir_all(site.path("secrets")).unwrap();
    let vault = site.start();
    assert!(vault.log().contains(site.path("secrets").to_str().unwrap()));
    assert!(site.path("audit/audit.jsonl").exists());
}

#[test]
fn without_an_identity_the_log_says_where_to_put_one_and_misnamed_files_are_named() {
    let site = Site::new();
    std::fs::copy(example("dev.enc.yaml"), site.path("secrets/stage.yaml")).unwrap();
    let mut command = site.command();
    command.env_remove("SOPS_AGE_KEY_FILE");
    let vault = Program::start(command, "http");
    assert!(vault.log().contains("configure the identity of one of its recipients (VANTA_AGE_IDENTITIES_PATH, SOPS_AGE_KEY_FILE)"));
    assert!(vault.log().contains("stage.yaml"));
    let (status, said) = vault.health("/readyz");
    assert_eq!(status, 503);
    assert!(
        said.contains(r#""dev":"not loaded: no key opens the file: no identity is configured"#),
        "{said}"
    );
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
    let said = "the environment was not loaded";
    until("the log says so", || vault.log().contains(said).then_some(()));
    assert_eq!(vault.read(&agent, "dev/APP_DB_USER", &token).unwrap().text, "app");
    let (status, said) = vault.health("/readyz");
    assert!(status == 200 && said.contains(r#""dev":"an earlier version is served: "#), "{said}");
    site.write("secrets/dev.enc.yaml", &good);
    let healthy = r#"vanta_environment_healthy{environment="dev"} 1"#;
    until("it is well again", || vault.health("/metrics").1.contains(healthy).then_some(()));
}

#[test]
fn a_client_that_is_taken_from_the_file_is_refused() {
    let site = Site::new();
    let vault = site.start();
    let body = serde_json::json!({"environment": "dev", "key_pattern": "APP_*"});
    assert_eq!(vault.generate(&site, &body).0, 200);
    site.write("clients.yaml", "clients: []");
    until("the client is refused", || {
        let (status, _) = vault.generate(&site, &body);
        assert!(matches!(status, 200 | 401), "{status}");
        (status == 401).then_some(())
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
    let file = site.path("access/all.yaml").display().to_string();
    assert!(text.contains(&file) && text.contains("line 1") && !text.contains("stale"), "{text}");
    let body = serde_json::json!({"environment": "dev", "key_pattern": "*"});
    let (_, problem) = vault.generate(&site, &body);
    assert_eq!(problem["type"], "https://vanta.dev/problems/grants-not-ready");
    assert!(problem["detail"].as_str().unwrap().ends_with("its /readyz and its log say why"));
    site.write("access/all.yaml", GRANTS);
    std::fs::copy(example("dev.enc.yaml"), site.path("secrets/dev.enc.yaml")).unwrap();
    until("it is ready", || (vault.health("/readyz").0 == 200).then_some(()));
}

/// The problem that a vault answers with whose environment `gone` is this text.
fn problem_of(site: &Site, file: &str) -> String {
    site.write("secrets/gone.enc.yaml", file);
    let vault = site.start();
    let body = serde_json::json!({"environment": "gone", "key_pattern": "*"});
    let (status, problem) = vault.generate(site, &body);
    assert_eq!(status, 503, "{problem}");
    let kind = problem["type"].as_str().expect("a problem has a type");
    kind.rsplit('/').next().expect("a type ends with a name").to_owned()
}

#[test]
fn each_way_in_which_an_environment_cannot_be_opened_is_a_problem_of_its_own() {
    let good = std::fs::read_to_string(example("dev.enc.yaml")).unwrap();
    let site = Site::new();
    let tampered =
        good.replacen("GREETING: ENC[AES256_GCM,data:", "GREETING: ENC[AES256_GCM,data:AAAA", 1);
    assert_eq!(problem_of(&site, &tampered), "environment-tampered");
    let renamed = good.replacen("GREETING:", "WELCOME:", 1);
    assert_eq!(problem_of(&site, &renamed), "environment-tampered");
    let without: Vec<&str> = good.lines().filter(|line| !line.starts_with("    mac: ")).collect();
    assert_eq!(problem_of(&site, &without.join("\n")), "environment-mac-missing");
    assert_eq!(problem_of(&site, "GREETING: plain\n"), "environment-unreadable");

    // An identity of its own, which is not one of the file's recipients.
    std::fs::create_dir(site.path("identities")).unwrap();
    let other = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";
    site.write("identities/gone.txt", other);
    site.write("secrets/gone.enc.yaml", &good);
    let mut command = site.command();
    command.env("VANTA_AGE_IDENTITIES_PATH", site.path("identities"));
    let vault = Program::start(command, "http");
    let body = serde_json::json!({"environment": "gone", "key_pattern": "*"});
    let (_, problem) = vault.generate(&site, &body);
    assert_eq!(problem["type"], "https://vanta.dev/problems/environment-no-identity");
}

#[test]
fn a_signing_key_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let warning = "the file of the signing key can be read by every user";
    for (mode, expected) in [(0o604, true), (0o600, false)] {
        std::fs::set_permissions(site.path("signing-key"), PermissionsExt::from_mode(mode))
            .unwrap();
        assert_eq!(site.start().log().contains(warning), expected);
    }
}
