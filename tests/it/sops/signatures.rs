//! Signatures over files: those of real ssh-keygen, and every change that SOPS itself cannot tell.

use std::fs;
use std::time::Duration;

use vanta::adapters::sops::{
    Alarm, Authorship, ConfigMapFiles, ConfigMapKey, Leave, SharedIdentities, SopsStore,
    StoreOptions,
};
use vanta::domain::ports::SecretStore;

use super::fixtures::{edit, line, options, text, unnamed, value};
use super::grants::environment;
use super::made::keys::OURS;
use super::workshop::{Workshop, alarm, put, read};
use crate::support::ssh_keygen::SigningKey;

/// A folder with a signed file, and who is trusted.
struct Signed {
    key: SigningKey,
    folder: tempfile::TempDir,
    signers: tempfile::NamedTempFile,
}

impl Signed {
    /// None without ssh-keygen.
    fn new() -> Option<Self> {
        let key = SigningKey::new("ed25519", None)?;
        let signers = tempfile::NamedTempFile::new().unwrap();
        fs::write(signers.path(), key.line("ci@example.com", "")).unwrap();
        Some(Self { key, folder: tempfile::tempdir().unwrap(), signers })
    }

    fn asking(&self, grace: Duration) -> Authorship {
        Authorship {
            trusted_signers: Some(self.signers.path().to_owned()),
            signature_grace: grace,
            ..unnamed()
        }
    }

    fn open(&self, grace: Duration) -> SopsStore {
        let authorship = self.asking(grace);
        SopsStore::open(StoreOptions { authorship, ..options(self.folder.path()) }).0
    }

    fn put(&self, file: &str, bytes: &[u8]) {
        put(self.folder.path(), file, bytes);
    }

    /// Puts a file and its signature for an environment in place.
    fn put_signed(&self, file: &str, bytes: &[u8], environment: &str) {
        self.put(file, bytes);
        let signature = self.key.sign(&format!("vanta-sops:{environment}"), bytes);
        self.put(&format!("{file}.sig"), &signature);
    }
}

#[test]
fn keys_of_each_kind_that_ssh_keygen_makes_sign() {
    let bytes = text("app.enc.yaml").into_bytes();
    for (kind, bits) in [
        ("ed25519", None),
        ("ecdsa", Some("256")),
        ("ecdsa", Some("384")),
        ("ecdsa", Some("521")),
        ("rsa", Some("2048")),
        ("rsa", Some("3072")),
    ] {
        let Some(key) = SigningKey::new(kind, bits) else { return };
        let signed = Signed { key, ..Signed::new().unwrap() };
        fs::write(signed.signers.path(), signed.key.line("ci", "")).unwrap();
        signed.put_signed("dev.enc.yaml", &bytes, "dev");
        let store = signed.open(Duration::ZERO);
        assert_eq!(alarm(&store, "dev"), None, "{kind} {bits:?}");
        assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
    }
}

#[test]
fn a_key_of_rsa_that_is_short_is_refused_with_its_bits() {
    let Some(key) = SigningKey::new("rsa", Some("1024")) else { return };
    let signed = Signed { key, ..Signed::new().unwrap() };
    fs::write(signed.signers.path(), signed.key.line("ci", "")).unwrap();
    signed.put_signed("dev.enc.yaml", text("app.enc.yaml").as_bytes(), "dev");
    let said = alarm(&signed.open(Duration::ZERO), "dev").unwrap().1;
    assert!(said.contains("line 1: its RSA key has 1024 bits"), "{said}");
}

#[test]
fn what_ssh_keygen_takes_is_taken_and_what_it_refuses_is_refused() {
    let Some(signed) = Signed::new() else { return };
    let stranger = SigningKey::new("ed25519", None).unwrap();
    let bytes = text("app.enc.yaml").into_bytes();
    let key = |options: &str| signed.key.line("ci", options);
    let lines = [
        key(""),
        key("namespaces=\"vanta-sops:dev\""),
        key("namespaces=\"vanta-sops:*\""),
        key("namespaces=\"vanta-sops:prod\""),
        key("namespaces=\"*,!vanta-sops:dev\""),
        key("namespaces=\"git,vanta-sops:d?v\""),
        key("valid-after=\"20200101Z\",valid-before=\"29990101Z\""),
        key("valid-after=\"29990101Z\""),
        key("valid-before=\"20200101Z\""),
        key("valid-before=\"202001010000Z\",namespaces=\"*\""),
        stranger.line("ci", ""),
        format!("# a comment\n\n{}{}", stranger.line("other", ""), key("")),
        format!("{}{}", key("valid-before=\"20200101Z\""), key("namespaces=\"vanta-sops:dev\"")),
    ];
    let mut taken = 0;
    for namespace in ["vanta-sops:dev", "vanta-sops:prod", "git"] {
        let signature = signed.key.sign(namespace, &bytes);
        signed.put("dev.enc.yaml", &bytes);
        signed.put("dev.enc.yaml.sig", &signature);
        for lines in &lines {
            fs::write(signed.signers.path(), lines).unwrap();
            let by_ssh = signed.key.takes(lines, "ci", "vanta-sops:dev", &bytes, &signature);
            let loaded = signed.open(Duration::ZERO).keys(&environment("dev")).is_ok();
            assert_eq!(loaded, by_ssh, "signed for {namespace}, by {lines}");
            taken += usize::from(loaded);
        }
    }
    assert_eq!(taken, 7, "some are taken, and others refused");
}

#[test]
fn prods_file_copied_over_devs_is_refused_by_the_signatures_namespace() {
    let Some(signed) = Signed::new() else { return };
    let (dev, prod) = (text("app.enc.yaml"), text("regex.enc.yaml"));
    signed.put_signed("dev.enc.yaml", dev.as_bytes(), "dev");
    signed.put_signed("prod.enc.yaml", prod.as_bytes(), "prod");
    let store = signed.open(Duration::ZERO);
    assert_eq!(read(&store, "prod", "password").unwrap(), "p");
    for file in ["dev.enc.yaml", "dev.enc.yaml.sig"] {
        let bytes = fs::read(signed.folder.path().join(file.replace("dev", "prod"))).unwrap();
        signed.put(file, &bytes);
    }
    store.refresh();
    let (kind, said) = alarm(&store, "dev").unwrap();
    assert_eq!(kind, Alarm::Signature);
    assert!(said.starts_with("it is signed for \"vanta-sops:prod\", not for"), "{said}");
    assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
}

/// Every change that a writer without the key can make and real sops accepts.
fn hostile_changes(app: &str) -> Vec<(&'static str, String)> {
    let entry = line(app, "word:");
    let number = value(app, "number:");
    vec![
        ("a type retag", edit(app, number, &edit(number, "type:str]", "type:int]"))),
        ("a scalar in a list", edit(app, entry, &entry.replace("word: ", "word:\n    - "))),
        ("a list of maps unwrapped", edit(app, "    - k: ", "    k: ")),
        ("nested keys folded", edit(app, "d:\n    e: ", "\"d:e\": ")),
        ("an added null", format!("added: null\n{app}")),
        ("an added collection", format!("added: {{}}\n{app}")),
        ("an added comment", format!("# added\n{app}")),
        ("an added empty value", format!("added: \"\"\n{app}")),
        ("a plain key renamed", edit(app, "one_unencrypted:", "three_unencrypted:")),
        (
            "the boundary of plain values moved",
            edit(
                &edit(app, "one_unencrypted: ab", "one_unencrypted: a"),
                "two_unencrypted: cd",
                "two_unencrypted: bcd",
            ),
        ),
        ("the whole file replaced", text("regex.enc.yaml")),
        ("an old version put back", text("names.enc.yaml")),
        ("a duplicate key", format!("{app}\nword: x\n")),
        ("white space at the end", format!("{app}\n")),
    ]
}

#[test]
fn a_signature_catches_whatever_sops_cannot_tell() {
    let Some(signed) = Signed::new() else { return };
    let app = text("app.enc.yaml");
    signed.put_signed("dev.enc.yaml", app.as_bytes(), "dev");
    let store = signed.open(Duration::ZERO);
    for (what, changed) in hostile_changes(&app) {
        assert_ne!(changed, app, "{what}");
        signed.put("dev.enc.yaml", changed.as_bytes());
        store.refresh();
        let (kind, said) = alarm(&store, "dev").expect(what);
        assert_eq!(kind, Alarm::Signature, "{what}: {said}");
        assert!(said.starts_with("its signature is not of these bytes"), "{what}: {said}");
        assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2", "{what}");
    }
    signed.put("dev.enc.yaml", app.as_bytes());
    store.refresh();
    assert_eq!(alarm(&store, "dev"), None);
}

#[test]
fn a_signature_catches_it_in_each_format() {
    for format in ["json", "env", "ini", "bin"] {
        let Some(signed) = Signed::new() else { return };
        let (original, file) = (text(&format!("app.enc.{format}")), format!("dev.enc.{format}"));
        let changed = match original.lines().find(|line| line.contains("number")) {
            Some(number) => edit(&original, number, &edit(number, "type:str]", "type:int]")),
            // There is no other type that a binary file may have.
            None => format!("{original}\n"),
        };
        signed.put_signed(&file, original.as_bytes(), "dev");
        let store = signed.open(Duration::ZERO);
        assert_eq!(alarm(&store, "dev"), None, "{format}");
        signed.put(&file, changed.as_bytes());
        store.refresh();
        let (kind, said) = alarm(&store, "dev").expect(format);
        assert_eq!(kind, Alarm::Signature, "{format}: {said}");
        let (trusting, _) = SopsStore::open(options(signed.folder.path()));
        assert_eq!(alarm(&trusting, "dev"), None, "{format}: nothing else tells");
    }
}

#[test]
fn a_signature_catches_what_a_mac_of_encrypted_values_alone_cannot_tell() {
    let Some(signed) = Signed::new() else { return };
    let original = text("mac-only.enc.yaml");
    let leave = Leave::ALL;
    let store = |authorship| {
        SopsStore::open(StoreOptions { authorship, leave, ..options(signed.folder.path()) }).0
    };
    signed.put_signed("dev.enc.yaml", original.as_bytes(), "dev");
    let asking = store(signed.asking(Duration::ZERO));
    let changed = edit(&original, "plain_unencrypted: p", "plain_unencrypted: x");
    signed.put("dev.enc.yaml", changed.as_bytes());
    asking.refresh();
    assert_eq!(alarm(&asking, "dev").unwrap().0, Alarm::Signature);
    assert_eq!(read(&asking, "dev", "plain_unencrypted").unwrap(), "p");
    let trusting = store(unnamed());
    assert_eq!(read(&trusting, "dev", "plain_unencrypted").unwrap(), "x", "nothing else tells");
}

#[test]
fn a_file_that_is_there_before_its_signature_waits_for_it_in_silence() {
    let Some(signed) = Signed::new() else { return };
    let (old, new) = (text("app.enc.yaml"), text("regex.enc.yaml"));
    signed.put_signed("dev.enc.yaml", old.as_bytes(), "dev");
    let store = signed.open(Duration::from_hours(1));
    signed.put("dev.enc.yaml", new.as_bytes());
    for _ in 0..3 {
        assert!(store.refresh().is_empty(), "it is not told of");
        assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
        assert_eq!(alarm(&store, "dev"), None);
    }
    signed.put("dev.enc.yaml.sig", &signed.key.sign("vanta-sops:dev", new.as_bytes()));
    assert_eq!(store.refresh().loaded.len(), 1);
    assert_eq!(read(&store, "dev", "password").unwrap(), "p");
}

#[test]
fn a_signature_that_does_not_come_is_an_alarm_and_whoever_changes_the_file_again_does_not_put_it_off()
 {
    let Some(signed) = Signed::new() else { return };
    signed.put_signed("dev.enc.yaml", text("app.enc.yaml").as_bytes(), "dev");
    let grace = Duration::from_millis(50);
    let store = signed.open(grace);
    let started = std::time::Instant::now();
    let mut changes = 0;
    while alarm(&store, "dev").is_none() {
        // Another change each time: the time to wait is that from the first.
        changes += 1;
        signed.put("dev.enc.yaml", format!("{}# {changes}\n", text("app.enc.yaml")).as_bytes());
        store.refresh();
        assert!(started.elapsed() < Duration::from_secs(30), "it is never told of");
    }
    assert!(started.elapsed() >= grace);
    assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
}

#[test]
fn at_the_start_nothing_is_waited_for() {
    let Some(signed) = Signed::new() else { return };
    signed.put("dev.enc.yaml", text("app.enc.yaml").as_bytes());
    let store = signed.open(Duration::from_hours(1));
    let (kind, said) = alarm(&store, "dev").unwrap();
    assert_eq!(kind, Alarm::Signature);
    assert!(said.starts_with("it is not signed: there is no dev.enc.yaml.sig beside it"), "{said}");
}

#[test]
fn a_change_of_the_signers_is_seen_and_takes_nothing_away_that_is_served() {
    let Some(signed) = Signed::new() else { return };
    signed.put_signed("dev.enc.yaml", text("app.enc.yaml").as_bytes(), "dev");
    let stranger = SigningKey::new("ed25519", None).unwrap();
    let store = signed.open(Duration::ZERO);
    for (lines, expected) in [
        (stranger.line("ci", ""), "which is no trusted signer's key"),
        ("nonsense".to_owned(), "line 1: it has to be"),
        (String::new(), "are none"),
    ] {
        fs::write(signed.signers.path(), lines).unwrap();
        store.refresh();
        let (kind, said) = alarm(&store, "dev").unwrap();
        assert!(kind == Alarm::Signature && said.contains(expected), "{said}");
        assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
    }
    fs::write(signed.signers.path(), signed.key.line("ci", "")).unwrap();
    let report = store.refresh();
    assert!(report.loaded[0].signer.as_ref().unwrap().starts_with("\"ci\" (SHA256:"), "{report:?}");
    assert_eq!(alarm(&store, "dev"), None);
}

#[test]
fn signers_that_cannot_be_read_are_told_of_at_once() {
    let Some(signed) = Signed::new() else { return };
    signed.put_signed("dev.enc.yaml", text("app.enc.yaml").as_bytes(), "dev");
    let store = signed.open(Duration::from_hours(1));
    fs::write(signed.signers.path(), "nonsense").unwrap();
    store.refresh();
    let (kind, said) = alarm(&store, "dev").unwrap();
    assert!(kind == Alarm::Signature && said.contains("line 1: it has to be"), "{said}");
    fs::write(signed.signers.path(), signed.key.line("ci", "")).unwrap();
    store.refresh();
    assert_eq!(alarm(&store, "dev"), None);
    fs::remove_file(signed.signers.path()).unwrap();
    store.refresh();
    let (kind, said) = alarm(&store, "dev").unwrap();
    assert!(kind == Alarm::Signature && said.contains("cannot be read"), "{said}");
    assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
}

#[test]
fn a_config_maps_signature_is_the_key_beside_the_file() {
    let Some(signed) = Signed::new() else { return };
    let (store, _) = SopsStore::open(StoreOptions {
        folder: None,
        authorship: signed.asking(Duration::ZERO),
        ..options(signed.folder.path())
    });
    let app = text("app.enc.yaml");
    let signature = signed.key.sign("vanta-sops:dev", app.as_bytes());
    let take = |of: &str, content: &str| {
        let key = |config_map: &str, key: &str| ConfigMapKey {
            config_map: config_map.to_owned(),
            key: key.to_owned(),
        };
        let files = [
            (key("a", "dev.enc.yaml"), content.as_bytes().into()),
            (key(of, "dev.enc.yaml.sig"), signature.as_slice().into()),
        ];
        store.take(files.into_iter().collect::<ConfigMapFiles>())
    };
    let report = take("b", &app);
    assert!(
        report.failed[0].reason.starts_with("it is not signed"),
        "another's counts not: {report:?}"
    );
    assert_eq!(take("a", &app).loaded.len(), 1);
    let report = take("a", &format!("{app}\n"));
    assert!(report.failed[0].serves_earlier && report.failed[0].alarm == Alarm::Signature);
    assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
}

#[test]
fn nothing_of_a_file_is_opened_before_its_signature_is_good() {
    let Some(signed) = Signed::new() else { return };
    // Without any identity: what is told is what is looked at first.
    signed.put("dev.enc.yaml", text("app.enc.yaml").as_bytes());
    let (store, _) = SopsStore::open(StoreOptions {
        shared: SharedIdentities::None,
        authorship: signed.asking(Duration::ZERO),
        ..options(signed.folder.path())
    });
    assert_eq!(alarm(&store, "dev").unwrap().0, Alarm::Signature);
    signed.put_signed("dev.enc.yaml", text("app.enc.yaml").as_bytes(), "dev");
    store.refresh();
    assert_eq!(alarm(&store, "dev").unwrap().0, Alarm::Refused);
}

#[test]
fn the_signature_of_a_file_that_sops_saves_is_made_as_the_refusal_says() {
    let (Some(workshop), Some(signed)) = (Workshop::new(), Signed::new()) else { return };
    let bytes = workshop.encrypt("dev.enc.yaml", "PASSWORD: p\n", OURS);
    signed.put("dev.enc.yaml", &bytes);
    let store = signed.open(Duration::ZERO);
    let said = alarm(&store, "dev").unwrap().1;
    assert!(said.contains("ssh-keygen -Y sign -n vanta-sops:dev -f KEY dev.enc.yaml`"), "{said}");
    signed.put("dev.enc.yaml.sig", &signed.key.sign("vanta-sops:dev", &bytes));
    store.refresh();
    assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "p");
}
