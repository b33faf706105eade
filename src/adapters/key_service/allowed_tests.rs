//! What may stand on an allow-list, and which names of files are on it.

use super::*;
use crate::adapters::key_service::KmsName;
use crate::adapters::key_service::variables::{of_kind, variables_for};

const FINGERPRINT: &str = "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4";
const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/9f0c";
const EVERY_KIND: &str = "\
    pgp:FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4,\
    kms:arn:aws:kms:eu-west-1:111122223333:key/9f0c;role=arn:aws:iam::111122223333:role/reader;context.App=shop%2Cone
    gcp_kms:projects/p/locations/global/keyRings/r/cryptoKeys/k
    azure_kv:https://v.vault.azure.net/keys/k/0123abcd
    hc_vault:https://vault:8200/v1/team/transit/keys/sops
    hckms:eu-west-101:0d0466b0-e727-4d9c-b35d-f84bb474a37f";

fn list(text: &str) -> AllowList {
    AllowList::parse(text).unwrap()
}

fn vault(address: &str, engine: &str, key: &str) -> KeyName {
    KeyName::HcVault { address: address.into(), engine: engine.into(), key: key.into() }
}

fn kms(role: &str, context: &[(&str, &str)], profile: &str) -> KeyName {
    let context = context.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let [role, profile] = [role, profile].map(|part| (!part.is_empty()).then(|| part.to_owned()));
    KeyName::Kms(KmsName { arn: ARN.into(), role, context, profile })
}

#[test]
fn each_kind_is_written_as_it_is_read() {
    let list = list(EVERY_KIND);
    assert_eq!(list.kinds().len(), Kind::ALL.len());
    let written: Vec<String> = list.0.iter().map(ToString::to_string).collect();
    let entries: Vec<&str> = EVERY_KIND.split([',', '\n']).map(str::trim).collect();
    assert_eq!(written, entries);
    for key in &list.0 {
        assert_eq!(list.check(key).unwrap(), Allowed(key.clone()));
    }
}

#[test]
fn what_is_no_entry_is_named_with_what_it_has_to_be() {
    let error = AllowList::parse("hc_vault:https://vault/v1/transit/../sys/keys/x").unwrap_err();
    insta::assert_snapshot!(error, @r#"entry 1 of the allowed master keys, "hc_vault:https://vault/v1/transit/../sys/keys/x": it has to be hc_vault:https://HOST:PORT/v1/ENGINE/keys/KEY, whose parts are of letters, digits, '_', '.' and '-'"#);
    for bad in [
        "age:age1x",
        FINGERPRINT,
        "pgp:A27381B4",
        "pgp:GBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4",
        "kms:arn:aws:kms:eu-west-1.example.com/:1:key/x",
        "kms:arn:aws:kms:eu-west-1:1:grant/x",
        "kms:arn:aws:kms:eu-west-1:1:key/x;role=reader",
        "kms:arn:aws:kms:eu-west-1:1:key/x;profile=a;profile=b",
        "kms:arn:aws:kms:eu-west-1:1:key/x;context.=b",
        "kms:arn:aws:kms:eu-west-1:1:key/x;context.A=%zz",
        "gcp_kms:projects/p/locations/l/keyRings/r",
        "gcp_kms:projects/p/locations/../keyRings/r/cryptoKeys/k",
        "azure_kv:http://v.vault.azure.net/keys/k",
        "azure_kv:https://user@v.vault.azure.net/keys/k",
        "azure_kv:https://v.vault.azure.net/secrets/k",
        "hc_vault:https://vault/v1/keys/k",
        "hc_vault:https://vault/v1/a%2e%2e/keys/k",
        "hc_vault:https://vault/v1/transit/keys/..",
        "hc_vault:ftp://vault/v1/transit/keys/k",
        "hckms:0d0466b0",
    ] {
        assert!(AllowList::parse(bad).is_err(), "{bad} was accepted");
    }
}

#[test]
fn an_identity_or_a_token_that_was_given_as_an_entry_is_not_repeated() {
    for secret in ["AGE-SECRET-KEY-1HUNTER2", "pgp:AGE-SECRET-KEY-1HUNTER2", "hc_vault:eyJHUNTER2"]
    {
        let error = AllowList::parse(secret).unwrap_err();
        assert!(error.to_string().contains("\"[redacted]\""), "{error}");
        assert!(!format!("{error:?}").contains("HUNTER2"), "{error:?}");
    }
    let of_file = KeyName::Pgp { fingerprint: "AGE-SECRET-KEY-1HUNTER2".to_owned() };
    let error = list("").check(&of_file).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("HUNTER2"), "{error}");
}

#[test]
fn a_fingerprint_is_compared_without_its_spaces_and_its_case() {
    let spaced = "fbc7 b9e2 a4f9 289a c0c1  d484 3d16 cee4 a273 81b4".to_owned();
    let list = list(&format!("pgp:{FINGERPRINT}"));
    let allowed = list.check(&KeyName::Pgp { fingerprint: spaced }).unwrap();
    assert_eq!(allowed.name(), &KeyName::Pgp { fingerprint: FINGERPRINT.to_owned() });
    let short = KeyName::Pgp { fingerprint: FINGERPRINT[24..].to_owned() };
    assert!(list.check(&short).is_err());
}

#[test]
fn a_path_that_leaves_the_engine_and_another_address_are_refused_by_name() {
    let list = list("hc_vault:https://vault:8200/v1/transit/keys/sops");
    assert!(list.check(&vault("https://vault:8200/", "transit", "sops")).is_ok());
    for (address, engine, key) in [
        ("https://vault:8200@evil.example", "transit", "sops"),
        ("https://evil.example", "transit", "sops"),
        ("http://vault:8200", "transit", "sops"),
        ("https://vault:8200/v1/x", "transit", "sops"),
        ("https://vault:8200", "other/../transit", "sops"),
        ("https://vault:8200", "transit/%2e%2e/other", "sops"),
        ("https://vault:8200", "/transit", "sops"),
        ("https://vault:8200", "transit", "../keys/sops"),
        ("https://vault:8200", "transit", "sops?x"),
    ] {
        assert!(list.check(&vault(address, engine, key)).is_err(), "{address} {engine} {key}");
    }
    let refused = list.check(&vault("https://evil.example", "a/../b\n", "k")).unwrap_err();
    insta::assert_snapshot!(refused, @r#"the file has the master key "hc_vault:https://evil.example/v1/a/../b\n/keys/k", which is not among the allowed ones, so that sops is not asked: add it to VANTA_SOPS_ALLOWED_KEYS, or remove it from the file (`sops rotate -i` with `--rm-pgp`, `--rm-kms` and so on)"#);
}

#[test]
fn a_role_a_profile_and_a_context_are_those_of_the_list() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/reader";
    let plain = list(&format!("kms:{ARN}"));
    assert!(plain.check(&kms("", &[], "")).is_ok());
    assert!(plain.check(&kms(ROLE, &[], "")).is_err());
    assert!(plain.check(&kms("", &[("App", "shop")], "")).is_err());
    assert!(plain.check(&kms("", &[], "admin")).is_err());
    let full = list(&format!("kms:{ARN};role={ROLE};profile=sops;context.App=shop"));
    assert!(full.check(&kms(ROLE, &[("App", "shop")], "sops")).is_ok());
    assert!(full.check(&kms("", &[], "")).is_err());
    assert!(full.check(&kms(ROLE, &[("App", "other")], "sops")).is_err());
    assert!(full.check(&kms(ROLE, &[("App", "shop"), ("B", "c")], "sops")).is_err());
}

#[test]
fn an_azure_key_without_a_version_covers_each_of_them() {
    let key = |version: Option<&str>| KeyName::AzureKv {
        url: "https://v.vault.azure.net".into(),
        name: "k".into(),
        version: version.map(str::to_owned),
    };
    let any = list("azure_kv:https://v.vault.azure.net/keys/k");
    for good in [None, Some("0123abcd")] {
        assert_eq!(any.check(&key(good)).unwrap().name(), &key(good));
    }
    for bad in ["../../secrets/x", "", "a b", &"a".repeat(65)] {
        assert!(any.check(&key(Some(bad))).is_err(), "{bad}");
    }
    let one = list("azure_kv:https://v.vault.azure.net/keys/k/0123abcd");
    assert!(one.check(&key(Some("0123abcd"))).is_ok());
    assert!(one.check(&key(None)).is_err() && one.check(&key(Some("0123abce"))).is_err());
}

#[test]
fn a_service_is_an_address_a_region_or_a_kind() {
    let service = |text: &str| list(text).check(&grammar::entry(text).unwrap()).unwrap().service();
    for (one, other) in [
        (
            "azure_kv:https://v.vault.azure.net/keys/k/1a",
            "azure_kv:https://v.vault.azure.net/keys/j",
        ),
        ("hc_vault:https://v:8200/v1/a/keys/k", "hc_vault:https://v:8200/v1/b/keys/j"),
        ("kms:arn:aws:kms:eu-west-1:1:key/a", "kms:arn:aws:kms:eu-west-1:2:key/b;context.App=shop"),
        ("hckms:eu:0-1", "hckms:eu:0-2"),
    ] {
        assert_eq!(service(one), service(other));
    }
    for (one, other) in [
        ("azure_kv:https://v.vault.azure.net/keys/k", "azure_kv:https://w.vault.azure.net/keys/k"),
        ("hc_vault:https://v:8200/v1/a/keys/k", "hc_vault:https://v:8201/v1/a/keys/k"),
        ("kms:arn:aws:kms:eu-west-1:1:key/a", "kms:arn:aws:kms:us-east-1:1:key/a"),
        ("kms:arn:aws:kms:eu-west-1:1:key/a", "kms:arn:aws:kms:eu-west-1:1:key/a;profile=p"),
        ("hckms:eu:0-1", "hckms:us:0-1"),
    ] {
        assert_ne!(service(one), service(other));
    }
}

#[test]
fn sops_is_given_the_variables_of_the_allowed_kinds_alone() {
    let all = [
        "AWS_PROFILE",
        "AZURE_CLIENT_ID",
        "GNUPGHOME",
        "GOOGLE_CREDENTIALS",
        "HOME",
        "PATH",
        "HTTPS_PROXY",
        "VAULT_TOKEN",
        "HUAWEICLOUD_SDK_AK",
        "VANTA_JWT_SECRET_KEY",
        "SOPS_AGE_KEY",
        "SOPS_GPG_EXEC",
        "LD_PRELOAD",
        "AWSX",
    ];
    let given = |text: &str| {
        let all = all.iter().map(|name| ((*name).into(), "x".into()));
        let given = variables_for(&list(text), all).into_iter();
        let mut given: Vec<String> = given.map(|(name, _)| name.into_string().unwrap()).collect();
        given.sort();
        given.join(" ")
    };
    assert_eq!(given(&format!("pgp:{FINGERPRINT}")), "GNUPGHOME HOME PATH");
    assert_eq!(given(&format!("kms:{ARN}")), "AWS_PROFILE HOME HTTPS_PROXY");
    assert_eq!(
        given("hc_vault:https://vault/v1/t/keys/k"),
        "HOME HTTPS_PROXY SOPS_HC_VAULT_ALLOWLIST VAULT_DISABLE_REDIRECTS VAULT_TOKEN"
    );
    // Whatever the vault was started with.
    let all = [("VAULT_DISABLE_REDIRECTS".into(), "false".into())].into_iter();
    let given = variables_for(&list("hc_vault:https://vault/v1/t/keys/k"), all);
    assert_eq!(given[0], ("VAULT_DISABLE_REDIRECTS".into(), "true".into()));
    assert_eq!(given.len(), 2);
    assert!(Kind::ALL.into_iter().all(|kind| !of_kind(kind).is_empty()));
}
