//! The native reader of SOPS files: YAML, JSON, dotenv, ini and binary, with age. Master keys of
//! other kinds are opened by sops, as `key_service` asks it.
//!
//! What it does is what `sops decrypt` does, but for files that sops reads in a way that somebody
//! who can write the file and holds no key could make use of. Those are refused, or need the
//! administrator's [`Leave`]:
//!
//! - Refused: a missing or wrong MAC, a key that holds `:`, duplicate keys, two values with one
//!   dotted path, an invalid regular expression, and files beyond the bounds of `limits.rs`.
//! - Refused without leave: an empty value where the file's rule wants an encrypted one
//!   (`plain-empty-strings`), and `mac-only-encrypted`. An encrypted file says nothing of them
//!   that could be checked. A file without a version (`no-version`) is one that sops refuses.
//! - Not served without leave: values that the rule leaves plain (`plain-values`) and values below
//!   a list (`leaves-below-lists`). The file's other values are served, and a read of such a one,
//!   like a warning at each load, says which setting would allow it.
//! - Absent: null, `{}`, `[]` and comments.
//!
//! What is served is text: a number, boolean or time in the form in which `sops exec-env` prints
//! it. The label of a value's type is not authenticated, and all that it can change is that form.
//!
//! Invariant: plaintext is in memory while one value is read (or, when a file is opened, hashed)
//! and zeroed after that; what is kept is ciphertext and the data key.

mod authorship;
mod candidate;
mod damage;
mod data_key;
mod data_keys;
mod dotenv;
mod error;
mod file;
mod flat;
mod format;
mod gathered;
mod go_regex;
mod groups;
mod identities;
mod identity_files;
mod identity_place;
mod ini;
mod json;
mod key_sources;
mod leave;
mod limits;
mod listing;
mod load;
mod master_key;
mod metadata;
mod number;
mod plaintext;
mod print;
mod refusal;
mod remedy;
mod report;
mod sealed;
mod selection;
mod shares;
mod shown;
mod source;
mod store;
mod time;
mod tree;
mod walk;
mod yaml;

pub use authorship::{
    AcceptedVersion, AcceptedVersionError, Alarm, Authorship, AuthorshipError, RequireLeaf,
    Rollback, WhyNamed,
};
pub use error::{FileError, ValueError};
pub use file::{EncryptedFile, OpenedFile, ReadError};
pub use format::Format;
pub use groups::GroupError;
pub use identities::{Identities, IdentityError};
pub use key_sources::{KeySources, ServiceFor};
pub use leave::{Leave, Withheld};
pub use limits::{
    MAX_DEPTH, MAX_FILE_BYTES, MAX_KEPT_BYTES, MAX_KEPT_BYTES_OF_ALL, MAX_MATCHED_BYTES, MAX_NODES,
    MAX_TEXT_BYTES,
};
pub use listing::{MAX_ENVIRONMENTS, MAX_ENVIRONMENTS_OF_CONFIG_MAP, environment_of_file};
pub use master_key::KeyError;
pub use print::NotJson;
pub use report::{
    Brief, EnvironmentStatus, Failed, IdentitiesRead, Loaded, Misnamed, RefreshReport, Versions,
};
pub use source::{ConfigMapFiles, ConfigMapKey, config_map_origin};
pub use store::{SETTLING_OF_FILE, SharedIdentities, SopsStore, StoreOptions};
