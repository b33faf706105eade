//! What is said to a key service, to the byte, and what becomes of what it answers.

use super::fake::{FakeService, Says};
use super::{IMPATIENT, Scenario, Service, data_key, transit, unwrapped, wrapped};
use crate::sops::fixtures::text;

const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/9f0c";

/// A key of AWS KMS as a file has it.
fn kms(more: &str) -> String {
    format!(
        "    kms:\n        - arn: {ARN}\n          created_at: \"2026-01-01T00:00:00Z\"\n          \
         enc: AQICAHh\n{more}"
    )
}

/// A field of a message: tag, length, bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()], message].concat()
}

#[test]
fn a_key_of_each_service_is_asked_for_as_the_protocol_says() {
    const GCP: &str = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
    const ROLE: &str = "arn:aws:iam::1:role/r";
    let with_role = kms(&format!(
        "          role: {ROLE}\n          aws_profile: ops\n          context:\n              App: shop\n"
    ));
    let gcp = format!(
        "    gcp_kms:\n        - resource_id: {GCP}\n          created_at: \"\"\n          enc: CiQA\n"
    );
    let azure = "    azure_kv:\n        - vault_url: https://v.vault.azure.net\n          name: k\n          \
                 version: 1a\n          created_at: \"\"\n          enc: q_w\n";
    let huawei = "    hckms:\n        - key_id: \"eu:0-1\"\n          created_at: \"\"\n          enc: aGM=\n";
    let cases = [
        (
            with_role,
            format!("kms:{ARN};role={ROLE};profile=ops;context.App=shop"),
            [
                field(
                    1,
                    &field(
                        1,
                        &[
                            field(1, ARN.as_bytes()),
                            field(2, ROLE.as_bytes()),
                            field(3, &[field(1, b"App"), field(2, b"shop")].concat()),
                            field(4, b"ops"),
                        ]
                        .concat(),
                    ),
                ),
                field(2, b"AQICAHh"),
            ],
        ),
        (
            gcp,
            format!("gcp_kms:{GCP}"),
            [field(1, &field(3, &field(1, GCP.as_bytes()))), field(2, b"CiQA")],
        ),
        (
            azure.to_owned(),
            "azure_kv:https://v.vault.azure.net/keys/k".to_owned(),
            [
                field(
                    1,
                    &field(
                        4,
                        &[field(1, b"https://v.vault.azure.net"), field(2, b"k"), field(3, b"1a")]
                            .concat(),
                    ),
                ),
                field(2, b"q_w"),
            ],
        ),
        (
            transit("https://vault:8200/", "team/transit", "sops", "vault:v1:c2VhbGVk"),
            "hc_vault:https://vault:8200/v1/team/transit/keys/sops".to_owned(),
            [
                field(
                    1,
                    &field(
                        5,
                        &[
                            // As the list has it, not as the file does.
                            field(1, b"https://vault:8200"),
                            field(2, b"team/transit"),
                            field(3, b"sops"),
                        ]
                        .concat(),
                    ),
                ),
                field(2, b"vault:v1:c2VhbGVk"),
            ],
        ),
        (
            huawei.to_owned(),
            "hckms:eu:0-1".to_owned(),
            [field(1, &field(7, &field(1, b"eu:0-1"))), field(2, b"aGM=")],
        ),
    ];
    for (keys, allowed, message) in cases {
        let fake = FakeService::new(Says::Plaintext(data_key("app.enc.yaml")));
        let program = fake.program();
        let file = wrapped("app.enc.yaml", &keys);
        let service = Service::new(&allowed, &program, &[]);
        let (scenario, _) = Scenario::with(&[("prod", &file)], &service);
        assert_eq!(scenario.soon("prod", "word"), "hunter2", "{allowed}");
        let calls = fake.calls();
        assert_eq!((calls.len(), fake.starts()), (1, 1), "{allowed}");
        assert_eq!(calls[0].path, "/KeyService/Decrypt");
        for header in [("content-type", "application/grpc"), ("te", "trailers")] {
            let header = (header.0.to_owned(), header.1.to_owned());
            assert!(calls[0].headers.contains(&header), "{:?}", calls[0].headers);
        }
        assert_eq!(calls[0].body, framed(&message.concat()), "{allowed}");
    }
}

#[test]
fn a_group_that_age_opens_and_one_that_sops_does_give_the_data_key() {
    // The second group's share is wrapped for an identity that is not the scenario's.
    let original = text("groups.enc.yaml");
    let begin = original.find("        - age:").unwrap();
    let second = begin + 1 + original[begin + 1..].find("        - age:").unwrap();
    let end = original.find("    lastmodified").unwrap();
    let share = unwrapped(&original[second..end], "other-age-key.txt");
    let group = format!(
        "        - kms:\n            - arn: {ARN}\n              created_at: \"\"\n              enc: x\n"
    );
    let rest = original[second..end]
        .find("    shamir_threshold")
        .map_or("", |at| &original[second + at..end]);
    let file = format!("{}{group}{rest}{}", &original[..second], &original[end..]);
    let fake = FakeService::new(Says::Plaintext(share));
    let program = fake.program();
    let allowed = format!("kms:{ARN}");
    let (scenario, _) = Scenario::with(&[("prod", &file)], &Service::new(&allowed, &program, &[]));
    assert_eq!(scenario.soon("prod", "word"), "hunter2");
    assert_eq!(fake.calls().len(), 1);
}

#[test]
fn a_service_that_never_answers_holds_nobody_back() {
    let fake = FakeService::new(Says::Nothing);
    let program = fake.program();
    let file = wrapped("app.enc.yaml", &kms(""));
    let allowed = format!("kms:{ARN}");
    let service = Service { deadlines: IMPATIENT, ..Service::new(&allowed, &program, &[]) };
    let files = [("stuck", file.as_str()), ("works", &text("app.enc.yaml"))];
    let (scenario, _) = Scenario::with(&files, &service);
    // After the first look no look waits for it, and a change is seen meanwhile.
    scenario.write("later", &text("app.enc.yaml"));
    let started = std::time::Instant::now();
    scenario.store.refresh();
    assert!(started.elapsed() < IMPATIENT.answer, "a look waited for the service");
    assert_eq!(scenario.read("works", "word").as_deref(), Some("hunter2"));
    assert_eq!(scenario.read("later", "word").as_deref(), Some("hunter2"));
    insta::assert_snapshot!(scenario.failed("stuck"), @"no key opens the file: AWS KMS: sops did not answer in time: look at whether it reaches the key's service: it is tried again by itself");
    // It is tried again, by a new process, and not too often.
    let failed = fake.calls().len();
    assert!(failed <= 2, "{failed} calls");
    fake.now_says(Says::Plaintext(data_key("app.enc.yaml")));
    assert_eq!(scenario.soon("stuck", "word"), "hunter2");
    assert!(fake.starts() > 1);
}

#[test]
fn many_files_for_a_key_whose_service_is_silent_do_not_hold_back_those_for_another() {
    const SILENT: &str = "arn:aws:kms:us-east-1:111122223333:key/silent";
    let fake = FakeService::new(Says::NothingOf(SILENT, data_key("app.enc.yaml")));
    let program = fake.program();
    let allowed = format!("kms:{ARN} kms:{SILENT}");
    let service = Service { deadlines: IMPATIENT, ..Service::new(&allowed, &program, &[]) };
    // Each wraps another data key, and is asked for before the good one.
    let silent = (0..6).map(|at| {
        let keys = kms("").replace(ARN, SILENT).replace("AQICAHh", &format!("AQICAHh{at}"));
        (format!("a{at}"), wrapped("app.enc.yaml", &keys))
    });
    let mut files: Vec<(String, String)> = silent.collect();
    files.push(("z".to_owned(), wrapped("app.enc.yaml", &kms(""))));
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (scenario, _) = Scenario::with(&files, &service);
    assert_eq!(scenario.soon("z", "word"), "hunter2");
    let of_silent = fake
        .calls()
        .iter()
        .position(|call| !call.body.windows(SILENT.len()).any(|part| part == SILENT.as_bytes()));
    let before = of_silent.expect("the good key was asked for");
    assert!(before <= 2, "{before} calls were waited for");
}

/// Why a file is refused whose data key this is the answer for.
fn refused(says: Says) -> String {
    let fake = FakeService::new(says);
    let program = fake.program();
    let file = wrapped("app.enc.yaml", &kms(""));
    let allowed = format!("kms:{ARN}");
    let (scenario, _) = Scenario::with(&[("prod", &file)], &Service::new(&allowed, &program, &[]));
    scenario.failed("prod")
}

#[test]
fn what_is_no_data_key_is_refused_and_nothing_of_it_repeated() {
    let failure = Says::Failure("permission denied for hunter2");
    insta::assert_snapshot!(refused(failure), @"no key opens the file: AWS KMS: sops could not decrypt the data key: the key's service does not allow it: look at the credentials' rights to the key: it is tried again by itself");
    let too_long = framed(&field(1, &[7; 100])).repeat(100);
    for (says, part) in [
        (Says::Bytes(too_long), "no data key"),
        (Says::Bytes(b"hunter2".to_vec()), "no data key"),
        (Says::Plaintext(vec![7; 16]), "not of 32 bytes"),
        (Says::Plaintext(vec![7; 32]), "cannot be decrypted"),
    ] {
        let error = refused(says);
        assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_sops_writes_is_in_no_error() {
    // The script writes to both; a service that ends at once is told of without it.
    let fake = FakeService::new(Says::Nothing);
    let program = fake.folder().join("ends");
    std::fs::write(&program, "#!/bin/sh\necho hunter2 >&2\nexit 3\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let file = wrapped("app.enc.yaml", &kms(""));
    let allowed = format!("kms:{ARN}");
    let (scenario, _) = Scenario::with(&[("prod", &file)], &Service::new(&allowed, &program, &[]));
    insta::assert_snapshot!(scenario.failed("prod"), @"no key opens the file: AWS KMS: sops cannot be started: it ended at once: is it sops, with its command keyservice?: it is tried again by itself");
}
