//! How the agent stands, in a file that the kubelet shows as the container's last words and that
//! `vanta-agent probe` reads: `ready` or `waiting` first, then why.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::adapters::files::read_bounded;

/// The longest text; the kubelet shows 4096 bytes of all of a pod's containers together.
const LONGEST: usize = 2048;

const READY: &str = "ready";
const WAITING: &str = "waiting";

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The files are there; what is said all the same is wrong with them.
    Ready(Vec<String>),
    /// The files are not there, and why.
    Waiting(Vec<String>),
    /// The agent has given up, and why.
    Ended(Vec<String>),
}

impl Standing {
    fn text(&self) -> String {
        let (word, reasons) = match self {
            Self::Ready(reasons) => (Some(READY), reasons),
            Self::Waiting(reasons) => (Some(WAITING), reasons),
            Self::Ended(reasons) => (None, reasons),
        };
        let text = reasons.join("\n");
        let text = match word {
            Some(word) if text.is_empty() => word.to_owned(),
            Some(word) => format!("{word}: {text}"),
            None => text,
        };
        bounded(&text)
    }
}

/// Without what could act on a terminal, and not too long.
fn bounded(text: &str) -> String {
    let clean = |sign: char| if sign.is_control() && sign != '\n' { '\u{fffd}' } else { sign };
    let mut text: String = text.chars().map(clean).collect();
    if text.len() >= LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST - "…\n".len()));
        text.push('…');
    }
    text.push('\n');
    text
}

/// The file. It is written in place: the kubelet mounts it by itself, so nothing can be renamed
/// over it.
pub(super) struct StatusFile(PathBuf);

impl StatusFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Says how it stands.
    pub(super) fn say(&self, standing: &Standing) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&self.0)?;
        file.write_all(standing.text().as_bytes())
    }
}

/// What the file says, and whether that is `ready`, which it has some time to become: else each
/// start would begin with a probe that failed, and each second of a wait would be an event.
pub(super) fn probe(file: &Path, patience: Duration) -> (String, bool) {
    let began = Instant::now();
    loop {
        let (text, ready) = look(file);
        if ready || began.elapsed() >= patience {
            return (text, ready);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn look(file: &Path) -> (String, bool) {
    match read_bounded(file, LONGEST as u64) {
        // It is so for a moment while it is written, and until the agent has begun.
        Ok(text) if text.is_empty() => (format!("{WAITING}: the agent has not begun yet\n"), false),
        Ok(text) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            let ready = text.split([':', '\n']).next() == Some(READY);
            (text, ready)
        }
        Err(error) => {
            let file = file.display();
            (format!("{WAITING}: {file} cannot be read: {error}\n"), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(standing: &Standing) -> (String, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        StatusFile::new(path.clone()).say(standing).unwrap();
        probe(&path, Duration::ZERO)
    }

    #[test]
    fn the_first_word_says_whether_it_is_ready_and_the_rest_why() {
        let why = || vec!["one thing".to_owned(), "another".to_owned()];
        assert_eq!(said(&Standing::Ready(vec![])), ("ready\n".to_owned(), true));
        assert_eq!(said(&Standing::Ready(why())), ("ready: one thing\nanother\n".to_owned(), true));
        assert_eq!(
            said(&Standing::Waiting(why())),
            ("waiting: one thing\nanother\n".to_owned(), false)
        );
        let ready_by_chance = Standing::Ended(vec!["readying failed".to_owned()]);
        assert!(!said(&ready_by_chance).1);
    }

    #[test]
    fn a_long_text_is_cut_and_a_strange_one_is_made_harmless() {
        let long = Standing::Waiting(vec!["é\u{1b}[31m".repeat(1000)]);
        let (text, ready) = said(&long);
        assert!(!ready && text.len() <= LONGEST && text.ends_with("…\n"), "{}", text.len());
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_no_ready_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        assert!(!probe(&path, Duration::ZERO).1);
        std::fs::write(&path, "").unwrap();
        let unbegun = "waiting: the agent has not begun yet\n".to_owned();
        assert_eq!(probe(&path, Duration::ZERO), (unbegun, false));
    }

    #[test]
    fn one_that_becomes_ready_soon_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        let status = StatusFile::new(path.clone());
        let agent = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            status.say(&Standing::Ready(vec![])).unwrap();
        });
        assert!(probe(&path, Duration::from_mins(1)).1);
        agent.join().unwrap();
    }
}
