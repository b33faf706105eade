//! Clients with credentials of their own, from a file of hashes.
//!
//! Each secret is 256 random bits, so a plain SHA-256 of it cannot be guessed and no password
//! hash is needed. A file maps no secret to a name: it can be kept in Git.

use std::path::Path;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::identity::{Identity, Method, Subject, is_client_secret};
use crate::domain::names::Label;
use crate::domain::ports::{Answer, AuthenticationError, Authenticator, Credentials};

/// The file of clients cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// It cannot be read.
    #[error("the clients file {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not of the documented form.
    #[error("the clients file {path} is not well formed: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What and where.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientsFile {
    clients: Vec<ClientEntry>,
}

/// One credential of one client; a client with two entries is changing its secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    name: Label,
    id: String,
    sha256: String,
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

struct Credential {
    name: Label,
    id: String,
    hash: [u8; 32],
    expires_at: Option<Timestamp>,
}

/// Checks HTTP Basic credentials (RFC 7617) against hashes.
#[derive(Default)]
pub struct ClientCredentials {
    credentials: ArcSwap<Vec<Credential>>,
}

impl ClientCredentials {
    /// Reads the file, and puts what it says in place of what was known.
    pub fn load(&self, path: &Path) -> Result<usize, ClientsError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ClientsError::Read { path: shown.clone(), source })?;
        let credentials =
            parse(&text).map_err(|reason| ClientsError::Parse { path: shown, reason })?;
        let count = credentials.len();
        self.credentials.store(credentials.into());
        Ok(count)
    }

    fn check(&self, name: &Label, secret: &[u8], now: Timestamp) -> Result<Identity, String> {
        if !is_client_secret(secret) {
            return Err(format!("what client {name} shows is not of a generated secret's form"));
        }
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let credentials = self.credentials.load();
        // Every entry of the name is compared, in constant time, whichever fits.
        let of_client = credentials.iter().filter(|credential| credential.name == *name);
        let fitting = of_client.filter(|credential| credential.hash.ct_eq(&hash).into());
        let mut fitting: Vec<&Credential> = fitting.collect();
        let Some(credential) = fitting.pop() else {
            return Err(format!("no credential of client {name} fits"));
        };
        if credential.expires_at.is_some_and(|end| end <= now) {
            return Err(format!("credential {} of client {name} has expired", credential.id));
        }
        Ok(Identity {
            method: Method::ClientCredential,
            subject: Subject::Client(name.clone()),
            pod: None,
            service_account_uid: None,
            credential_id: Some(credential.id.clone()),
            expires_at: credential.expires_at,
        })
    }
}

fn parse(text: &str) -> Result<Vec<Credential>, String> {
    // Without a snippet: a secret may stand in the file by mistake.
    let options = serde_saphyr::options! { with_snippet: false };
    let file: ClientsFile =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    let mut credentials: Vec<Credential> = Vec::new();
    for entry in file.clients {
        let ClientEntry { name, id, sha256, expires_at } = entry;
        let mut hash = [0; 32];
        hex::decode_to_slice(&sha256, &mut hash).map_err(|_| {
            format!("sha256 of client {name}, credential {id}, is not 64 hex digits")
        })?;
        if credentials.iter().any(|known| known.name == name && known.id == id) {
            return Err(format!("client {name} has two credentials with id {id}"));
        }
        credentials.push(Credential { name, id, hash, expires_at });
    }
    Ok(credentials)
}

impl Authenticator for ClientCredentials {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        Box::pin(async move {
            match credentials {
                Credentials::Basic { name, secret } => self
                    .check(name, secret.expose(), Timestamp::now())
                    .map_err(AuthenticationError::Refused),
                Credentials::Bearer(_) => Err(AuthenticationError::Refused(
                    "no issuer of such tokens is known".to_owned(),
                )),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(text: &str) -> ClientCredentials {
        ClientCredentials { credentials: ArcSwap::from_pointee(parse(text).unwrap()) }
    }

    /// A secret of the generated form.
    fn full(secret: &str) -> String {
        format!("vanta_client_{secret:A<43}")
    }

    fn entry(name: &str, id: &str, secret: &str, more: &str) -> String {
        let hash = hex::encode(Sha256::digest(full(secret)));
        format!("- {{name: {name}, id: {id}, sha256: {hash}{more}}}\n")
    }

    #[test]
    fn a_secret_proves_the_client_that_it_belongs_to() {
        let file = format!(
            "clients:\n{}{}{}",
            entry("ci", "old", "one", ""),
            entry("ci", "new", "two", ""),
            entry("web", "a", "three", "")
        );
        let clients = clients(&file);
        let check = |name: &str, secret: &str| {
            clients.check(&name.parse().unwrap(), full(secret).as_bytes(), Timestamp::now())
        };
        assert_eq!(check("ci", "one").unwrap().credential_id.as_deref(), Some("old"));
        assert_eq!(check("ci", "two").unwrap().credential_id.as_deref(), Some("new"));
        assert_eq!(check("web", "one").unwrap_err(), "no credential of client web fits");
        assert!(check("nobody", "one").is_err());
    }

    #[test]
    fn a_credential_ends_when_it_says() {
        let ended = ", expires_at: \"2020-01-01T00:00:00Z\"";
        let clients = clients(&format!("clients:\n{}", entry("ci", "a", "one", ended)));
        let refusal =
            clients.check(&"ci".parse().unwrap(), full("one").as_bytes(), Timestamp::now());
        assert_eq!(refusal.unwrap_err(), "credential a of client ci has expired");
    }

    #[test]
    fn a_secret_that_a_person_thought_up_is_refused_even_where_its_hash_is_listed() {
        let hash = hex::encode(Sha256::digest("hunter2"));
        let clients = clients(&format!("clients: [{{name: ci, id: a, sha256: {hash}}}]"));
        let refusal = clients.check(&"ci".parse().unwrap(), b"hunter2", Timestamp::now());
        assert!(refusal.unwrap_err().contains("generated"));
    }

    #[test]
    fn a_file_that_is_not_well_formed_is_refused_with_the_place() {
        for bad in ["clients: [{name: ci}]", "clients: [{name: ci, id: a, sha256: x}]", "other: 1"]
        {
            assert!(parse(bad).is_err(), "{bad} was accepted");
        }
        let twice = format!("clients:\n{}{}", entry("ci", "a", "x", ""), entry("ci", "a", "y", ""));
        assert!(parse(&twice).is_err());
    }
}
