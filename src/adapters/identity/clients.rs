//! Clients with credentials of their own, from a file of hashes.
//!
//! Each secret is 256 random bits, so a plain SHA-256 of it cannot be guessed and no password
//! hash is needed. A file maps no secret to a name: it can be kept in Git.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use crate::adapters::files::{ReadError, parse_yaml, read_text};
use crate::contract::clients::{ClientEntry, ClientsFile};
use crate::domain::identity::{Administers, ClientSecret, Identity, Method, Subject};
use crate::domain::names::Label;
use crate::domain::ports::{Answer, AuthenticationError, Authenticator, Credentials};

/// The longest file, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The file of clients cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// It cannot be read.
    #[error("the clients file {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// There is none.
    #[error(
        "the clients file {path} does not exist, so there are no clients: make one with \
         `vanta-cli client hash`"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// It is not of the documented form.
    #[error(
        "the clients file {path} is not well formed: {reason}; write `clients:` and below it the \
         entries that `vanta-cli client hash` prints, or those entries alone"
    )]
    Parse {
        /// The file.
        path: String,
        /// What and where.
        reason: String,
    },
}

struct Credential {
    name: Label,
    id: String,
    hash: [u8; 32],
    expires_at: Option<Timestamp>,
    administrator: bool,
}

/// Checks HTTP Basic credentials (RFC 7617) against hashes.
#[derive(Default)]
pub struct ClientCredentials {
    credentials: ArcSwap<Vec<Credential>>,
}

impl ClientsError {
    /// Whether it may pass without a change of the file.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.is_passing(),
            Self::Missing { .. } | Self::Parse { .. } => false,
        }
    }
}

impl ClientCredentials {
    /// Reads the file, and puts what it says in place of what was known. One that cannot be read or
    /// is not well formed changes nothing; one that is gone leaves no clients.
    pub fn load(&self, path: &Path) -> Result<usize, ClientsError> {
        let shown = path.display().to_string();
        let text = match read_text(path, MAX_FILE_BYTES) {
            Ok(text) => text,
            Err(error) if error.is_missing() => {
                self.credentials.store(Arc::default());
                return Err(ClientsError::Missing { path: shown });
            }
            Err(source) => return Err(ClientsError::Read { path: shown, source }),
        };
        let credentials =
            parse(&text).map_err(|reason| ClientsError::Parse { path: shown, reason })?;
        let count = credentials.len();
        self.credentials.store(credentials.into());
        Ok(count)
    }

    fn check(&self, name: &Label, secret: &[u8], now: Timestamp) -> Result<Identity, String> {
        let Some(secret) = ClientSecret::parse(secret) else {
            return Err(format!("what client {name} shows is not of a generated secret's form"));
        };
        let hash = secret.sha256();
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
            administers: if credential.administrator {
                Administers::Everything
            } else {
                Administers::Nothing
            },
        })
    }
}

fn parse(text: &str) -> Result<Vec<Credential>, String> {
    let mut files: Vec<ClientsFile> = parse_yaml(text)?;
    let file = files.pop().filter(|_| files.is_empty());
    let file = file.ok_or("there is not one YAML document in it")?;
    let mut credentials: Vec<Credential> = Vec::new();
    for entry in file.clients {
        let ClientEntry { name, id, sha256, expires_at, administrator } = entry;
        let mut hash = [0; 32];
        hex::decode_to_slice(&sha256, &mut hash).map_err(|_| {
            format!("sha256 of client {name}, credential {id}, is not 64 hex digits")
        })?;
        if credentials.iter().any(|known| known.name == name && known.id == id) {
            return Err(format!("client {name} has two credentials with id {id}"));
        }
        credentials.push(Credential { name, id, hash, expires_at, administrator });
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
    use sha2::{Digest, Sha256};

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
    fn a_credential_is_an_administrators_where_its_entry_says_so_and_no_other_of_the_client_is() {
        let clients = clients(&format!(
            "clients:\n{}{}{}",
            entry("ops", "a", "one", ", administrator: true"),
            entry("ops", "b", "two", ", administrator: false"),
            entry("ops", "c", "three", ""),
        ));
        let administers = |secret: &str| {
            let name = "ops".parse().unwrap();
            let identity = clients.check(&name, full(secret).as_bytes(), Timestamp::now());
            identity.unwrap().administers
        };
        assert_eq!(administers("one"), Administers::Everything);
        assert_eq!(administers("two"), Administers::Nothing);
        assert_eq!(administers("three"), Administers::Nothing);
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

    #[test]
    fn what_the_cli_prints_can_be_appended_to_a_new_file_or_to_one_with_a_heading() {
        let secret = ClientSecret::from_random(&[1; 32]);
        let name: Label = "ci".parse().unwrap();
        let entries = ["1e10", "0123"].map(|id| ClientEntry::new(name.clone(), id.into(), &secret));
        let text = entries.map(|entry| entry.yaml()).concat();
        for heading in ["", "clients:\n"] {
            let clients = clients(&format!("{heading}{text}"));
            let ids: Vec<String> =
                clients.credentials.load().iter().map(|credential| credential.id.clone()).collect();
            assert_eq!(ids, ["1e10", "0123"]);
        }
    }

    #[test]
    fn a_file_that_is_gone_leaves_no_clients_and_a_bad_one_those_that_were() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clients.yaml");
        let clients = clients(&entry("ci", "a", "one", ""));
        std::fs::write(&file, "clients: [vanta_client_hunter2]").unwrap();
        let error = clients.load(&file).unwrap_err().to_string();
        assert!(error.contains("vanta-cli client hash") && !error.contains("hunter2"), "{error}");
        assert_eq!(clients.credentials.load().len(), 1);
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(clients.load(&file), Err(ClientsError::Missing { .. })));
        assert!(clients.credentials.load().is_empty());
    }
}
