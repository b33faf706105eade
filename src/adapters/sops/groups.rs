//! From a file's groups of master keys to its data key (sops `GetDataKeyWithKeyServices`): the one
//! group's keys wrap it; several groups' keys wrap a share of it each.

use std::fmt;

use zeroize::Zeroizing;

use super::data_key::DataKey;
use super::error::FileError;
use super::master_key::{KeyError, KeyGroup, MasterKey};
use super::shares;

/// The most reasons of one group that an error repeats.
const MAX_REASONS: usize = 10;

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
        write!(f, "group {}: {}", self.group, Reasons(&self.reasons))
    }
}

/// The reasons of one group, cut.
pub(super) struct Reasons<'a>(pub(super) &'a [KeyError]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it lists no key");
        }
        for (at, reason) in self.0.iter().take(MAX_REASONS).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{reason}")?;
        }
        match self.0.len().saturating_sub(MAX_REASONS) {
            0 => Ok(()),
            more => write!(f, ", {more} more"),
        }
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
    for age in [true, false] {
        if tried.iter().filter(|tried| tried.opened.is_some()).count() >= needed {
            break;
        }
        for (group, tried) in keys.groups.iter().zip(&mut tried) {
            tried.try_keys(group.0.iter().filter(|key| is_age(key) == age), open)?;
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
                Err(reason) => self.reasons.push(reason),
            }
        }
        Ok(())
    }
}
