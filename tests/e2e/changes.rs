//! Changes reach what runs: a new value its file, a withdrawn grant its tokens.

use std::time::Instant;

use jiff::Timestamp;
use vanta::contract::api::problem::ProblemKind;

use crate::support::kubectl::kubectl;
use crate::support::pods::{deployment, template};
use crate::support::shop::{Shop, encrypted, secret, sha256};
use crate::support::vault::{client, refused};
use crate::support::{DEADLINE, share, until};

/// Prints the hash of the one value whenever it is another one than before.
const FOLLOW: &str = r#"
while :; do
  new=$(. /vanta/secrets/.env; printf %s "$APP_TOKEN" | sha256sum | cut -d' ' -f1)
  [ "$new" = "$old" ] || echo "now $new"
  old=$new
  sleep 0.05
done
"#;

#[test]
fn a_changed_configmap_reaches_the_running_pods_file_without_a_restart() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("changes", &[("APP_TOKEN", "old")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    shop.apply(&deployment("web", template("default", Some("app"), FOLLOW)));
    let before = shop.ready("web");
    let name = before["metadata"]["name"].as_str().unwrap();
    let seen = |word: &str| {
        let line = format!("now {}", sha256(&secret(word)));
        until(&format!("the file holds {word}"), || {
            let log = kubectl(&["-n", &shop.name, "logs", name, "-c", "app", "--timestamps"])?;
            let found = log.lines().find(|seen| seen.ends_with(&line));
            let time = found.and_then(|line| line.split(' ').next()).map(str::to_owned);
            time.ok_or(log)
        })
    };
    seen("old");

    let changed = encrypted(&[("APP_TOKEN", "new")]);
    let began = Timestamp::now();
    shop.deliver(&changed);
    let applied = Timestamp::now();
    let seen: Timestamp = seen("new").parse().unwrap();
    let since = |moment| seen.duration_since(moment).as_millis();
    println!(
        "the new value was read from the file {} ms after kubectl began to apply it, and {} ms \
         after kubectl ended",
        since(began),
        since(applied)
    );

    let after = shop.ready("web");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "it is another pod");
    for group in ["initContainerStatuses", "containerStatuses"] {
        assert_eq!(after["status"][group][0]["restartCount"], 0, "it was restarted");
    }
}

#[test]
fn a_deleted_secretaccess_stops_a_live_token_at_a_next_read() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("withdrawn", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(false);
    let identity = shop.identity("default", &["--audience", "vanta-vault"]);
    let token =
        until("the grant is in force", || shop.token(&identity).map_err(|error| error.to_string()));
    assert_eq!(shop.reads(&token, "APP_TOKEN"), Ok(()));

    let (began, vault) = (Instant::now(), client());
    let deleting = std::thread::spawn({
        let namespace = shop.name.clone();
        move || {
            kubectl(&["-n", &namespace, "delete", "secretaccess", "app"]).unwrap();
            Instant::now()
        }
    });
    let (environment, key) = (shop.name.parse().unwrap(), "APP_TOKEN".parse().unwrap());
    let refusal = loop {
        match vault.value(&token, &environment, &key) {
            Ok(_) => assert!(began.elapsed() < DEADLINE, "it is still read"),
            Err(error) => break error,
        }
    };
    let ended = Instant::now();
    assert_eq!(refused(&refusal), ProblemKind::OutOfScope);
    let deleted = deleting.join().unwrap();
    println!(
        "reads were refused {} ms after kubectl began to delete the SecretAccess, which it \
         reported after {} ms",
        ended.duration_since(began).as_millis(),
        deleted.duration_since(began).as_millis()
    );
}
