//! What the vault says of a SecretAccess: whether it gives what it says, and why not.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The one condition.
pub const READY: &str = "Ready";

/// The longest message of a condition that the API server takes, in characters.
pub const MAX_MESSAGE_LEN: usize = 32_768;

/// How a SecretAccess stands. The vault writes it; nothing that it decides depends on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretAccessStatus {
    /// The generation of the object that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub observed_generation: Option<i64>,
    /// Ready: whether it gives what it says, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// How many keys it opens now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub matched_keys: Option<i32>,
    /// Changes when a name or value in scope does, and tells nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    pub revision: Option<String>,
}

/// Why a SecretAccess is ready or not: a condition's `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyReason {
    /// It gives what it says.
    Granted,
    /// No SecretPolicy is around it.
    NoPolicy,
    /// A SecretPolicy around it wants a proof that its subject can never have.
    NotPodBound,
    /// The object does not hold together.
    Invalid,
    /// There is no such environment.
    EnvironmentMissing,
    /// There is one, and it cannot be opened.
    EnvironmentUnreadable,
    /// No key of the environment is open to it.
    NoKeys,
}

impl fmt::Display for ReadyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The schema of `metav1.Condition`, as a map by type.
fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
                "message": {"type": "string", "maxLength": MAX_MESSAGE_LEN},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            },
        },
    })
}
