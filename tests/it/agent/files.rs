//! What an agent lays down: where, for whom, in which form, and never by halves.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::pod::{Pod, until_file};
use super::served::{Served, access, policy};
use crate::support::program::until;

const DOTENV: &str = "APP_API_URL='https://api.example.com/v1'\n\
                      APP_DB_PASSWORD='example-password-1'\n\
                      APP_DB_USER='app'\n";

fn served(accesses: &[(&str, &str, &str)]) -> Served {
    let served = Served::start();
    let accesses = accesses.iter().map(|(name, pattern, more)| access(name, pattern, more));
    served.grant(&accesses.chain([policy()]).collect::<Vec<_>>());
    served
}

#[test]
fn the_granted_keys_alone_are_in_a_file_of_the_agents_own_user() {
    let served = served(&[("checkout", "APP_*", "file: {path: .env}")]);
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    assert_eq!(pod.read(".env").unwrap(), DOTENV);
    assert_eq!(pod.tree(), [".env 600"]);
    let owner = std::fs::metadata(pod.secret(".env")).unwrap().uid();
    assert_eq!(owner, nix::unistd::geteuid().as_raw());
}

#[test]
fn a_group_may_read_the_files_and_enter_their_folders_and_nobody_else_may() {
    let served = served(&[
        ("checkout", "APP_*", "file: {path: app/deep/secrets.json, format: json}"),
        ("smtp", "smtp.*", "file: {path: smtp, format: files}"),
    ]);
    let pod = Pod::new(&served.api()).with("VANTA_FILE_MODE", "0440");
    let _agent = pod.ready();
    assert_eq!(
        pod.tree(),
        [
            "app 750",
            "app/deep 750",
            "app/deep/secrets.json 440",
            "smtp 750",
            "smtp/smtp.host 440",
            "smtp/smtp.port 440",
        ]
    );
    let kept = std::fs::metadata(pod.secret(".vanta")).unwrap().mode();
    assert_eq!(kept & 0o7777, 0o440);
}

#[test]
fn each_form_is_as_the_secretaccess_says_and_without_one_it_is_a_dotenv_file() {
    let served = served(&[
        ("plain", "GREETING", ""),
        ("json", "smtp.*", "file: {path: a.json, format: json, rename: {smtp.host: host}}"),
        ("yaml", "APP_DB_USER", "file: {path: a.yaml, format: yaml}"),
        ("files", "APP_DB_*", "file: {path: db, format: files, rename: {APP_DB_USER: user}}"),
    ]);
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    assert_eq!(pod.read(".env").unwrap(), "GREETING='hello from VANTA'\n");
    assert_eq!(
        pod.read("a.json").unwrap(),
        "{\n  \"host\": \"smtp.example.com\",\n  \"smtp.port\": \"587\"\n}\n"
    );
    assert_eq!(pod.read("a.yaml").unwrap(), "\"APP_DB_USER\": \"app\"\n");
    assert_eq!(pod.read("db/user").unwrap(), "app");
    assert_eq!(pod.read("db/APP_DB_PASSWORD").unwrap(), "example-password-1");
}

#[test]
fn grants_of_one_path_and_form_share_their_file() {
    let served = served(&[("checkout", "APP_DB_USER", ""), ("shared", "GREETING", "")]);
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    assert_eq!(pod.read(".env").unwrap(), "APP_DB_USER='app'\nGREETING='hello from VANTA'\n");
}

#[test]
fn grants_at_odds_are_named_both_and_the_pod_waits() {
    for (one, other, expected) in [
        (
            ("one", "APP_DB_*", ""),
            ("two", "APP_*", ""),
            "SecretAccess one and SecretAccess two both give APP_DB_PASSWORD in .env",
        ),
        (
            ("one", "smtp.*", "file: {path: .env, rename: {smtp.host: a.b}}"),
            ("two", "APP_DB_USER", "file: {path: .env, rename: {APP_DB_USER: a_b}}"),
            "SecretAccess one and SecretAccess two both give a_b in .env",
        ),
        (
            ("one", "APP_*", "file: {path: x}"),
            ("two", "GREETING", "file: {path: x, format: json}"),
            "the one wants x as dotenv, the other as json",
        ),
        (
            ("one", "APP_*", "file: {path: x}"),
            ("two", "GREETING", "file: {path: x/y}"),
            "a file is not in another file: x and x/y",
        ),
        (
            ("one", "APP_*", "file: {path: x, format: files}"),
            ("two", "GREETING", "file: {path: x, format: files}"),
            "each wants a folder x of its own",
        ),
    ] {
        let served = served(&[one, other]);
        let pod = Pod::new(&served.api());
        let agent = pod.start();
        let status = agent.until_status(expected);
        assert!(status.starts_with("waiting: "), "{status}");
        assert!(status.contains("one") && status.contains("two"), "{status}");
        let (code, probed) = pod.probe();
        assert_eq!(code, Some(1));
        assert!(probed.contains(expected), "{probed}");
    }
}

#[test]
fn a_path_of_the_agents_own_and_a_value_without_a_form_are_refused_by_name() {
    let served = served(&[
        ("own", "APP_*", "file: {path: .vanta}"),
        ("nameless", "APP_DB_USER", "file: {path: a, rename: {APP_DB_USER: 1st}}"),
    ]);
    let pod = Pod::new(&served.api());
    let agent = pod.start();
    agent.until_status("SecretAccess own: its file .vanta");
    agent.until_status("SecretAccess nameless: APP_DB_USER would be the variable 1st");
}

#[test]
fn a_reader_sees_each_version_whole_and_never_no_file() {
    let served = served(&[("checkout", "APP_*", "")]);
    let pod = Arc::new(Pod::new(&served.api()));
    let _agent = pod.ready();
    let rotated = DOTENV.replace("example-password-1", "rotated-in-the-example");
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (pod, done, rotated) = (Arc::clone(&pod), Arc::clone(&done), rotated.clone());
            std::thread::spawn(move || {
                let mut seen = [false, false];
                while !done.load(Ordering::Relaxed) {
                    let content = pod.read(".env").expect("there is always a file");
                    assert!(content == DOTENV || content == rotated, "it is torn");
                    seen[usize::from(content == rotated)] = true;
                }
                seen
            })
        })
        .collect();
    for _ in 0..4 {
        served.put("dev-rotated");
        until_file(&pod, ".env", "rotated-in-the-example");
        served.put("dev-elsewhere");
        until_file(&pod, ".env", "example-password-1");
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), [true, true], "it saw both versions");
    }
}

#[test]
fn a_file_is_left_alone_by_a_change_of_what_is_not_in_it() {
    let served = served(&[("checkout", "APP_*", ""), ("smtp", "smtp.*", "file: {path: smtp}")]);
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    let before = std::fs::metadata(pod.secret(".env")).unwrap();
    served.put("dev-elsewhere");
    until_file(&pod, "smtp", "mail.elsewhere.example");
    let after = std::fs::metadata(pod.secret(".env")).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

#[test]
fn a_folder_of_files_loses_those_whose_keys_are_gone() {
    let served = served(&[
        ("db", "APP_*", "file: {path: app, format: files}"),
        ("hint", "GREETING", "file: {path: hint}"),
    ]);
    let pod = Pod::new(&served.api());
    let _agent = pod.ready();
    assert_eq!(
        pod.tree(),
        [
            "app 700",
            "app/APP_API_URL 600",
            "app/APP_DB_PASSWORD 600",
            "app/APP_DB_USER 600",
            "hint 600",
        ]
    );
    let narrowed = access("db", "APP_DB_USER", "file: {path: app, format: files}");
    served.grant(&[narrowed, policy()]);
    until("the others are gone", || {
        (pod.tree() == ["app 700", "app/APP_DB_USER 600", "hint 600"]).then_some(())
    });
}

#[test]
fn a_file_moves_when_its_path_changes_also_to_below_where_it_was() {
    let hint = access("hint", "GREETING", "file: {path: hint}");
    let app = |path: &str| access("app", "APP_DB_USER", &format!("file: {{path: {path}}}"));
    let served = Served::start();
    served.grant(&[app("x"), hint.clone(), policy()]);
    // The other one's end has the agent ask at once what is granted.
    let pod = Pod::new(&served.api()).with("VANTA_ON_REVOKE", "remove");
    let _agent = pod.ready();
    assert_eq!(pod.tree(), ["hint 600", "x 600"]);
    served.grant(&[app("x/deep/.env"), policy()]);
    until("it has moved", || {
        (pod.tree() == ["x 700", "x/deep 700", "x/deep/.env 600"]).then_some(())
    });
    assert_eq!(pod.read("x/deep/.env").unwrap(), "APP_DB_USER='app'\n");
}
