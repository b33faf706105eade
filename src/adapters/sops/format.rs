//! The formats of SOPS, and which of them a file's name stands for.

use super::error::FileError;
use super::json;
use super::shown::shown;
use super::tree::{Document, MapItem, Node, Scalar};
use super::{dotenv, ini, yaml};
use crate::domain::names::Environment;

/// The one key of a binary file.
const BINARY: &str = "data";

/// A format of SOPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Several documents, comments.
    Yaml,
    /// One object.
    Json,
    /// A key and a value a line.
    Dotenv,
    /// Keys in sections.
    Ini,
    /// Any bytes as one value, `data`.
    Binary,
}

/// A file as its format has it.
pub(super) struct Parsed {
    pub(super) documents: Vec<Document>,
    /// The fields of the metadata.
    pub(super) metadata: Vec<MapItem>,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Yaml, Self::Json, Self::Dotenv, Self::Ini, Self::Binary];

    /// The format that any file's ending stands for, `yml` too, as `examples/decrypt.rs` takes it.
    /// An environment's file ends in [`Self::extension`] alone.
    pub fn from_extension(extension: &str) -> Result<Self, FileError> {
        if extension == "yml" {
            return Ok(Self::Yaml);
        }
        Self::ALL
            .into_iter()
            .find(|format| format.extension() == extension)
            .ok_or_else(|| FileError::UnknownFormat(extension.chars().take(64).collect()))
    }

    /// The name of an environment's file.
    pub(super) fn file_name(self, environment: &Environment) -> String {
        format!("{environment}.enc.{}", self.extension())
    }

    /// The ending of a file's name, as it follows `{environment}.enc.`.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Dotenv => "env",
            Self::Ini => "ini",
            Self::Binary => "bin",
        }
    }

    pub(super) fn parse(self, bytes: &[u8]) -> Result<Parsed, FileError> {
        match self {
            Self::Yaml => nested(yaml::parse(bytes)?),
            Self::Json => nested(json::parse(bytes)?),
            Self::Dotenv => dotenv::parse(bytes).map(flat),
            Self::Ini => ini::parse(bytes).map(flat),
            Self::Binary => binary(nested(json::parse(bytes)?)?),
        }
    }
}

fn flat((document, metadata): (Document, Vec<MapItem>)) -> Parsed {
    Parsed { documents: vec![document], metadata }
}

/// Takes the `sops` entry out of each document; the first document's is the metadata.
fn nested(mut documents: Vec<Document>) -> Result<Parsed, FileError> {
    let mut metadata = None;
    for (at, document) in documents.iter_mut().enumerate() {
        let is_metadata = |item: &MapItem| matches!(item, MapItem::Entry(key, _) if key == "sops");
        if let Some(found) = document.iter().position(is_metadata)
            && let MapItem::Entry(_, node) = document.remove(found)
            && at == 0
        {
            metadata = Some(node);
        }
    }
    match metadata {
        Some(Node::Map(metadata)) => Ok(Parsed { documents, metadata }),
        Some(_) => Err(FileError::BadMetadata { field: "sops", rule: "has to be a mapping" }),
        None => Err(FileError::NoMetadata),
    }
}

/// Sops takes no notice of other keys, which nothing but the MAC would speak for.
fn binary(parsed: Parsed) -> Result<Parsed, FileError> {
    let entries = || {
        parsed.documents[0].iter().filter_map(|item| match item {
            MapItem::Entry(key, node) => Some((key, node)),
            MapItem::Comment(_) => None,
        })
    };
    let is_data = |(key, node): (&String, &Node)| {
        key == BINARY && matches!(node, Node::Scalar(Scalar::Text(_)))
    };
    if !entries().any(is_data) {
        return Err(FileError::NotBinary);
    }
    match entries().find(|(key, _)| *key != BINARY) {
        None => Ok(parsed),
        Some((key, _)) => Err(FileError::MoreThanBinary { key: shown(key) }),
    }
}
