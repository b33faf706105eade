//! A file's documents as SOPS sees them, whatever the format: aliases expanded, scalars resolved.

use std::collections::HashSet;

use super::error::FileError;
use super::shown::shown;
use super::time::Time;

/// One document: its own mapping.
pub(super) type Document = Vec<MapItem>;

/// A map, a list or a scalar.
pub(super) enum Node {
    Map(Vec<MapItem>),
    List(Vec<ListItem>),
    Scalar(Scalar),
}

/// An entry of a mapping, or a comment between two.
pub(super) enum MapItem {
    Comment(String),
    Entry(String, Node),
}

/// An element of a list, or a comment between two.
pub(super) enum ListItem {
    Comment(String),
    Element(Node),
}

/// A scalar as the file holds it; an encrypted one is still text.
#[derive(Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Bytes, since `!!binary` and so also a `str` can be any.
    Text(Vec<u8>),
    Time(Time),
}

impl Scalar {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

/// Refuses a mapping that has a key twice: which value is meant differs from reader to reader.
pub(super) fn refuse_duplicates(items: &[MapItem]) -> Result<(), FileError> {
    let mut seen = HashSet::new();
    let mut keys = items.iter().filter_map(|item| match item {
        MapItem::Entry(key, _) => Some(key.as_str()),
        MapItem::Comment(_) => None,
    });
    match keys.find(|key| !seen.insert(*key)) {
        Some(key) => Err(FileError::DuplicateKey { key: shown(key) }),
        None => Ok(()),
    }
}
