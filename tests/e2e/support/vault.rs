//! The vault as a client outside any pod has it.

use std::path::PathBuf;

use serde_json::Value;
use vanta::adapters::client::{AccessToken, ClientError, Credential, VaultClient};
use vanta::contract::api::problem::ProblemKind;
use vanta::contract::api::tokens::GenerateRequest;
use vanta::domain::grants::Permission;

use super::kubectl::{json, kubectl};
use super::shop::Shop;
use super::{SYSTEM, folder};

/// A client that trusts the authority that the injector made.
pub(crate) fn client() -> VaultClient {
    let map = json(&["-n", SYSTEM, "get", "configmap", "vanta-ca"]).unwrap();
    let pem = map["data"]["ca.crt"].as_str().unwrap();
    let file: PathBuf = folder().unwrap().join("tests-ca.crt");
    let beside = file.with_extension(format!("{:?}", std::thread::current().id()));
    std::fs::write(&beside, pem).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    let address = format!("https://vanta-vault.{SYSTEM}.svc:8443").parse().unwrap();
    VaultClient::new(address, Some(&file)).unwrap()
}

impl Shop {
    /// An identity token from the TokenRequest API.
    pub(crate) fn identity(&self, account: &str, more: &[&str]) -> Credential {
        let token = ["-n", &self.name, "create", "token", account];
        let token = kubectl(&[&token[..], more].concat()).unwrap();
        Credential::identity_token(&token).unwrap()
    }

    /// An access token for all keys of the environment, or why there is none.
    pub(crate) fn token(&self, identity: &Credential) -> Result<AccessToken, ClientError> {
        let request = GenerateRequest {
            subject: None,
            environment: self.name.parse().unwrap(),
            key_pattern: "*".parse().unwrap(),
            ttl_minutes: None,
            usage_limit: None,
            permissions: vec![Permission::Read, Permission::List],
        };
        let answer = client().generate(identity, &request)?;
        Ok(AccessToken::new(&answer.token).unwrap())
    }

    /// Whether a token reads a key now, or why not.
    pub(crate) fn reads(&self, token: &AccessToken, key: &str) -> Result<(), ProblemKind> {
        let value = client().value(token, &self.name.parse().unwrap(), &key.parse().unwrap());
        value.map(drop).map_err(|error| refused(&error))
    }
}

/// The kind of a refusal.
pub(crate) fn refused(error: &ClientError) -> ProblemKind {
    match error {
        ClientError::Refused(problem) => problem.known_kind().unwrap(),
        other => panic!("it is not refused: {other}"),
    }
}

/// The pods of one of the system's programs.
pub(crate) fn system_pods(program: &str) -> Vec<Value> {
    let label = format!("app.kubernetes.io/component={program}");
    let pods = json(&["-n", SYSTEM, "get", "pods", "-l", &label]).unwrap();
    pods["items"].as_array().unwrap().clone()
}
