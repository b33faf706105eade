//! `GET /api/v1/access/holders`

use serde::{Deserialize, Serialize};

use crate::domain::held::Held;
#[cfg(feature = "vault")]
use crate::domain::{
    identity::Subject,
    names::{Environment, Key},
};

/// How many holders are told of at the most.
pub const MOST_HOLDERS: usize = 1000;
/// How many are told of where no `limit` is said.
pub const USUAL_HOLDERS: usize = 100;

/// Which holders are wanted. What is absent may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields, default)]
pub struct HoldersQuery {
    /// Of this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = Environment, required = false))]
    pub environment: Option<String>,
    /// Who were given this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = Key, required = false))]
    pub key: Option<String>,
    /// This subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = Subject, required = false))]
    pub subject: Option<String>,
    /// How many at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::number::HoldersWanted, required = false))]
    pub limit: Option<usize>,
}

/// Who was last given what, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Holders {
    /// The holders.
    pub holders: Vec<Holder>,
    /// Whether there are more than the limit.
    pub more: bool,
}

/// What one holder was last given, and whether it is still what there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Holder {
    /// What it was given.
    #[serde(flatten)]
    pub held: Held,
    /// Whether these are the values of now, and the subject may still read them all.
    pub current: bool,
}
