//! SOPS's key service: the real `sops` decrypts data keys of master keys that are not age's.
//!
//! It is SOPS's own protocol, gRPC over a unix socket, spoken to a process of ours. A file of
//! secrets is never given to it: it sees the name of a master key that the administrator allows,
//! and one encrypted data key.
//!
//! Invariants: nothing is started, and nothing sent, for a key that is not on the allow-list
//! ([`AllowList::check`]); the process has no variables but those of [`variables_for`]; nothing that
//! it writes is passed on; who asks does not wait for it; what one environment asks for, or one
//! service does not answer, holds back no other.

mod allowed;
mod connection;
mod error;
mod grammar;
mod name;
mod pause;
mod process;
mod protocol;
mod service;
mod turns;
mod variables;
mod worker;

pub(crate) use allowed::MAX_SHOWN;
pub use allowed::{AllowList, AllowListError, Allowed, NotAllowed};
pub use error::{Cause, KeyServiceError};
pub use name::{KeyName, Kind, KmsName};
pub use process::Launch;
pub use protocol::Ciphertext;
pub use service::{DataKeyOf, KeyService};
pub use variables::variables_for;
pub use worker::Deadlines;
