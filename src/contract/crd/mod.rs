//! SecretAccess and SecretPolicy, `vanta.dev/v1alpha1`, as people write them.

mod access;
mod policy;

pub use access::{SecretAccess, SecretAccessSpec, SubjectReference};
pub use policy::{OidcSubject, PolicySubjects, SecretPolicy, SecretPolicySpec};

use serde::{Deserialize, Serialize};

use crate::domain::names::InvalidName;

/// The `apiVersion` of both objects.
pub const API_VERSION: &str = "vanta.dev/v1alpha1";

/// What every object says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Why an object cannot be a part of the grants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObject {
    /// A name or pattern in it is not well formed.
    #[error("{field}: {source}")]
    Name {
        /// Where, as a path in the object.
        field: &'static str,
        /// What is wrong with it.
        source: InvalidName,
    },
    /// Something else about it does not hold together.
    #[error("{field}: {reason}")]
    Field {
        /// Where, as a path in the object.
        field: &'static str,
        /// What is wrong and what to do.
        reason: &'static str,
    },
}

/// Parses a name at a place in an object.
fn name<T: std::str::FromStr<Err = InvalidName>>(
    field: &'static str,
    text: &str,
) -> Result<T, InvalidObject> {
    text.parse().map_err(|source| InvalidObject::Name { field, source })
}

/// Refuses a number that is not at least one.
fn positive(field: &'static str, number: Option<i32>) -> Result<Option<u32>, InvalidObject> {
    let refuse = |_| InvalidObject::Field { field, reason: "use a number of at least 1" };
    match number {
        None => Ok(None),
        Some(0) => Err(InvalidObject::Field { field, reason: "use a number of at least 1" }),
        Some(number) => u32::try_from(number).map(Some).map_err(refuse),
    }
}
