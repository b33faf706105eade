//! What is refused before any process is started and any connection opened.

use std::net::TcpListener;

use vanta::adapters::sops::{EncryptedFile, Format, Identities, Leave, RequireLeaf};

use super::fake::{FakeService, Says};
use super::{IMPATIENT, Scenario, Service, beside_age, data_key, transit, wrapped};
use crate::sops::fixtures::{both_identities, edit, groups, line, path, text};
use crate::support::sops;

const ALLOWED: &str = "hc_vault:http://127.0.0.1:1/v1/transit/keys/sops \
                       kms:arn:aws:kms:eu-west-1:111122223333:key/9f0c";

/// The reason why a file is refused; nothing was started, and nothing asked.
fn refused(file: &str) -> String {
    let fake = FakeService::new(Says::Plaintext(data_key("app.enc.yaml")));
    let program = fake.program();
    let (scenario, _) = Scenario::with(&[("prod", file)], &Service::new(ALLOWED, &program, &[]));
    let error = scenario.error("prod").expect("the file was accepted");
    scenario.settle();
    assert_eq!((fake.starts(), fake.calls().len()), (0, 0), "{error}");
    error
}

const PGP: &str = "    pgp:\n        - fp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n          \
                   created_at: \"\"\n          enc: x\n";

/// The keys of two files that have one that is allowed and one that is not, which stands last: in
/// one group, and in two of which one is enough.
fn with_one_too_many(good: &str) -> [String; 2] {
    let indented =
        |keys: &str| keys.replace("\n    ", "\n          ").replacen("    ", "        - ", 1);
    let groups = format!(
        "    shamir_threshold: 1\n    key_groups:\n{}\n{}\n",
        indented(good.trim_end()),
        indented(PGP.trim_end())
    );
    [format!("{good}{PGP}"), groups]
}

#[test]
fn a_file_with_any_key_that_is_not_allowed_starts_nothing() {
    let file = wrapped("app.enc.yaml", &transit("http://other:8200", "transit", "sops", "x"));
    assert!(refused(&file).contains("hc_vault:http://other:8200/v1/transit/keys/sops"));

    let good = transit("http://127.0.0.1:1", "transit", "sops", "vault:v1:eA==");
    let [beside, groups] = with_one_too_many(&good);
    insta::assert_snapshot!(refused(&wrapped("app.enc.yaml", &beside)), @r#"the file has the master key "pgp:FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4", which is not among the allowed ones, so that sops is not asked: add it to VANTA_SOPS_ALLOWED_KEYS, or remove it from the file (`sops rotate -i` with `--rm-pgp`, `--rm-kms` and so on)"#);
    assert!(refused(&wrapped("app.enc.yaml", &groups)).contains("pgp:FBC7"));
}

#[test]
fn a_file_with_any_key_that_is_not_allowed_has_real_sops_call_nobody() {
    let Some(sops) = sops::find() else { return };
    // Where the key that is allowed is: whoever asks for it before all are looked at is heard.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let allowed = format!("hc_vault:{address}/v1/transit/keys/sops");
    let service = Service::new(&allowed, sops, &[("VAULT_TOKEN", "t"), ("HOME", "/nowhere")]);
    let good = transit(&address, "transit", "sops", "vault:v1:eA==");
    for keys in with_one_too_many(&good) {
        let file = wrapped("app.enc.yaml", &keys);
        let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
        let error = scenario.error("prod").expect("the file was accepted");
        scenario.settle();
        assert!(error.contains("pgp:FBC7"), "{error}");
        assert!(listener.accept().is_err(), "somebody was called");
        assert_eq!(scenario.process(), None, "sops was started");
    }
    // The same file without that key has it called, so that this would be seen.
    let file = wrapped("app.enc.yaml", &good);
    let (scenario, _) =
        Scenario::with(&[("prod", &file)], &Service { deadlines: IMPATIENT, ..service });
    scenario.settle();
    assert!(listener.accept().is_ok(), "{:?}", scenario.error("prod"));
}

#[test]
fn a_path_that_leaves_the_engine_starts_nothing() {
    for (engine, key) in [
        ("transit/../sys", "sops"),
        ("transit/%2e%2e/sys", "sops"),
        ("transit", "../../sys/raw"),
        ("transit", "%2e%2e/x"),
    ] {
        let keys = transit("http://127.0.0.1:1", engine, key, "vault:v1:eA==");
        let error = refused(&wrapped("app.enc.yaml", &keys));
        assert!(error.contains("not among the allowed ones"), "{error}");
    }
}

#[test]
fn a_role_a_profile_or_a_context_of_the_file_s_own_starts_nothing() {
    let kms = |more: &str| {
        format!(
            "    kms:\n        - arn: arn:aws:kms:eu-west-1:111122223333:key/9f0c\n          \
             created_at: \"\"\n          enc: x\n          {more}\n"
        )
    };
    for more in ["role: arn:aws:iam::1:role/admin", "aws_profile: admin", "context: {App: shop}"] {
        let error = refused(&wrapped("app.enc.yaml", &kms(more)));
        assert!(error.contains("not among the allowed ones"), "{error}");
    }
}

#[test]
fn a_file_of_an_old_sops_starts_nothing() {
    let keys = transit("http://127.0.0.1:1", "transit", "sops", "vault:v1:eA==");
    let file = wrapped("app.enc.yaml", &keys);
    for version in ["3.2.9", "0.0.1", "3.3.0-rc.1"] {
        let old = edit(&file, "version: 3.13.3", &format!("version: {version}"));
        assert!(refused(&old).contains("before 3.3.0"));
    }
}

#[test]
fn a_data_key_that_is_too_long_or_one_too_many_starts_nothing() {
    let keys = transit("http://127.0.0.1:1", "transit", "sops", &"x".repeat(64 * 1024 + 1));
    assert!(refused(&wrapped("app.enc.yaml", &keys)).contains("too long"));
    let keys = transit("http://127.0.0.1:1", "transit", "sops", "vault:v1:eA==");
    let (head, one) = keys.split_at(keys.find("        - ").unwrap());
    let keys = format!("{head}{}", one.repeat(17));
    assert!(refused(&wrapped("app.enc.yaml", &keys)).contains("has 17 master keys"));
}

#[test]
fn a_file_that_an_age_identity_opens_starts_nothing() {
    let fake = FakeService::new(Says::Nothing);
    let program = fake.program();
    let keys = transit("http://127.0.0.1:1", "transit", "sops", "vault:v1:eA==");
    let file = beside_age("app.enc.yaml", &keys);
    let (scenario, _) = Scenario::with(&[("prod", &file)], &Service::new(ALLOWED, &program, &[]));
    assert_eq!(scenario.read("prod", "word").as_deref(), Some("hunter2"));
    scenario.settle();
    assert_eq!(fake.starts(), 0);
}

#[test]
fn key_groups_that_age_identities_open_start_nothing() {
    // Two groups are needed and there; a third is of a key that is not even allowed.
    let [before, first, second, rest] = groups();
    let third = "        - pgp:\n            - fp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n              \
                 created_at: \"\"\n              enc: x\n";
    let file = format!("{before}{first}{second}{third}{rest}");
    let fake = FakeService::new(Says::Nothing);
    let program = fake.program();
    let service = Service { identities: both_identities, ..Service::new(ALLOWED, &program, &[]) };
    let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
    assert_eq!(scenario.read("prod", "word").as_deref(), Some("hunter2"));
    scenario.settle();
    assert_eq!(fake.starts(), 0);
    // Without the second identity the third group would be needed.
    assert!(refused(&file).contains("pgp:FBC7"));
}

#[test]
fn where_a_key_is_allowed_a_file_that_does_not_name_its_environment_is_told_that_this_is_why() {
    let fake = FakeService::new(Says::Nothing);
    let program = fake.program();
    let service = Service { leaf: RequireLeaf::Shared, ..Service::new(ALLOWED, &program, &[]) };
    let (scenario, _) = Scenario::with(&[("prod", &text("app.enc.yaml"))], &service);
    let said = scenario.error("prod").unwrap();
    assert!(said.contains("since VANTA_SOPS_ALLOWED_KEYS allows keys"), "{said}");
}

#[test]
fn a_post_quantum_recipient_is_named_as_one() {
    let recipient = line(&text("app.enc.yaml"), "          recipient: ").to_owned();
    let file = edit(&text("app.enc.yaml"), &recipient, "          recipient: age1pq1qqqq");
    let other = Identities::read(&path("other-age-key.txt")).unwrap();
    let error = EncryptedFile::open(file.as_bytes(), Format::Yaml, &other, Leave::default());
    insta::assert_snapshot!(error.err().unwrap(), @r#"no key opens the file: "age1pq1qqqq" is a post-quantum recipient, which is not supported: add one that begins with age1 alone: look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is, configure the identity of one of its recipients (VANTA_AGE_IDENTITIES_PATH, SOPS_AGE_KEY_FILE), or encrypt the file for one of yours too (`sops rotate -i --add-age RECIPIENT FILE`)"#);
}
