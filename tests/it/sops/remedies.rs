//! What a refusal says to do, done: by real sops, Git and ssh-keygen, in a shell.

use std::fs;
use std::process::{Command, Stdio};

use vanta::adapters::sops::{Alarm, Authorship, RequireLeaf, Rollback, SopsStore};

use super::fixtures::{edit, line, unnamed};
use super::made::keys::OURS;
use super::workshop::{Workshop, alarm, read, reason, served};
use crate::support::ssh_keygen::SigningKey;

const PLAIN: &str = "A: a\nB: b\n";

/// What a text has in backticks: what it says to run.
fn commands(said: &str) -> Vec<&str> {
    said.split('`').skip(1).step_by(2).collect()
}

/// A store over one file of `dev`, which is refused, and why.
fn refused(workshop: &Workshop, file: &str, bytes: &[u8]) -> (SopsStore, String) {
    workshop.put(file, bytes);
    let (store, _) = workshop.open(unnamed());
    let said = reason(&store, "dev").expect("it is refused");
    (store, said)
}

/// Fails where a file is not served once it is changed so.
fn served_once(workshop: &Workshop, store: &SopsStore, file: &str, mended: &[u8]) {
    workshop.put(file, mended);
    store.refresh();
    assert_eq!(reason(store, "dev"), None);
}

#[test]
fn a_binary_file_that_named_itself_is_mended_by_the_command_that_the_refusal_names() {
    let Some(workshop) = Workshop::new() else { return };
    let bytes = workshop.encrypt("dev.enc.bin", "any text", OURS);
    let named = workshop.change(
        "dev.enc.bin",
        &bytes,
        &["set", "dev.enc.bin", r#"["_vanta_environment"]"#, "\"dev\""],
    );
    let (store, said) = refused(&workshop, "dev.enc.bin", &named);
    assert!(said.contains("holds \"_vanta_environment\" too"), "{said}");
    let command = commands(&said).into_iter().find(|command| command.starts_with("sops unset"));
    let mended = workshop.mend("dev.enc.bin", &named, command.unwrap());
    served_once(&workshop, &store, "dev.enc.bin", &mended);
    assert_eq!(read(&store, "dev", "data").unwrap(), "any text");
    // And where a name is asked for, it is not told to do that again.
    let (store, _) = workshop.open(Authorship::default());
    let said = reason(&store, "dev").unwrap();
    assert!(said.contains("VANTA_AGE_IDENTITIES_PATH") && !said.contains("sops set"), "{said}");
}

#[test]
fn a_value_that_was_written_by_hand_is_put_in_as_the_refusal_says() {
    let Some(workshop) = Workshop::new() else { return };
    let file = "dev.enc.yaml";
    let good = workshop.encrypt(file, PLAIN, OURS);
    workshop.shell("git init -q . && git add dev.enc.yaml && git commit -qm good");
    let text = String::from_utf8(good.clone()).unwrap();
    let sealed = line(&text, "A: ");
    let by_hand = edit(&text, sealed, "A: new");
    let (store, said) = refused(&workshop, file, by_hand.as_bytes());
    let [back, committed, log, "sops set"] = commands(&said)[..] else { panic!("{said}") };
    let set = r#"FILE '["A"]' '"new"'"#;
    let restored = format!("{back} && sops set {set}");
    let mended = workshop.mend(file, by_hand.as_bytes(), &restored);
    served_once(&workshop, &store, file, &mended);
    assert_eq!(read(&store, "dev", "A").unwrap(), "new");
    // Once the bad version is committed, only a version before it is a good one.
    workshop.mend(file, by_hand.as_bytes(), "git commit -qam bad");
    let bad = workshop.mend(file, by_hand.as_bytes(), back);
    assert_eq!(bad, by_hand.as_bytes());
    let before = format!("COMMIT=$({log} --format=%h | sed -n 2p)");
    let restored = format!("{before}\n{}", committed.replace("COMMIT", "$COMMIT"));
    let restored = restored.replace("-- FILE --format=%h", "--format=%h -- FILE");
    assert_eq!(workshop.mend(file, by_hand.as_bytes(), &restored), good);
    // What does not help is not advised.
    for no_help in ["sops encrypt -i FILE", "sops rotate -i FILE", "sops decrypt FILE"] {
        workshop.mend(file, by_hand.as_bytes(), &format!("! {no_help} 2>/dev/null"));
    }
}

#[test]
fn a_merge_conflict_is_told_by_its_line_and_mended_as_the_refusal_says() {
    let Some(workshop) = Workshop::new() else { return };
    let file = "dev.enc.yaml";
    workshop.encrypt(file, PLAIN, OURS);
    workshop.shell(
        r#"git init -q -b main . && git add dev.enc.yaml && git commit -qm one
git checkout -q -b theirs && sops set dev.enc.yaml '["B"]' '"theirs"' && git commit -qam theirs
git checkout -q main && sops set dev.enc.yaml '["A"]' '"ours"' && git commit -qam ours
! git merge -q theirs"#,
    );
    let conflict = workshop.made(file);
    let (store, said) = refused(&workshop, file, &conflict);
    let text = String::from_utf8(conflict.clone()).unwrap();
    let marker = text.lines().position(|line| line.starts_with("<<<<<<< ")).unwrap() + 1;
    assert!(said.starts_with(&format!("line {marker} begins a merge conflict")), "{said}");
    let ours = commands(&said).into_iter().find(|command| command.starts_with("git")).unwrap();
    let change = format!("{ours} && sops set FILE '[\"B\"]' '\"theirs\"'");
    served_once(&workshop, &store, file, &workshop.mend(file, &conflict, &change));
    let values = ["A", "B"].map(|key| read(&store, "dev", key).unwrap());
    assert_eq!(values, ["ours", "theirs"]);
}

/// A file as it is made by sops, what somebody does to its text, what the refusal has to say, and
/// how it is mended.
type Case = (&'static str, fn(&str) -> String, &'static str, &'static str);

#[test]
fn each_remedy_for_what_a_file_holds_is_one_that_sops_does() {
    let age = format!("--age {OURS}");
    let cases: [(&str, &str, Case); 6] = [
        (
            "",
            "",
            (
                "\"a:b\": x\n",
                str::to_owned,
                "rename it with `sops edit`",
                "EDITOR='sed -i s/a:b/ab/' sops edit FILE",
            ),
        ),
        (
            "",
            "",
            (
                "A: \"\"\nB: b\n",
                str::to_owned,
                "take it out with `sops unset`",
                "sops unset FILE '[\"A\"]'",
            ),
        ),
        (
            "",
            "mac_only_encrypted: true, ",
            (
                "A: a\n",
                str::to_owned,
                "take `mac_only_encrypted` out of .sops.yaml, and encrypt it (`sops encrypt -i FILE`)",
                "sops decrypt -i FILE && sed -i 's/mac_only_encrypted: true, //' .sops.yaml && sops encrypt -i FILE",
            ),
        ),
        (
            "--encrypted-regex '('",
            "",
            (
                "APP_A: a\n",
                str::to_owned,
                "as in `sops encrypt --age RECIPIENT --encrypted-regex '^APP_' -i FILE`",
                "sops decrypt -i FILE && sops encrypt AGE --encrypted-regex '^APP_' -i FILE",
            ),
        ),
        (
            "",
            "",
            (
                PLAIN,
                |text| {
                    let version = line(text, "    version:");
                    edit(text, &format!("{version}\n"), "")
                },
                "add a `version` (3.9.0, say) by hand",
                "echo '    version: 3.9.0' >> FILE && sops set FILE '[\"A\"]' '\"new\"'",
            ),
        ),
        (
            "",
            "",
            (
                PLAIN,
                |text| format!("{}\n{text}", line(text, "A: ")),
                "by hand where sops refuses the file",
                "sed -i 1d FILE",
            ),
        ),
    ];
    for (arguments, rule, (plain, change, said, commands)) in cases {
        let Some(workshop) = Workshop::new() else { return };
        let file = "dev.enc.yaml";
        let mut encrypt = format!("sops encrypt AGE {arguments} -i FILE");
        if !rule.is_empty() {
            workshop.beside(".sops.yaml", &format!("creation_rules: [{{{rule}age: {OURS}}}]\n"));
            "sops encrypt -i FILE".clone_into(&mut encrypt);
        }
        let made = workshop.mend(file, plain.as_bytes(), &encrypt.replace("AGE", &age));
        let changed = change(std::str::from_utf8(&made).unwrap());
        let (store, reason) = refused(&workshop, file, changed.as_bytes());
        assert!(reason.contains(said), "{reason}");
        let mended = workshop.mend(file, changed.as_bytes(), &commands.replace("AGE", &age));
        served_once(&workshop, &store, file, &mended);
    }
}

#[test]
fn a_name_in_a_section_or_a_mapping_is_refused_and_put_where_it_belongs_by_what_is_named() {
    for (file, plain, keys) in [
        ("dev.enc.ini", "[s]\nA = a\n_vanta_environment = dev\n", vec!["s.A"]),
        ("dev.enc.yaml", "A: a\ns:\n    _vanta_environment: dev\n", vec!["A"]),
        ("dev.enc.yaml", "A: a\ns:\n    t:\n        _vanta_environment: prod\n", vec!["A"]),
        ("dev.enc.json", "{\"A\": \"a\", \"s\": {\"_vanta_environment\": \"dev\"}}\n", vec!["A"]),
        ("dev.enc.yaml", "A: a\n_vanta_environment:\n    name: dev\n", vec!["A"]),
    ] {
        let Some(workshop) = Workshop::new() else { return };
        let made = workshop.encrypt(file, plain, OURS);
        workshop.put(file, &made);
        let asking = |leaf| Authorship { leaf, ..Authorship::default() };
        assert_eq!(
            alarm(&workshop.open(asking(RequireLeaf::Never)).0, "dev").unwrap().0,
            Alarm::Environment
        );
        let (store, _) = workshop.open(asking(RequireLeaf::Always));
        let (kind, said) = alarm(&store, "dev").unwrap();
        assert_eq!(kind, Alarm::Environment, "{said}");
        let of_sops = commands(&said).into_iter().filter(|command| command.starts_with("sops "));
        let mended = workshop.mend(file, &made, &of_sops.collect::<Vec<_>>().join("\n"));
        workshop.put(file, &mended);
        store.refresh();
        assert_eq!(alarm(&store, "dev"), None, "{plain}");
        assert_eq!(served(&store, "dev"), keys.into_iter().map(str::to_owned).collect());
    }
}

#[test]
fn two_changes_within_one_second_are_mended_by_the_one_command_that_the_alarm_names() {
    let Some(workshop) = Workshop::new() else { return };
    let file = "dev.enc.yaml";
    let saved = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap();
        line(text, "    lastmodified:").to_owned()
    };
    let set = |bytes: &[u8], to: &str| {
        workshop.mend(file, bytes, &format!("sops set FILE '[\"A\"]' '\"{to}\"'"))
    };
    let mut before = workshop.encrypt(file, PLAIN, OURS);
    // Until two of them fall into the same second.
    let after = (0..100).find_map(|at| {
        let after = set(&before, &at.to_string());
        let same = saved(&after) == saved(&before);
        if !same {
            before.clone_from(&after);
        }
        same.then_some(after)
    });
    let after = after.expect("sops saves twice within a second");
    workshop.put(file, &before);
    let (store, _) = workshop.open(Authorship { rollback: Rollback::Deny, ..unnamed() });
    workshop.put(file, &after);
    store.refresh();
    let (kind, said) = alarm(&store, "dev").unwrap();
    assert_eq!(kind, Alarm::Rollback);
    let remedy = said.split(". ").nth(1).unwrap();
    assert!(remedy.starts_with("If it was saved twice within one second"), "{said}");
    let command = commands(&said).into_iter().find(|command| command.starts_with("sops rotate"));
    // Whoever reads it takes longer than what is left of the second.
    let again = || workshop.mend(file, &after, command.unwrap());
    let mended = (0..100).map(|_| again()).find(|mended| saved(mended) != saved(&after));
    workshop.put(file, &mended.expect("the second ends"));
    store.refresh();
    assert_eq!(alarm(&store, "dev"), None);
}

#[test]
fn the_command_of_each_refusal_of_a_signature_signs_the_file_however_it_was_signed_before() {
    let (Some(workshop), Some(key)) = (Workshop::new(), SigningKey::new("ed25519", None)) else {
        return;
    };
    let stranger = SigningKey::new("ed25519", None).unwrap();
    let signers = tempfile::NamedTempFile::new().unwrap();
    fs::write(signers.path(), key.line("ci", "")).unwrap();
    let file = workshop.encrypt("dev.enc.yaml", PLAIN, OURS);
    workshop.put("dev.enc.yaml", &file);
    for (signature, says) in [
        (None, "it is not signed"),
        (Some(b"none".to_vec()), "is not an SSH signature"),
        (Some(key.sign("vanta-sops:prod", &file)), "it is signed for"),
        (Some(key.sign("vanta-sops:dev", b"other")), "was changed after it was signed"),
        (Some(stranger.sign("vanta-sops:dev", &file)), "which is no trusted signer's key"),
    ] {
        let beside = workshop.path("dev.enc.yaml.sig");
        let _ = fs::remove_file(&beside);
        if let Some(signature) = signature {
            fs::write(&beside, signature).unwrap();
        }
        let (store, _) = workshop
            .open(Authorship { trusted_signers: Some(signers.path().to_owned()), ..unnamed() });
        let (kind, said) = alarm(&store, "dev").unwrap();
        assert_eq!(kind, Alarm::Signature);
        assert!(said.contains(says), "{said}");
        let command = commands(&said).into_iter().find(|command| command.contains("-Y sign"));
        let command = command.unwrap().replace("KEY", key.private().to_str().unwrap());
        // Twice, since the second time there is a signature.
        for _ in 0..2 {
            let mut shell = Command::new("sh");
            shell.args(["-c", &command]).current_dir(workshop.served.path());
            shell.stdin(Stdio::null()).stderr(Stdio::null());
            assert!(shell.status().unwrap().success(), "{command}");
            store.refresh();
            assert_eq!(alarm(&store, "dev"), None, "{said}");
        }
    }
    // A change of such a file has to be signed.
    let (store, _) = workshop.open(Authorship {
        trusted_signers: Some(signers.path().to_owned()),
        leaf: RequireLeaf::Always,
        ..Authorship::default()
    });
    assert!(alarm(&store, "dev").unwrap().1.ends_with(", and sign it anew"));
}
