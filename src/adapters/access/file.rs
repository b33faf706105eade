//! One file of the folder: the objects that it holds, checked.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::adapters::files::{ReadError, parse_yaml};
use crate::contract::crd::{API_VERSION, InvalidObject, SecretAccess, SecretPolicy};
use crate::domain::grants::{Access, Grants, Policy};

/// Why a file's objects cannot be used. No text of it holds more of the file than names.
#[derive(Debug, thiserror::Error)]
pub enum AccessFileError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is no YAML of the two kinds.
    #[error("it is not well formed: {0}")]
    Parse(String),
    /// An object is of another version.
    #[error("an object's apiVersion is not {API_VERSION} (line {line})")]
    Version {
        /// The line that says another, from 1.
        line: u64,
    },
    /// An object does not hold together.
    #[error("{kind} {name}, whose apiVersion is on line {line}: {source}")]
    Object {
        /// Which kind.
        kind: &'static str,
        /// Which object.
        name: String,
        /// Where it is: the line of its `apiVersion`, from 1.
        line: u64,
        /// What is wrong with it.
        source: Box<InvalidObject>,
    },
    /// Two objects of a kind share a name.
    #[error("there are two objects {0}: give one of them another name, or remove it")]
    Duplicate(String),
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "apiVersion")]
    api_version: Spanned<String>,
    #[serde(flatten)]
    object: Object,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Object {
    SecretAccess(SecretAccess),
    SecretPolicy(SecretPolicy),
}

/// Reads the objects of a file's text; one bad object refuses all of them.
pub(super) fn parse(text: &str) -> Result<Grants, AccessFileError> {
    let objects: Vec<Header> = parse_yaml(text).map_err(AccessFileError::Parse)?;
    let mut grants = Grants::default();
    for Header { api_version, object } in objects {
        let line = api_version.referenced.line();
        if api_version.value != API_VERSION {
            return Err(AccessFileError::Version { line });
        }
        add(&mut grants, &object, line)?;
    }
    Ok(grants)
}

fn add(grants: &mut Grants, object: &Object, line: u64) -> Result<(), AccessFileError> {
    let invalid = |kind, metadata: &ObjectMeta, source: InvalidObject| AccessFileError::Object {
        kind,
        name: shown(metadata.name.as_deref().unwrap_or_default()),
        line,
        source: source.into(),
    };
    let mut one = Grants::default();
    match object {
        Object::SecretAccess(object) => one.accesses.push(
            object.check().map_err(|source| invalid("SecretAccess", &object.metadata, source))?,
        ),
        Object::SecretPolicy(object) => one.policies.push(
            object.check().map_err(|source| invalid("SecretPolicy", &object.metadata, source))?,
        ),
    }
    if let Some(name) = shared(grants, &one) {
        return Err(AccessFileError::Duplicate(name));
    }
    grants.accesses.extend(one.accesses);
    grants.policies.extend(one.policies);
    Ok(())
}

/// The name of an object that may not have one: only what is a name is repeated.
fn shown(name: &str) -> String {
    match name.parse::<crate::domain::names::ObjectName>() {
        Ok(name) => name.to_string(),
        Err(_) => "without a proper name".to_owned(),
    }
}

/// An object that both have, where there is one.
pub(super) fn shared(grants: &Grants, others: &Grants) -> Option<String> {
    let access = others.accesses.iter().find(|access| has_access(grants, access));
    let policy = others.policies.iter().find(|policy| has_policy(grants, policy));
    access
        .map(|access| format!("SecretAccess {}", access.name))
        .or_else(|| policy.map(|policy| format!("SecretPolicy {}", policy.name)))
}

/// Whether there is an access of that name.
pub(super) fn has_access(grants: &Grants, access: &Access) -> bool {
    let same = |known: &Access| known.namespace == access.namespace && known.name == access.name;
    grants.accesses.iter().any(same)
}

/// Whether there is a policy of that name.
pub(super) fn has_policy(grants: &Grants, policy: &Policy) -> bool {
    grants.policies.iter().any(|known| known.name == policy.name)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::adapters::access) const ACCESS: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: a}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'A_*'}
";

    #[test]
    fn a_bad_object_is_refused_with_what_is_wrong() {
        for (bad, expected) in [
            (ACCESS.replace("A_*", "A_**"), "spec.keyPattern"),
            (ACCESS.replace("keyPattern", "keypattern"), "keypattern"),
            (ACCESS.replace("v1alpha1", "v9"), "apiVersion"),
            (ACCESS.replace("SecretAccess", "Secret"), "SecretAccess"),
            (
                ACCESS.replace("{client: ci}", "{client: ci, serviceAccount: x}"),
                "spec.subject: name exactly one",
            ),
            (ACCESS.replace("dev,", "dev, ttlMinutes: 0,"), "spec.ttlMinutes"),
            (ACCESS.replace("dev,", "dev, ttlMinutes: 1h,"), "a whole number"),
            (format!("{ACCESS}---{ACCESS}"), "two objects SecretAccess a"),
        ] {
            let error = parse(&bad).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_error_names_the_line() {
        let other = ACCESS.replace("name: a", "name: b").replace("A_*", "A_**");
        for (bad, expected) in [
            (format!("{ACCESS}---{other}"), "SecretAccess b, whose apiVersion is on line 7: spec"),
            (ACCESS.replace("v1alpha1", "v9"), "(line 2)"),
            (format!("{ACCESS}---{}", ACCESS.replace("v1alpha1", "v9")), "(line 7)"),
            (ACCESS.replace("keyPattern", "keypattern"), "line "),
            ("kind: Nonsense".to_owned(), "line 1"),
            ("a: [".to_owned(), "line "),
        ] {
            let error = parse(&bad).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn no_error_repeats_what_stands_in_the_file() {
        for secret in ["AGE-SECRET-KEY-1HUNTER2", "vanta_client_HUNTER2", "eyJHUNTER2"] {
            for bad in [
                secret.to_owned(),
                format!("{secret}: x"),
                format!("{ACCESS}{secret}: x"),
                ACCESS.replace("dev", secret),
                ACCESS.replace("dev,", &format!("dev, ttlMinutes: {secret},")),
                ACCESS.replace("dev,", &format!("dev, {secret}: 1,")),
                ACCESS.replace("{client: ci}", &format!("{{{secret}: ci}}")),
                ACCESS.replace("{client: ci}", secret),
                ACCESS.replace("name: a", &format!("name: {secret}")),
                ACCESS.replace("SecretAccess", secret),
                ACCESS.replace("vanta.dev/v1alpha1", secret),
                ACCESS.replace("'A_*'", &format!("'{secret}")),
            ] {
                let Err(error) = parse(&bad) else { continue };
                assert!(!error.to_string().contains("HUNTER2"), "{bad}: {error}");
            }
        }
    }
}
