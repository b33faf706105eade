//! A file's documents as SOPS sees them, whatever the format: aliases expanded, scalars resolved.

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

/// Whether a key is there already, for the formats to refuse it.
pub(super) fn duplicate<'a>(keys: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = std::collections::HashSet::new();
    keys.into_iter().find(|key| !seen.insert(*key)).map(str::to_owned)
}
