//! Metadata that is written flat, as in dotenv and ini files (`stores/flatten.go`): a name such as
//! `age__list_0__map_enc` is a path, whose parts are put together again.

use super::error::FileError;
use super::limits::Budget;
use super::shown::shown;
use super::tree::{ListItem, MapItem, Node, Scalar};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// The longest name, in bytes; those that sops writes are much shorter.
const MAX_NAME: usize = 1024;

/// The most parts of a name; those that sops writes have at most six
/// (`key_groups__list_0__map_kms__list_0__map_context__map_key`).
const MAX_PARTS: usize = 8;

/// What is written flat, with the line feeds that are escaped in it. Each part of a name is paid
/// for, since each may become a node. In the file this prefix is before each name, and is again
/// where one is told of.
pub(super) fn unflatten(
    prefix: &'static str,
    entries: &[(String, String)],
    budget: &mut Budget,
) -> Result<Vec<MapItem>, FileError> {
    let mut fields = Vec::with_capacity(entries.len());
    for (name, text) in entries {
        let name = Name { prefix, name };
        let (path, text) = (name.path(budget)?, text.as_str());
        fields.push(Field { name, path, text });
    }
    // Lists by their numbers, and what is below one part side by side.
    fields.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    map(&fields, 0)
}

/// A name, and what is before it in the file.
#[derive(Clone, Copy)]
struct Name<'a> {
    prefix: &'static str,
    name: &'a str,
}

/// A value, and the way to it.
struct Field<'a> {
    name: Name<'a>,
    path: Vec<Part<'a>>,
    text: &'a str,
}

/// One step of a way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Key(&'a str),
    Element(usize),
}

impl<'a> Name<'a> {
    fn path(self, budget: &mut Budget) -> Result<Vec<Part<'a>>, FileError> {
        if self.name.len() > MAX_NAME {
            return Err(self.refused());
        }
        let (mut path, mut rest, mut list) = (Vec::new(), self.name, false);
        while path.len() < MAX_PARTS {
            budget.spend(1, 0)?;
            let found = separator(rest);
            let part = &rest[..found.map_or(rest.len(), |(at, _)| at)];
            path.push(if list {
                Part::Element(number(part).ok_or_else(|| self.refused())?)
            } else {
                Part::Key(part)
            });
            let Some((at, separator)) = found else { return Ok(path) };
            list = separator == LIST;
            rest = &rest[at + separator.len()..];
        }
        Err(FileError::TooDeep { limit: MAX_PARTS })
    }

    /// As it is in the file, escaped and cut.
    fn shown(self) -> String {
        shown(&format!("{}{}", self.prefix, self.name))
    }

    fn refused(self) -> FileError {
        FileError::BadFlatMetadata { name: self.shown() }
    }
}

/// What is below keys. The fields have this many parts of their ways in common.
fn map(fields: &[Field<'_>], depth: usize) -> Result<Vec<MapItem>, FileError> {
    let keys = fields.chunk_by(|one, other| one.path[depth] == other.path[depth]);
    let mut items = Vec::with_capacity(keys.clone().count());
    for below in keys {
        match below[0].path[depth] {
            Part::Key(key) => items.push(MapItem::Entry(key.to_owned(), node(below, depth + 1)?)),
            Part::Element(_) => return Err(below[0].name.refused()),
        }
    }
    Ok(items)
}

/// What is below numbers, which are every one up to the last, so that the list has no gap.
fn list(fields: &[Field<'_>], depth: usize) -> Result<Vec<ListItem>, FileError> {
    let elements = fields.chunk_by(|one, other| one.path[depth] == other.path[depth]);
    let mut items = Vec::with_capacity(elements.clone().count());
    for below in elements {
        if below[0].path[depth] != Part::Element(items.len()) {
            return Err(below[0].name.refused());
        }
        items.push(ListItem::Element(node(below, depth + 1)?));
    }
    Ok(items)
}

fn node(fields: &[Field<'_>], depth: usize) -> Result<Node, FileError> {
    // The shortest way is the first.
    match (fields[0].path.get(depth), fields) {
        (None, [field]) => Ok(Node::Scalar(Scalar::text(field.text))),
        (None, [_, other, ..]) if other.path.len() == depth => {
            Err(FileError::DuplicateKey { key: other.name.shown() })
        }
        (None, [_, other, ..]) => Err(other.name.refused()),
        (Some(Part::Element(_)), _) => list(fields, depth).map(Node::List),
        (Some(Part::Key(_)), _) | (None, []) => map(fields, depth).map(Node::Map),
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
        unflatten("sops_", &entries.collect::<Vec<_>>(), &mut Budget::new())
            .map(|items| told(&Node::Map(items)))
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
        let gap = of(&["a__list_0", "a__list_2"]).unwrap_err().to_string();
        assert!(gap.contains("\"sops_a__list_2\" does not fit"), "as the file has it: {gap}");
        let deep = |parts: usize| format!("a{}", "__map_a".repeat(parts - 1));
        assert!(of(&[&deep(MAX_PARTS)]).is_ok());
        let refused = FileError::TooDeep { limit: MAX_PARTS };
        assert_eq!(of(&[&deep(MAX_PARTS + 1)]), Err(refused.clone()));
        assert_eq!(of(&[&deep(100)]), Err(refused));
        let long = "a".repeat(MAX_NAME + 1);
        assert!(matches!(of(&[&long]), Err(FileError::BadFlatMetadata { .. })));
    }
}
