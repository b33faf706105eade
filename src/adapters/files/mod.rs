//! Files: whether they changed since they were last looked at.

mod fingerprint;

pub use fingerprint::Fingerprint;
