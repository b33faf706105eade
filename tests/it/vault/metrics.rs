//! What is counted is what happened, seen on a real vault.

use serde_json::json;

use crate::support::program::{Program, Site, agent, until};

/// The value of the series whose line begins so, where it is there.
fn value(vault: &Program, series: &str) -> Option<f64> {
    let text = vault.health("/metrics").1;
    let line = text.lines().find(|line| line.starts_with(series) && !line.starts_with('#'))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn tokens_reads_identities_state_and_audit_are_counted() {
    let site = Site::new();
    let vault = site.start();
    let limited = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 5});
    let token = vault.token_with(&site, &limited);
    let (status, _) = vault.generate(&site, &json!({"environment": "nowhere", "key_pattern": "*"}));
    assert_eq!(status, 403);
    let agent = agent();
    let read = |path: &str| vault.read(&agent, path, &token).unwrap().status;
    assert_eq!((read("dev/APP_DB_USER"), read("prod/APP_DB_USER")), (200, 403));

    for (series, expected) in [
        ("vanta_attempts_total{event=\"issue\",outcome=\"granted\",problem=\"\"}", 1.0),
        ("vanta_attempts_total{event=\"issue\",outcome=\"refused\",problem=\"not-granted\"}", 1.0),
        ("vanta_attempts_total{event=\"read\",outcome=\"granted\",problem=\"\"}", 1.0),
        ("vanta_attempts_total{event=\"read\",outcome=\"refused\",problem=\"out-of-scope\"}", 1.0),
        ("vanta_identities_total{method=\"client\",result=\"Accepted\"}", 2.0),
        ("vanta_state_duration_seconds_count{operation=\"issue\"}", 1.0),
        ("vanta_state_duration_seconds_count{operation=\"take_use\"}", 1.0),
        ("vanta_audit_entries_total", 4.0),
        ("vanta_audit_sequence", 4.0),
        ("vanta_audit_spool_entries", 0.0),
        ("vanta_revocations_age_seconds", 0.0),
        ("vanta_grants{kind=\"SecretAccess\"}", 3.0),
        ("vanta_signing_keys", 1.0),
        ("vanta_environment_keys{environment=\"dev\"}", 7.0),
    ] {
        assert_eq!(value(&vault, series), Some(expected), "{series}");
    }
    assert!(value(&vault, "vanta_environment_loaded_timestamp_seconds").unwrap() > 1.7e9);
    assert!(value(&vault, "vanta_grants_age_seconds").unwrap() < 30.0);
    assert!(value(&vault, "vanta_connections").unwrap() >= 1.0);
    assert!(vault.health("/metrics").1.contains("vanta_build_info{version=\""));
    until("the head is signed", || {
        (value(&vault, "vanta_audit_checkpoint_sequence")? >= 4.0).then_some(())
    });
    assert!(value(&vault, "vanta_audit_checkpoint_timestamp_seconds").unwrap() > 1.7e9);
}

#[test]
fn full_files_are_counted() {
    let site = Site::new();
    let mut command = site.command();
    command.env("VANTA_AUDIT_MAX_MIB", "1");
    let vault = Program::start(command, "http");
    // One without a bound of uses.
    let token = vault.token_with(
        &site,
        &json!({"environment": "dev", "key_pattern": "GREETING", "permissions": ["read"]}),
    );
    let agent = agent();
    let mut reads = 0;
    while value(&vault, "vanta_audit_rotations_total") != Some(1.0) {
        for _ in 0..200 {
            assert_eq!(vault.read(&agent, "dev/GREETING", &token).unwrap().status, 200);
        }
        reads += 200;
        assert!(reads < 20_000, "a file of a MiB is never full");
    }
    assert_eq!(site.full_files().len(), 1);
    assert_eq!(value(&vault, "vanta_audit_failures_total"), Some(0.0));
}
