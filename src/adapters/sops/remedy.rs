//! What to do about a file that is refused. tests/it/sops/remedies.rs does it, with real sops and
//! Git.

use super::error::ValueError;
use super::master_key::KeyError;

/// What helps where a file is not as sops wrote it: every command of sops refuses such a file.
pub(super) const RESTORE: &str = "restore it from Git (`git checkout -- FILE`) and make the change with `sops set` or `sops edit`";

/// What to do where sops never writes such a thing: it is there before the file is encrypted.
pub(super) const BEFORE: &str = "before you encrypt the file";

/// What to do where no key opens a file.
pub(super) fn advice(reasons: &[KeyError]) -> &'static str {
    if reasons.iter().any(|reason| matches!(reason, KeyError::Service { .. })) {
        "it is tried again by itself"
    } else if reasons.iter().all(|reason| matches!(reason, KeyError::NoService { .. })) {
        "allow a key in VANTA_SOPS_ALLOWED_KEYS (docs/keys.md), or encrypt the file for an age recipient too (`sops rotate -i --add-age RECIPIENT FILE`)"
    } else {
        "configure the identity of one of its recipients (VANTA_AGE_IDENTITIES_PATH, SOPS_AGE_KEY_FILE), or encrypt the file for one of yours too (`sops rotate -i --add-age RECIPIENT FILE`)"
    }
}

/// Whether a name that a stranger may have chosen may stand in a command, between any quotes.
pub(super) fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// What to do with a key beside `data` in a binary file.
pub(super) fn take_out(key: &str) -> String {
    let name = key.trim_matches('"');
    if key.len() == name.len() + 2 && is_plain(name) {
        format!(
            "take it out, with `sops unset FILE '[\"{name}\"]'` where `sops set` put it in, by hand where it is plain"
        )
    } else {
        "restore the file (`git checkout -- FILE`)".to_owned()
    }
}

/// What to do where one value is not what it should be.
pub(super) fn remedy(reason: ValueError) -> &'static str {
    match reason {
        ValueError::NonceLength => "save it with sops",
        _ => RESTORE,
    }
}
