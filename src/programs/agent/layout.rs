//! Which file is made of which grants, and what is in it: no I/O.

use std::collections::BTreeMap;

use super::manifest::is_reserved;
use super::trouble::Trouble;
use crate::domain::grants::{FileForm, FileFormat};
use crate::domain::names::Key;
use crate::domain::pod::RESERVED;
use crate::domain::relative_path::RelativePath;
use crate::domain::render::{RenderError, Rendered, render_as};
use crate::domain::secret::SecretValue;

/// One grant's share of the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// Its namespace and name.
    pub(super) access: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    pub(super) form: &'a FileForm,
    /// Its values, where they are known, and their revision.
    pub(super) values: Option<(&'a BTreeMap<Key, SecretValue>, &'a str)>,
    /// Whether it is granted still. What is withdrawn gives way to what is granted.
    pub(super) granted: bool,
    /// Whether its values may come at any moment.
    pub(super) expected: bool,
}

/// One file, or one folder of files.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) path: &'a RelativePath,
    pub(super) format: FileFormat,
    /// The granted ones first.
    pub(super) parts: Vec<Part<'a>>,
    /// Some grant is at odds with it, so it stays as it is.
    pub(super) contested: bool,
}

/// The form of a grant that says none.
pub(super) fn usual_form() -> FileForm {
    FileForm {
        path: ".env".parse().expect("it is a path of one name"),
        format: FileFormat::Dotenv,
        rename: BTreeMap::new(),
    }
}

/// Puts the grants together into files, and says which cannot be.
pub(super) fn plan<'a>(parts: &[Part<'a>]) -> (Vec<Planned<'a>>, Vec<Trouble>) {
    let mut parts: Vec<Part<'a>> = parts.to_vec();
    parts.sort_by_key(|part| (!part.granted, part.access));
    let (mut files, mut troubles) = (Vec::<Planned<'a>>::new(), Vec::new());
    for part in parts {
        let FileForm { path, format, .. } = part.form;
        if is_reserved(path) {
            troubles.push(Trouble::configuration(format!(
                "SecretAccess {}: its file {path} has a name that the agent keeps for itself: \
                 choose one that does not begin with {RESERVED}",
                part.name
            )));
            continue;
        }
        let near = files.iter_mut().find(|file| file.path == path || nest(file.path, path));
        let Some(file) = near else {
            let parts = vec![part];
            files.push(Planned { path, format: *format, parts, contested: false });
            continue;
        };
        let mergeable = *format != FileFormat::Files;
        if file.path == path && file.format == *format && mergeable {
            file.parts.push(part);
        } else if part.granted {
            file.contested = true;
            troubles.push(at_odds(&file.parts[0], &part));
        }
    }
    (files, troubles)
}

/// Whether one path is below the other.
pub(super) fn nest(one: &RelativePath, other: &RelativePath) -> bool {
    let below = |path: &RelativePath, above: &RelativePath| {
        let rest = path.as_str().strip_prefix(above.as_str());
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    below(one, other) || below(other, one)
}

fn at_odds(one: &Part<'_>, other: &Part<'_>) -> Trouble {
    let (path, format) = (&other.form.path, word(other.form.format));
    let why = if one.form.path != *path {
        format!("a file is not in another file: {} and {path}", one.form.path)
    } else if one.form.format == other.form.format {
        format!("each wants a folder {path} of its own")
    } else {
        format!("the one wants {path} as {}, the other as {format}", word(one.form.format))
    };
    Trouble::configuration(format!(
        "SecretAccess {} and SecretAccess {} cannot both be laid down: {why}; change `file` of one",
        one.name, other.name
    ))
}

fn word(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Dotenv => "dotenv",
        FileFormat::Json => "json",
        FileFormat::Yaml => "yaml",
        FileFormat::Files => "files",
    }
}

/// The files' content: path to bytes.
pub(super) type Contents = BTreeMap<RelativePath, SecretValue>;

/// Lays down the values of these parts as one file, or as one folder of files.
pub(super) fn render(
    path: &RelativePath,
    format: FileFormat,
    parts: &[Part<'_>],
) -> Result<Contents, Trouble> {
    let mut alone = None;
    for part in parts {
        let Some((values, _)) = part.values else { continue };
        let rename = part.form.rename.iter();
        let rename = rename.map(|(key, name)| (key.to_string(), name.to_string())).collect();
        // Each by itself first, so that what is wrong with one is said of that one.
        let rendered = render_as(values, format, &rename)
            .map_err(|error| Trouble::from(error).of_access(part.name))?;
        alone = Some(rendered);
    }
    let rendered = match alone {
        Some(alone) if parts.len() == 1 => alone,
        _ => render_together(path, format, parts)?,
    };
    Ok(match rendered {
        Rendered::Text(text) => [(path.clone(), text)].into(),
        Rendered::Files(files) => {
            let mut contents = Contents::new();
            for (name, value) in files {
                let path = format!("{path}/{name}").parse().map_err(|error| {
                    Trouble::configuration(format!("{name} cannot be a file: {error}"))
                })?;
                contents.insert(path, value);
            }
            contents
        }
    })
}

fn render_together(
    path: &RelativePath,
    format: FileFormat,
    parts: &[Part<'_>],
) -> Result<Rendered, Trouble> {
    let mut values = BTreeMap::new();
    let mut givers: BTreeMap<Key, &str> = BTreeMap::new();
    for part in parts {
        for (key, value) in part.values.iter().flat_map(|(values, _)| *values) {
            let name = part.form.rename.get(key).unwrap_or(key);
            if let Some(other) = givers.insert(name.clone(), part.name) {
                return Err(both_give(other, part.name, name.as_str(), path));
            }
            values.insert(name.clone(), value.clone());
        }
    }
    render_as(&values, format, &BTreeMap::new()).map_err(|error| match error {
        RenderError::Collision { name, first, second } => {
            both_give(givers[&first], givers[&second], &name, path)
        }
        other => other.into(),
    })
}

fn both_give(one: &str, other: &str, name: &str, path: &RelativePath) -> Trouble {
    Trouble::configuration(format!(
        "SecretAccess {one} and SecretAccess {other} both give {name} in {path}: rename it in one \
         of them, narrow a key pattern, or give them files of their own"
    ))
}
