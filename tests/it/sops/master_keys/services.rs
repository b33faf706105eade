//! Real sops against services of the test's that decrypt as the real ones do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::http::FakeHttp;
use super::{Scenario, Service, data_key, encrypt, wrapped};
use crate::support::sops;

#[test]
fn a_file_for_a_transit_key_is_opened_by_a_hashicorp_vault() {
    let Some(sops) = sops::find() else { return };
    // Seals by writing backwards.
    let vault = FakeHttp::new(|asked| {
        let reversed = |name: &str| -> String {
            asked.body[name].as_str().unwrap_or_default().chars().rev().collect()
        };
        if asked.line.contains(" /v1/team/transit/encrypt/sops ") {
            json!({"data": {"ciphertext": format!("vault:v1:{}", reversed("plaintext"))}})
        } else if asked.line.contains(" /v1/team/transit/decrypt/sops ") {
            let sealed = reversed("ciphertext");
            json!({"data": {"plaintext": sealed.strip_suffix(":1v:tluav").unwrap_or_default()}})
        } else {
            json!({"errors": ["no such path"]})
        }
    });
    let uri = format!("{}/v1/team/transit/keys/sops", vault.address);
    let environment = [("VAULT_TOKEN", "the-vault-token"), ("HOME", "/nowhere")];
    let file = encrypt(sops, "first", &["--hc-vault-transit", &uri], &environment[..1]);
    let allowed = format!("hc_vault:{uri}");
    let service = Service::new(&allowed, sops, &environment);
    let before = vault.asked().len();
    let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
    assert_eq!(scenario.soon("prod", "word"), "first");
    let asked = &vault.asked()[before..];
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].headers.to_ascii_lowercase().contains("x-vault-token: the-vault-token"));

    // A list of another vault starts nothing: the token goes nowhere.
    let other =
        Service::new("hc_vault:http://127.0.0.1:1/v1/team/transit/keys/sops", sops, &environment);
    let (refused, _) = Scenario::with(&[("prod", &file)], &other);
    assert!(refused.failed("prod").contains("not among the allowed ones"));
    refused.settle();
    assert_eq!((vault.asked().len(), refused.process()), (before + 1, None));
}

#[test]
fn a_file_for_a_kms_key_is_opened_by_aws() {
    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/9f0c";
    let Some(sops) = sops::find() else { return };
    let key = STANDARD.encode(data_key("app.enc.yaml"));
    let aws = FakeHttp::new(move |_| json!({"KeyId": ARN, "Plaintext": key}));
    let keys = format!(
        "    kms:\n        - arn: {ARN}\n          created_at: \"2026-01-01T00:00:00Z\"\n          \
         enc: AQICAHh0\n          context:\n              App: shop\n"
    );
    let file = wrapped("app.enc.yaml", &keys);
    let allowed = format!("kms:{ARN};context.App=shop");
    let environment = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", aws.address.as_str()),
        ("HOME", "/nowhere"),
    ];
    let (scenario, _) =
        Scenario::with(&[("prod", &file)], &Service::new(&allowed, sops, &environment));
    assert_eq!(scenario.soon("prod", "word"), "hunter2");
    let asked = aws.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].headers.contains("TrentService.Decrypt"), "{asked:?}");
    assert_eq!(
        asked[0].body,
        json!({"KeyId": ARN, "CiphertextBlob": "AQICAHh0", "EncryptionContext": {"App": "shop"}})
    );
}
