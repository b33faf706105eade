//! YAML's events as a graph: bounded before anything is expanded, and free of cycles.

use std::collections::HashMap;

use granit_parser::{
    ErrorKind, Event, Parser, Placement, ScalarStyle, ScanError, Span, StructureStyle, options,
};

use super::super::error::FileError;
use super::super::limits::{Budget, MAX_DEPTH, MAX_NODES};

/// All nodes of a file, and those that are documents.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Raw>,
    pub(super) documents: Vec<usize>,
}

/// A node before its scalars are resolved and its aliases expanded.
pub(super) enum Raw {
    Scalar {
        text: String,
        plain: bool,
        tag: Option<String>,
        line: usize,
    },
    /// In a map, keys and values take turns.
    Collection {
        map: bool,
        items: Vec<Item>,
    },
}

/// What a collection holds. Comments stand before what they belong to.
pub(super) enum Item {
    Comment { text: String, column: usize },
    Node { node: usize, line: usize },
}

/// Reads all documents.
pub(super) fn read(text: &str) -> Result<Graph, FileError> {
    let options = options! {
        max_buffered_comment_events: MAX_NODES,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        graph: Graph::default(),
        open: Vec::new(),
        anchors: HashMap::new(),
        before_document: Vec::new(),
        budget: Budget::new(),
    };
    // Directives and ends of documents are work for the parser, and it gives no event of them.
    for mark in ["%", "..."] {
        for (at, _) in text.match_indices(mark) {
            if text[..at].is_empty() || text[..at].ends_with(['\n', '\r']) {
                builder.budget.spend(1, 0)?;
            }
        }
    }
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| not_yaml(&error))?;
        builder.take(event, span)?;
    }
    Ok(builder.graph)
}

fn not_yaml(error: &ScanError) -> FileError {
    let reason = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return FileError::TooDeep { limit: MAX_DEPTH },
        ErrorKind::UnknownAnchor => "an alias refers to no anchor",
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation => "a tab is in the way",
        ErrorKind::InvalidIndentation => "the indentation is wrong",
        ErrorKind::UnexpectedEof
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofFlowSequence => "the file ends too early",
        // The parser's own texts repeat characters of the file.
        _ => "the syntax is wrong",
    };
    FileError::NotYaml { line: error.marker().line(), reason }
}

/// A collection whose end has not been read.
struct Open {
    node: usize,
    map: bool,
    block: bool,
    column: usize,
    items: Vec<Item>,
    /// Comments between a key and its value.
    between: Vec<Item>,
    nodes: usize,
    last: Option<Last>,
}

/// The last node of a collection.
#[derive(Clone, Copy)]
struct Last {
    /// Its place among the items.
    at: usize,
    /// The line on which it ends.
    end: usize,
    /// Whether it is an alias, which shares its node with others.
    alias: bool,
}

impl Open {
    /// Whether a key waits for its value.
    fn awaits_value(&self) -> bool {
        self.map && self.nodes % 2 == 1
    }

    /// Where the last element begins: an entry begins with its key.
    fn begins_at(&self) -> usize {
        let nodes_back = if self.map && self.nodes.is_multiple_of(2) { 2 } else { 1 };
        let nodes = self.items.iter().enumerate().rev();
        let mut nodes = nodes.filter(|(_, item)| matches!(item, Item::Node { .. }));
        nodes.nth(nodes_back - 1).map_or(0, |(at, _)| at)
    }
}

struct Builder {
    graph: Graph,
    open: Vec<Open>,
    /// The parser gives each definition an anchor of its own, so that this is never ambiguous.
    anchors: HashMap<usize, usize>,
    before_document: Vec<Item>,
    budget: Budget,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), FileError> {
        let depth = self.open.len() + 1;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                // A tag is as long as the prefix that a directive gives it.
                let tag_bytes =
                    tag.as_ref().map_or(0, |tag| tag.handle().len() + tag.suffix().len());
                self.budget.spend(depth, text.len().saturating_add(tag_bytes))?;
                let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
                let raw = Raw::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                    tag,
                    line: span.start.line(),
                };
                let node = self.add(raw, anchor);
                self.place(node, span, false);
            }
            Event::MappingStart(style, anchor, _) => self.begin(true, style, anchor, span)?,
            Event::SequenceStart(style, anchor, _) => self.begin(false, style, anchor, span)?,
            Event::MappingEnd | Event::SequenceEnd => self.end(span),
            Event::Alias(anchor) => {
                self.budget.spend(depth, 0)?;
                let line = span.start.line();
                let unknown = FileError::NotYaml { line, reason: "an alias refers to no anchor" };
                let node = *self.anchors.get(&anchor).ok_or(unknown)?;
                if self.open.iter().any(|open| open.node == node) {
                    return Err(FileError::SelfAlias { line });
                }
                self.place(node, span, true);
            }
            Event::Comment(text, placement) => {
                self.budget.spend(depth, text.len())?;
                self.comment(text.into_owned(), placement, span);
            }
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, raw: Raw, anchor: usize) -> usize {
        let node = self.graph.nodes.len();
        self.graph.nodes.push(raw);
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
        node
    }

    fn begin(
        &mut self,
        map: bool,
        style: StructureStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), FileError> {
        self.budget.spend(self.open.len() + 1, 0)?;
        let node = self.add(Raw::Collection { map, items: Vec::new() }, anchor);
        let items = match self.open.last_mut() {
            Some(parent) if parent.awaits_value() => std::mem::take(&mut parent.between),
            Some(_) => Vec::new(),
            None => std::mem::take(&mut self.before_document),
        };
        self.open.push(Open {
            node,
            map,
            block: style == StructureStyle::Block,
            column: span.start.col(),
            items,
            between: Vec::new(),
            nodes: 0,
            last: None,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) {
        let Some(mut closed) = self.open.pop() else { return };
        // As go-yaml does: a comment after a block, no further in than what is around the
        // block, belongs there.
        let parent = self.open.last().map(|parent| parent.column);
        let outside =
            |item: &Item| matches!(item, Item::Comment { column, .. } if Some(*column) <= parent);
        let kept = closed.items.iter().rposition(|item| !outside(item)).map_or(0, |at| at + 1);
        let movable = closed.block && closed.nodes > 0;
        let outside = if movable { closed.items.split_off(kept) } else { Vec::new() };
        self.graph.nodes[closed.node] = Raw::Collection { map: closed.map, items: closed.items };
        self.place(closed.node, span, false);
        if let Some(parent) = self.open.last_mut() {
            parent.items.extend(outside);
        }
    }

    /// Puts a node where it belongs: in the innermost open collection, or as a document.
    fn place(&mut self, node: usize, span: Span, alias: bool) {
        let Some(open) = self.open.last_mut() else {
            self.graph.documents.push(node);
            self.before_document.clear();
            return;
        };
        if open.awaits_value() {
            let at = open.begins_at();
            let between = std::mem::take(&mut open.between);
            open.items.splice(at..at, between);
        }
        open.last = Some(Last { at: open.items.len(), end: span.end.line(), alias });
        open.items.push(Item::Node { node, line: span.start.line() });
        open.nodes += 1;
    }

    fn comment(&mut self, text: String, placement: Placement, span: Span) {
        let comment = Item::Comment { text, column: span.start.col() };
        let Some(open) = self.open.last_mut() else {
            self.before_document.push(comment);
            return;
        };
        // The comment of a block scalar follows it, though it stands before its text.
        let line = span.start.line();
        match open.last.filter(|last| line <= last.end) {
            Some(_) if open.awaits_value() && placement == Placement::Right => {
                let at = open.begins_at();
                open.items.insert(at, comment);
            }
            _ if open.awaits_value() => open.between.push(comment),
            Some(last) if placement == Placement::Right => {
                let Item::Node { node, .. } = open.items[last.at] else { return };
                // As sops does: after a collection, the comment goes to its first element; after
                // an alias of one, before the alias.
                match &mut self.graph.nodes[node] {
                    Raw::Collection { items, .. } if !last.alias => items.insert(0, comment),
                    Raw::Collection { .. } | Raw::Scalar { .. } => {
                        let at = open.begins_at();
                        open.items.insert(at, comment);
                    }
                }
            }
            _ => open.items.push(comment),
        }
    }
}
