//! Metadata that is written flat, as in dotenv and ini files (`stores/flatten.go`): a name such as
//! `age__list_0__map_enc` is a path, whose parts are put together again.

use std::collections::BTreeMap;

use super::error::{FileError, shown};
use super::limits::MAX_DEPTH;
use super::tree::{ListItem, MapItem, Node, Scalar};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// The longest name, in bytes; those that sops writes are much shorter.
const MAX_NAME: usize = 1024;

/// What is written flat, with the line feeds that are escaped in it.
pub(super) fn unflatten(entries: Vec<(String, String)>) -> Result<Vec<MapItem>, FileError> {
    let mut root = Branch::default();
    for (name, text) in entries {
        root.put(&name, text)?;
    }
    match root.node("sops")? {
        Node::Map(items) => Ok(items),
        Node::List(_) | Node::Scalar(_) => Err(FileError::NoMetadata),
    }
}

/// A value, or what is below it by name or by number.
#[derive(Default)]
struct Branch {
    text: Option<String>,
    keys: BTreeMap<String, Branch>,
    elements: BTreeMap<usize, Branch>,
}

impl Branch {
    fn put(&mut self, name: &str, text: String) -> Result<(), FileError> {
        let refused = || FileError::BadFlatMetadata { name: shown(name) };
        if name.len() > MAX_NAME {
            return Err(refused());
        }
        let mut branch = self;
        let mut rest = name;
        let mut list = false;
        for _ in 0..MAX_DEPTH {
            let found = separator(rest);
            let part = &rest[..found.map_or(rest.len(), |(at, _)| at)];
            branch = if list {
                branch.elements.entry(number(part).ok_or_else(refused)?).or_default()
            } else {
                branch.keys.entry(part.to_owned()).or_default()
            };
            let Some((at, separator)) = found else {
                return match branch.text.replace(text) {
                    None => Ok(()),
                    Some(_) => Err(FileError::DuplicateKey { key: shown(name) }),
                };
            };
            list = separator == LIST;
            rest = &rest[at + separator.len()..];
        }
        Err(FileError::TooDeep { limit: MAX_DEPTH })
    }

    fn node(self, name: &str) -> Result<Node, FileError> {
        let refused = || FileError::BadFlatMetadata { name: shown(name) };
        match (self.text, self.keys.is_empty(), self.elements.is_empty()) {
            (Some(text), true, true) => Ok(Node::Scalar(Scalar::Text(text.into_bytes()))),
            (None, _, true) => {
                let items = self.keys.into_iter().map(|(key, branch)| {
                    let node = branch.node(&key)?;
                    Ok(MapItem::Entry(key, node))
                });
                items.collect::<Result<_, FileError>>().map(Node::Map)
            }
            // Every number up to the last, so that the list has no gap.
            (None, true, false) => {
                if self.elements.keys().enumerate().any(|(at, number)| at != *number) {
                    return Err(refused());
                }
                let elements = self.elements.into_values();
                let items = elements.map(|branch| branch.node(name).map(ListItem::Element));
                items.collect::<Result<_, FileError>>().map(Node::List)
            }
            _ => Err(refused()),
        }
    }
}

/// The first separator, and where it is: nothing is looked at twice.
fn separator(text: &str) -> Option<(usize, &'static str)> {
    text.match_indices('_').find_map(|(at, _)| {
        let found = [MAP, LIST].into_iter().find(|separator| text[at..].starts_with(separator));
        found.map(|separator| (at, separator))
    })
}

/// A number as sops writes it. What is none stands for nought in sops, and is refused.
fn number(text: &str) -> Option<usize> {
    let written = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| written && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(node: &Node) -> String {
        match node {
            Node::Scalar(Scalar::Text(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
            Node::Scalar(_) => "?".to_owned(),
            Node::Map(items) => {
                let items = items.iter().map(|item| match item {
                    MapItem::Entry(key, node) => format!("{key}: {}", told(node)),
                    MapItem::Comment(_) => "#".to_owned(),
                });
                format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
            }
            Node::List(items) => {
                let items = items.iter().map(|item| match item {
                    ListItem::Element(node) => told(node),
                    ListItem::Comment(_) => "#".to_owned(),
                });
                format!("[{}]", items.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn of(names: &[&str]) -> Result<String, FileError> {
        let entries = names.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
        unflatten(entries.collect()).map(|items| told(&Node::Map(items)))
    }

    #[test]
    fn names_are_paths_through_maps_and_lists() {
        let names = ["mac", "age__list_1__map_enc", "age__list_0__map_enc", "a__map_b__map_c"];
        assert_eq!(of(&names).unwrap(), "{a: {b: {c: x}}, age: [{enc: x}, {enc: x}], mac: x}");
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for names in [
            ["a", "a"],
            ["a", "a__map_b"],
            ["a", "a__list_0"],
            ["a__list_0", "a__map_b"],
            ["a__list_0", "a__list_2"],
            ["a__list_1", "b"],
            ["a__list_x", "b"],
            ["a__list_00", "b"],
            ["a__list_18446744073709551616", "b"],
        ] {
            let error = of(&names).unwrap_err();
            assert!(
                matches!(error, FileError::BadFlatMetadata { .. } | FileError::DuplicateKey { .. }),
                "{names:?}: {error}"
            );
        }
        let deep = "__map_a".repeat(100);
        assert!(matches!(of(&[&deep]), Err(FileError::TooDeep { .. })));
        let long = "a".repeat(MAX_NAME + 1);
        assert!(matches!(of(&[&long]), Err(FileError::BadFlatMetadata { .. })));
    }
}
