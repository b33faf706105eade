//! What a refusal says to run.

use super::super::format::Format;
use super::super::remedy::is_plain;
use crate::domain::names::Environment;

/// The name of the leaf that says of which environment a file is.
pub(super) const LEAF: &str = "_vanta_environment";

/// The file of an environment, as whoever mends it has it before them.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Subject<'a> {
    pub(in super::super) environment: &'a Environment,
    pub(in super::super) format: Format,
    /// Whether a signature is asked for, so that each change needs a new one.
    pub(in super::super) signed: bool,
}

impl Subject<'_> {
    /// The file's name.
    pub(in super::super) fn file(&self) -> String {
        self.format.file_name(self.environment)
    }

    /// What puts the environment's name into the file.
    pub(super) fn set_leaf(&self) -> String {
        let (file, environment) = (self.file(), self.environment);
        let section = if self.format == Format::Ini { r#"["DEFAULT"]"# } else { "" };
        self.then_sign(&format!(r#"`sops set {file} '{section}["{LEAF}"]' '"{environment}"'`"#))
    }

    /// What takes out what is at a path, where a command can name it: a number may be an element's
    /// of a list or a key.
    pub(super) fn unset(&self, path: &str) -> Option<String> {
        let index = format!(r#"["{}"]"#, path.replace('.', r#""][""#));
        let is_number = |key: &str| key.bytes().all(|byte| byte.is_ascii_digit());
        let nameable = is_plain(path) && !path.split('.').any(is_number);
        nameable.then(|| format!("`sops unset {} '{index}'`", self.file()))
    }

    /// What saves the file anew as it is.
    pub(in super::super) fn rotate(&self) -> String {
        self.then_sign(&format!("`sops rotate -i {}`", self.file()))
    }

    fn then_sign(&self, command: &str) -> String {
        let sign = if self.signed { ", and sign it anew" } else { "" };
        format!("{command}{sign}")
    }
}
