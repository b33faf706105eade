//! YAML as sops reads it (`stores/yaml/store.go` over go-yaml v3): events, then a graph in which
//! an alias is a second reference to a node, then a tree in which it is a copy that is paid for.
//!
//! Two differences are left, both of which can only refuse a file or leave something out: U+0085,
//! U+2028 and U+2029 break lines for go-yaml within plain values, as in YAML 1.1, and an empty
//! comment in a list is an empty string to sops when it decrypts it.

mod expand;
mod graph;
mod scalar;

use super::error::FileError;
use super::tree::Document;

/// The documents of a file. Duplicate keys, keys that are not text and whatever exceeds the
/// bounds are refused in all of them.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Document>, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::NotUtf8)?;
    expand::documents(&graph::read(text)?)
}
