//! Files: reading them within bounds, seeing whether they changed, writing private ones.

#[cfg(feature = "vault")]
mod fingerprint;
#[cfg(feature = "agent")]
mod folder;
#[cfg(feature = "vault")]
mod private;
mod read;
#[cfg(feature = "vault")]
mod watch;
#[cfg(feature = "vault")]
mod yaml;

#[cfg(feature = "vault")]
pub use fingerprint::Fingerprint;
#[cfg(feature = "agent")]
pub use folder::{FolderError, SecretsFolder};
#[cfg(feature = "vault")]
pub use private::{PrivateError, make_folder, make_private_folder, write_private};
pub use read::{ReadError, is_readable_by_others, read_bounded, read_text};
#[cfg(feature = "vault")]
pub use watch::{Seen, Watch};
#[cfg(feature = "vault")]
pub use yaml::parse_yaml;
