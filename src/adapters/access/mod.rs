//! The grants outside a cluster: SecretAccess and SecretPolicy objects in a folder of YAML.

mod file;
mod folder;

pub use file::AccessFileError;
pub use folder::{AccessFolder, AccessReport};
