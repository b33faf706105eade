//! The client and the real vault, as two processes.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

use crate::support::cli::{Ran, cli_at, run};
use crate::support::program::{Program, Site};
use crate::support::service::GREETING;

struct Both {
    site: Site,
    vault: Program,
}

impl Both {
    fn start() -> Self {
        let site = Site::new();
        let vault = site.start();
        Self { site, vault }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = run(cli_at(&self.vault.api, &self.site.client_secret, arguments));
        assert!(!ran.stderr.contains(&self.site.client_secret), "{}", ran.stderr);
        ran
    }

    /// What the audit says was done and what came of it.
    fn audited(&self, action: &str) -> bool {
        self.site.audit().iter().any(|line| line.contains(action))
    }
}

#[test]
fn a_value_is_read_and_its_token_given_back() {
    let both = Both::start();
    let ran = both.run(&["get", "dev", "GREETING"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), GREETING), "{}", ran.stderr);
    assert!(both.audited("revoke"), "{:?}", both.site.audit());
}

#[test]
fn names_are_listed_and_what_is_missing_or_out_of_scope_is_told_apart() {
    let both = Both::start();
    let ran = both.run(&["list", "dev"]);
    assert!(ran.stdout.lines().all(|key| key.starts_with("APP_")), "{}", ran.stdout);
    assert!(!ran.stdout.is_empty(), "{}", ran.stderr);
    assert_eq!(both.run(&["get", "dev", "APP_GONE"]).code, Some(66));
    assert_eq!(both.run(&["get", "dev", "OTHER"]).code, Some(77));
    assert_eq!(both.run(&["get", "nowhere", "APP_DB_USER"]).code, Some(77));
}

#[test]
fn a_token_works_until_it_is_revoked() {
    let both = Both::start();
    let issued = both.run(&["token", "generate", "-e=dev", "-k=GREETING"]);
    let token = issued.stdout.trim_end();
    assert_eq!(issued.code, Some(0), "{}", issued.stderr);
    assert!(!issued.stderr.contains(token));
    let with_token = |arguments: &[&str]| {
        let mut command = cli_at(&both.vault.api, &both.site.client_secret, arguments);
        command.env("VANTA_TOKEN", token);
        let ran = run(command);
        assert!(!ran.stderr.contains(token), "{}", ran.stderr);
        ran
    };
    assert_eq!(with_token(&["get", "dev", "GREETING"]).stdout, GREETING);
    assert_eq!(with_token(&["token", "revoke"]).code, Some(0));
    assert_eq!(with_token(&["get", "dev", "GREETING"]).code, Some(77));
}

#[test]
fn a_command_runs_with_the_secrets_in_both_forms() {
    let both = Both::start();
    for (form, script) in [
        ("--inject-as=env", "test -n \"$APP_DB_PASSWORD\" && exit 42"),
        (
            "--inject-as=file",
            "set -a; . \"$VANTA_SECRETS_FILE\"; test -n \"$APP_DB_PASSWORD\" && exit 42",
        ),
    ] {
        let ran =
            both.run(&["run-with-secrets", "-e=dev", "-k=APP_*", form, "--", "sh", "-c", script]);
        assert_eq!(ran.code, Some(42), "{form}: {}", ran.stderr);
    }
}

/// A vault that serves with the certificate and key of its site.
fn with_tls(site: &Site) -> Program {
    let mut command = site.command();
    command
        .env("VANTA_TLS_CERT_FILE", site.path("tls.crt"))
        .env("VANTA_TLS_KEY_FILE", site.path("tls.key"));
    Program::start(command, "https")
}

#[test]
fn a_certificate_is_believed_from_the_named_authority_alone() {
    let site = Site::new();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]);
    let certificate = params.unwrap().self_signed(&key).unwrap();
    site.write("tls.crt", &certificate.pem());
    site.write("tls.key", &key.serialize_pem());
    let vault = with_tls(&site);
    let get = |more: &[&str]| {
        let arguments = [&["get", "dev", "GREETING"], more].concat();
        run(cli_at(&vault.api, &site.client_secret, &arguments))
    };
    let authority = site.path("tls.crt");
    let believed = get(&["--ca-file", authority.to_str().unwrap()]);
    assert_eq!(
        (believed.code, believed.stdout.as_str()),
        (Some(0), GREETING),
        "{}",
        believed.stderr
    );
    let mut by_system = cli_at(&vault.api, &site.client_secret, &["get", "dev", "GREETING"]);
    by_system.env("SSL_CERT_FILE", &authority);
    let by_system = run(by_system);
    assert_eq!(
        (by_system.code, by_system.stdout.as_str()),
        (Some(0), GREETING),
        "{}",
        by_system.stderr
    );
    let doubted = get(&[]);
    assert_eq!((doubted.code, doubted.stdout.as_str()), (Some(78), ""), "{}", doubted.stderr);
    assert!(doubted.stderr.contains("--ca-file"), "{}", doubted.stderr);
}

/// What the client says of a vault whose certificate it is told to believe.
fn said_of(certificate: impl FnOnce(&mut CertificateParams)) -> String {
    let site = Site::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    certificate(&mut params);
    site.write("tls.crt", &params.self_signed(&key).unwrap().pem());
    site.write("tls.key", &key.serialize_pem());
    let vault = with_tls(&site);
    let authority = site.path("tls.crt");
    let arguments = ["get", "dev", "GREETING", "--ca-file", authority.to_str().unwrap()];
    let ran = run(cli_at(&vault.api, &site.client_secret, &arguments));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(78), ""), "{}", ran.stderr);
    ran.stderr.replace(&vault.api, "ADDRESS")
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_in_words_with_what_to_do() {
    let authority = said_of(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    insta::assert_snapshot!(authority, @r"
    error: the vault at ADDRESS cannot be believed: its certificate is an authority's own (CA:TRUE) and cannot serve
      issue a certificate for the vault from it
    ");
    let expired = said_of(|it| it.not_after = date_time_ymd(2020, 1, 1));
    insta::assert_snapshot!(expired, @r"
    error: the vault at ADDRESS cannot be believed: its certificate has expired
      renew the vault's certificate; if it is not that, this machine's clock is wrong
    ");
    let early = said_of(|it| it.not_before = date_time_ymd(2100, 1, 1));
    insta::assert_snapshot!(early, @r"
    error: the vault at ADDRESS cannot be believed: its certificate is not valid yet
      is this machine's clock right?
    ");
    let other = said_of(|it| {
        it.subject_alt_names = vec![rcgen::SanType::DnsName("vault.example".try_into().unwrap())];
    });
    insta::assert_snapshot!(other, @r"
    error: the vault at ADDRESS cannot be believed: its certificate is not for that name
      address the vault by a name of its certificate, with --address
    ");
}
