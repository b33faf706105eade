//! What administrators ask of a vault.

use super::{AccessToken, ClientError, Credential, VaultClient, parse};
use crate::contract::api::BASE_PATH;
use crate::contract::api::explanation::{ExplainRequest, Explanation};
use crate::contract::api::holders::{Holders, HoldersQuery};
use crate::contract::api::tokens::Introspection;
use crate::domain::claims::TokenId;
use crate::domain::identity::Subject;

impl VaultClient {
    /// `POST /api/v1/vault/tokens/revoke` of a token that is known by its identifier; an
    /// administrator may ask for it.
    pub fn revoke_token_of(&self, identity: &Credential, jti: &TokenId) -> Result<(), ClientError> {
        let path = format!("{BASE_PATH}/vault/tokens/revoke");
        self.exchange.post_form(&path, &identity.header(), &[("jti", jti.as_str())]).map(drop)
    }

    /// `POST /api/v1/vault/tokens/revoke` of all tokens of a subject; an administrator may ask for
    /// it. `block` says whether it gets no new ones either.
    pub fn revoke_all_of(
        &self,
        identity: &Credential,
        subject: &Subject,
        block: Option<bool>,
    ) -> Result<(), ClientError> {
        let path = format!("{BASE_PATH}/vault/tokens/revoke");
        let subject = subject.to_string();
        let mut form = vec![("subject", subject.as_str())];
        form.extend(block.map(|block| ("block", if block { "true" } else { "false" })));
        self.exchange.post_form(&path, &identity.header(), &form).map(drop)
    }

    /// `POST /api/v1/vault/tokens/introspect`; an administrator may ask for it.
    pub fn introspect(
        &self,
        identity: &Credential,
        token: &AccessToken,
    ) -> Result<Introspection, ClientError> {
        let path = format!("{BASE_PATH}/vault/tokens/introspect");
        let form = [("token", token.expose())];
        parse(&self.exchange.post_form(&path, &identity.header(), &form)?)
    }

    /// `POST /api/v1/access/explain`
    pub fn explain(
        &self,
        identity: &Credential,
        request: &ExplainRequest,
    ) -> Result<Explanation, ClientError> {
        self.exchange.post_json(&format!("{BASE_PATH}/access/explain"), &identity.header(), request)
    }

    /// `GET /api/v1/access/holders`; an administrator may ask for it.
    pub fn holders(
        &self,
        identity: &Credential,
        query: &HoldersQuery,
    ) -> Result<Holders, ClientError> {
        let limit = query.limit.map(|limit| limit.to_string());
        let pairs = [
            ("environment", query.environment.as_deref()),
            ("key", query.key.as_deref()),
            ("subject", query.subject.as_deref()),
            ("limit", limit.as_deref()),
        ];
        let given: Vec<_> =
            pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let path = format!("{BASE_PATH}/access/holders");
        parse(&self.exchange.get(&path, &given, &identity.header(), "application/json")?)
    }
}
