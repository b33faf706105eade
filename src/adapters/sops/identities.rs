//! The age identities that open data keys: X25519 and SSH.
//!
//! Invariant: no `Debug` of an identity; an error names a line and never repeats it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, Identity, ssh, x25519};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::groups::Unwrapped;
use super::master_key::{AgeKey, KeyError};
use crate::adapters::files::read_bounded;

/// The longest identity file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The private keys of one identity file.
pub struct Identities {
    keys: Vec<Box<dyn Identity + Send + Sync>>,
    /// Of the text that they were read from.
    digest: [u8; 32],
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({} [redacted])", self.count())
    }
}

/// Why identities cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A line is neither a comment nor an identity that is supported.
    #[error(
        "line {line} is no age identity: it has to be AGE-SECRET-KEY-1… or an OpenSSH private key of type ed25519 or rsa"
    )]
    Line {
        /// From 1.
        line: usize,
    },
    /// An identity of age's hybrid, post-quantum kind.
    #[error(
        "the identity on line {line} is a post-quantum one, AGE-SECRET-KEY-PQ-1…, which is not supported: use one of age-keygen's usual kind, AGE-SECRET-KEY-1…, and encrypt the files for its recipient too"
    )]
    PostQuantum {
        /// From 1.
        line: usize,
    },
    /// A key that wants a passphrase, for which there is nobody to ask.
    #[error("the key on line {line} is protected by a passphrase: give it without one")]
    Protected {
        /// From 1.
        line: usize,
    },
    /// There is not one identity.
    #[error("there is no identity in it: create one with age-keygen")]
    Empty,
    /// The file cannot be read.
    #[error("identity file {} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// From the operating system.
        reason: String,
    },
    /// What is wrong with the content of a file.
    #[error("identity file {}: {error}", .path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<IdentityError>,
    },
}

impl Identities {
    /// Reads the text of an identity file: identities, comments with `#` and empty lines. One bad
    /// line refuses all of it, as in sops (`age/keysource.go`).
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let mut identities: Vec<Box<dyn Identity + Send + Sync>> = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let line_number = at + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("-----BEGIN ") {
                let mut pem = Zeroizing::new(String::with_capacity(text.len() + 1));
                pem.push_str(line);
                pem.push('\n');
                for (_, line) in lines.by_ref() {
                    pem.push_str(line.trim());
                    pem.push('\n');
                    if line.starts_with("-----END ") {
                        break;
                    }
                }
                identities.push(Box::new(private_key(&pem, line_number)?));
                continue;
            }
            // SOPS_AGE_KEY may hold several on one line.
            for word in line.split_whitespace() {
                if word.starts_with("AGE-SECRET-KEY-PQ-1") {
                    return Err(IdentityError::PostQuantum { line: line_number });
                }
                let identity: x25519::Identity =
                    word.parse().map_err(|_| IdentityError::Line { line: line_number })?;
                identities.push(Box::new(identity));
            }
        }
        if identities.is_empty() {
            return Err(IdentityError::Empty);
        }
        Ok(Self { keys: identities, digest: Sha256::digest(text).into() })
    }

    /// No identities: what they would open stays closed.
    pub(super) fn none() -> Self {
        Self { keys: Vec::new(), digest: [0; 32] }
    }

    /// Reads an identity file.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let unreadable = |reason: String| IdentityError::Unreadable { path: path.into(), reason };
        let bytes = read_bounded(path, MAX_BYTES).map_err(|error| unreadable(error.to_string()))?;
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8".into()))?;
        Self::parse(text)
            .map_err(|error| IdentityError::InFile { path: path.into(), error: Box::new(error) })
    }

    /// These identities and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.keys.extend(others.keys);
        let both = Sha256::new().chain_update(self.digest).chain_update(others.digest);
        self.digest = both.finalize().into();
        self
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Whether these were read from the same text as those.
    pub(super) fn are(&self, others: &Self) -> bool {
        self.digest == others.digest
    }

    /// What an age key wraps: every identity is tried on it.
    pub(super) fn open(&self, key: &AgeKey) -> Result<Unwrapped, KeyError> {
        let reader = ArmoredReader::new(key.armored.trim_start().as_bytes());
        let none = self.keys.is_empty();
        let decryptor = Decryptor::new_buffered(reader).map_err(|_| key.no_identity(none))?;
        let identities = self.keys.iter().map(|identity| &**identity as &dyn Identity);
        let opened = decryptor.decrypt(identities).map_err(|error| match error {
            DecryptError::NoMatchingKeys => key.no_identity(none),
            _ => key.broken(),
        })?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        opened.take(64).read_to_end(&mut bytes).map_err(|_| key.broken())?;
        Ok(bytes)
    }
}

fn private_key(pem: &str, line: usize) -> Result<ssh::Identity, IdentityError> {
    if pem.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(IdentityError::Protected { line });
    }
    match ssh::Identity::from_buffer(pem.as_bytes(), None) {
        Ok(identity @ ssh::Identity::Unencrypted(_)) => Ok(identity),
        Ok(
            ssh::Identity::Encrypted(_)
            | ssh::Identity::Unsupported(
                ssh::UnsupportedKey::EncryptedPem | ssh::UnsupportedKey::EncryptedSsh(_),
            ),
        ) => Err(IdentityError::Protected { line }),
        Ok(ssh::Identity::Unsupported(_)) | Err(_) => Err(IdentityError::Line { line }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Throwaway keys, made for this test.
    const ONE: &str = "AGE-SECRET-KEY-1DMWFERAL7XTR4ZRH2KPRU0LQKG8X4EK7CNPH76CL8LTJ87F5HL4SH95Z05";

    #[test]
    fn comments_empty_lines_and_carriage_returns_are_passed_over() {
        let text = format!("# a comment\r\n\r\n{ONE}\r\n{ONE} {ONE}\n");
        let identities = Identities::parse(&text).unwrap();
        assert_eq!(format!("{identities:?}"), "Identities(3 [redacted])");
    }

    #[test]
    fn one_bad_line_refuses_the_file_and_is_not_repeated() {
        for bad in [
            "hunter2",
            "AGE-SECRET-KEY-1AAAA",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        ] {
            let error = Identities::parse(&format!("{ONE}\n{bad}\n")).unwrap_err();
            assert_eq!(error, IdentityError::Line { line: 2 });
            assert!(!error.to_string().contains("hunter2"));
        }
        assert_eq!(Identities::parse("# none\n").unwrap_err(), IdentityError::Empty);
        let error = Identities::parse(&format!("{ONE}\nAGE-SECRET-KEY-PQ-1HUNTER2\n")).unwrap_err();
        insta::assert_snapshot!(error, @"the identity on line 2 is a post-quantum one, AGE-SECRET-KEY-PQ-1…, which is not supported: use one of age-keygen's usual kind, AGE-SECRET-KEY-1…, and encrypt the files for its recipient too");
        let protected =
            "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----";
        assert_eq!(Identities::parse(protected).unwrap_err(), IdentityError::Protected { line: 1 });
    }
}
