//! JSON as sops reads it (`stores/json/store.go`): one object, in its own order.
//!
//! Integers of more than 64 bits become floats, and what follows the object is ignored, as in
//! sops; a duplicate key and an object that does not end are refused, unlike in sops.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::error::FileError;
use super::limits::Budget;
use super::tree::{Document, ListItem, MapItem, Node, Scalar, refuse_duplicates};

/// The file's one document.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Document>, FileError> {
    let mut reader = Reader { budget: Budget::new(), failure: None };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let node = NodeSeed { reader: &mut reader, depth: 1 }.deserialize(&mut deserializer);
    match node {
        Ok(Node::Map(items)) => Ok(vec![items]),
        Ok(Node::List(_) | Node::Scalar(_)) => Err(FileError::NotAMapping { document: 1 }),
        Err(error) => Err(reader
            .failure
            .take()
            .unwrap_or_else(|| FileError::NotJson { line: error.line(), column: error.column() })),
    }
}

struct Reader {
    budget: Budget,
    /// Why the reading was given up, where it was not the syntax.
    failure: Option<FileError>,
}

impl Reader {
    fn check<E: Error>(&mut self, result: Result<(), FileError>) -> Result<(), E> {
        result.map_err(|failure| {
            self.failure = Some(failure);
            E::custom("refused")
        })
    }
}

struct NodeSeed<'a> {
    reader: &'a mut Reader,
    depth: usize,
}

impl NodeSeed<'_> {
    fn spend<E: Error>(&mut self, text: usize) -> Result<(), E> {
        let spent = self.reader.budget.spend(self.depth, text);
        self.reader.check(spent)
    }

    fn inner(&mut self) -> NodeSeed<'_> {
        NodeSeed { reader: self.reader, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Scalar(Scalar::Null))
    }

    fn visit_bool<E: Error>(mut self, bool: bool) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Scalar(Scalar::Bool(bool)))
    }

    fn visit_i64<E: Error>(mut self, int: i64) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Scalar(Scalar::Int(int)))
    }

    fn visit_u64<E: Error>(mut self, int: u64) -> Result<Node, E> {
        self.spend(0)?;
        #[expect(clippy::cast_precision_loss, reason = "sops reads it as a float")]
        let large = int as f64;
        Ok(Node::Scalar(i64::try_from(int).map_or(Scalar::Float(large), Scalar::Int)))
    }

    fn visit_f64<E: Error>(mut self, float: f64) -> Result<Node, E> {
        self.spend(0)?;
        Ok(Node::Scalar(Scalar::Float(float)))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<Node, E> {
        self.spend(text.len())?;
        Ok(Node::Scalar(Scalar::text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Node, A::Error> {
        self.spend(0)?;
        let mut items = Vec::new();
        while let Some(node) = access.next_element_seed(self.inner())? {
            items.push(ListItem::Element(node));
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Node, A::Error> {
        self.spend(0)?;
        let mut items = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            self.spend(key.len())?;
            let value = access.next_value_seed(self.inner())?;
            items.push(MapItem::Entry(key, value));
        }
        self.reader.check(refuse_duplicates(&items))?;
        Ok(Node::Map(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> FileError {
        parse(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn what_is_not_one_whole_object_is_refused() {
        assert_eq!(refusal("[1]"), FileError::NotAMapping { document: 1 });
        assert_eq!(refusal("{\"a\": 1"), FileError::NotJson { line: 1, column: 7 });
        assert!(parse(b"{\"a\": 1} and more").is_ok());
        let twice = r#"{"a": {"k": 1, "k": 2}}"#;
        assert_eq!(refusal(twice), FileError::DuplicateKey { key: "\"k\"".to_owned() });
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{{\"a\": {}", "[".repeat(10_000));
        assert_eq!(refusal(&deep), FileError::TooDeep { limit: super::super::limits::MAX_DEPTH });
    }
}
