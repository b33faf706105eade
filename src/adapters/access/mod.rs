//! The grants outside a cluster: SecretAccess and SecretPolicy objects in a folder of YAML.
//!
//! Invariant: the folder is taken whole or not at all. Leaving out one bad SecretPolicy would
//! loosen the bounds of what it is around, so a bad file keeps the last good grants.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::contract::crd::{API_VERSION, InvalidObject, SecretAccess, SecretPolicy};
use crate::domain::grants::{Access, Grants};

/// A folder larger than this, in bytes, is refused.
const MAX_FOLDER_LEN: u64 = 16 * 1024 * 1024;

/// Why the folder's grants cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessFolderError {
    /// A file or the folder cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds more than VANTA reads.
    #[error("the objects in {0} are larger than {MAX_FOLDER_LEN} bytes")]
    TooLarge(PathBuf),
    /// A file is no YAML of the two kinds.
    #[error("{path} is not well formed: {reason}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// An object does not hold together.
    #[error("{path}, {kind} {name}: {source}")]
    Object {
        /// Which file.
        path: PathBuf,
        /// Which kind.
        kind: &'static str,
        /// Which object.
        name: String,
        /// What is wrong with it.
        source: Box<InvalidObject>,
    },
    /// Two objects of a kind share a name.
    #[error("{path}: there are two objects {name}")]
    Duplicate {
        /// The file of the second.
        path: PathBuf,
        /// Their kind and name.
        name: String,
    },
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "apiVersion")]
    api_version: String,
    #[serde(flatten)]
    object: Object,
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Object {
    SecretAccess(SecretAccess),
    SecretPolicy(SecretPolicy),
}

/// Reads every `*.yaml` and `*.yml` of a folder, each of which may hold several objects.
pub fn load_folder(folder: &Path) -> Result<Grants, AccessFolderError> {
    let mut paths = Vec::new();
    let reading = |source| AccessFolderError::Read { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(reading)? {
        let path = entry.map_err(reading)?.path();
        if matches!(path.extension().and_then(|end| end.to_str()), Some("yaml" | "yml")) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut grants = Grants::default();
    let mut total = 0;
    for path in paths {
        let reading = |source| AccessFolderError::Read { path: path.clone(), source };
        total += fs::metadata(&path).map_err(reading)?.len();
        if total > MAX_FOLDER_LEN {
            return Err(AccessFolderError::TooLarge(folder.to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(reading)?;
        add_file(&mut grants, &path, &text)?;
    }
    Ok(grants)
}

fn add_file(grants: &mut Grants, path: &Path, text: &str) -> Result<(), AccessFolderError> {
    let parse = |reason: String| AccessFolderError::Parse { path: path.to_owned(), reason };
    let objects: Vec<Header> =
        serde_saphyr::from_multiple(text).map_err(|error| parse(error.to_string()))?;
    for Header { api_version, object } in objects {
        if api_version != API_VERSION {
            return Err(parse(format!("apiVersion {api_version:?} is not {API_VERSION}")));
        }
        add_object(grants, path, &object)?;
    }
    Ok(())
}

fn add_object(grants: &mut Grants, path: &Path, object: &Object) -> Result<(), AccessFolderError> {
    let duplicate = |name: String| AccessFolderError::Duplicate { path: path.to_owned(), name };
    let invalid = |kind, name: &str, source: InvalidObject| AccessFolderError::Object {
        path: path.to_owned(),
        kind,
        name: name.to_owned(),
        source: source.into(),
    };
    match object {
        Object::SecretAccess(object) => {
            let access = object
                .check()
                .map_err(|source| invalid("SecretAccess", &object.metadata.name, source))?;
            if grants.accesses.iter().any(|known| full_name(known) == full_name(&access)) {
                return Err(duplicate(format!("SecretAccess {}", access.name)));
            }
            grants.accesses.push(access);
        }
        Object::SecretPolicy(object) => {
            let policy = object
                .check()
                .map_err(|source| invalid("SecretPolicy", &object.metadata.name, source))?;
            if grants.policies.iter().any(|known| known.name == policy.name) {
                return Err(duplicate(format!("SecretPolicy {}", policy.name)));
            }
            grants.policies.push(policy);
        }
    }
    Ok(())
}

fn full_name(access: &Access) -> (&str, &str) {
    (access.namespace.as_str(), access.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: a}
spec: {subject: {client: ci}, environment: dev, keyPattern: 'A_*'}
";
    const POLICY: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: p}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: ['*']
";

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Grants, AccessFolderError>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let grants = load_folder(folder.path());
        (folder, grants)
    }

    #[test]
    fn objects_of_both_kinds_are_read_from_one_file_or_many() {
        let (_one, together) = folder(&[("all.yaml", &format!("{ACCESS}---{POLICY}"))]);
        let (_two, apart) = folder(&[("a.yaml", ACCESS), ("p.yml", POLICY), ("notes.txt", "x")]);
        let together = together.unwrap();
        assert_eq!((together.accesses.len(), together.policies.len()), (1, 1));
        assert_eq!(apart.unwrap(), together);
    }

    #[test]
    fn one_bad_file_refuses_the_folder_and_says_where() {
        for (bad, expected) in [
            (ACCESS.replace("A_*", "A_**"), "spec.keyPattern"),
            (ACCESS.replace("keyPattern", "keypattern"), "keypattern"),
            (ACCESS.replace("v1alpha1", "v9"), "v9"),
            (ACCESS.replace("SecretAccess", "Secret"), "Secret"),
            (ACCESS.replace("{client: ci}", "{client: ci, serviceAccount: x}"), "bad.yaml"),
            (ACCESS.replace("dev,", "dev, ttlMinutes: 0,"), "spec.ttlMinutes"),
        ] {
            let (_folder, grants) = folder(&[("bad.yaml", &bad), ("p.yaml", POLICY)]);
            let error = grants.unwrap_err().to_string();
            assert!(error.contains("bad.yaml") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn two_objects_of_one_name_are_refused() {
        let (_folder, grants) = folder(&[("a.yaml", ACCESS), ("b.yaml", ACCESS)]);
        assert!(matches!(grants, Err(AccessFolderError::Duplicate { .. })));
    }
}
