//! A file that has been opened: its MAC was right, and its values are still encrypted.
//!
//! Invariant: there is no [`OpenedFile`] and no [`EncryptedFile`] whose MAC was not verified.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::authorship::{ContentDigest, EnvironmentLeaf, is_reserved};
use super::data_key::DataKey;
use super::data_keys::DataKeyCode;
use super::error::{FileError, ValueError, shown};
use super::format::{Format, Parsed};
use super::groups;
use super::key_sources::{FileKeys, KeySources};
use super::leave::{Leave, Withheld};
use super::limits::check_length;
use super::metadata::{self, Metadata};
use super::plaintext::Plaintext;
use super::print::{self, NotJson};
use super::sealed::Sealed;
use super::time::Time;
use super::tree::Scalar;
use super::walk::{Content, Leaf, Shape, walk};
use crate::domain::names::Key;
use crate::domain::secret::SecretValue;
use crate::domain::versions::VersionMark;

/// A file as SOPS sees it, which may be one that the vault would not serve from.
pub struct OpenedFile {
    data_key: DataKey,
    shapes: Vec<Shape>,
    leaves: Vec<Leaf>,
    last_modified: Time,
}

impl OpenedFile {
    /// Opens a file: finds the data key, decrypts every value once and verifies the MAC.
    pub fn open<'a>(
        bytes: &[u8],
        format: Format,
        keys: impl Into<KeySources<'a>>,
        leave: Leave,
    ) -> Result<Self, FileError> {
        check_length(bytes)?;
        let keys: KeySources<'_> = keys.into();
        let Parsed { documents, metadata } = format.parse(bytes)?;
        let metadata = metadata::read(&metadata, leave)?;
        if metadata.mac_only_encrypted && !leave.mac_only_encrypted {
            return Err(FileError::MacOnlyEncrypted);
        }
        if metadata.mac.is_empty() {
            return Err(FileError::NoMac);
        }
        let file_keys = FileKeys::new(keys, &metadata);
        let data_key = groups::data_key(&metadata.keys, &|key| file_keys.open(key))?;
        let walked = walk(documents, &metadata, &data_key, leave)?;
        verify_mac(&metadata, &data_key, &walked.mac)?;
        Ok(Self {
            data_key,
            shapes: walked.shapes,
            leaves: walked.leaves,
            last_modified: metadata.last_modified,
        })
    }

    /// The first document as `sops decrypt --output-type json` prints it, to the byte.
    pub fn to_json(&self) -> Result<Zeroizing<String>, NotJson> {
        match self.shapes.first() {
            Some(shape) => print::json(shape, &|leaf| self.plaintext(&self.leaves[leaf])),
            None => Ok(Zeroizing::new("{}\n".to_owned())),
        }
    }

    fn plaintext(&self, leaf: &Leaf) -> Result<Plaintext, ValueError> {
        match &leaf.content {
            Content::Sealed(sealed) => self.data_key.open(sealed, &leaf.place),
            Content::Plain(scalar) => Ok(Plaintext::from(scalar)),
        }
    }
}

fn verify_mac(metadata: &Metadata, data_key: &DataKey, computed: &str) -> Result<(), FileError> {
    let Some(Ok(sealed)) = Sealed::parse(&metadata.mac) else { return Err(FileError::WrongMac) };
    // A MAC of another type than text does not compare equal in sops either.
    match data_key.open(&sealed, &metadata.last_modified.without_fraction()) {
        Ok(Plaintext::Text(mac)) if bool::from(mac.ct_eq(computed.as_bytes())) => Ok(()),
        _ => Err(FileError::WrongMac),
    }
}

impl From<&Scalar> for Plaintext {
    fn from(scalar: &Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Bool(bool) => Self::Bool(*bool),
            Scalar::Int(int) => Self::Int(*int),
            Scalar::Float(float) => Self::Float(*float),
            Scalar::Text(bytes) => Self::Text(Zeroizing::new(bytes.clone())),
            Scalar::Time(time) => Self::Time(*time),
        }
    }
}

/// How many of the keys that are not served a warning names.
const MAX_NAMED: usize = 5;

/// How many warnings tell each of a path that is not the name of a key.
const MAX_NO_KEYS: usize = 10;

/// A file that secrets are served from: every value has one path, and every path one value.
pub struct EncryptedFile {
    opened: OpenedFile,
    index: BTreeMap<Key, usize>,
    warnings: Vec<String>,
    environment: EnvironmentLeaf,
    digest: [u8; 32],
}

/// Why a key of an opened file gives no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such key, or its value is null.
    #[error("there is no such key")]
    NoKey,
    /// There is, and it needs the administrator's leave.
    #[error("it is not served: {0}")]
    Withheld(Withheld),
    /// It cannot be decrypted, though it could when the file was opened.
    #[error("it cannot be decrypted: {0}")]
    Value(#[from] ValueError),
}

impl EncryptedFile {
    /// Opens a file and lists its keys.
    ///
    /// Two values with one dotted path refuse the file. One whose path is not a [`Key`] is not
    /// served, and [`Self::warnings`] names it, or counts it where there are many. Plain values and those below a list are served
    /// with [`Leave`] alone: without it, they are not among the keys. `_vanta_environment` is never
    /// one of them.
    pub fn open<'a>(
        bytes: &[u8],
        format: Format,
        keys: impl Into<KeySources<'a>>,
        leave: Leave,
    ) -> Result<Self, FileError> {
        let mut opened = OpenedFile::open(bytes, format, keys, leave)?;
        let mut seen = HashSet::new();
        let mut index = BTreeMap::new();
        let (mut warnings, mut more) = (Vec::new(), 0_usize);
        let mut environment = EnvironmentLeaf::default();
        let mut digest = ContentDigest::default();
        for at in 0..opened.leaves.len() {
            let path = std::mem::take(&mut opened.leaves[at].path);
            let leaf = &opened.leaves[at];
            digest.add(&path, leaf);
            if is_reserved(&leaf.place) {
                let is_sealed = matches!(leaf.content, Content::Sealed(_));
                let sealed = is_sealed.then(|| opened.plaintext(leaf)).transpose();
                let sealed = sealed.map_err(|_| FileError::WrongMac)?;
                environment = environment.with((&path, &leaf.place), sealed);
            } else if let Ok(key) = path.parse::<Key>() {
                index.insert(key, at);
            } else if warnings.len() == MAX_NO_KEYS {
                more += 1;
            } else {
                let name = shown(&path);
                warnings.push(format!("{name} is not served: it is not the name of a key"));
            }
            if let Some(path) = seen.replace(path) {
                return Err(FileError::SamePath { path: shown(&path) });
            }
        }
        if more > 0 {
            warnings.push(format!("{more} more are not served: they are not names of keys"));
        }
        let digest = digest.finish();
        let mut file = Self { opened, index, warnings, environment, digest };
        file.warnings.extend(file.not_served());
        Ok(file)
    }

    /// What the administrator's leave is missing for, in one sentence.
    fn not_served(&self) -> Option<String> {
        let withheld = |(key, at): (_, &usize)| Some((key, self.leaf(*at).withheld?));
        let withheld: Vec<(&Key, Withheld)> = self.index.iter().filter_map(withheld).collect();
        let count = |why| withheld.iter().filter(|(_, reason)| *reason == why).count();
        let reasons = [
            (count(Withheld::Plain), "plain (allow `plain-values`)"),
            (count(Withheld::BelowList), "below lists (allow `leaves-below-lists`)"),
        ];
        let reasons = reasons.iter().filter(|(count, _)| *count > 0);
        let reasons: Vec<String> = reasons.map(|(count, why)| format!("{count} {why}")).collect();
        let names: Vec<&str> =
            withheld.iter().take(MAX_NAMED).map(|(key, _)| key.as_str()).collect();
        let more = if withheld.len() > MAX_NAMED { ", …" } else { "" };
        let values = match withheld.len() {
            0 => return None,
            1 => "1 value is".to_owned(),
            several => format!("{several} values are"),
        };
        let (reasons, names) = (reasons.join(", "), names.join(", "));
        Some(format!("{values} not served: {reasons}: {names}{more}"))
    }

    /// The keys that are served, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        let served = self.index.iter().filter(|(_, leaf)| self.leaf(**leaf).withheld.is_none());
        served.map(|(key, _)| key)
    }

    /// Decrypts one value, as text in the form in which `sops exec-env` prints it.
    pub fn read(&self, key: &Key) -> Result<SecretValue, ReadError> {
        let leaf = self.leaf(*self.index.get(key).ok_or(ReadError::NoKey)?);
        if let Some(withheld) = leaf.withheld {
            return Err(ReadError::Withheld(withheld));
        }
        self.opened.plaintext(leaf)?.served().ok_or(ReadError::NoKey)
    }

    /// Paths that are not names of keys, and values that need leave, for the log.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// When the file was last written by sops, as it says itself: RFC 3339, and authentic, since
    /// the MAC is bound to it.
    pub fn last_modified(&self) -> String {
        self.opened.last_modified.without_fraction()
    }

    /// What it says of its environment.
    pub(super) fn environment(&self) -> &EnvironmentLeaf {
        &self.environment
    }

    /// What tells its data key from others.
    pub(super) fn data_key_code(&self) -> DataKeyCode {
        self.opened.data_key.code()
    }

    /// Which version it is.
    pub(super) fn mark(&self) -> VersionMark {
        let last_modified = self.last_modified().parse::<Timestamp>();
        VersionMark {
            // What cannot be told is as old as can be.
            last_modified: last_modified.map_or(i64::MIN, Timestamp::as_second),
            digest: self.digest,
        }
    }

    fn leaf(&self, at: usize) -> &Leaf {
        &self.opened.leaves[at]
    }
}
