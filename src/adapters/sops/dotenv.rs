//! dotenv as sops reads it (`stores/dotenv/store.go`): a key and a value a line, with no quoting
//! but `\n` for a line feed, and the metadata in keys that begin with `sops_`.
//!
//! A key that is there twice is refused, unlike in sops. This is not what other programs make of
//! a dotenv file: quotes, spaces and `export` are part of what they stand in.

use super::error::FileError;
use super::flat;
use super::limits::Budget;
use super::tree::{Document, MapItem, Node, Scalar, refuse_duplicates};

/// Before the name of each field of the metadata.
const PREFIX: &str = "sops_";

/// The file's one document, and the metadata beside it.
pub(super) fn parse(bytes: &[u8]) -> Result<(Document, Vec<MapItem>), FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::NotUtf8)?;
    let mut budget = Budget::new();
    let mut document = Document::new();
    let mut fields = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        budget.spend(2, line.len())?;
        if let Some(comment) = line.strip_prefix('#') {
            document.push(MapItem::Comment(comment.to_owned()));
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(FileError::NotDotenv { line: at + 1 })?;
        let value = value.replace("\\n", "\n");
        if let Some(field) = key.strip_prefix(PREFIX) {
            fields.push((field.to_owned(), value));
        } else {
            let value = Node::Scalar(Scalar::Text(value.into_bytes()));
            document.push(MapItem::Entry(key.to_owned(), value));
        }
    }
    refuse_duplicates(&document)?;
    if fields.is_empty() {
        return Err(FileError::NoMetadata);
    }
    Ok((document, flat::unflatten(PREFIX, &fields, &mut budget)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, FileError> {
        let (document, _) = parse(text.as_bytes())?;
        let items = document.into_iter().map(|item| match item {
            MapItem::Comment(comment) => format!("#{comment}"),
            MapItem::Entry(key, Node::Scalar(Scalar::Text(value))) => {
                format!("{key:?}: {:?}", String::from_utf8(value).unwrap())
            }
            MapItem::Entry(..) => "?".to_owned(),
        });
        Ok(items.collect::<Vec<String>>().join(", "))
    }

    #[test]
    fn lines_are_taken_as_they_are() {
        let text = "A=1\n\n# b\n C = \"q\" # d\r\nexport E=\\n\\\\n\nF==\n=g\nsops_mac=x";
        assert_eq!(
            read(text).unwrap(),
            r#""A": "1", # b, " C ": " \"q\" # d\r", "export E": "\n\\\n", "F": "=", "": "g""#
        );
    }

    #[test]
    fn what_is_no_entry_and_what_is_there_twice_is_refused() {
        assert_eq!(read("A=1\nB\nsops_mac=x"), Err(FileError::NotDotenv { line: 2 }));
        let key = "\"A\"".to_owned();
        assert_eq!(read("A=1\nA=1\nsops_mac=x"), Err(FileError::DuplicateKey { key }));
        let key = "\"sops_mac\"".to_owned();
        assert_eq!(read("sops_mac=x\nsops_mac=x"), Err(FileError::DuplicateKey { key }));
        assert_eq!(read("A=1\n"), Err(FileError::NoMetadata));
        assert_eq!(parse(b"A=\xff").err(), Some(FileError::NotUtf8));
    }
}
