//! A file that has been opened: its MAC was right, and its values are still encrypted.
//!
//! Invariant: there is no [`OpenedFile`] and no [`EncryptedFile`] whose MAC was not verified.

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::authorship::EnvironmentLeaf;
use super::damage::{self, check_content};
use super::data_key::DataKey;
use super::error::{FileError, ValueError};
use super::format::{Format, Parsed};
use super::gathered::{Gathered, Values};
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
use crate::domain::data_keys::DataKeyCode;
use crate::domain::names::Key;
use crate::domain::secret::SecretValue;
use crate::domain::versions::VersionMark;

/// A file as SOPS sees it, which may be one that the vault would not serve from.
pub struct OpenedFile {
    data_key: DataKey,
    shapes: Vec<Shape>,
    leaves: Vec<Leaf>,
    last_modified: Time,
    saved_at: Timestamp,
}

impl OpenedFile {
    /// Opens a file: finds the data key, decrypts every value once and verifies the MAC.
    pub fn open<'a>(
        bytes: &[u8],
        format: Format,
        keys: impl Into<KeySources<'a>>,
        leave: Leave,
    ) -> Result<Self, FileError> {
        let mut leaves = Vec::new();
        let keep = &mut |_: &DataKey, leaf| {
            leaves.push(leaf);
            Ok(())
        };
        let opened = Self::open_and_take(bytes, format, keys.into(), leave, keep)?;
        Ok(Self { leaves, ..opened })
    }

    /// Opens a file whose leaves are taken one by one, and not kept.
    fn open_and_take(
        bytes: &[u8],
        format: Format,
        keys: KeySources<'_>,
        leave: Leave,
        take: &mut dyn FnMut(&DataKey, Leaf) -> Result<(), FileError>,
    ) -> Result<Self, FileError> {
        check_length(bytes)?;
        check_content(bytes)?;
        let parsed = format.parse(bytes);
        let Parsed { documents, metadata } =
            parsed.map_err(|error| damage::of_text(error, bytes, format))?;
        let metadata = metadata::read(&metadata, leave)
            .map_err(|error| damage::of_metadata(error, &metadata, bytes, format))?;
        if metadata.mac_only_encrypted && !leave.mac_only_encrypted {
            return Err(FileError::MacOnlyEncrypted);
        }
        if metadata.mac.is_empty() {
            return Err(FileError::NoMac);
        }
        let file_keys = FileKeys::new(keys, &metadata);
        let data_key = groups::data_key(&metadata.keys, &|key| file_keys.open(key))?;
        let walked = walk(documents, &metadata, &data_key, leave, take)?;
        verify_mac(&metadata, &data_key, &walked.mac)
            .map_err(|error| damage::of_mac(error, bytes, format))?;
        Ok(Self {
            data_key,
            shapes: walked.shapes,
            leaves: Vec::new(),
            last_modified: metadata.last_modified,
            saved_at: metadata.saved_at,
        })
    }

    /// The first document as `sops decrypt --output-type json` prints it, to the byte.
    pub fn to_json(&self) -> Result<Zeroizing<String>, NotJson> {
        match self.shapes.first() {
            Some(shape) => print::json(shape, &|leaf| {
                let Leaf { content, place, .. } = &self.leaves[leaf];
                self.plaintext(content, place)
            }),
            None => Ok(Zeroizing::new("{}\n".to_owned())),
        }
    }

    fn plaintext(&self, content: &Content, place: &str) -> Result<Plaintext, ValueError> {
        match content {
            Content::Sealed(sealed) => self.data_key.open(sealed, place),
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

/// A file that secrets are served from: every value has one path, and every path one value.
pub struct EncryptedFile {
    /// Without its leaves and their shape.
    opened: OpenedFile,
    values: Values,
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
        let mut gathered = Gathered::new();
        let take = &mut |data_key: &DataKey, leaf| gathered.take(data_key, leaf);
        let opened = OpenedFile::open_and_take(bytes, format, keys.into(), leave, take)?;
        let opened = OpenedFile { shapes: Vec::new(), ..opened };
        Ok(Self { opened, values: gathered.finish()? })
    }

    /// The keys that are served, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.values.served.iter().map(|(key, _)| key)
    }

    /// Decrypts one value, as text in the form in which `sops exec-env` prints it.
    pub fn read(&self, key: &Key) -> Result<SecretValue, ReadError> {
        let Some(kept) = self.values.find(key) else {
            return Err(self.values.withheld(key).map_or(ReadError::NoKey, ReadError::Withheld));
        };
        let plaintext = self.opened.plaintext(&kept.content, &kept.place(key))?;
        plaintext.served().ok_or(ReadError::NoKey)
    }

    /// Paths that are not names of keys, and values that need leave, for the log.
    pub fn warnings(&self) -> &[String] {
        &self.values.warnings
    }

    /// When the file was last written by sops, as it says itself: RFC 3339, and authentic, since
    /// the MAC is bound to it.
    pub fn last_modified(&self) -> String {
        self.opened.last_modified.without_fraction()
    }

    /// What it says of its environment.
    pub(super) fn environment(&self) -> &EnvironmentLeaf {
        &self.values.environment
    }

    /// What tells its data key from others.
    pub(super) fn data_key_code(&self) -> DataKeyCode {
        self.opened.data_key.code()
    }

    /// Which version it is.
    pub(super) fn mark(&self) -> VersionMark {
        VersionMark { last_modified: self.opened.saved_at, digest: self.values.digest }
    }

    /// How much memory its values take, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.values.kept
    }
}
