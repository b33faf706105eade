//! Why a file cannot be opened or a value not read.
//!
//! Invariant: an error holds key names, line numbers and recipients, and never a value, an
//! identity or any other content of the file.

use super::groups::{FailedGroups, GroupError, Reasons};
use super::master_key::KeyError;
use super::remedy::{BEFORE, CHECKOUT, OWN, RESTORE, advice, remedy, take_out};
use crate::domain::ports::FileFault;

/// Why a whole file is refused: what is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The name's ending is of no format that is read.
    #[error("the format {0:?} is not supported: name the file .yaml, .json, .env, .ini or .bin")]
    UnknownFormat(String),
    /// More bytes than [`super::MAX_FILE_BYTES`].
    #[error("the file is longer than {limit} bytes: split it into several environments")]
    TooLong {
        /// In bytes.
        limit: usize,
    },
    /// Nested deeper than [`super::MAX_DEPTH`].
    #[error("collections are nested more than {limit} deep: write them with fewer levels")]
    TooDeep {
        /// In levels.
        limit: usize,
    },
    /// More nodes than [`super::MAX_NODES`], aliases expanded.
    #[error(
        "the file has more than {limit} nodes once its aliases are expanded: split it into several environments"
    )]
    TooManyNodes {
        /// In nodes.
        limit: usize,
    },
    /// More text than [`super::MAX_TEXT_BYTES`], aliases expanded.
    #[error(
        "the file has more than {limit} bytes of text once its aliases are expanded: split it into several environments"
    )]
    TooMuchText {
        /// In bytes.
        limit: usize,
    },
    /// More text for a regular expression than [`super::MAX_MATCHED_BYTES`].
    #[error(
        "the file has more than {limit} bytes of keys and comments for its regular expression: split it into several environments, or encrypt it with a rule by suffix"
    )]
    TooMuchMatching {
        /// In bytes.
        limit: usize,
    },
    /// A regular expression that would take too long on the keys or comments.
    #[error(
        "the file's regular expression takes too much work on its keys or comments: write it with fewer and lower counts"
    )]
    HardRegex,
    /// More to keep while the file is served than [`super::MAX_KEPT_BYTES`].
    #[error(
        "the values that are served of the file and their paths take more than {limit} bytes of memory: split it into several environments"
    )]
    TooMuchKept {
        /// In bytes.
        limit: usize,
    },
    /// There is nothing in it.
    #[error(
        "the file is empty: {RESTORE}; where it is a new one, write its values into it, and encrypt it with `sops encrypt --age RECIPIENT -i FILE`"
    )]
    Empty,
    /// The bytes are not UTF-8.
    #[error(
        "the file is not UTF-8 text: {RESTORE}; where its keys never were, write them so {BEFORE}"
    )]
    NotUtf8,
    /// Git could not merge two versions of it, and nobody has done it since.
    #[error(
        "line {line} begins a merge conflict (`<<<<<<<`): take one side whole (`git checkout --ours -- FILE`, or `--theirs`; once it is committed, `git checkout COMMIT -- FILE`), and make the other's changes in it with `sops set` or `sops edit`"
    )]
    Conflict {
        /// From 1.
        line: usize,
    },
    /// Something of what sops writes last is not there.
    #[error(
        "the file seems to be cut, or its `sops` metadata damaged: it lacks {lacks}: {RESTORE}"
    )]
    Cut {
        /// From fixed lists of texts.
        lacks: String,
    },
    /// The text is not YAML.
    #[error("line {line} is not valid YAML: {reason}: {RESTORE}")]
    NotYaml {
        /// From 1.
        line: usize,
        /// From a fixed list of texts.
        reason: &'static str,
    },
    /// The text is not JSON, or ends before its object does.
    #[error("the file is not valid JSON at line {line}, column {column}: {RESTORE}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A line of a dotenv file is neither a comment nor an entry.
    #[error(
        "line {line} is neither KEY=value nor a comment (sops writes a line feed as \\n): {RESTORE}"
    )]
    NotDotenv {
        /// From 1.
        line: usize,
    },
    /// The text is not ini.
    #[error("line {line} is not valid ini: {reason}: {RESTORE}")]
    NotIni {
        /// From 1.
        line: usize,
        /// From a fixed list of texts.
        reason: &'static str,
    },
    /// A MAC is wrong, and a comment of ini holds a value, as sops makes of a key `-`.
    #[error(
        "line {line} is a comment that holds an encrypted value, without which the MAC is another: somebody changed the file (look at `git log -p -- FILE`), or it was a key `-`, of which sops makes such a comment that it cannot read back either. Put back what nobody of yours changed, or give that key a name {BEFORE}"
    )]
    SealedComment {
        /// From 1.
        line: usize,
    },
    /// A binary file is not one text, `data`.
    #[error(
        "a binary file holds the one key `data`, an encrypted text, and this one does not: name a file of another format by it (.enc.json, say), or restore it ({CHECKOUT})"
    )]
    NotBinary,
    /// A binary file has a key beside `data`, for which nothing but the MAC would speak.
    #[error(
        "a binary file holds the one key `data`, and this one holds {key} too, which sops ignores: {}",
        take_out(.key)
    )]
    MoreThanBinary {
        /// Escaped and cut.
        key: String,
    },
    /// A document is neither a mapping nor empty.
    #[error(
        "document {document} is not a mapping of keys to values: SOPS encrypts nothing else. Write it so {BEFORE}, or restore it ({CHECKOUT})"
    )]
    NotAMapping {
        /// From 1.
        document: usize,
    },
    /// An alias within the collection that it stands for.
    #[error(
        "the alias on line {line} refers to the collection that it is in: write out what it stands for"
    )]
    SelfAlias {
        /// From 1.
        line: usize,
    },
    /// A key that is a number, a list, null and so on.
    #[error("a key on line {line} is not text, which sops refuses too: put it in quotes {BEFORE}")]
    KeyNotText {
        /// From 1.
        line: usize,
    },
    /// One mapping has one key twice.
    #[error(
        "the key {key} is there twice in one mapping: restore the file ({CHECKOUT}), or take the one out that was added, by hand where sops refuses the file and with `sops edit` where it does not"
    )]
    DuplicateKey {
        /// Escaped and cut.
        key: String,
    },
    /// A key with a colon: SOPS joins keys with it, so the path could be read in two ways.
    #[error(
        "the key {key} holds ':', with which SOPS joins keys, so that its value could be moved unseen: rename it with `sops edit`"
    )]
    ColonInKey {
        /// Escaped and cut.
        key: String,
    },
    /// Two values whose dotted paths are the same, in one document or in two.
    #[error(
        "two values have the path {path}: rename one with `sops edit`, so that it is certain which of them is meant"
    )]
    SamePath {
        /// The dotted path, escaped and cut.
        path: String,
    },
    /// A scalar's tag and text do not fit together.
    #[error("the scalar on line {line} is not what its tag says: {RESTORE}")]
    WrongTag {
        /// From 1.
        line: usize,
    },
    /// An integer that SOPS cannot encrypt.
    #[error(
        "the integer on line {line} does not fit in 64 bits, which sops refuses too: put it in quotes {BEFORE}"
    )]
    IntegerTooLarge {
        /// From 1.
        line: usize,
    },
    /// There is no `sops` mapping in the first document.
    #[error(
        "the file has no `sops` metadata, so it is not encrypted, and whoever saw it knows its values: {RESTORE}; where it is a new one, run `sops encrypt --age RECIPIENT -i FILE`"
    )]
    NoMetadata,
    /// Names of flat metadata that are no tree.
    #[error("the `sops` metadata is malformed: {name} does not fit the names beside it: {RESTORE}")]
    BadFlatMetadata {
        /// Escaped and cut.
        name: String,
    },
    /// There is no version, and the administrator does not allow that.
    #[error(
        "the `sops` metadata has no version, which sops refuses: restore the file where its end is missing; where another tool writes it so, add a `version` (3.9.0, say) by hand, or allow `no-version` (VANTA_SOPS_ALLOW)"
    )]
    NoVersion,
    /// A field of the metadata is missing or of a wrong kind.
    #[error("the `sops` metadata is malformed: {field} {rule}: {RESTORE}")]
    BadMetadata {
        /// The field's name.
        field: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// More of something in the metadata than is read.
    #[error("the `sops` metadata is too long: {field} has more than {most}: make it shorter")]
    TooMuchMetadata {
        /// The field's name.
        field: &'static str,
        /// Of what, and how many.
        most: &'static str,
    },
    /// More than one of the six selection rules.
    #[error(
        "the `sops` metadata has more than one rule of what is encrypted, which sops refuses too: keep the one that it was encrypted with, or restore it ({CHECKOUT})"
    )]
    SeveralRules,
    /// A regular expression that Go does not take, so that sops lets it match nothing, or that is
    /// not supported.
    #[error(
        "{field} is a regular expression that is invalid in Go, so that sops would let it match nothing, or not supported: decrypt the file (`sops decrypt -i FILE`), and encrypt it with one of plain characters, classes and groups, as in `sops encrypt --age RECIPIENT --encrypted-regex '^APP_' -i FILE`"
    )]
    InvalidRegex {
        /// The rule's name in the metadata.
        field: &'static str,
    },
    /// The MAC leaves out the plain values, and the administrator does not allow that.
    #[error(
        "the file has mac_only_encrypted, so its plain values prove nothing: decrypt it (`sops decrypt -i FILE`), take `mac_only_encrypted` out of .sops.yaml, and encrypt it (`sops encrypt -i FILE`); or allow `mac-only-encrypted` (VANTA_SOPS_ALLOW)"
    )]
    MacOnlyEncrypted,
    /// The file lists no key at all.
    #[error("the `sops` metadata lists no key that the data key is encrypted for: {RESTORE}")]
    NoKeys,
    /// None of the keys that the data key is wrapped for can be opened.
    #[error(
        "no key opens the file: {}: {}",
        Reasons(.reasons),
        advice(.reasons)
    )]
    NoMasterKey {
        /// Of each key.
        reasons: Vec<KeyError>,
    },
    /// One of the file's master keys may not be used.
    #[error(transparent)]
    MasterKey(KeyError),
    /// The data key is split, and too few of the groups that hold its shares can be opened.
    #[error(
        "the data key is split among {groups} key groups, of which {needed} are needed and {opened} can be opened: {}: {OWN}, configure an identity for each group, or change the groups (`sops groups`)",
        FailedGroups(.failed)
    )]
    TooFewGroups {
        /// How many there are.
        groups: usize,
        /// How many are needed.
        needed: usize,
        /// How many could be opened.
        opened: usize,
        /// What is wrong with each of the others.
        failed: Vec<GroupError>,
    },
    /// What the groups wrap are no shares of one key.
    #[error("the shares of the key groups do not fit together: {RESTORE}")]
    BadShares,
    /// What age gave is not a data key.
    #[error("the data key is not of 32 bytes: {RESTORE}")]
    BadDataKey,
    /// A value that must be encrypted is not.
    #[error(
        "the value of {path} is not encrypted, though the file's rule says so: look at what else changed, restore the file ({CHECKOUT}), and put the value in with `sops set`"
    )]
    NotEncrypted {
        /// The dotted path, escaped and cut.
        path: String,
    },
    /// An empty value that must be encrypted: SOPS leaves it plain, so anybody can add one.
    #[error(
        "the value of {path} is empty, which SOPS does not authenticate: take it out with `sops unset`, or allow `plain-empty-strings` (VANTA_SOPS_ALLOW)"
    )]
    PlainEmpty {
        /// The dotted path, escaped and cut.
        path: String,
    },
    /// A value cannot be decrypted where it stands.
    #[error("the value of {path} cannot be decrypted: {reason}: {}", remedy(*.reason))]
    BadValue {
        /// The dotted path, escaped and cut.
        path: String,
        /// Why.
        reason: ValueError,
    },
    /// There is no MAC.
    #[error("the file has no MAC, so nothing proves that it is whole: {RESTORE}")]
    NoMac,
    /// The MAC cannot be decrypted or is not that of the values.
    #[error(
        "the MAC is not that of the values: the file was changed without sops, or Git joined two versions of it: {RESTORE}"
    )]
    WrongMac,
}

impl FileError {
    /// Why the master keys gave nothing.
    fn key_errors(&self) -> impl Iterator<Item = &KeyError> {
        let (of_one, of_several): (&[KeyError], &[GroupError]) = match self {
            Self::NoMasterKey { reasons } => (reasons, &[]),
            Self::TooFewGroups { failed, .. } => (&[], failed),
            _ => (&[], &[]),
        };
        of_one.iter().chain(of_several.iter().flat_map(|group| &group.reasons))
    }

    /// Whether a data key is being asked for, so that the file is to be opened again.
    pub(super) fn is_awaited(&self) -> bool {
        self.key_errors().any(|error| matches!(error, KeyError::Awaited(_)))
    }

    /// Whether it may pass without a change of the file: sops could not decrypt a data key.
    pub(super) fn is_passing(&self) -> bool {
        self.key_errors().any(|error| matches!(error, KeyError::Service { .. }))
    }

    /// What a caller of the vault is told of it.
    pub fn fault(&self) -> FileFault {
        match self {
            Self::WrongMac
            | Self::SealedComment { .. }
            | Self::BadValue { reason: ValueError::Unauthentic, .. } => FileFault::Tampered,
            Self::NoMac => FileFault::NoMac,
            // Where sops was asked, no identity is missing.
            Self::NoMasterKey { .. } | Self::TooFewGroups { .. }
                if !self.is_passing() && !self.is_awaited() =>
            {
                FileFault::NoIdentity
            }
            _ => FileFault::Refused,
        }
    }
}

/// Why one encrypted value gives no plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Base64, the nonce or the tag is malformed.
    #[error("it is malformed")]
    Malformed,
    /// The nonce has a length that nobody writes.
    #[error("its nonce has a length that nobody writes: 32 bytes, or 8, 12, 16 or 24, are read")]
    NonceLength,
    /// It was changed, or moved from another path, or belongs to another data key.
    #[error("it was changed, or moved from another place")]
    Unauthentic,
    /// Its type is `bytes`, which makes sops panic, or none of SOPS's.
    #[error("its type is not one that sops writes")]
    UnknownType,
    /// The plaintext is not of the type that it is labelled with.
    #[error("its content is not of its type")]
    WrongType,
    /// A comment where a value of a mapping has to be.
    #[error("it is a comment in the place of a value")]
    Comment,
}
