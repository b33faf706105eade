//! Secrets laid down as text: dotenv, JSON, YAML, one file a key, or a process's environment.
//!
//! Invariant: a value is written so that whoever reads the form reads back the same bytes, or it
//! is refused with its key's name. No error holds a value.

mod dangerous;
mod dotenv;
mod name;
mod structured;

use std::collections::BTreeMap;

use super::grants::FileFormat;
use super::names::{InvalidName, Key};
use super::secret::SecretValue;

use dangerous::danger_of;

/// Secrets in the form of files.
#[derive(Debug)]
pub enum Rendered {
    /// One text that holds them all.
    Text(SecretValue),
    /// One file a key: its name, below the folder, to its content.
    Files(BTreeMap<Key, SecretValue>),
}

/// Why values cannot be laid down. The key is named, the value never.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Only `files` carries bytes that are no text.
    #[error("the value of {key} is not UTF-8 text: use `format: files`, which carries any bytes")]
    NotText {
        /// Whose value it is.
        key: Key,
    },
    /// The readers of dotenv share no form for the value.
    #[error(
        "the value of {key} cannot be written as dotenv: it holds {what}, for which python-dotenv, \
         dotenv for Node and a POSIX shell share no form: use `format: json`"
    )]
    NoDotenvForm {
        /// Whose value it is.
        key: Key,
        /// What the value holds, in general words.
        what: &'static str,
    },
    /// No environment variable can hold a NUL byte.
    #[error(
        "the value of {key} holds a NUL byte, which no environment variable can: use a file with \
         `format: json`"
    )]
    HoldsNul {
        /// Whose value it is.
        key: Key,
    },
    /// The name begins with a digit.
    #[error("{key} would be the variable {name}, and no variable begins with a digit: rename it")]
    NotVariable {
        /// The key.
        key: Key,
        /// The name that it would have.
        name: String,
    },
    /// Two keys come out under one name.
    #[error("{first} and {second} would both be {name}: rename one, or narrow the key pattern")]
    Collision {
        /// The name that both would have.
        name: String,
        /// The first of the keys, in order.
        first: Key,
        /// The second.
        second: Key,
    },
    /// `rename` gives a key a name that is none.
    #[error("the new name of {key} cannot be used: {reason}")]
    InvalidRename {
        /// The key.
        key: Key,
        /// What is wrong with its new name.
        reason: InvalidName,
    },
    /// The variable would change how programs run.
    #[error(
        "{key} would set the variable {name}, which {danger}: rename it, or inject it as a file"
    )]
    Dangerous {
        /// The key.
        key: Key,
        /// The variable.
        name: String,
        /// What the variable does to a program.
        danger: &'static str,
    },
}

/// Lays values down in a format, with other names for some keys (key to name).
pub fn render_as(
    values: &BTreeMap<Key, SecretValue>,
    format: FileFormat,
    rename: &BTreeMap<String, String>,
) -> Result<Rendered, RenderError> {
    match format {
        FileFormat::Dotenv => dotenv::write(&name::variables(values, rename)?).map(Rendered::Text),
        FileFormat::Json => structured::json(&name::keys(values, rename)?).map(Rendered::Text),
        FileFormat::Yaml => structured::yaml(&name::keys(values, rename)?).map(Rendered::Text),
        FileFormat::Files => {
            let named = name::keys(values, rename)?;
            Ok(Rendered::Files(
                named.into_iter().map(|(name, (_, value))| (name, value.clone())).collect(),
            ))
        }
    }
}

/// The variables of a process's environment: name to value, with the dangerous names refused.
pub fn render_environment(
    values: &BTreeMap<Key, SecretValue>,
    rename: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, SecretValue>, RenderError> {
    let mut environment = BTreeMap::new();
    for (name, (key, value)) in name::variables(values, rename)? {
        if let Some(danger) = danger_of(&name) {
            return Err(RenderError::Dangerous { key: key.clone(), name, danger });
        }
        if value.expose().contains(&0) {
            return Err(RenderError::HoldsNul { key: key.clone() });
        }
        environment.insert(name, value.clone());
    }
    Ok(environment)
}

/// What is to be written: name to the key that it comes from and its value.
type Named<'a, Name> = BTreeMap<Name, (&'a Key, &'a SecretValue)>;

fn text_of<'a>(key: &Key, value: &'a SecretValue) -> Result<&'a str, RenderError> {
    value.expose_str().ok_or_else(|| RenderError::NotText { key: key.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<Key, SecretValue> {
        pairs
            .iter()
            .map(|(key, value)| (key.parse().unwrap(), SecretValue::from((*value).to_owned())))
            .collect()
    }

    fn text(rendered: Rendered) -> String {
        match rendered {
            Rendered::Text(text) => text.expose_str().unwrap().to_owned(),
            Rendered::Files(_) => panic!("these are files"),
        }
    }

    #[test]
    fn each_format_has_its_text() {
        let values = values(&[("DB_PASS", "p\"w"), ("db.user", "it's"), ("EMPTY", "")]);
        let as_text = |format| text(render_as(&values, format, &BTreeMap::new()).unwrap());
        insta::assert_snapshot!(as_text(FileFormat::Dotenv), @r#"
        DB_PASS='p"w'
        EMPTY=''
        db_user="it's"
        "#);
        insta::assert_snapshot!(as_text(FileFormat::Json), @r#"
        {
          "DB_PASS": "p\"w",
          "EMPTY": "",
          "db.user": "it's"
        }
        "#);
        insta::assert_snapshot!(as_text(FileFormat::Yaml), @r#"
        "DB_PASS": "p\"w"
        "EMPTY": ""
        "db.user": "it's"
        "#);
    }

    #[test]
    fn nothing_is_an_empty_text_that_reads_as_nothing() {
        let as_text = |format| text(render_as(&BTreeMap::new(), format, &BTreeMap::new()).unwrap());
        assert_eq!(as_text(FileFormat::Dotenv), "");
        assert_eq!(as_text(FileFormat::Json), "{}\n");
        assert_eq!(as_text(FileFormat::Yaml), "{}\n");
    }

    #[test]
    fn files_carry_any_bytes_under_their_names() {
        let mut values = values(&[("a.b", "x")]);
        values.insert("raw".parse().unwrap(), SecretValue::new(vec![0, 255]));
        let rename = BTreeMap::from([("raw".to_owned(), "tls.key".to_owned())]);
        let Rendered::Files(files) = render_as(&values, FileFormat::Files, &rename).unwrap() else {
            panic!("this is one text");
        };
        let names: Vec<&str> = files.keys().map(Key::as_str).collect();
        assert_eq!(names, ["a.b", "tls.key"]);
        assert_eq!(files[&"tls.key".parse().unwrap()].expose(), [0, 255]);
    }

    #[test]
    fn a_refusal_names_the_key_and_never_the_value() {
        let refused = |format, key: &str, value: &str| {
            let error = render_as(&values(&[(key, value)]), format, &BTreeMap::new()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
            error.to_string()
        };
        insta::assert_snapshot!(
            refused(FileFormat::Dotenv, "DB_PASS", "it's $hunter2"),
            @"the value of DB_PASS cannot be written as dotenv: it holds a single quote together with one of \", $, ` and \\, for which python-dotenv, dotenv for Node and a POSIX shell share no form: use `format: json`"
        );
        insta::assert_snapshot!(
            refused(FileFormat::Dotenv, "1st", "hunter2"),
            @"1st would be the variable 1st, and no variable begins with a digit: rename it"
        );
    }

    #[test]
    fn an_environment_refuses_names_that_change_how_programs_run() {
        let refused = |key: &str, value: &str| {
            render_environment(&values(&[(key, value)]), &BTreeMap::new()).unwrap_err().to_string()
        };
        insta::assert_snapshot!(
            refused("LD_PRELOAD", "x"),
            @"LD_PRELOAD would set the variable LD_PRELOAD, which tells the dynamic loader what code to run: rename it, or inject it as a file"
        );
        insta::assert_snapshot!(
            refused("A", "a\0b"),
            @"the value of A holds a NUL byte, which no environment variable can: use a file with `format: json`"
        );
        let environment = render_environment(&values(&[("a-b", "it's $5\\")]), &BTreeMap::new());
        assert_eq!(environment.unwrap()["a_b"].expose(), b"it's $5\\");
    }
}
