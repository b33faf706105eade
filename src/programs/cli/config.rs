//! The configuration as it is meant: one address, one identity at most, one token at most.

use std::ffi::OsString;
use std::path::Path;

use zeroize::Zeroizing;

use super::args::Global;
use super::failure::Failure;
use crate::adapters::client::{
    AccessToken, Credential, InvalidAddress, InvalidCredential, VaultClient,
};
use crate::adapters::process::Status;

/// The variables that hold or lead to a credential, which no child process gets.
const CREDENTIAL_VARIABLES: [&str; 5] = [
    "VANTA_TOKEN",
    "VANTA_TOKEN_FILE",
    CLIENT_SECRET,
    "VANTA_CLIENT_SECRET_FILE",
    "VANTA_IDENTITY_TOKEN_FILE",
];

const CLIENT_SECRET: &str = "VANTA_CLIENT_SECRET";
const NO_COLOR: &str = "NO_COLOR";

/// How this run reaches the vault, and as whom.
pub(super) struct Config {
    pub(super) client: VaultClient,
    /// The token that was given.
    pub(super) token: Option<AccessToken>,
    identity: Option<Credential>,
}

impl Config {
    pub(super) fn new(global: &Global) -> Result<Self, Failure> {
        let token = token(global)?;
        let identity = identity(global)?;
        let address = global.address.parse().map_err(|error: InvalidAddress| {
            Failure::new(Status::Configuration, error.to_string())
                .advise("see --address and VANTA_ADDR")
        })?;
        let client = VaultClient::new(address, global.ca_file.as_deref())?;
        Ok(Self { client, token, identity })
    }

    /// Who asks for a token.
    pub(super) fn identity(&self) -> Result<&Credential, Failure> {
        self.identity.as_ref().ok_or_else(|| {
            Failure::new(
                Status::Configuration,
                "there is nothing to prove to the vault who you are",
            )
            .advise(
                "set VANTA_CLIENT_ID and VANTA_CLIENT_SECRET, or name a service account's or \
                     an OpenID Connect token with --identity-token-file",
            )
        })
    }

    /// The token that was given, where nothing else will do.
    pub(super) fn given_token(&self) -> Result<&AccessToken, Failure> {
        self.token.as_ref().ok_or_else(|| {
            Failure::new(Status::Usage, "there is no access token to work on").advise(
                "set VANTA_TOKEN, or name a file with --token-file; `token revoke` takes --jti \
                     or --subject in its place",
            )
        })
    }
}

/// The variables that a command inherits: ours, without any credential.
#[expect(clippy::disallowed_methods, reason = "this is the place where variables are read")]
pub(super) fn inherited_environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !CREDENTIAL_VARIABLES.iter().any(|held| name == held))
}

/// Whether the person asked for no colours (no-color.org).
pub(super) fn colours_are_unwanted() -> bool {
    variable(NO_COLOR).is_some()
}

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "this is the place where variables are read")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn token(global: &Global) -> Result<Option<AccessToken>, Failure> {
    let said = global.token.as_deref().filter(|token| !token.is_empty());
    match (said, &global.token_file) {
        (Some(_), Some(_)) => {
            Err(ambiguous("--token (VANTA_TOKEN)", "--token-file (VANTA_TOKEN_FILE)"))
        }
        (Some(token), None) => {
            AccessToken::new(token).map(Some).map_err(|why| unusable("the access token", why))
        }
        (None, Some(file)) => {
            let text = read(file, "the access token")?;
            AccessToken::new(&text)
                .map(Some)
                .map_err(|why| unusable(&format!("the access token in {}", file.display()), why))
        }
        (None, None) => Ok(None),
    }
}

fn identity(global: &Global) -> Result<Option<Credential>, Failure> {
    match (&global.client_id, &global.identity_token_file) {
        (Some(_), Some(_)) => Err(ambiguous(
            "--client-id (VANTA_CLIENT_ID)",
            "--identity-token-file (VANTA_IDENTITY_TOKEN_FILE)",
        )),
        (Some(name), None) => {
            let secret = client_secret(global)?;
            let credential = Credential::client(name.clone(), &secret);
            credential.map(Some).map_err(|why| unusable("the client's secret", why))
        }
        (None, Some(file)) => {
            let text = read(file, "the identity token")?;
            Credential::identity_token(&text)
                .map(Some)
                .map_err(|why| unusable(&format!("the identity token in {}", file.display()), why))
        }
        (None, None) => Ok(None),
    }
}

fn client_secret(global: &Global) -> Result<Zeroizing<String>, Failure> {
    match (variable(CLIENT_SECRET), &global.client_secret_file) {
        (Some(_), Some(_)) => {
            Err(ambiguous(CLIENT_SECRET, "--client-secret-file (VANTA_CLIENT_SECRET_FILE)"))
        }
        (Some(secret), None) => secret
            .into_string()
            .map(Zeroizing::new)
            .map_err(|_| unusable("the client's secret", InvalidCredential::NotOneWord)),
        (None, Some(file)) => read(file, "the client's secret"),
        (None, None) => Err(Failure::new(
            Status::Configuration,
            "a client is named and its secret is not given",
        )
        .advise("set VANTA_CLIENT_SECRET, or name a file with --client-secret-file")),
    }
}

fn read(file: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
        Failure::new(
            Status::Configuration,
            format!("{what} cannot be read from {}: {error}", file.display()),
        )
    })
}

fn unusable(what: &str, why: InvalidCredential) -> Failure {
    Failure::new(Status::Configuration, format!("{what} cannot be used: {why}"))
}

fn ambiguous(one: &str, other: &str) -> Failure {
    Failure::new(Status::Usage, format!("{one} and {other} are both given"))
        .advise("give one of them, so that it is clear which is meant")
}
