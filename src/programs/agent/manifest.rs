//! What was laid down, kept beside the files, so that an agent that is started again knows its own
//! files from before.
//!
//! Invariant: it holds names, paths and revisions, and no value.

use serde::{Deserialize, Serialize};

use super::trouble::Trouble;
use crate::adapters::files::SecretsFolder;
use crate::domain::grants::FileFormat;
use crate::domain::pod::RESERVED;
use crate::domain::relative_path::RelativePath;
use crate::domain::secret::SecretValue;

const LONGEST: u64 = 1024 * 1024;

/// All that was laid down. One is kept once the agent has been ready.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) files: Vec<Laid>,
}

/// One file, or one folder of files, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Laid {
    pub(super) path: RelativePath,
    pub(super) format: FileFormat,
    pub(super) of: Vec<Share>,
    /// The paths that are there: its own, or those of the files of a folder.
    pub(super) there: Vec<RelativePath>,
}

/// One SecretAccess's share in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Share {
    /// Its namespace and name, with `/` between.
    pub(super) access: String,
    /// Of its values, as the vault calls it.
    pub(super) revision: String,
}

impl Manifest {
    /// The one that is kept in the folder, where all that it lists is there.
    pub(super) fn find(folder: &SecretsFolder) -> Option<Self> {
        let kept = folder.read(&path(), LONGEST).ok()??;
        let manifest: Self = serde_json::from_slice(&kept).ok()?;
        let mut paths = manifest.files.iter().flat_map(|laid| &laid.there);
        paths.all(|path| folder.holds(path)).then_some(manifest)
    }

    /// Keeps it in the folder.
    pub(super) fn keep(&self, folder: &SecretsFolder) -> Result<(), Trouble> {
        let text = serde_json::to_vec(self).expect("a manifest holds only text");
        folder.write(&path(), &SecretValue::new(text))?;
        Ok(())
    }

    /// What was laid down at a path.
    pub(super) fn at(&self, path: &RelativePath) -> Option<&Laid> {
        self.files.iter().find(|laid| laid.path == *path)
    }

    /// Whether a SecretAccess's values are in some file.
    pub(super) fn knows(&self, access: &str) -> bool {
        self.files.iter().any(|laid| laid.share(access).is_some())
    }
}

impl Laid {
    /// A SecretAccess's share in it.
    pub(super) fn share(&self, access: &str) -> Option<&Share> {
        self.of.iter().find(|share| share.access == access)
    }
}

fn path() -> RelativePath {
    RESERVED.parse().expect("it is a path of one name")
}

/// Whether a path is one of the agent's own.
pub(super) fn is_reserved(path: &RelativePath) -> bool {
    path.as_str().split('/').any(|name| name.starts_with(RESERVED))
}
