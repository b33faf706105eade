//! One walk through all documents, in the order of sops (`Tree.Decrypt`): tells encrypted values
//! from plain ones, checks each where it stands, and hashes them all for the MAC.

use sha2::{Digest, Sha256, Sha512};

use super::data_key::DataKey;
use super::error::{FileError, ValueError};
use super::go_regex::TooHard;
use super::leave::{Leave, Withheld};
use super::limits::{Budget, MAX_MATCHED_BYTES};
use super::metadata::Metadata;
use super::plaintext::Plaintext;
use super::sealed::Sealed;
use super::selection::Rule;
use super::shown::shown;
use super::tree::{Document, ListItem, MapItem, Node, Scalar};

/// A document without its values.
pub(super) enum Shape {
    Map(Vec<(String, Shape)>),
    List(Vec<Shape>),
    Null,
    /// The value's number.
    Leaf(usize),
}

/// A value that is there: neither null nor a comment.
pub(super) struct Leaf {
    /// Keys joined with dots, elements of lists by their number.
    pub(super) path: String,
    /// Keys joined and ended with colons: what the value is authenticated with.
    pub(super) place: String,
    pub(super) content: Content,
    /// Whether the file's rule leaves it plain.
    pub(super) plain_by_rule: bool,
    pub(super) withheld: Option<Withheld>,
}

/// What a leaf keeps.
pub(super) enum Content {
    Sealed(Sealed),
    Plain(Scalar),
}

/// What the walk finds.
pub(super) struct Walked {
    pub(super) shapes: Vec<Shape>,
    /// SHA-512 over all values, in upper-case hexadecimal.
    pub(super) mac: String,
}

/// Walks through all documents, and hands each leaf on as it is found: whether the file is whole
/// is known at the end.
pub(super) fn walk(
    documents: Vec<Document>,
    metadata: &Metadata,
    data_key: &DataKey,
    leave: Leave,
    take: &mut dyn FnMut(&DataKey, Leaf) -> Result<(), FileError>,
) -> Result<Walked, FileError> {
    let mut hash = Sha512::new();
    if metadata.mac_only_encrypted {
        // So that such a MAC is never that of a file without the setting.
        hash.update(Sha256::digest(b"sops"));
    }
    let mut walker = Walker {
        rule: &metadata.rule,
        hash_plain: !metadata.mac_only_encrypted,
        data_key,
        leave,
        hash,
        budget: Budget::new(),
        steps: Vec::new(),
        matching: MAX_MATCHED_BYTES,
        keys_matched: 0,
        comments_matched: Vec::new(),
        take,
        leaves: 0,
    };
    let shapes = documents
        .into_iter()
        .map(|document| walker.map(document))
        .collect::<Result<Vec<Shape>, FileError>>()?;
    let mac = hex::encode_upper(walker.hash.finalize());
    Ok(Walked { shapes, mac })
}

/// A step down from a collection.
enum Step {
    Key { key: String, matched: bool },
    Element(usize),
}

struct Walker<'a> {
    rule: &'a Rule,
    hash_plain: bool,
    data_key: &'a DataKey,
    leave: Leave,
    hash: Sha512,
    /// Pays for the paths, which repeat the keys of the collections around.
    budget: Budget,
    steps: Vec<Step>,
    /// How much more text the rule may be matched against.
    matching: usize,
    keys_matched: usize,
    /// For each collection around, whether a comment since its last value matched.
    comments_matched: Vec<bool>,
    take: &'a mut dyn FnMut(&DataKey, Leaf) -> Result<(), FileError>,
    /// How many there were.
    leaves: usize,
}

impl Walker<'_> {
    fn map(&mut self, items: Vec<MapItem>) -> Result<Shape, FileError> {
        self.comments_matched.push(false);
        let mut entries = Vec::new();
        for item in items {
            match item {
                MapItem::Comment(comment) => self.comment(&comment)?,
                MapItem::Entry(key, node) => {
                    if key.contains(':') {
                        return Err(FileError::ColonInKey { key: shown(&key) });
                    }
                    let matched = self.matches(&key, Rule::matches_key)?;
                    self.keys_matched += usize::from(matched);
                    self.steps.push(Step::Key { key, matched });
                    let shape = self.node(node)?;
                    let shape = shape.ok_or_else(|| self.refuse(ValueError::Comment))?;
                    if let Some(Step::Key { key, matched }) = self.steps.pop() {
                        self.keys_matched -= usize::from(matched);
                        entries.push((key, shape));
                    }
                    self.after_value();
                }
            }
        }
        self.comments_matched.pop();
        Ok(Shape::Map(entries))
    }

    fn list(&mut self, items: Vec<ListItem>) -> Result<Shape, FileError> {
        self.comments_matched.push(false);
        let mut elements = Vec::new();
        for item in items {
            match item {
                ListItem::Comment(comment) => self.comment(&comment)?,
                ListItem::Element(node) => {
                    self.steps.push(Step::Element(elements.len()));
                    // In a list, SOPS keeps an encrypted comment as an element.
                    elements.extend(self.node(node)?);
                    self.steps.pop();
                    self.after_value();
                }
            }
        }
        self.comments_matched.pop();
        Ok(Shape::List(elements))
    }

    /// The shape of a value; none for a comment.
    fn node(&mut self, node: Node) -> Result<Option<Shape>, FileError> {
        match node {
            Node::Map(items) => self.map(items).map(Some),
            Node::List(items) => self.list(items).map(Some),
            Node::Scalar(Scalar::Null) => Ok(Some(Shape::Null)),
            Node::Scalar(scalar) => {
                // Before anything that takes time in proportion to the path.
                let length = self.steps.iter().map(Step::length).sum::<usize>();
                self.budget.spend(self.steps.len(), length)?;
                let matched = self.keys_matched > 0 || self.comments_matched.contains(&true);
                if self.rule.encrypts(matched) {
                    self.encrypted(scalar)
                } else {
                    self.plain(scalar)
                }
            }
        }
    }

    fn encrypted(&mut self, scalar: Scalar) -> Result<Option<Shape>, FileError> {
        let Scalar::Text(bytes) = scalar else {
            return Err(FileError::NotEncrypted { path: self.shown_path() });
        };
        if bytes.is_empty() {
            if !self.leave.plain_empty_strings {
                return Err(FileError::PlainEmpty { path: self.shown_path() });
            }
            return self.leaf(Content::Plain(Scalar::Text(bytes)), false).map(Some);
        }
        let sealed = std::str::from_utf8(&bytes).ok().and_then(Sealed::parse);
        let sealed = sealed
            .ok_or_else(|| FileError::NotEncrypted { path: self.shown_path() })?
            .map_err(|reason| self.refuse(reason))?;
        let plain =
            self.data_key.open(&sealed, &self.place()).map_err(|reason| self.refuse(reason))?;
        if matches!(plain, Plaintext::Comment) {
            return Ok(None);
        }
        self.hash.update(plain.hashed().as_slice());
        self.leaf(Content::Sealed(sealed), false).map(Some)
    }

    fn plain(&mut self, scalar: Scalar) -> Result<Option<Shape>, FileError> {
        if self.hash_plain {
            self.hash.update(Plaintext::from(&scalar).hashed().as_slice());
        }
        self.leaf(Content::Plain(scalar), true).map(Some)
    }

    fn leaf(&mut self, content: Content, plain_by_rule: bool) -> Result<Shape, FileError> {
        let withheld = (plain_by_rule && !self.leave.plain_values).then_some(Withheld::Plain);
        let below_list = self.steps.iter().any(|step| matches!(step, Step::Element(_)));
        let below_list = below_list && !self.leave.leaves_below_lists;
        let withheld = withheld.or(below_list.then_some(Withheld::BelowList));
        let (path, place) = (self.path(), self.place());
        (self.take)(self.data_key, Leaf { path, place, content, plain_by_rule, withheld })?;
        self.leaves += 1;
        Ok(Shape::Leaf(self.leaves - 1))
    }

    fn comment(&mut self, comment: &str) -> Result<(), FileError> {
        let matches = self.matches(comment, Rule::matches_comment)?;
        if let Some(matched) = self.comments_matched.last_mut() {
            *matched |= matches;
        }
        Ok(())
    }

    fn matches(
        &mut self,
        text: &str,
        matches: fn(&Rule, &str) -> Result<bool, TooHard>,
    ) -> Result<bool, FileError> {
        let limit = MAX_MATCHED_BYTES;
        if self.rule.is_regex() {
            let left = self.matching.checked_sub(text.len());
            self.matching = left.ok_or(FileError::TooMuchMatching { limit })?;
        }
        matches(self.rule, text).map_err(|TooHard| FileError::HardRegex)
    }

    fn after_value(&mut self) {
        if let Some(matched) = self.comments_matched.last_mut() {
            *matched = false;
        }
    }

    fn path(&self) -> String {
        let steps = self.steps.iter().map(|step| match step {
            Step::Key { key, .. } => key.clone(),
            Step::Element(at) => at.to_string(),
        });
        steps.collect::<Vec<String>>().join(".")
    }

    fn place(&self) -> String {
        let keys = self.steps.iter().filter_map(|step| match step {
            Step::Key { key, .. } => Some(key.as_str()),
            Step::Element(_) => None,
        });
        keys.collect::<Vec<&str>>().join(":") + ":"
    }

    fn shown_path(&self) -> String {
        shown(&self.path())
    }

    fn refuse(&self, reason: ValueError) -> FileError {
        FileError::BadValue { path: self.shown_path(), reason }
    }
}

impl Step {
    fn length(&self) -> usize {
        match self {
            Self::Key { key, .. } => key.len() + 1,
            Self::Element(_) => 6,
        }
    }
}
