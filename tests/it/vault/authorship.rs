//! Who wrote a file, for which environment and when, as a running vault asks, remembers and tells.

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::cluster::{ACCESS, POLICY, Scenario, sops};
use crate::support::postgres::Postgres;
use crate::support::program::{Program, Site, agent, example, until};
use crate::support::ssh_keygen::SigningKey;

/// The example environment, and the same saved anew later.
fn older_and_newer() -> (String, String) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sops/dev-rotated.enc.yaml");
    let read = |path: &std::path::Path| fs::read_to_string(path).unwrap();
    (read(&example("dev.enc.yaml")), read(fixtures.as_ref()))
}

fn with(site: &Site, variables: &[(&str, &str)]) -> Program {
    let mut command: Command = site.command();
    command.envs(variables.iter().copied());
    Program::start(command, "http")
}

/// Whether a gauge of an alarm about `dev` is raised.
fn is_raised(vault: &Program, alarm: &str) -> bool {
    let series = format!("vanta_environment_alarm{{environment=\"dev\",alarm=\"{alarm}\"}} 1");
    vault.health("/metrics").1.lines().any(|line| line == series)
}

fn count(vault: &Program, alarm: &str) -> Option<u64> {
    let series =
        format!("vanta_environment_alarms_total{{environment=\"dev\",alarm=\"{alarm}\"}} ");
    let metrics = vault.health("/metrics").1;
    metrics.lines().find_map(|line| line.strip_prefix(&series))?.parse().ok()
}

#[test]
fn an_older_version_is_loud_in_log_metrics_and_readiness_and_is_served_unless_denied() {
    let site = Site::new();
    let (older, newer) = older_and_newer();
    site.write("secrets/dev.enc.yaml", &newer);
    let vault = site.start();
    assert!(!is_raised(&vault, "rollback"));
    site.write("secrets/dev.enc.yaml", &older);
    until("the metric says so", || is_raised(&vault, "rollback").then_some(()));
    assert_eq!(count(&vault, "rollback"), Some(1));
    let said = "the environment was loaded, and should perhaps not have been";
    until("the log says so", || vault.log().contains(said).then_some(()));
    let (status, said) = vault.health("/readyz");
    assert_eq!(status, 200);
    assert!(said.contains(r#""dev":"it is served: lastmodified went back from"#), "{said}");
    assert!(
        vault.health("/metrics").1.contains("vanta_environment_healthy{environment=\"dev\"} 1")
    );
    // It is told of for as long as it is served, whatever is put in the place of its file.
    site.write("secrets/dev.enc.yaml", "garbage");
    until("the metric says that too", || is_raised(&vault, "refused").then_some(()));
    assert!(is_raised(&vault, "rollback"));
    let said = vault.health("/readyz").1;
    assert!(said.contains(r#""dev":"an earlier version is served: "#), "{said}");
    let wrong = "; what is wrong with the version that is served: lastmodified went back from";
    assert!(said.contains(wrong), "{said}");
    site.write("secrets/dev.enc.yaml", &newer);
    until("it is well again", || (!is_raised(&vault, "rollback")).then_some(()));
}

#[test]
fn a_restart_does_not_forget_which_version_was_served_and_the_administrator_can_take_an_older_one()
{
    let site = Site::new();
    let (older, newer) = older_and_newer();
    let deny = ("VANTA_SOPS_ROLLBACK", "deny");
    site.write("secrets/dev.enc.yaml", &newer);
    let mut vault = with(&site, &[deny]);
    let token = vault.token(&site, "APP_*");
    vault.signal(nix::sys::signal::Signal::SIGTERM);
    vault.wait();
    site.write("secrets/dev.enc.yaml", &older);
    let vault = with(&site, &[deny]);
    assert!(is_raised(&vault, "rollback"));
    let (status, said) = vault.health("/readyz");
    assert!(
        status == 503 && said.contains(r#""dev":"not loaded: lastmodified went back"#),
        "{said}"
    );
    assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().status, 503);

    let version = said.split("VANTA_SOPS_ACCEPT_ROLLBACK as ").nth(1).expect("it says how");
    let version = version.split(['"', ';']).next().unwrap();
    let accepting = [deny, ("VANTA_SOPS_ACCEPT_ROLLBACK", version)];
    drop(vault);
    let vault = with(&site, &accepting);
    assert_eq!(vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().text, "app");
    assert!(!is_raised(&vault, "rollback"));
    let said = "it is accepted though lastmodified went back";
    until("the log says so", || vault.log().contains(said).then_some(()));
}

#[test]
fn a_vault_that_is_killed_remembers_what_it_had_kept() {
    let site = Site::new();
    let (older, newer) = older_and_newer();
    site.write("secrets/dev.enc.yaml", &newer);
    let vault = site.start();
    // What is kept is read by a second look at the state itself.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = vanta::adapters::state::StateSource::Folder(site.path("state"));
    let state = runtime.block_on(vanta::adapters::state::StateStore::open(&source)).unwrap();
    until("it is kept", || {
        (runtime.block_on(state.history()).unwrap().marks.len() == 1).then_some(())
    });
    drop(vault);
    site.write("secrets/dev.enc.yaml", &older);
    let vault = site.start();
    assert!(is_raised(&vault, "rollback"));
}

#[test]
fn a_restart_does_not_forget_whose_a_data_key_is() {
    let site = Site::new();
    fs::create_dir(site.path("identities")).unwrap();
    for name in ["dev", "other"] {
        let own = site.path(&format!("identities/{name}.txt"));
        fs::copy(example("age-key.txt"), own).unwrap();
    }
    let identities = site.path("identities").display().to_string();
    let variables = [
        ("VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF", "shared"),
        ("VANTA_AGE_IDENTITIES_PATH", &identities),
    ];
    let (file, copy) = (site.path("secrets/dev.enc.yaml"), site.path("secrets/other.enc.yaml"));
    let mut vault = with(&site, &variables);
    let token = vault.token(&site, "APP_*");
    vault.signal(nix::sys::signal::Signal::SIGTERM);
    vault.wait();
    fs::rename(&file, &copy).unwrap();
    let vault = with(&site, &variables);
    let said = vault.health("/readyz").1;
    assert!(said.contains("its data key is also that of dev"), "{said}");
    fs::rename(&copy, &file).unwrap();
    until("it is served", || {
        (vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().status == 200).then_some(())
    });
}

#[test]
fn a_version_of_the_future_in_the_state_is_told_of_and_does_not_count_and_is_replaced() {
    let site = Site::new();
    let (older, newer) = older_and_newer();
    site.write("secrets/dev.enc.yaml", &newer);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = vanta::adapters::state::StateSource::Folder(site.path("state"));
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let mark = vanta::domain::versions::VersionMark { last_modified: tomorrow, digest: [7; 32] };
    runtime.block_on(async {
        let state = vanta::adapters::state::StateStore::open(&source).await.unwrap();
        state.keep_version(&"dev".parse().unwrap(), &mark, mark.last_modified).await.unwrap();
    });
    let vault = with(&site, &[("VANTA_SOPS_ROLLBACK", "deny")]);
    let said = "the state says that a version was served which is yet to come";
    until("the log says so", || vault.log().contains(said).then_some(()));
    assert!(!is_raised(&vault, "rollback"));
    assert_eq!(vault.health("/readyz").0, 200);
    let kept = || {
        runtime.block_on(async {
            let state = vanta::adapters::state::StateStore::open(&source).await.unwrap();
            state.history().await.unwrap().marks[&"dev".parse().unwrap()]
        })
    };
    until("what is served is kept in its place", || (kept() != mark).then_some(()));
    drop(vault);
    site.write("secrets/dev.enc.yaml", &older);
    let vault = with(&site, &[("VANTA_SOPS_ROLLBACK", "deny")]);
    assert!(is_raised(&vault, "rollback"));
}

/// A replica with a folder of its own, over a database that is shared.
fn replica(site: &Site, postgres: &Postgres, name: &str) -> Program {
    let mut command = site.command();
    command
        .env_remove("VANTA_STATE_PATH")
        .env("VANTA_STATE_URL", postgres.url())
        .env("VANTA_REPLICA", name)
        .env("VANTA_SOPS_ROLLBACK", "deny");
    Program::start(command, "http")
}

#[test]
fn a_version_that_one_replica_has_served_is_known_to_the_other() {
    let Some(postgres) = Postgres::start() else { return };
    let (older, newer) = older_and_newer();
    let (one, other) = (Site::new(), Site::new());
    fs::remove_file(other.path("secrets/dev.enc.yaml")).unwrap();
    let hears = replica(&other, &postgres, "other");
    one.write("secrets/dev.enc.yaml", &newer);
    let serves = replica(&one, &postgres, "one");
    assert!(!is_raised(&serves, "rollback"));
    until("the other has heard of it", || {
        other.write("secrets/dev.enc.yaml", &older);
        until("it is looked at", || {
            hears.health("/metrics").1.contains("vanta_environment_healthy{").then_some(())
        });
        if is_raised(&hears, "rollback") {
            return Some(());
        }
        fs::remove_file(other.path("secrets/dev.enc.yaml")).unwrap();
        until("it is gone", || {
            (!hears.health("/metrics").1.contains("vanta_environment_healthy{")).then_some(())
        });
        None
    });
}

#[test]
fn only_what_a_trusted_signer_signed_is_loaded() {
    let Some(key) = SigningKey::new("ed25519", None) else { return };
    let site = Site::new();
    let (older, newer) = older_and_newer();
    site.write("signers", &key.line("ci@example.com", "namespaces=\"vanta-sops:*\""));
    let put = |text: &str, environment: &str| {
        let signature = key.sign(&format!("vanta-sops:{environment}"), text.as_bytes());
        site.write("secrets/dev.enc.yaml", text);
        site.write("secrets/dev.enc.yaml.sig", &String::from_utf8(signature).unwrap());
    };
    put(&older, "dev");
    let signers = site.path("signers");
    let vault = with(&site, &[("VANTA_SOPS_TRUSTED_SIGNERS", signers.to_str().unwrap())]);
    let token = vault.token(&site, "APP_*");
    let user = || vault.read(&agent(), "dev/APP_DB_USER", &token).unwrap().text;
    assert_eq!(user(), "app");
    until("the log says who signed it", || vault.log().contains("ci@example.com").then_some(()));
    put(&newer, "prod");
    until("the metric says so", || is_raised(&vault, "signature").then_some(()));
    let said = "it is signed for \\\"vanta-sops:prod\\\"";
    until("the log says why", || vault.log().contains(said).then_some(()));
    assert_eq!(user(), "app");
    put(&newer, "dev");
    until("it is well again", || (!is_raised(&vault, "signature")).then_some(()));
}

#[test]
fn a_file_that_shares_its_identity_and_does_not_name_its_environment_says_what_to_run() {
    let site = Site::new();
    let mut command = site.command();
    command.env_remove("VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF");
    let vault = Program::start(command, "http");
    let (status, said) = vault.health("/readyz");
    assert_eq!(status, 503);
    let said: Value = serde_json::from_str(&said).unwrap();
    let said = said["secrets"]["dev"].as_str().unwrap();
    assert!(
        said.contains(r#"Else run `sops set dev.enc.yaml '["_vanta_environment"]' '"dev"'`"#),
        "{said}"
    );
    assert!(is_raised(&vault, "environment"));
}

#[test]
fn a_version_that_is_named_badly_ends_the_vault_with_what_is_expected() {
    let site = Site::new();
    let mut command = site.command();
    let ended = command.env("VANTA_SOPS_ACCEPT_ROLLBACK", "prod").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("ENVIRONMENT@LASTMODIFIED"), "{said}");
}

#[test]
fn a_config_map_whose_file_is_an_older_one_or_not_signed_says_so() {
    let (older, newer) = older_and_newer();
    let of = |text: &str| {
        sops("prod", "prod.enc.yaml").replace(&json!(older).to_string(), &json!(text).to_string())
    };
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    scenario.cluster.apply(&of(&newer));
    let vault = scenario.start();
    scenario.cluster.apply(&of(&older));
    let told = until("there is an event", || scenario.cluster.events("ConfigMap", "prod").pop());
    assert_eq!((&told["reason"], &told["action"]), (&json!("RolledBack"), &json!("Load")));
    let note = told["note"].as_str().unwrap();
    assert!(note.starts_with("environment prod, it is served: lastmodified went back"), "{note}");
    let object = scenario.cluster.get("configmaps", "vanta-system", "prod").unwrap();
    assert_eq!(told["regarding"]["uid"], object["metadata"]["uid"]);
    drop(vault);

    let Some(key) = SigningKey::new("ed25519", None) else { return };
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    scenario.site.write("signers", &key.line("ci", ""));
    let mut command = scenario.command();
    command.env("VANTA_SOPS_TRUSTED_SIGNERS", scenario.site.path("signers"));
    let _vault = Program::start(command, "http");
    let told = until("there is an event", || scenario.cluster.events("ConfigMap", "prod").pop());
    assert_eq!(told["reason"], "NotSigned");
    let note = told["note"].as_str().unwrap();
    assert!(
        note.starts_with("environment prod, nothing of it is served: it is not signed"),
        "{note}"
    );
}

#[test]
fn a_file_of_a_folder_is_told_of_on_the_vaults_own_pod() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let mut command = scenario.command();
    command
        .env("VANTA_SOPS_FILES_PATH", scenario.site.path("secrets"))
        .env("VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF", "always")
        .env("VANTA_REPLICA", "vanta-vault-1");
    let _vault = Program::start(command, "http");
    let told = until("there is an event", || scenario.cluster.events("Pod", "vanta-vault-1").pop());
    assert_eq!(told["reason"], "OtherEnvironment");
    assert_eq!(told["metadata"]["namespace"], "vanta-system");
}

/// What the log tells of refused versions: how many lines, and how many they leave out.
fn refused(log: &str) -> (u64, u64) {
    let lines = log.lines().filter(|line| line.contains("the environment was not loaded"));
    let left_out = lines.clone().filter_map(|line| {
        let digits = line.split("left_out").nth(1)?.split(|c: char| !c.is_ascii_digit());
        digits.into_iter().find(|digits| !digits.is_empty())?.parse::<u64>().ok()
    });
    (lines.count() as u64, left_out.sum())
}

#[test]
fn a_file_that_is_rewritten_again_and_again_does_not_flood_the_log_and_its_newest_reason_is_told() {
    const TIMES: u64 = 20;
    let site = Site::new();
    let vault = site.start();
    let began = Instant::now();
    for time in 1..=TIMES {
        // Of another line each time.
        let lines = "\n".repeat(usize::try_from(time).unwrap());
        site.write("secrets/dev.enc.yaml", &format!("a: x\n{lines}b: ]"));
        until("it is counted", || (count(&vault, "refused") == Some(time)).then_some(()));
        assert!(is_raised(&vault, "refused"));
    }
    let newest = format!("line {} is not valid YAML", TIMES + 2);
    let log = until("the newest is told", || Some(vault.log()).filter(|log| log.contains(&newest)));
    let (told, left_out) = refused(&log);
    assert_eq!(told + left_out, TIMES, "{log}");
    assert!(told <= 10 + 1 + began.elapsed().as_secs() / 5, "{told} were told");
}
