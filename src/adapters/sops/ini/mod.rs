//! ini as sops reads it (`stores/ini/store.go` over go-ini): sections of keys, all values text, and
//! the metadata in the section `sops`.
//!
//! Sections and keys that are there twice are refused, unlike in sops, and so is what go-ini
//! numbers by itself or reads differently from version to version.

mod value;

use std::str::SplitInclusive;

use super::error::FileError;
use super::flat;
use super::limits::Budget;
use super::tree::{Document, MapItem, Node, Scalar, refuse_duplicates};

/// The section of the keys before the first section.
const DEFAULT: &str = "DEFAULT";

/// The section of the metadata.
const METADATA: &str = "sops";

/// The file's one document, and the metadata beside it.
pub(super) fn parse(bytes: &[u8]) -> Result<(Document, Vec<MapItem>), FileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::NotUtf8)?;
    let Reader { mut sections, fields, mut budget, .. } = Reader::new(text).read()?;
    // Empty, it is there as well where the file has a section of this name.
    if sections[0].items.is_empty() && sections[1..].iter().any(|other| other.name == DEFAULT) {
        sections.remove(0);
    }
    let mut document = Document::new();
    for Section { name, items } in sections {
        refuse_duplicates(&items)?;
        document.push(MapItem::Entry(name, Node::Map(items)));
    }
    refuse_duplicates(&document)?;
    let is_metadata = |item: &MapItem| matches!(item, MapItem::Entry(name, _) if name == METADATA);
    let metadata = document.iter().position(is_metadata).ok_or(FileError::NoMetadata)?;
    document.remove(metadata);
    Ok((document, flat::unflatten("", &fields, &mut budget)?))
}

struct Section {
    name: String,
    items: Vec<MapItem>,
}

struct Reader<'a> {
    /// Each with its line feed.
    lines: SplitInclusive<'a, char>,
    /// Of the line that was read last, from 1.
    number: usize,
    /// What has been commented since the last section or key.
    comment: String,
    sections: Vec<Section>,
    /// The keys of the section of the metadata, which are not among the others.
    fields: Vec<(String, String)>,
    budget: Budget,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            lines: text.split_inclusive('\n'),
            number: 0,
            comment: String::new(),
            sections: vec![Section { name: DEFAULT.to_owned(), items: Vec::new() }],
            fields: Vec::new(),
            budget: Budget::new(),
        }
    }

    /// Reads all that there is.
    fn read(mut self) -> Result<Self, FileError> {
        while let Some(line) = self.next_line() {
            let line = line.trim_start();
            if line.is_empty() {
                continue;
            }
            self.budget.spend(2, line.len())?;
            if line.starts_with(['#', ';']) {
                self.comment.push_str(line);
            } else if let Some(rest) = line.strip_prefix('[') {
                self.section(rest)?;
            } else {
                self.key(line)?;
            }
        }
        Ok(self)
    }

    fn next_line(&mut self) -> Option<&'a str> {
        let line = self.lines.next()?;
        self.number += 1;
        Some(line)
    }

    fn section(&mut self, rest: &str) -> Result<(), FileError> {
        let end = rest.rfind(']').ok_or_else(|| self.refuse("a section's name does not end"))?;
        let name = rest[..end].to_owned();
        if name.is_empty() {
            return Err(self.refuse("a section has no name"));
        }
        if let Some(begin) = rest[end..].find(['#', ';']) {
            self.comment.push_str(&rest[end + begin..]);
        }
        let items = self.taken_comment().into_iter().collect();
        self.sections.push(Section { name, items });
        Ok(())
    }

    fn key(&mut self, line: &str) -> Result<(), FileError> {
        let (name, rest) = value::name(line).map_err(|reason| self.refuse(reason))?;
        if name == "-" {
            return Err(self.refuse("ini readers number a key '-' by themselves: name it"));
        }
        let (name, value) = (name.to_owned(), self.value(rest)?);
        self.budget.spend(3, name.len())?;
        // The comment before a key comes after it, as sops has it.
        let comment = self.taken_comment();
        if let Some(section) = self.sections.last_mut() {
            if section.name == METADATA {
                self.fields.push((name, value.replace("\\n", "\n")));
            } else {
                let value = Node::Scalar(Scalar::Text(value.into_bytes()));
                section.items.push(MapItem::Entry(name, value));
            }
            section.items.extend(comment);
        }
        Ok(())
    }

    /// Refuses the line that was read last.
    fn refuse(&self, reason: &'static str) -> FileError {
        FileError::NotIni { line: self.number, reason }
    }

    fn taken_comment(&mut self) -> Option<MapItem> {
        let comment = std::mem::take(&mut self.comment);
        let comment = comment.trim();
        let text = match comment.as_bytes().first()? {
            b';' => comment.trim_start_matches([';', ' ']),
            _ => comment.trim_start_matches(['#', ' ']),
        };
        Some(MapItem::Comment(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, FileError> {
        let text = format!("{text}\n[sops]\nmac=x\n");
        let (document, _) = parse(text.as_bytes())?;
        let section = |item| match item {
            MapItem::Entry(name, Node::Map(items)) => {
                let items = items.into_iter().map(|item| match item {
                    MapItem::Comment(comment) => format!(" #{comment:?}"),
                    MapItem::Entry(key, Node::Scalar(Scalar::Text(value))) => {
                        format!(" {key}={:?}", String::from_utf8(value).unwrap())
                    }
                    MapItem::Entry(..) => "?".to_owned(),
                });
                format!("[{name}]{}", items.collect::<String>())
            }
            _ => "?".to_owned(),
        };
        Ok(document.into_iter().map(section).collect::<Vec<String>>().join(" "))
    }

    #[test]
    fn sections_keys_and_comments_are_where_sops_has_them() {
        let text = "a = 1\n; s\n[one] # t\n  # k\n#l\nb: 2 ; inline\n[two]\n; lost\n";
        assert_eq!(
            read(text).unwrap(),
            r#"[DEFAULT] a="1" [one] #"s\n# t" b="2" #"k\n#l\n; inline" [two]"#
        );
        assert_eq!(read("[DEFAULT]\na=1").unwrap(), r#"[DEFAULT] a="1""#);
        assert_eq!(read("\u{feff}a=1").unwrap(), r#"[DEFAULT] a="1""#);
        assert_eq!(read("[ a]b ]c\n").unwrap(), "[DEFAULT] [ a]b ]");
    }

    #[test]
    fn what_is_there_twice_is_refused() {
        for text in ["a=1\na=1", "[a]\n[b]\n[a]", "a=1\n[DEFAULT]\nb=1", "[sops]\na=1"] {
            assert!(matches!(read(text), Err(FileError::DuplicateKey { .. })), "{text}");
        }
        assert_eq!(parse(b"a=1\n").err(), Some(FileError::NoMetadata));
        assert_eq!(parse(b"a=\xff").err(), Some(FileError::NotUtf8));
    }

    #[test]
    fn what_is_no_ini_is_refused_by_line() {
        for (text, line) in [
            ("a", 1),
            ("\n=1", 2),
            ("[a", 1),
            ("[]", 1),
            ("a=`b", 3),
            ("\"a=1", 1),
            ("\"\"=1", 1),
            ("- = 1", 1),
        ] {
            let refused = read(text).unwrap_err();
            assert!(matches!(refused, FileError::NotIni { line: at, .. } if at == line), "{text}");
        }
    }
}
