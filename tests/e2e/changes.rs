//! Changes reach what runs: a new value its file, a withdrawn grant its tokens.

use std::time::Instant;

use jiff::Timestamp;
use vanta::contract::api::problem::ProblemKind;

use crate::support::kubectl::kubectl;
use crate::support::pods::{deployment, template};
use crate::support::shop::{Shop, secret, sha256};
use crate::support::{share, until};

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

    shop.secrets(&[("APP_TOKEN", "new")]);
    let applied = Timestamp::now();
    let seen: Timestamp = seen("new").parse().unwrap();
    let took = seen.duration_since(applied).as_millis();
    println!("the new value was read from the file {took} ms after kubectl had applied it");

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

    shop.withdraw("app");
    let deleted = Instant::now();
    let refused = until("a read is refused", || {
        shop.reads(&token, "APP_TOKEN").err().ok_or_else(|| "it is still read".to_owned())
    });
    assert_eq!(refused, ProblemKind::OutOfScope);
    println!(
        "a read was refused {} ms after kubectl had deleted it",
        deleted.elapsed().as_millis()
    );
}
