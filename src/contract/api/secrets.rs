//! `GET /api/v1/vault/{environment}` and `GET /api/v1/vault/{environment}/{key}`

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::names::{Environment, Key};

/// The media type of the dotenv form of many values.
pub const DOTENV: &str = "text/plain";

/// One value, where JSON is asked for.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Value {
    /// Its environment.
    pub environment: Environment,
    /// Its key.
    pub key: Key,
    /// The plaintext.
    pub value: String,
}

/// The keys in scope, never a value.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Keys {
    /// Their environment.
    pub environment: Environment,
    /// The keys, in order.
    pub keys: Vec<Key>,
}

/// All values in scope.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Values {
    /// Their environment.
    pub environment: Environment,
    /// Key to plaintext.
    pub values: BTreeMap<Key, String>,
}

/// What an environment's path answers with: names, or values where they are asked for.
#[cfg(feature = "vault")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Listed {
    /// The names.
    Keys(Keys),
    /// The values.
    Values(Values),
}
