//! schemathesis, which makes requests of all kinds from the OpenAPI document, good and bad, and
//! compares the answers with it: against the real program, with real credentials.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::oracle;
use super::program::{Program, Site};

/// The client `ci` has all of dev, without a count of uses, which the requests would use up.
const GRANTS: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: all}
spec: {subject: {client: ci}, environment: dev, keyPattern: '*', permissions: [read, list]}
---
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: dev}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: ['*']
";

/// The keys of dev, for requests that are to find something.
const KEYS: &str = "APP_API_URL,APP_DB_PASSWORD,APP_DB_USER,GREETING";

/// How it is attacked.
#[derive(Clone, Copy)]
pub(crate) struct Attack {
    /// How many requests are made up for each operation, besides those that its document's bounds
    /// ask for.
    pub(crate) examples: u32,
    pub(crate) seed: u32,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Whether every answer was as it is described.
    pub(crate) as_described: bool,
    /// What schemathesis said.
    pub(crate) said: String,
    /// What the vault logged.
    pub(crate) log: String,
}

/// Attacks a new vault; nothing where schemathesis is not installed.
pub(crate) fn attack(attack: Attack) -> Option<Outcome> {
    let libraries = oracle::libraries()?.join("schemathesis");
    let program = Some(libraries.join("bin/st")).filter(|program| program.is_file())?;
    let site = Site::new();
    site.write("access/all.yaml", GRANTS);
    let mut vault = site.command();
    vault.env("VANTA_LOG", "info");
    let vault = Program::start(vault, "http");
    let body = json!({"environment": "dev", "key_pattern": "*", "permissions": ["read", "list"]});
    let token = vault.token_with(&site, &body);
    let basic = |name: &str| STANDARD.encode(format!("{name}:{}", site.client_secret));

    let output = Command::new("python3")
        .arg("-B")
        .arg(program)
        .arg("--config-file")
        .arg(fixture("schemathesis.toml"))
        .args(["run", "--no-color", "--continue-on-failure", "--url", &vault.api])
        .args(["--max-examples", &attack.examples.to_string()])
        .args(["--seed", &attack.seed.to_string()])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json"))
        .current_dir(site.path(""))
        .env("PYTHONPATH", &libraries)
        .env("SCHEMATHESIS_HOOKS", fixture("hooks.py"))
        .env("VANTA_TEST_CLIENT", basic("ci"))
        .env("VANTA_TEST_ADMINISTRATOR", basic("ops"))
        .env("VANTA_TEST_TOKEN", token)
        .env("VANTA_TEST_KEYS", KEYS)
        .output()
        .expect("schemathesis can be started");
    let said = [output.stdout, output.stderr].concat();
    Some(Outcome {
        as_described: output.status.success(),
        said: String::from_utf8_lossy(&said).into_owned(),
        log: vault.log(),
    })
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schemathesis").join(name)
}
