//! From a file's groups of master keys to its data key (sops `GetDataKeyWithKeyServices`): the one
//! group's keys wrap it; several groups' keys wrap a share of it each.

use std::fmt;

use zeroize::Zeroizing;

use super::data_key::DataKey;
use super::error::FileError;
use super::master_key::{KeyError, KeyGroup, MasterKey};
use super::shares;

/// The most reasons that an error repeats where there is one group.
const MAX_REASONS: usize = 10;

/// The most groups that an error repeats, and the most reasons of each.
const MAX_FAILED: usize = 5;
const MAX_REASONS_OF_EACH: usize = 3;

/// The most keys of a file that one of the identities is for and cannot open: trying each is
/// public-key cryptography, with RSA above all.
const MAX_BROKEN: usize = 16;

/// What a master key wraps.
pub(super) type Unwrapped = Zeroizing<Vec<u8>>;

/// Opens one master key.
pub(super) type Open<'a> = &'a dyn Fn(&MasterKey) -> Result<Unwrapped, KeyError>;

/// The groups of a file, and how many of them are needed where there are several.
pub(super) struct KeyGroups {
    pub(super) groups: Vec<KeyGroup>,
    pub(super) threshold: usize,
}

/// Why a group gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupError {
    /// Its number, from 1.
    pub group: usize,
    /// Of each key.
    pub reasons: Vec<KeyError>,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}: ", self.group)?;
        write_some(f, &self.reasons, MAX_REASONS_OF_EACH, ", ")
    }
}

/// The reasons of the one group, cut.
pub(super) struct Reasons<'a>(pub(super) &'a [KeyError]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_some(f, self.0, MAX_REASONS, ", ")
    }
}

/// The groups that gave nothing, cut.
pub(super) struct FailedGroups<'a>(pub(super) &'a [GroupError]);

impl fmt::Display for FailedGroups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_some(f, self.0, MAX_FAILED, "; ")
    }
}

fn write_some<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    all: &[T],
    most: usize,
    separator: &str,
) -> fmt::Result {
    if all.is_empty() {
        return f.write_str("it lists no key");
    }
    for (at, one) in all.iter().take(most).enumerate() {
        write!(f, "{}{one}", if at == 0 { "" } else { separator })?;
    }
    match all.len().saturating_sub(most) {
        0 => Ok(()),
        more => write!(f, "{separator}{more} more"),
    }
}

/// What came of one group so far.
#[derive(Default)]
struct Tried {
    opened: Option<Unwrapped>,
    reasons: Vec<KeyError>,
}

/// Has the data key opened, by keys of age where these are enough: they ask nobody.
///
/// As in sops, all shares that can be had are combined, also those beyond the threshold.
pub(super) fn data_key(keys: &KeyGroups, open: Open<'_>) -> Result<DataKey, FileError> {
    let is_age = |key: &MasterKey| matches!(key, MasterKey::Age(_));
    let needed = if keys.groups.len() == 1 { 1 } else { keys.threshold.max(2) };
    let mut tried: Vec<Tried> = keys.groups.iter().map(|_| Tried::default()).collect();
    let mut broken = 0;
    for age in [true, false] {
        if tried.iter().filter(|tried| tried.opened.is_some()).count() >= needed {
            break;
        }
        for (group, tried) in keys.groups.iter().zip(&mut tried) {
            let keys = group.0.iter().filter(|key| is_age(key) == age);
            tried.try_keys(keys, open, &mut broken)?;
        }
    }
    let groups = tried.len();
    let (mut opened, mut failed) = (Vec::new(), Vec::new());
    for (at, tried) in tried.into_iter().enumerate() {
        match tried {
            Tried { opened: Some(bytes), .. } => opened.push(bytes),
            Tried { reasons, .. } => failed.push(GroupError { group: at + 1, reasons }),
        }
    }
    let key = if groups == 1 {
        opened.pop().ok_or_else(|| {
            let reasons = failed.pop().map(|failed| failed.reasons).unwrap_or_default();
            FileError::NoMasterKey { reasons }
        })?
    } else {
        if opened.len() < needed {
            return Err(FileError::TooFewGroups { groups, needed, opened: opened.len(), failed });
        }
        shares::combine(&opened).ok_or(FileError::BadShares)?
    };
    DataKey::new(&key).ok_or(FileError::BadDataKey)
}

impl Tried {
    /// Has the first of these keys open it that does, where none has. The error is one that refuses
    /// the whole file.
    fn try_keys<'k>(
        &mut self,
        mut keys: impl Iterator<Item = &'k MasterKey>,
        open: Open<'_>,
        broken: &mut usize,
    ) -> Result<(), FileError> {
        while self.opened.is_none()
            && let Some(key) = keys.next()
        {
            match open(key) {
                Ok(bytes) => self.opened = Some(bytes),
                Err(reason) if reason.refuses_file() => return Err(FileError::MasterKey(reason)),
                // The next one is asked for where this one fails.
                Err(reason @ KeyError::Awaited(_)) => {
                    self.reasons.push(reason);
                    break;
                }
                Err(reason) => {
                    *broken += usize::from(matches!(reason, KeyError::Broken { .. }));
                    if *broken > MAX_BROKEN {
                        return Err(FileError::MasterKey(KeyError::TooManyBroken {
                            limit: MAX_BROKEN,
                        }));
                    }
                    self.reasons.push(reason);
                }
            }
        }
        Ok(())
    }
}
