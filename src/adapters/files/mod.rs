//! Files: reading them within bounds, seeing whether they changed, writing private ones.

mod fingerprint;
mod private;
mod read;
mod watch;
mod yaml;

pub use fingerprint::Fingerprint;
pub use private::{PrivateError, make_folder, make_private_folder, write_private};
pub use read::{ReadError, is_readable_by_others, read_bounded, read_text};
pub use watch::{Seen, Watch};
pub use yaml::parse_yaml;
