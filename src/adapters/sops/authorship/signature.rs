//! A detached signature over a file: `ssh-keygen -Y sign -n vanta-sops:{environment}`
//! (OpenSSH PROTOCOL.sshsig).
//!
//! The namespace is part of what is signed, so that one environment's file is not another's, and no
//! signature that was made for something else serves here.

use std::borrow::Cow;
use std::path::Path;

use jiff::Timestamp;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, SshSig};

use super::super::shown::shown;
use super::super::source::Place;
use super::allowed_signers::{self, Signer};
use super::error::AuthorshipError;
use crate::adapters::files::ReadError;
use crate::domain::names::Environment;

/// The longest signature, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// What is after the signature of a security key: its flags, and a counter of four bytes.
const TRAILER_BYTES: usize = 5;

/// The flag of a security key that somebody touched.
const TOUCHED: u8 = 1;

/// The name of a file's signature, which is beside it.
pub(in super::super) fn file_name(file: &str) -> String {
    format!("{file}.sig")
}

/// A file that a signature is for.
pub(in super::super) struct Signed<'a> {
    pub(in super::super) environment: &'a Environment,
    /// The file's name without its folder.
    pub(in super::super) file: String,
    pub(in super::super) bytes: &'a [u8],
}

impl Signed<'_> {
    fn namespace(&self) -> String {
        format!("vanta-sops:{}", self.environment)
    }

    fn command(&self) -> String {
        // It asks before it writes over a signature, and without a terminal leaves the old one.
        let (file, signature) = (&self.file, file_name(&self.file));
        format!("rm -f {signature} && ssh-keygen -Y sign -n {} -f KEY {file}", self.namespace())
    }

    fn not_a_signature(&self) -> AuthorshipError {
        AuthorshipError::NotASignature { file: file_name(&self.file), command: self.command() }
    }
}

/// Whether one of the trusted signers has signed a file: who, for people.
pub(in super::super) fn check(
    signers: &Path,
    file: &Signed<'_>,
    signature: Option<&[u8]>,
    now: Timestamp,
) -> Result<String, AuthorshipError> {
    let signers = allowed_signers::read(signers)?;
    let signature = signature.ok_or_else(|| AuthorshipError::NotSigned {
        file: file_name(&file.file),
        command: file.command(),
    })?;
    let signature = parse(signature).ok_or_else(|| file.not_a_signature())?;
    verify(&signers, file, &signature, now)
}

/// Reads a signature in its one form: the reader passes over some lengths that are wrong.
fn parse(text: &[u8]) -> Option<SshSig> {
    let signature = SshSig::from_pem(text).ok()?;
    let canonical = signature.to_pem(LineEnding::LF).ok()?;
    let bare = |text: &[u8]| -> Vec<u8> {
        text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
    };
    (bare(text) == bare(canonical.as_bytes())).then_some(signature)
}

fn verify(
    signers: &[Signer],
    file: &Signed<'_>,
    signature: &SshSig,
    now: Timestamp,
) -> Result<String, AuthorshipError> {
    if signature.version() != SshSig::VERSION {
        return Err(file.not_a_signature());
    }
    let namespace = file.namespace();
    if signature.namespace() != namespace {
        return Err(AuthorshipError::OtherNamespace {
            found: shown(signature.namespace()),
            environment: file.environment.to_string(),
            command: file.command(),
        });
    }
    if signature.algorithm() == (Algorithm::Rsa { hash: None }) {
        return Err(AuthorshipError::WeakHash { command: file.command() });
    }
    // Each line stands for itself: what one does not allow another may.
    let mut refused = None;
    for signer in signers.iter().filter(|of| of.key.key_data() == signature.public_key()) {
        if let Err(error) = may_sign(signer, file, &namespace, now) {
            // A line that is for the environment and ended says more than one for another.
            let of_time = |error: &_| matches!(error, AuthorshipError::NotValidNow { .. });
            refused = refused.filter(of_time).or(Some(error));
            continue;
        }
        let verified = signer.key.verify(&namespace, file.bytes, signature);
        let wrong = |_| AuthorshipError::WrongSignature { command: file.command() };
        verified.map_err(wrong)?;
        if !was_touched(signature) {
            return Err(AuthorshipError::NotTouched { command: file.command() });
        }
        return Ok(signer.shown());
    }
    Err(refused.unwrap_or_else(|| AuthorshipError::NotTrusted {
        fingerprint: signature.public_key().fingerprint(HashAlg::Sha256).to_string(),
        command: file.command(),
    }))
}

fn may_sign(
    signer: &Signer,
    file: &Signed<'_>,
    namespace: &str,
    now: Timestamp,
) -> Result<(), AuthorshipError> {
    let not_valid = |bound: String, later| AuthorshipError::NotValidNow {
        signer: signer.shown(),
        bound,
        command: file.command(),
        later,
    };
    if !signer.may_sign(namespace) {
        return Err(AuthorshipError::NotForEnvironment {
            signer: signer.shown(),
            environment: file.environment.to_string(),
            command: file.command(),
        });
    }
    if let Some(after) = signer.valid_after.filter(|after| now < *after) {
        return Err(not_valid(format!("valid after {after}"), true));
    }
    if let Some(before) = signer.valid_before.filter(|before| now > *before) {
        return Err(not_valid(format!("valid before {before}"), false));
    }
    Ok(())
}

/// Whether somebody touched the key, where it is a security key: the flags are part of what it
/// signs.
fn was_touched(signature: &SshSig) -> bool {
    let of_security_key =
        matches!(signature.public_key(), KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
    let bytes = signature.signature_bytes();
    let flags = bytes.len().checked_sub(TRAILER_BYTES).and_then(|at| bytes.get(at));
    !of_security_key || flags.is_some_and(|flags| flags & TOUCHED != 0)
}

/// The bytes of a signature, where there is one.
pub(in super::super) fn read<'a>(
    place: Option<&'a Place>,
    file: &str,
) -> Result<Option<Cow<'a, [u8]>>, AuthorshipError> {
    let unreadable = |error: ReadError| AuthorshipError::UnreadableSignature {
        file: file_name(file),
        reason: error.to_string(),
        passing: error.is_passing(),
    };
    match place.map(|place| place.read(MAX_BYTES)).transpose() {
        Err(error) if error.is_missing() => Ok(None),
        read => read.map_err(unreadable),
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
