//! `GET /api/v1/audit` and `GET /api/v1/audit/checkpoints`

use serde::{Deserialize, Serialize};

use crate::domain::checkpoint::Checkpoint;
#[cfg(feature = "vault")]
use crate::domain::checkpoint::CheckpointPlace;
use crate::domain::record::Entry;
use crate::domain::record_filter::Order;

/// The media type of lines as they were written, each with a newline.
pub const NDJSON: &str = "application/x-ndjson";

/// The header that says where the next page of lines begins.
pub const NEXT_CURSOR: &str = "vanta-next-cursor";

/// The header that says where this page of lines ended, for whoever follows.
pub const LAST_CURSOR: &str = "vanta-last-cursor";

/// How many entries a page has at the most, and without a `limit`.
pub const MOST_ENTRIES: usize = 1000;
/// How many entries a page has where no `limit` is said.
pub const USUAL_ENTRIES: usize = 100;

/// The longest replica's name or request id that is looked for.
pub const LONGEST_TEXT: usize = 253;

/// How many signed heads a page has at the most.
pub const MOST_CHECKPOINTS: usize = 5000;
/// How many signed heads a page has where no `limit` is said.
pub const USUAL_CHECKPOINTS: usize = 1000;

/// The form of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum FormatWanted {
    /// [`AuditPage`].
    #[default]
    Json,
    /// The lines as they were written, as [`NDJSON`]: their hashes can be checked.
    Lines,
}

/// Which entries are wanted, and how. What is absent may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields, default)]
pub struct AuditQuery {
    /// At this time (RFC 3339) or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = jiff::Timestamp, required = false))]
    pub since: Option<String>,
    /// Before this time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = jiff::Timestamp, required = false))]
    pub until: Option<String>,
    /// Of this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = crate::domain::identity::Subject, required = false))]
    pub subject: Option<String>,
    /// Of this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = crate::domain::names::Environment, required = false))]
    pub environment: Option<String>,
    /// With this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = crate::domain::names::Key, required = false))]
    pub key: Option<String>,
    /// Of this event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = crate::domain::record::Event, required = false))]
    pub event: Option<String>,
    /// With this outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = crate::domain::record::Outcome, required = false))]
    pub outcome: Option<String>,
    /// With this access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(value_type = crate::domain::claims::TokenId, required = false))]
    pub jti: Option<String>,
    /// Written by this replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::text::Printable, required = false))]
    pub replica: Option<String>,
    /// Of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::text::Printable, required = false))]
    pub request_id: Option<String>,
    /// How many at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::number::EntriesWanted, required = false))]
    pub limit: Option<usize>,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::number::Cursor, required = false))]
    pub cursor: Option<u64>,
    /// In which order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = Order, required = false))]
    pub order: Option<Order>,
    /// In which form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = FormatWanted, required = false))]
    pub format: Option<FormatWanted>,
}

/// Some of the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The cursor of the next page; absent where there is no more. A page may hold fewer entries
    /// than its limit, none even, and yet have a next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub next: Option<u64>,
    /// The cursor of this page's end, for whoever follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub last: Option<u64>,
}

/// Which signed heads are wanted. What is absent may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointsQuery {
    /// Of this replica's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::text::Printable, required = false))]
    pub replica: Option<String>,
    /// How many at the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = super::schema::number::CheckpointsWanted, required = false))]
    pub limit: Option<usize>,
    /// Where the page before ended: its `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", param(inline, value_type = CheckpointPlace, required = false))]
    pub cursor: Option<String>,
}

/// Some of the signed heads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct AuditCheckpoints {
    /// What their signatures are checked with (Ed25519), as 64 hexadecimal digits.
    pub public_key: String,
    /// The heads, by replica and sequence.
    pub checkpoints: Vec<Checkpoint>,
    /// The cursor of the next page; absent where there is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub next: Option<String>,
}
