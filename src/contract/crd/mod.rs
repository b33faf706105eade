//! SecretAccess and SecretPolicy, `vanta.dev/v1alpha1`: objects of the cluster, and, in the same
//! words, documents of a folder's files.
//!
//! What is a bad object is said twice, with the same answer: in the schema, for the API server,
//! and in `check`, for files and for what a schema cannot say. `tests/it/crd.rs` holds them
//! together.

#[expect(unreachable_pub, reason = "kube's derive copies the types into functions")]
#[expect(clippy::duplicated_attributes, reason = "several columns are of one type")]
mod access;
#[expect(unreachable_pub, reason = "kube's derive copies the types into functions")]
#[expect(clippy::duplicated_attributes, reason = "several columns are of one type")]
mod policy;
mod schema;
mod status;

pub use access::{FileSpec, OidcSubject, SecretAccess, SecretAccessSpec, SubjectReference};
pub use policy::{PolicySubjects, SecretPolicy, SecretPolicySpec};
pub use status::{MAX_MESSAGE_LEN, READY, ReadyReason, SecretAccessStatus};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;

use crate::domain::grants::Permission;
use crate::domain::identity::Subject;
use crate::domain::names::{InvalidName, ObjectName};

/// The `apiVersion` of both objects.
pub const API_VERSION: &str = "vanta.dev/v1alpha1";

const ONE_SUBJECT: &str = "name exactly one of serviceAccount, client and oidc";
const SOME_SUBJECT: &str = "name at least one of serviceAccounts, clients and oidc in each group";

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
    /// A list or map has too many members.
    #[error("{field}: it holds {count}, and the most is {most}")]
    TooMany {
        /// Where, as a path in the object.
        field: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        most: usize,
    },
}

/// [`Permission`], as the schema has it.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase", description = "read or list")]
#[expect(dead_code, reason = "it is a schema alone")]
enum PermissionText {
    Read,
    List,
}

/// [`crate::domain::grants::FileFormat`], as the schema has it.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase", description = "a text form")]
#[expect(dead_code, reason = "it is a schema alone")]
enum FormatText {
    Dotenv,
    Json,
    Yaml,
    Files,
}

/// Parses a name at a place in an object.
fn name<T: std::str::FromStr<Err = InvalidName>>(
    field: &'static str,
    text: &str,
) -> Result<T, InvalidObject> {
    text.parse().map_err(|source| InvalidObject::Name { field, source })
}

/// The name of an object, which it has to have.
fn object_name(metadata: &ObjectMeta) -> Result<ObjectName, InvalidObject> {
    let missing = InvalidObject::Field { field: "metadata.name", reason: "give it a name" };
    name("metadata.name", metadata.name.as_deref().ok_or(missing)?)
}

/// Refuses a number that is not at least one.
fn positive(field: &'static str, number: Option<i32>) -> Result<Option<u32>, InvalidObject> {
    let refuse = || InvalidObject::Field { field, reason: "use a number of at least 1" };
    let at_least_one = |number| u32::try_from(number).ok().filter(|number| *number > 0);
    number.map(|number| at_least_one(number).ok_or_else(refuse)).transpose()
}

/// Refuses what has too many members.
fn at_most(field: &'static str, count: usize, most: usize) -> Result<(), InvalidObject> {
    if count > most { Err(InvalidObject::TooMany { field, count, most }) } else { Ok(()) }
}

/// Refuses what is there twice.
fn distinct<T: PartialEq>(field: &'static str, items: &[T]) -> Result<(), InvalidObject> {
    let repeated = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
    if repeated {
        return Err(InvalidObject::Field { field, reason: "one is there twice: name each once" });
    }
    Ok(())
}

/// What is allowed, each once and at least one.
fn permissions(given: &[Permission]) -> Result<Vec<Permission>, InvalidObject> {
    let field = "spec.permissions";
    if given.is_empty() {
        let reason = "name at least one of read and list, or leave it out for both";
        return Err(InvalidObject::Field { field, reason });
    }
    distinct(field, given)?;
    Ok(given.to_vec())
}

/// What is allowed where an object does not say.
fn read_and_list() -> Vec<Permission> {
    vec![Permission::Read, Permission::List]
}

/// An OIDC subject; refuses an issuer that is no https URL, since no caller could ever have it.
fn oidc(field: &'static str, given: &OidcSubject) -> Result<Subject, InvalidObject> {
    let OidcSubject { issuer, subject } = given.clone();
    if issuer.len().max(subject.len()) > schema::MAX_OIDC_LEN {
        let reason = "the issuer and the subject have at most 1024 bytes each";
        return Err(InvalidObject::Field { field, reason });
    }
    let oidc = Subject::Oidc { issuer, subject };
    // The text form holds https URLs alone, so that anything else reads back as something else.
    let read: Subject = name(field, &oidc.to_string())?;
    if read != oidc {
        return Err(InvalidObject::Field { field, reason: "the issuer is an https URL" });
    }
    Ok(oidc)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn access(file: &Value) -> Result<(), String> {
        let object = json!({
            "metadata": {"name": "a"},
            "spec": {
                "subject": {"client": "ci"}, "environment": "dev", "keyPattern": "*", "file": file,
            },
        });
        let object: SecretAccess = serde_json::from_value(object).unwrap();
        let form = object.check().map_err(|error| error.to_string())?.file.unwrap();
        assert_eq!(serde_json::to_value(form).unwrap(), *file, "it is not as it was written");
        Ok(())
    }

    #[test]
    fn a_file_stays_below_its_folder_and_renames_keys_to_keys() {
        let file = |path: &str, key: &str, name: &str| {
            access(&json!({"path": path, "format": "dotenv", "rename": {key: name}}))
        };
        file("app/.env", "DB_PASS", "PGPASSWORD").unwrap();
        for path in ["../../x", "/etc/passwd", "", "a\0"] {
            let refused = file(path, "A", "B").unwrap_err();
            assert!(refused.starts_with("spec.file.path: path "), "{refused}");
        }
        for (key, name) in [("a/b", "B"), ("", "B"), ("A", "../x"), ("A", ""), ("A", "a=b")] {
            let refused = file("a", key, name).unwrap_err();
            assert!(refused.starts_with("spec.file.rename: key "), "{refused}");
        }
    }

    #[test]
    fn an_issuer_that_no_caller_could_have_is_refused_in_both_kinds() {
        let check = |issuer: &str| {
            let subject = json!({"issuer": issuer, "subject": "repo:x"});
            let access: SecretAccess = serde_json::from_value(json!({
                "metadata": {"name": "a"},
                "spec": {"subject": {"oidc": subject}, "environment": "dev", "keyPattern": "*"},
            }))
            .unwrap();
            let policy: SecretPolicy = serde_json::from_value(json!({
                "metadata": {"name": "p"},
                "spec": {
                    "subjects": [{"namespace": "default", "oidc": [subject]}],
                    "environment": "dev", "keyPatterns": ["*"],
                },
            }))
            .unwrap();
            (access.check().map(drop), policy.check().map(drop))
        };
        assert_eq!(check("https://issuer.example:8443/a"), (Ok(()), Ok(())));
        for issuer in ["http://issuer.example", "issuer.example", ""] {
            let (access, policy) = check(issuer);
            assert!(access.unwrap_err().to_string().starts_with("spec.subject.oidc: "));
            assert!(policy.unwrap_err().to_string().starts_with("spec.subjects.oidc: "));
        }
    }
}
