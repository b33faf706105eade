//! What a refusal says to run.

use super::super::format::Format;
use super::super::remedy::is_plain;
use super::super::shown::shown;
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

    /// What shows who changed the file and how, before anything is done that would have it served.
    pub(in super::super) fn history(&self) -> String {
        format!("`git log -p -- {}`", self.file())
    }

    /// What puts a version of before back, once it is seen which one was good.
    pub(super) fn put_back(&self) -> String {
        format!("`git checkout COMMIT -- {}`", self.file())
    }

    /// What shows a change, and undoes it.
    pub(super) fn undo(&self, good: &str) -> String {
        format!(
            "look at who did that ({}), and put {good} back ({})",
            self.history(),
            self.put_back()
        )
    }

    /// What puts the environment's name into the file.
    pub(super) fn set_leaf(&self) -> String {
        let (file, environment) = (self.file(), self.environment);
        let section = if self.format == Format::Ini { r#"["DEFAULT"]"# } else { "" };
        self.then_sign(&format!(r#"`sops set {file} '{section}["{LEAF}"]' '"{environment}"'`"#))
    }

    /// What takes out what is at a path. A command names it where it can: a number may be an
    /// element's of a list or a key.
    pub(super) fn unset(&self, path: &str) -> String {
        let index = format!(r#"["{}"]"#, path.replace('.', r#""][""#));
        let is_number = |key: &str| key.bytes().all(|byte| byte.is_ascii_digit());
        let nameable = is_plain(path) && !path.split('.').any(is_number);
        if nameable {
            format!("take the name out with `sops unset {} '{index}'`", self.file())
        } else {
            format!("take out what is at {}, with `sops edit {}`", shown(path), self.file())
        }
    }

    /// What makes a file that is a copy of another environment's one of its own: another data key
    /// first, since with the other's one its name would tell nothing.
    pub(super) fn adopt(&self, moved: Option<&str>) -> String {
        let take_out = moved.map(|path| format!("then {}, ", self.unset(path)));
        format!(
            "run first `sops rotate -i {}`, which gives it a data key of its own, {}and then {}",
            self.file(),
            take_out.unwrap_or_default(),
            self.set_leaf()
        )
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
