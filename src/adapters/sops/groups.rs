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

/// Has the data key opened.
///
/// As in sops, all shares that can be had are combined, also those beyond the threshold.
pub(super) fn data_key(keys: &KeyGroups, open: Open<'_>) -> Result<DataKey, FileError> {
    let mut opened = Vec::new();
    let mut failed: Vec<GroupError> = Vec::new();
    for (at, group) in keys.groups.iter().enumerate() {
        match unwrap_group(group, open) {
            Ok(bytes) => opened.push(bytes),
            Err(reasons) => {
                if let Some(reason) = reasons.iter().find(|reason| reason.refuses_file()) {
                    return Err(FileError::MasterKey(reason.clone()));
                }
                failed.push(GroupError { group: at + 1, reasons });
            }
        }
    }
    let key = if let [_] = keys.groups.as_slice() {
        opened.pop().ok_or_else(|| {
            let reasons = failed.pop().map(|failed| failed.reasons).unwrap_or_default();
            FileError::NoMasterKey { reasons }
        })?
    } else {
        let needed = keys.threshold.max(2);
        if opened.len() < needed {
            let (groups, opened) = (keys.groups.len(), opened.len());
            return Err(FileError::TooFewGroups { groups, needed, opened, failed });
        }
        shares::combine(&opened).ok_or(FileError::BadShares)?
    };
    DataKey::new(&key).ok_or(FileError::BadDataKey)
}

/// The first that opens, those of age before all others: they ask nobody.
fn unwrap_group(group: &KeyGroup, open: Open<'_>) -> Result<Unwrapped, Vec<KeyError>> {
    let is_age = |key: &&MasterKey| matches!(key, MasterKey::Age(_));
    let others = group.0.iter().filter(|key| !is_age(key));
    let mut reasons = Vec::new();
    for key in group.0.iter().filter(is_age).chain(others) {
        match open(key) {
            Ok(bytes) => return Ok(bytes),
            Err(reason) => {
                // The next one is asked for where this one fails.
                let ends = matches!(reason, KeyError::Awaited(_)) || reason.refuses_file();
                reasons.push(reason);
                if ends {
                    break;
                }
            }
        }
    }
    Err(reasons)
}
