//! The graph as trees: an alias becomes a copy, and each node of the copy is paid for.

use super::super::error::FileError;
use super::super::limits::Budget;
use super::super::tree::{Document, ListItem, MapItem, Node, Scalar, refuse_duplicates};
use super::graph::{Graph, Item, Raw};
use super::scalar;

/// Expands each document of the graph.
pub(super) fn documents(graph: &Graph) -> Result<Vec<Document>, FileError> {
    let mut expander = Expander { graph, budget: Budget::new() };
    let documents = graph.documents.iter().enumerate();
    documents
        .map(|(at, &node)| match expander.node(node, 1)? {
            Node::Map(items) => Ok(items),
            // What `---` alone gives.
            Node::Scalar(Scalar::Null) => Ok(Document::new()),
            Node::List(_) | Node::Scalar(_) => Err(FileError::NotAMapping { document: at + 1 }),
        })
        .collect()
}

struct Expander<'a> {
    graph: &'a Graph,
    budget: Budget,
}

impl Expander<'_> {
    /// Copies out one node. An alias refers to what ended before it, so that this comes to an
    /// end; the budget sees to it that it does so soon.
    fn node(&mut self, node: usize, depth: usize) -> Result<Node, FileError> {
        match &self.graph.nodes[node] {
            Raw::Scalar { text, plain, tag, line } => {
                self.budget.spend(depth, text.len())?;
                scalar::resolve(text, *plain, tag.as_deref(), *line).map(Node::Scalar)
            }
            Raw::Collection { map: true, items } => {
                self.budget.spend(depth, 0)?;
                self.map(items, depth).map(Node::Map)
            }
            Raw::Collection { map: false, items } => {
                self.budget.spend(depth, 0)?;
                self.list(items, depth).map(Node::List)
            }
        }
    }

    fn map(&mut self, items: &[Item], depth: usize) -> Result<Vec<MapItem>, FileError> {
        let mut entries = Vec::with_capacity(items.len());
        let mut waiting: Option<String> = None;
        for item in items {
            match item {
                Item::Comment { text, .. } => {
                    self.budget.spend(depth + 1, text.len())?;
                    entries.push(MapItem::Comment(text.clone()));
                }
                Item::Node { node, .. } if waiting.is_some() => {
                    let value = self.node(*node, depth + 1)?;
                    entries.extend(waiting.take().map(|key| MapItem::Entry(key, value)));
                }
                Item::Node { node, line } => waiting = Some(self.key(*node, *line, depth)?),
            }
        }
        refuse_duplicates(&entries)?;
        Ok(entries)
    }

    fn key(&mut self, node: usize, line: usize, depth: usize) -> Result<String, FileError> {
        let Node::Scalar(Scalar::Text(key)) = self.node(node, depth + 1)? else {
            return Err(FileError::KeyNotText { line });
        };
        String::from_utf8(key).map_err(|_| FileError::KeyNotText { line })
    }

    fn list(&mut self, items: &[Item], depth: usize) -> Result<Vec<ListItem>, FileError> {
        items
            .iter()
            .map(|item| match item {
                Item::Comment { text, .. } => {
                    self.budget.spend(depth + 1, text.len())?;
                    Ok(ListItem::Comment(text.clone()))
                }
                Item::Node { node, .. } => self.node(*node, depth + 1).map(ListItem::Element),
            })
            .collect()
    }
}
