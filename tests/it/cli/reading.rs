//! `token`, `get`, `list` and `client hash`.

use sha2::{Digest as _, Sha256};
use vanta::contract::api::problem::ProblemKind;

use crate::support::cli::{SECRET, cli, run, without_identity};
use crate::support::fake_vault::{FakeVault, Mood, TOKEN};

fn vault() -> FakeVault {
    FakeVault::with(&[("DB_PASS", SECRET), ("OTHER", "x\n")])
}

#[test]
fn a_value_is_printed_as_its_very_bytes() {
    let vault = vault();
    let ran = run(cli(&vault, &["get", "dev", "DB_PASS"]));
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), SECRET, ""));
    assert!(vault.token_was_revoked());
    assert_eq!(run(cli(&vault, &["get", "dev", "OTHER"])).stdout, "x\n");
}

#[test]
fn a_value_is_asked_for_with_the_narrowest_token() {
    let vault = vault();
    run(cli(&vault, &["get", "dev", "DB_PASS"]));
    let request: serde_json::Value = serde_json::from_str(&vault.asked()[0].body).unwrap();
    assert_eq!(
        request,
        serde_json::json!({
            "environment": "dev", "key_pattern": "DB_PASS", "ttl_minutes": 1, "usage_limit": 1,
            "permissions": ["read"],
        })
    );
}

#[test]
fn names_are_listed_without_values() {
    let ran = run(cli(&vault(), &["list", "dev", "--key-pattern=DB_*"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "DB_PASS\n"));
    let ran = run(cli(&vault(), &["list", "dev", "--output=yaml"]));
    assert_eq!(ran.stdout, "environment: dev\nkeys:\n- DB_PASS\n- OTHER\n");
}

#[test]
fn a_new_token_is_all_that_standard_output_holds() {
    let arguments = ["token", "generate", "-e=dev", "-k=DB_*", "--permission=read,list"];
    let ran = run(cli(&vault(), &arguments));
    assert_eq!((ran.code, ran.stdout), (Some(0), format!("{TOKEN}\n")));
    insta::assert_snapshot!(ran.stderr, @r"
    jti          0123456789abcdef0123456789abcdef
    subject      client:ci
    environment  dev
    keys         DB_*
    may read     *
    may list     *
    expires      2030-01-01T00:00:00Z
    uses         not counted
    warning: the grants allow less than was asked for; made smaller: ttl_minutes
    ");
}

#[test]
fn as_json_a_new_token_comes_with_its_facts() {
    let arguments = ["--output=json", "token", "generate", "-e=dev", "-k=*"];
    let answer: serde_json::Value =
        serde_json::from_str(&run(cli(&vault(), &arguments)).stdout).unwrap();
    assert_eq!(answer["token"], TOKEN);
    assert_eq!(answer["jti"], "0123456789abcdef0123456789abcdef");
}

#[test]
fn a_given_token_is_revoked_when_asked() {
    let vault = vault();
    let mut command = cli(&vault, &["token", "revoke"]);
    command.env("VANTA_TOKEN", TOKEN);
    assert_eq!(run(command).code, Some(0));
    assert!(vault.token_was_revoked());
}

#[test]
fn a_token_comes_from_one_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
    let vault = vault();
    let path = file.path().to_str().unwrap();
    let ran = run(cli(&vault, &["get", "dev", "DB_PASS", "--token-file", path]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), SECRET));
    let mut both = cli(&vault, &["get", "dev", "DB_PASS", "--token-file", path]);
    both.env("VANTA_TOKEN", TOKEN);
    let ran = run(both);
    assert_eq!(ran.code, Some(64), "{}", ran.stderr);
}

#[test]
fn what_does_not_exist_and_what_is_refused_have_their_codes() {
    assert_eq!(run(cli(&vault(), &["get", "dev", "GONE"])).code, Some(66));
    let refused = FakeVault::in_mood(Mood::Fails(ProblemKind::OutOfScope), &[]);
    assert_eq!(run(cli(&refused, &["list", "dev"])).code, Some(77));
}

#[test]
fn a_vault_that_does_not_run_is_temporary_and_the_advice_says_how_to_start_one() {
    let mut command = cli(&vault(), &["list", "dev"]);
    command.env("VANTA_ADDR", "http://127.0.0.1:1");
    let ran = run(command);
    assert_eq!(ran.code, Some(75));
    insta::assert_snapshot!(ran.stderr, @r"
    error: the vault at http://127.0.0.1:1 cannot answer now: Connection refused (os error 111)
      is the vault at http://127.0.0.1:1 running? --address or VANTA_ADDR names another; `vanta-vault dev` starts one on this machine
    ");
}

#[test]
fn an_address_in_clear_is_for_this_machine_alone() {
    let mut command = cli(&vault(), &["list", "dev"]);
    command.env("VANTA_ADDR", "http://vault.example");
    let ran = run(command);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
}

#[test]
fn without_an_identity_nothing_is_asked() {
    let vault = vault();
    let mut command = without_identity(&["list", "dev"]);
    command.env("VANTA_ADDR", &vault.address);
    let ran = run(command);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(vault.asked().is_empty());
}

#[test]
fn a_client_s_secret_is_printed_once_beside_its_hash() {
    let ran = run(without_identity(&["client", "hash", "ci", "--id=first"]));
    let secret = ran.stdout.trim_end();
    assert_eq!(secret.len(), "vanta_client_".len() + 43);
    let hash = hex::encode(Sha256::digest(secret));
    assert!(ran.stderr.contains(&format!("- name: \"ci\"\n  id: \"first\"\n  sha256: \"{hash}\"")));
    assert!(!ran.stderr.contains(secret));
}

#[test]
fn a_client_s_secret_goes_to_a_private_new_file_where_one_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ci.secret");
    let arguments = ["client", "hash", "ci", "--secret-file", file.to_str().unwrap()];
    let ran = run(without_identity(&arguments));
    let hash = hex::encode(Sha256::digest(std::fs::read_to_string(&file).unwrap().trim_end()));
    assert!(ran.stdout.contains(&hash));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(without_identity(&arguments)).code, Some(74), "a secret was overwritten");
}
