//! What is kept of an opened file's values: those that are served, and of all others what is told
//! of them.
//!
//! Invariant: what is kept is paid for, whatever aliases make of a short file.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::authorship::{ContentDigest, EnvironmentLeaf, is_reserved};
use super::data_key::DataKey;
use super::error::FileError;
use super::leave::Withheld;
use super::limits::MAX_KEPT_BYTES;
use super::shown::shown;
use super::tree::Scalar;
use super::walk::{Content, Leaf};
use crate::domain::names::Key;

/// How many of the keys that are not served a warning names.
const MAX_NAMED: usize = 5;

/// How many warnings tell each of a path that is not the name of a key.
const MAX_NO_KEYS: usize = 10;

/// What a value takes beside its texts, in bytes: its place in the list, and what the allocator
/// adds to each of its texts.
const OVERHEAD: usize = size_of::<(Key, Kept)>() + 4 * 16;

/// A path's hash, by which it is known again.
type PathHash = (u64, u64);

/// Two hashers whose keys nobody knows: together, no two paths of a file have one hash.
#[derive(Default)]
struct PathHasher(RandomState, RandomState);

impl PathHasher {
    fn hash(&self, path: &str) -> PathHash {
        (self.0.hash_one(path), self.1.hash_one(path))
    }
}

/// A value that is served.
pub(super) struct Kept {
    pub(super) content: Content,
    /// What it is authenticated with, where that is not told by its key.
    place: Option<Box<str>>,
}

impl Kept {
    /// What the value of a key is authenticated with.
    pub(super) fn place(&self, key: &Key) -> String {
        self.place.as_deref().map_or_else(|| place_of(key.as_str()), str::to_owned)
    }
}

/// The place of a path whose steps are all keys without a dot, as most are.
fn place_of(path: &str) -> String {
    path.replace('.', ":") + ":"
}

/// What has been gathered of a file, leaf by leaf.
pub(super) struct Gathered {
    served: Vec<(Key, Kept)>,
    withheld: Vec<(PathHash, Withheld)>,
    /// How much more may be kept.
    left: usize,
    hasher: PathHasher,
    paths: HashSet<PathHash>,
    same_path: Option<String>,
    /// The first of the keys that are withheld, in order.
    named: BTreeSet<Key>,
    no_keys: Vec<String>,
    more_no_keys: usize,
    environment: EnvironmentLeaf,
    digest: ContentDigest,
}

/// The values of a file that are served.
pub(super) struct Values {
    /// In the order of their keys.
    pub(super) served: Box<[(Key, Kept)]>,
    /// By the hashes of their keys, in order.
    withheld: Box<[(PathHash, Withheld)]>,
    hasher: PathHasher,
    pub(super) warnings: Vec<String>,
    pub(super) environment: EnvironmentLeaf,
    pub(super) digest: [u8; 32],
    /// How much memory they take, in bytes.
    pub(super) kept: usize,
}

impl Gathered {
    pub(super) fn new() -> Self {
        Self {
            served: Vec::new(),
            withheld: Vec::new(),
            left: MAX_KEPT_BYTES,
            hasher: PathHasher::default(),
            paths: HashSet::new(),
            same_path: None,
            named: BTreeSet::new(),
            no_keys: Vec::new(),
            more_no_keys: 0,
            environment: EnvironmentLeaf::default(),
            digest: ContentDigest::default(),
        }
    }

    /// Takes the next leaf.
    pub(super) fn take(&mut self, data_key: &DataKey, leaf: Leaf) -> Result<(), FileError> {
        self.digest.add(&leaf.path, &leaf);
        let Leaf { path, place, content, withheld, .. } = leaf;
        let hash = self.hasher.hash(&path);
        if !self.paths.insert(hash) && self.same_path.is_none() {
            // Told once the MAC was found right.
            self.same_path = Some(shown(&path));
        }
        if is_reserved(&place) {
            let plaintext = match &content {
                Content::Sealed(sealed) => Some(data_key.open(sealed, &place)),
                Content::Plain(_) => None,
            };
            let plaintext = plaintext.transpose().map_err(|_| FileError::WrongMac)?;
            self.environment =
                std::mem::take(&mut self.environment).with((&path, &place), plaintext.as_ref());
            return Ok(());
        }
        // A refusal of what is much too long would look through all of it.
        let key = (path.len() <= Key::MAX_LEN).then(|| path.parse::<Key>());
        let Some(Ok(key)) = key else {
            self.warn(&path);
            return Ok(());
        };
        if let Some(withheld) = withheld {
            self.pay(size_of::<(PathHash, Withheld)>())?;
            self.withheld.push((hash, withheld));
            self.named.insert(key);
            if self.named.len() > MAX_NAMED {
                self.named.pop_last();
            }
            return Ok(());
        }
        let place = (place != place_of(key.as_str())).then(|| place.into_boxed_str());
        let place_bytes = place.as_ref().map_or(0, |place| place.len());
        self.pay(OVERHEAD + key.as_str().len() + place_bytes + bytes(&content))?;
        self.served.push((key, Kept { content, place }));
        Ok(())
    }

    fn pay(&mut self, bytes: usize) -> Result<(), FileError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(FileError::TooMuchKept { limit: MAX_KEPT_BYTES })?;
        Ok(())
    }

    fn warn(&mut self, path: &str) {
        if self.no_keys.len() == MAX_NO_KEYS {
            self.more_no_keys += 1;
        } else {
            let name = shown(path);
            self.no_keys.push(format!("{name} is not served: it is not the name of a key"));
        }
    }

    /// All that was gathered, where every value has a path of its own.
    pub(super) fn finish(mut self) -> Result<Values, FileError> {
        if let Some(path) = self.same_path {
            return Err(FileError::SamePath { path });
        }
        let mut warnings = std::mem::take(&mut self.no_keys);
        if self.more_no_keys > 0 {
            let more = self.more_no_keys;
            warnings.push(format!("{more} more are not served: they are not names of keys"));
        }
        warnings.extend(not_served(&self.withheld, &self.named));
        self.served.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.withheld.sort_unstable_by_key(|(hash, _)| *hash);
        Ok(Values {
            served: self.served.into_boxed_slice(),
            withheld: self.withheld.into_boxed_slice(),
            hasher: self.hasher,
            warnings,
            environment: self.environment,
            digest: self.digest.finish(),
            kept: MAX_KEPT_BYTES - self.left,
        })
    }
}

impl Values {
    /// The value of a key, where it is served.
    pub(super) fn find(&self, key: &Key) -> Option<&Kept> {
        let at = self.served.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        Some(&self.served[at].1)
    }

    /// Why the value of a key is not served, where it is there.
    pub(super) fn withheld(&self, key: &Key) -> Option<Withheld> {
        let hash = self.hasher.hash(key.as_str());
        let at = self.withheld.binary_search_by_key(&hash, |(other, _)| *other).ok()?;
        Some(self.withheld[at].1)
    }
}

/// What the administrator's leave is missing for, in one sentence.
fn not_served(withheld: &[(PathHash, Withheld)], first: &BTreeSet<Key>) -> Option<String> {
    let count = |why| withheld.iter().filter(|(_, reason)| *reason == why).count();
    let reasons = [
        (count(Withheld::Plain), "plain (VANTA_SOPS_ALLOW: `plain-values`)"),
        (count(Withheld::BelowList), "below lists (VANTA_SOPS_ALLOW: `leaves-below-lists`)"),
    ];
    let reasons = reasons.iter().filter(|(count, _)| *count > 0);
    let reasons: Vec<String> = reasons.map(|(count, why)| format!("{count} {why}")).collect();
    let names: Vec<&str> = first.iter().map(Key::as_str).collect();
    let more = if withheld.len() > MAX_NAMED { ", …" } else { "" };
    let values = match withheld.len() {
        0 => return None,
        1 => "1 value is".to_owned(),
        several => format!("{several} values are"),
    };
    let (reasons, names) = (reasons.join(", "), names.join(", "));
    Some(format!("{values} not served: {reasons}: {names}{more}"))
}

/// How much text a value keeps.
fn bytes(content: &Content) -> usize {
    match content {
        Content::Sealed(sealed) => sealed.ciphertext.len() + sealed.nonce.len(),
        Content::Plain(Scalar::Text(text)) => text.capacity(),
        Content::Plain(_) => 0,
    }
}
