//! What administrators do from the command line.

use crate::support::cli::{Ran, cli_at, run};
use crate::support::program::{Program, Site};

struct Administered {
    site: Site,
    vault: Program,
}

impl Administered {
    fn start() -> Self {
        let site = Site::new();
        let vault = site.start();
        Self { site, vault }
    }

    fn by(&self, client: &str, token: Option<&str>, arguments: &[&str]) -> Ran {
        let mut command = cli_at(&self.vault.api, &self.site.client_secret, arguments);
        command.env("VANTA_CLIENT_ID", client);
        if let Some(token) = token {
            command.env("VANTA_TOKEN", token);
        }
        let ran = run(command);
        assert!(!ran.stderr.contains(&self.site.client_secret), "{}", ran.stderr);
        ran
    }

    fn token(&self) -> String {
        let issued = self.by("ci", None, &["token", "generate", "-e=dev", "-k=GREETING"]);
        assert_eq!(issued.code, Some(0), "{}", issued.stderr);
        issued.stdout.trim_end().to_owned()
    }

    fn reads(&self, token: &str) -> bool {
        self.by("ci", Some(token), &["get", "dev", "GREETING"]).code == Some(0)
    }
}

#[test]
fn a_token_is_inspected_and_ended_by_its_identifier() {
    let vault = Administered::start();
    let token = vault.token();
    let said = vault.by("ops", Some(&token), &["token", "inspect"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.starts_with("active\njti          "), "{}", said.stdout);
    assert!(said.stdout.contains("subject      client:ci\n"), "{}", said.stdout);
    let jti = said.stdout.split_whitespace().nth(2).unwrap();
    let ended = vault.by("ops", None, &["token", "revoke", "--jti", jti]);
    assert_eq!((ended.code, ended.stderr), (Some(0), format!("token {jti} is revoked\n")));
    assert!(!vault.reads(&token));
    assert_eq!(vault.by("ops", Some(&token), &["token", "inspect"]).stdout, "not active\n");
}

#[test]
fn a_subject_is_blocked_and_unblocked() {
    let vault = Administered::start();
    let token = vault.token();
    let blocked = vault.by("ops", None, &["token", "revoke", "--subject=client:ci", "--block"]);
    assert_eq!(blocked.code, Some(0), "{}", blocked.stderr);
    assert!(!vault.reads(&token));
    let refused = vault.by("ci", None, &["token", "generate", "-e=dev", "-k=GREETING"]);
    assert_eq!(refused.code, Some(77));
    assert!(refused.stderr.contains("an administrator has blocked"), "{}", refused.stderr);
    let why = vault.by("ci", None, &["explain", "dev", "APP_DB_USER"]);
    let said = "refused for client:ci: an administrator has blocked the subject";
    assert!(why.stdout.starts_with(said) && !why.stdout.contains("minutes"), "{}", why.stdout);
    vault.by("ops", None, &["token", "revoke", "--subject=client:ci", "--unblock"]);
    let got = vault.by("ci", None, &["get", "dev", "GREETING"]);
    assert_eq!(got.code, Some(0), "{}", got.stderr);
    assert!(!vault.reads(&token));
}

#[test]
fn a_decision_is_explained_to_whom_it_is_about_and_to_administrators() {
    let vault = Administered::start();
    let about_itself = vault.by("ci", None, &["explain", "dev", "APP_DB_USER"]);
    insta::assert_snapshot!(about_itself.stdout, @r"
    allowed for client:ci: SecretAccess default/app within SecretPolicy dev
    token        60 minutes, uses 1000
    keys         APP_*
    SecretAccess default/app: it covers this
      SecretPolicy dev: it allows this
    SecretAccess default/gone: it is for another environment
    SecretAccess default/greeting: its patterns do not match
    ");
    let about_other =
        vault.by("ops", None, &["explain", "dev", "OTHER", "--subject=client:ci", "-o=json"]);
    assert!(about_other.stdout.contains("\"allowed\": false"), "{}", about_other.stdout);
    let refused = vault.by("ci", None, &["explain", "dev", "OTHER", "--subject=client:ops"]);
    assert_eq!(refused.code, Some(77), "{}", refused.stderr);
}

#[test]
fn who_holds_what_is_shown_to_administrators() {
    let vault = Administered::start();
    assert_eq!(vault.by("ci", None, &["get", "dev", "GREETING"]).code, Some(0));
    let who = vault.by("ops", None, &["who", "dev", "GREETING"]);
    assert_eq!(who.code, Some(0), "{}", who.stderr);
    assert!(who.stdout.contains("  current  "), "{}", who.stdout);
    assert!(who.stdout.ends_with("  GREETING (1 key)  client:ci\n"), "{}", who.stdout);
    assert_eq!(vault.by("ops", None, &["who", "dev", "APP_DB_USER"]).stdout, "");
    assert_eq!(vault.by("ci", None, &["who", "dev"]).code, Some(77));
}
