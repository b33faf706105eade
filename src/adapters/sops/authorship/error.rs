//! Why a file that may well open is not taken for what it should be.
//!
//! Invariant: a text holds names, times and fingerprints of public keys, and never a value.

use std::path::PathBuf;
use std::time::Duration;

use super::allowed_signers::LineError;
use super::{Alarm, WhyNamed};

/// How long a file rests as a rule that may be good later without a change.
const HOPEFUL_REST: Duration = Duration::from_secs(1);

/// How long one of the future rests at the most.
const LONGEST_REST_OF_FUTURE: Duration = Duration::from_mins(1);

/// Why a file is refused that nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorshipError {
    /// The file does not name its environment, and has to.
    #[error(
        "the file does not say of which environment it is, and has to, since {why}. If a version before it did ({history}), somebody took that out: put that version back ({put_back}). Else run {run}"
    )]
    NoName {
        /// Why it has to.
        why: WhyNamed,
        /// What shows the versions before.
        history: String,
        /// What puts one of them back.
        put_back: String,
        /// What to run, and what to do then.
        run: String,
    },
    /// The file does not name its environment, has to, and did while it was served before.
    #[error(
        "the file no longer says of which environment it is, and has to, since {why}. The version that is served does: the name was taken out, which takes no key, so that this may be another environment's file. First {undo}; where the change was yours, make it anew in that one"
    )]
    NameTakenOut {
        /// Why it has to.
        why: WhyNamed,
        /// What shows the change, and undoes it.
        undo: String,
    },
    /// A binary file cannot name its environment, and has to.
    #[error(
        "a binary file cannot say of which environment it is, and has to, since {why}: {}",
        without_name(*.why)
    )]
    NoNameInBinary {
        /// Why it has to.
        why: WhyNamed,
    },
    /// The file names another environment.
    #[error(
        "the file says that it is of environment {named}: it was copied from there, or renamed. First {undo}. Only where that is meant, {adopt}"
    )]
    OtherName {
        /// The environment that it is of.
        named: String,
        /// What shows the change, and undoes it.
        undo: String,
        /// What makes the file this environment's own.
        adopt: String,
    },
    /// The leaf is there and is no environment's name.
    #[error(
        "`_vanta_environment` is not the name of an environment: look at who changed what ({history}), and run {run}"
    )]
    NotAName {
        /// What shows the change.
        history: String,
        /// What to run, and what to do then.
        run: String,
    },
    /// The leaf is not encrypted.
    #[error(
        "`_vanta_environment` is not encrypted, so that anybody could have written it: look at who changed what ({history}), and put back what none of yours did. Then decrypt the file (`sops decrypt -i FILE`), and encrypt it with a rule that matches this name"
    )]
    PlainName {
        /// What shows the change.
        history: String,
    },
    /// The leaf is not one text at the top of the file.
    #[error(
        "`_vanta_environment` is at {at}, and has to be one text at the top of the file (in ini, in the section DEFAULT): it was moved, or put there by mistake. Look first at who changed what ({history}). Then {take_out}, and put it in its place with {run}"
    )]
    MovedName {
        /// Where it is, escaped and cut.
        at: String,
        /// What shows the change.
        history: String,
        /// How it is taken out.
        take_out: String,
        /// What to run, and what to do then.
        run: String,
    },
    /// Another environment's file has its data key.
    #[error(
        "its data key is also that of {others}, as where one file was made by copying the other: values of the one could be put into the other without any key. Look first at who changed what in both (`git log -p -- FILE`), and put back what none of yours did; then rotate both, here with {command}"
    )]
    SharedDataKey {
        /// Some of the environments that have it.
        others: String,
        /// What to run.
        command: String,
    },
    /// It is older than the highest version that was served.
    #[error(
        "{}. First {undo}. If the older one is meant, save it anew ({save}), or name it in VANTA_SOPS_ACCEPT_ROLLBACK as {accept}",
        older(.highest, .found)
    )]
    Older {
        /// That of the highest.
        highest: String,
        /// Its own.
        found: String,
        /// What shows the change, and undoes it.
        undo: String,
        /// What saves it anew.
        save: String,
        /// How it is accepted.
        accept: String,
    },
    /// It was saved at the same second as the highest and differs.
    #[error(
        "{}. If it was saved twice within one second, as by two `sops set`, save it once more: {save}. Else it was changed without sops: {undo}, or name this one in VANTA_SOPS_ACCEPT_ROLLBACK as {accept}",
        other_content(.found)
    )]
    OtherContent {
        /// When both were saved.
        found: String,
        /// What shows the change, and undoes it.
        undo: String,
        /// What saves it anew.
        save: String,
        /// How it is accepted.
        accept: String,
    },
    /// It says that it was saved in the future.
    #[error(
        "lastmodified is {found}, which is yet to come: set the clock of whoever saved it, and save it anew ({save})"
    )]
    Future {
        /// When it says that it was saved.
        found: String,
        /// What saves it anew.
        save: String,
        /// How long it is until it may be taken.
        wait: Duration,
    },
    /// There is no signature beside the file.
    #[error(
        "it is not signed: there is no {file} beside it. Look at what changed, and run `{command}`"
    )]
    NotSigned {
        /// The signature's name.
        file: String,
        /// What to run.
        command: String,
    },
    /// What is beside the file is no signature.
    #[error("{file} is not an SSH signature: look at what changed, and run `{command}`")]
    NotASignature {
        /// The signature's name.
        file: String,
        /// What to run.
        command: String,
    },
    /// The signature cannot be read.
    #[error("{file} cannot be read: {reason}")]
    UnreadableSignature {
        /// The signature's name.
        file: String,
        /// From the operating system, or that it is no file that is read.
        reason: String,
        /// Whether that may pass by itself.
        passing: bool,
    },
    /// The signature is for something else, another environment as a rule.
    #[error(
        "it is signed for {found}, not for \"vanta-sops:{environment}\": look at what changed, and run `{command}`"
    )]
    OtherNamespace {
        /// The signature's namespace, escaped and cut.
        found: String,
        /// The environment.
        environment: String,
        /// What to run.
        command: String,
    },
    /// Somebody signed who is not trusted.
    #[error(
        "it is signed by {fingerprint}, which is no trusted signer's key: have one of them look at what changed and run `{command}`, or add the key to the trusted signers"
    )]
    NotTrusted {
        /// Of the key.
        fingerprint: String,
        /// What to run.
        command: String,
    },
    /// The signer may not sign for this environment.
    #[error(
        "it is signed by {signer}, who may not sign for \"vanta-sops:{environment}\": see `namespaces=` in the trusted signers, or have another signer look at what changed and run `{command}`"
    )]
    NotForEnvironment {
        /// Who.
        signer: String,
        /// The environment.
        environment: String,
        /// What to run.
        command: String,
    },
    /// The signer's key is not valid any more, or not yet.
    #[error(
        "it is signed by {signer}, whose key is not valid now: {bound}: see the trusted signers, or have another signer look at what changed and run `{command}`"
    )]
    NotValidNow {
        /// Who.
        signer: String,
        /// Which bound it is beyond.
        bound: String,
        /// What to run.
        command: String,
        /// Whether it is valid later.
        later: bool,
    },
    /// An RSA signature with SHA-1.
    #[error(
        "it is signed with SHA-1, which proves nothing any more: look at what changed, and with a newer ssh-keygen run `{command}`"
    )]
    WeakHash {
        /// What to run.
        command: String,
    },
    /// A signature of a security key that nobody touched.
    #[error(
        "it is signed by a security key that nobody touched: look at what changed, run `{command}`, and touch it"
    )]
    NotTouched {
        /// What to run.
        command: String,
    },
    /// The signature is not one of these bytes.
    #[error(
        "its signature is not of these bytes: the file was changed after it was signed. Look at what changed, and run `{command}`"
    )]
    WrongSignature {
        /// What to run.
        command: String,
    },
    /// The trusted signers cannot be read.
    #[error("the trusted signers in {} cannot be read: {reason}", .path.display())]
    UnreadableSigners {
        /// The file.
        path: PathBuf,
        /// From the operating system.
        reason: String,
        /// Whether that may pass by itself.
        passing: bool,
    },
    /// The trusted signers are malformed.
    #[error("the trusted signers in {}, line {line}: {error}", .path.display())]
    BadSigners {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        error: LineError,
    },
    /// There is no trusted signer.
    #[error("the trusted signers in {} are none: name one on a line of its own", .path.display())]
    NoSigners {
        /// The file.
        path: PathBuf,
    },
}

fn older(highest: &str, found: &str) -> String {
    format!("lastmodified went back from {highest} to {found}: an old version was put back")
}

fn other_content(found: &str) -> String {
    format!("lastmodified is still {found} though the content is another")
}

/// What to do with a file that cannot hold a name.
fn without_name(why: WhyNamed) -> &'static str {
    match why {
        WhyNamed::NoOwnIdentity => {
            "give the environment an identity of its own (VANTA_AGE_IDENTITIES_PATH), or write the file in another format"
        }
        WhyNamed::KeysAllowed => {
            "write the file in another format, or have it served by a vault that allows no keys"
        }
        WhyNamed::Always => "write the file in another format",
    }
}

impl AuthorshipError {
    /// What is wrong, without what to do about it where the administrator has done that.
    pub(super) fn fact(&self) -> String {
        match self {
            Self::Older { highest, found, .. } => older(highest, found),
            Self::OtherContent { found, .. } => other_content(found),
            error => error.to_string(),
        }
    }

    /// What it is for whoever watches.
    pub fn alarm(&self) -> Alarm {
        match self {
            Self::NoName { .. }
            | Self::NameTakenOut { .. }
            | Self::NoNameInBinary { .. }
            | Self::OtherName { .. }
            | Self::NotAName { .. }
            | Self::PlainName { .. }
            | Self::MovedName { .. }
            | Self::SharedDataKey { .. } => Alarm::Environment,
            Self::Older { .. } | Self::OtherContent { .. } | Self::Future { .. } => Alarm::Rollback,
            Self::NotSigned { .. }
            | Self::NotASignature { .. }
            | Self::UnreadableSignature { .. }
            | Self::OtherNamespace { .. }
            | Self::NotTrusted { .. }
            | Self::NotForEnvironment { .. }
            | Self::NotValidNow { .. }
            | Self::WeakHash { .. }
            | Self::NotTouched { .. }
            | Self::WrongSignature { .. }
            | Self::UnreadableSigners { .. }
            | Self::BadSigners { .. }
            | Self::NoSigners { .. } => Alarm::Signature,
        }
    }

    /// Whether it may pass without a change of any file.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Future { .. } => true,
            Self::NotValidNow { later, .. } => *later,
            Self::UnreadableSignature { passing, .. } | Self::UnreadableSigners { passing, .. } => {
                *passing
            }
            Self::NoName { .. }
            | Self::NameTakenOut { .. }
            | Self::NoNameInBinary { .. }
            | Self::OtherName { .. }
            | Self::NotAName { .. }
            | Self::PlainName { .. }
            | Self::MovedName { .. }
            | Self::SharedDataKey { .. }
            | Self::Older { .. }
            | Self::OtherContent { .. }
            | Self::NotSigned { .. }
            | Self::NotASignature { .. }
            | Self::OtherNamespace { .. }
            | Self::NotTrusted { .. }
            | Self::NotForEnvironment { .. }
            | Self::WeakHash { .. }
            | Self::NotTouched { .. }
            | Self::WrongSignature { .. }
            | Self::BadSigners { .. }
            | Self::NoSigners { .. } => false,
        }
    }

    /// How long the file is left as it is where neither it nor the signers change, once that may
    /// pass by itself: it is opened whole to see whether it did.
    pub fn rest(&self) -> Duration {
        match self {
            // The clock may be set meanwhile.
            Self::Future { wait, .. } => (*wait).min(LONGEST_REST_OF_FUTURE),
            _ if self.is_passing() => HOPEFUL_REST,
            _ => Duration::ZERO,
        }
    }
}
