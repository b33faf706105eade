//! An access token for one command: the one that was given, or one asked for and given back.

use super::config::Config;
use super::failure::Failure;
use super::printer::Printer;
use crate::adapters::client::{AccessToken, VaultClient};
use crate::contract::api::tokens::GenerateRequest;

/// Calls the vault with a token, and revokes the token afterwards where it was asked for here.
///
/// A token that was given is left alone: it is not ours to end. A revocation that fails is told
/// and does not undo what was done, since the token ends by itself.
pub(super) fn with_token<T>(
    config: &Config,
    request: impl FnOnce() -> GenerateRequest,
    call: impl FnOnce(&VaultClient, &AccessToken) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(token) = &config.token {
        return call(&config.client, token);
    }
    let issued = config.client.generate(config.identity()?, &request())?;
    let token = super::commands::token::usable(&issued)?;
    let answer = call(&config.client, &token);
    if let Err(error) = config.client.revoke(&token) {
        Printer::warning(&format!(
            "the access token {} was not revoked and ends by itself at {}: {error}",
            issued.jti, issued.expires_at
        ));
    }
    answer
}
