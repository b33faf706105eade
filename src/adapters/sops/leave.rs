//! What the administrator allows of a file beyond what SOPS authenticates.

use std::fmt;

/// Permission for what the format cannot prove. By default, none.
#[expect(clippy::struct_excessive_bools, reason = "five settings, each of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leave {
    /// Serve values that the file's rule leaves unencrypted: keys can be renamed and the boundary
    /// between two values moved by anybody who can write the file.
    pub plain_values: bool,
    /// Open files with empty values, which SOPS leaves unencrypted where all others are
    /// encrypted: anybody who can write the file can add one.
    pub plain_empty_strings: bool,
    /// Serve values below a list: they can be wrapped in lists, unwrapped and counted anew by
    /// anybody who can write the file.
    pub leaves_below_lists: bool,
    /// Open files whose MAC leaves out the unencrypted values.
    pub mac_only_encrypted: bool,
    /// Open files that say no version, which sops itself refuses: other tools write such.
    pub no_version: bool,
}

impl Leave {
    /// Everything allowed: all that sops allows, and files without a version.
    pub const ALL: Self = Self {
        plain_values: true,
        plain_empty_strings: true,
        leaves_below_lists: true,
        mac_only_encrypted: true,
        no_version: true,
    };
}

/// Why a value that is in an opened file is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// It is not encrypted.
    Plain,
    /// It is below a list.
    BelowList,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => {
                "it is not encrypted, so that its name proves nothing: encrypt it, or allow `plain-values` (VANTA_SOPS_ALLOW)"
            }
            Self::BelowList => {
                "it is below a list, in which SOPS authenticates no position: move it out, or allow `leaves-below-lists` (VANTA_SOPS_ALLOW)"
            }
        })
    }
}
