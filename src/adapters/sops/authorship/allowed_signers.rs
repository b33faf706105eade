//! The trusted signers: a file in the form of ssh's allowed signers (ssh-keygen(1), ALLOWED
//! SIGNERS; OpenSSH `sshsig.c`).
//!
//! Invariant: a line that is not understood whole refuses the file. Left out, it could be one that
//! was to bound somebody.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use ssh_key::public::{KeyData, PublicKey};

use super::super::shown::shown;
use super::error::AuthorshipError;
use crate::adapters::files::{ReadError, read_text};

/// The longest file of trusted signers, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// How many bits the modulus of an RSA key has at least.
const MIN_RSA_BITS: usize = 2048;

/// And at the most: what verifies it takes no longer one.
const MAX_RSA_BITS: usize = 4096;

/// One line: a key, and what it may sign when.
pub(super) struct Signer {
    /// Who, as the file names them.
    pub(super) principals: String,
    pub(super) key: PublicKey,
    /// Patterns of the namespaces; all of them where it is silent.
    pub(super) namespaces: Option<String>,
    pub(super) valid_after: Option<Timestamp>,
    pub(super) valid_before: Option<Timestamp>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It has fewer parts.
    #[error("it has to be: principals, options where there are any, the type of the key, the key")]
    Form,
    /// A quotation does not end.
    #[error("a quotation mark is missing")]
    Quotation,
    /// A principal that is left out.
    #[error(
        "a principal with '!' is not supported, as a signer is known by its key alone: remove the line"
    )]
    Negated,
    /// An authority.
    #[error("`cert-authority` is not supported: name each signer's own key")]
    Authority,
    /// An option that is none.
    #[error("an option is none of namespaces=, valid-after=, valid-before=, or it is there twice")]
    Option,
    /// A time in a form that is not read.
    #[error(
        "a time has to be in UTC, with a Z at its end: YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ"
    )]
    Time,
    /// A certificate.
    #[error("a certificate is not supported: name the signer's own key")]
    Certificate,
    /// No key, or none of a kind that is read.
    #[error(
        "its key is malformed or of a kind that is not supported: use Ed25519, ECDSA or RSA, of a security key too"
    )]
    Key,
    /// A key of RSA that is too short or too long.
    #[error("its RSA key has {bits} bits: use one of 2048 to 4096, or Ed25519")]
    RsaBits {
        /// How many.
        bits: usize,
    },
}

/// Reads the file of trusted signers.
pub(super) fn read(path: &Path) -> Result<Vec<Signer>, AuthorshipError> {
    let text = read_text(path, MAX_BYTES).map_err(|error| AuthorshipError::UnreadableSigners {
        path: path.to_owned(),
        reason: error.to_string(),
        passing: matches!(error, ReadError::Io(_)),
    })?;
    parse(&text).map_err(|at| match at {
        Some((line, error)) => AuthorshipError::BadSigners { path: path.to_owned(), line, error },
        None => AuthorshipError::NoSigners { path: path.to_owned() },
    })
}

/// All signers of a text; which line is wrong and why, or nothing where there is no signer.
fn parse(text: &str) -> Result<Vec<Signer>, Option<(usize, LineError)>> {
    let mut signers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            signers.push(signer(line).map_err(|error| Some((at + 1, error)))?);
        }
    }
    if signers.is_empty() { Err(None) } else { Ok(signers) }
}

fn signer(line: &str) -> Result<Signer, LineError> {
    let (principals, rest) = word(line)?;
    let principals = principals.replace('"', "");
    if principals.split(',').any(|principal| principal.starts_with('!')) {
        return Err(LineError::Negated);
    }
    let (options, rest) = match word(rest)? {
        (first, _) if is_key_type(first) => (None, rest),
        (options, rest) => (Some(options), rest),
    };
    let mut parts = rest.split_whitespace();
    let (Some(kind), Some(key)) = (parts.next(), parts.next()) else { return Err(LineError::Form) };
    let mut signer = Signer {
        principals,
        key: public_key(kind, key)?,
        namespaces: None,
        valid_after: None,
        valid_before: None,
    };
    for option in options.map_or(Ok(Vec::new()), split_options)? {
        signer.set(option)?;
    }
    Ok(signer)
}

/// Up to the first white space outside of quotation marks, and what follows it.
fn word(text: &str) -> Result<(&str, &str), LineError> {
    let text = text.trim_start();
    let mut quoted = false;
    let end = text.find(|c: char| {
        quoted ^= c == '"';
        !quoted && c.is_whitespace()
    });
    match end {
        _ if text.is_empty() => Err(LineError::Form),
        Some(end) => Ok((&text[..end], &text[end..])),
        None if quoted => Err(LineError::Quotation),
        None => Ok((text, "")),
    }
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|begins| word.starts_with(begins))
}

fn public_key(kind: &str, key: &str) -> Result<PublicKey, LineError> {
    if kind.contains("-cert-v01@") {
        return Err(LineError::Certificate);
    }
    let key = PublicKey::from_openssh(&format!("{kind} {key}")).map_err(|_| LineError::Key)?;
    match key.key_data() {
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => Ok(key),
        KeyData::Rsa(rsa) => {
            let modulus = rsa.n.as_positive_bytes().unwrap_or_default();
            let unused = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            let bits = (modulus.len() * 8).saturating_sub(unused);
            if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
                Ok(key)
            } else {
                Err(LineError::RsaBits { bits })
            }
        }
        _ => Err(LineError::Key),
    }
}

/// The options between commas that are in no quotation.
fn split_options(options: &str) -> Result<Vec<&str>, LineError> {
    let mut quoted = false;
    let split = options.split(|c: char| {
        quoted ^= c == '"';
        !quoted && c == ','
    });
    let split = split.collect();
    if quoted { Err(LineError::Quotation) } else { Ok(split) }
}

impl Signer {
    fn set(&mut self, option: &str) -> Result<(), LineError> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if name.eq_ignore_ascii_case("cert-authority") {
            return Err(LineError::Authority);
        }
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = value.filter(|value| !value.contains(['"', '\\'])).ok_or(LineError::Option)?;
        let is_new = if name.eq_ignore_ascii_case("namespaces") {
            self.namespaces.replace(value.to_owned()).is_none()
        } else if name.eq_ignore_ascii_case("valid-after") {
            self.valid_after.replace(time(value)?).is_none()
        } else if name.eq_ignore_ascii_case("valid-before") {
            self.valid_before.replace(time(value)?).is_none()
        } else {
            false
        };
        if is_new { Ok(()) } else { Err(LineError::Option) }
    }

    /// Whether the key may sign in a namespace: one pattern matches, and none with `!` before it.
    pub(super) fn may_sign(&self, namespace: &str) -> bool {
        let Some(patterns) = &self.namespaces else { return true };
        let mut may = false;
        for pattern in patterns.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern, namespace) => return false,
                None if matches(pattern, namespace) => may = true,
                _ => {}
            }
        }
        may
    }

    /// The signer's name and the fingerprint of its key, for people.
    pub(super) fn shown(&self) -> String {
        let fingerprint = self.key.fingerprint(ssh_key::HashAlg::Sha256);
        format!("{} ({fingerprint})", shown(&self.principals))
    }
}

/// Whether a pattern with `*` and `?` matches a whole text (OpenSSH `match_pattern`).
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    // Where the last star is, and up to where of the text it reaches.
    let mut star = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(c) if *c == b'?' || *c == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((of_star, reached)) = star else { return false };
                star = Some((of_star, reached + 1));
                (at, in_text) = (of_star + 1, reached + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

/// `YYYYMMDD[HHMM[SS]]Z`. Without a `Z` ssh takes the time of whichever zone it is run in.
fn time(text: &str) -> Result<Timestamp, LineError> {
    let digits = text.strip_suffix(['Z', 'z']).ok_or(LineError::Time)?;
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LineError::Time);
    }
    let part = |from: usize, to: usize| -> i16 {
        // At most four digits fit, and none at all is midnight.
        digits.get(from..to).and_then(|part| part.parse().ok()).unwrap_or_default()
    };
    let small = |from, to| i8::try_from(part(from, to)).unwrap_or(i8::MAX);
    let day = Date::new(part(0, 4), small(4, 6), small(6, 8));
    let time = Time::new(small(8, 10), small(10, 12), small(12, 14), 0);
    let (Ok(day), Ok(time)) = (day, time) else { return Err(LineError::Time) };
    TimeZone::UTC.to_timestamp(day.to_datetime(time)).map_err(|_| LineError::Time)
}

#[cfg(test)]
#[path = "allowed_signers_tests.rs"]
mod tests;
