//! Whether an environment's file has the data key of another one, as a file has that was made by
//! copying the other: neither an identity of its own nor an encrypted name tells the two apart then
//! (see [`crate::domain::data_keys`]).
//!
//! Invariant: a code is in no text. A file that is refused for any other reason takes no other
//! environment down.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::authorship::AuthorshipError;
use super::load::{Looked, Slot};
use super::refusal::Refusal;
use crate::domain::data_keys::DataKeyCode;
use crate::domain::history::History;
use crate::domain::names::{Environment, and_more};
use crate::domain::versions::VersionMark;

/// How many environments a refusal names.
const MAX_NAMED: usize = 3;

/// What is hashed with a data key as the key: a name for what the code is used for.
const PURPOSE: &[u8] = b"vanta: whose a data key is";

/// The code of a data key: HMAC-SHA-256 (RFC 2104) with it as the key, a pseudorandom function.
pub(super) fn code(data_key: &[u8]) -> DataKeyCode {
    let mac = Hmac::<Sha256>::new_from_slice(data_key);
    let mac = mac.expect("HMAC takes a key of any size").chain_update(PURPOSE);
    DataKeyCode(mac.finalize().into_bytes().into())
}

/// That an environment's newest file is refused for its data key alone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Claim {
    code: DataKeyCode,
    /// Which version the file is.
    mark: VersionMark,
    rivals: Rivals,
}

/// The other environments that have an environment's data key.
#[derive(Clone, PartialEq, Eq, Default)]
struct Rivals {
    named: Vec<Environment>,
    more: usize,
}

/// Refuses what was found good but for a data key that another environment has. Where files are
/// signed, what is rotated has to be signed anew, which the refusal says. Gives what another
/// environment's file had too of the data keys whose owner is known.
pub(super) fn compare(
    looked: &mut BTreeMap<Environment, Looked>,
    slots: &BTreeMap<Environment, Slot>,
    history: &History,
    signed: bool,
) -> Vec<(DataKeyCode, Environment)> {
    let claims = |looked: &Looked| looked.opened().is_some() || looked.claim().is_some();
    if !looked.values().any(claims) {
        return Vec::new();
    }
    let holders = Holders::of(looked, slots, history);
    let (claims, shared) = (holders.claims(), holders.shared());
    for (environment, claim) in claims {
        let Some(looked) = looked.get_mut(&environment) else { continue };
        match looked.claim() {
            None if claim.rivals == Rivals::default() => {}
            None => {
                let error = AuthorshipError::SharedDataKey {
                    others: and_more(&claim.rivals.named, claim.rivals.more),
                    command: looked.rotate_command(&environment, signed),
                };
                looked.refuse(Refusal::of_authorship(error), claim);
            }
            // Where nobody is known to own it, what was refused does not load by itself: the other
            // one may have been rotated, or taken away, to have that happen.
            Some(before) if *before != claim && history.data_keys.owner(claim.code).is_some() => {
                looked.forget();
            }
            Some(_) => {}
        }
    }
    shared
}

/// Who has which data key.
struct Holders<'a> {
    history: &'a History,
    /// Those that are served with it.
    served: Vec<(DataKeyCode, &'a Environment)>,
    /// Those whose newest files have it and are good but for that.
    found: Vec<Found<'a>>,
}

/// A newest file that is good but for its data key.
struct Found<'a> {
    code: DataKeyCode,
    environment: &'a Environment,
    /// Which version it is.
    mark: VersionMark,
}

impl<'a> Holders<'a> {
    fn of(
        looked: &'a BTreeMap<Environment, Looked>,
        slots: &'a BTreeMap<Environment, Slot>,
        history: &'a History,
    ) -> Self {
        let served = slots.iter().filter_map(|(environment, slot)| {
            Some((slot.version.as_ref()?.file.data_key_code(), environment))
        });
        let found = looked.iter().filter_map(|(environment, looked)| {
            let claimed = || looked.claim().map(|claim| (claim.code, claim.mark));
            let (code, mark) = looked.opened().or_else(claimed)?;
            Some(Found { code, environment, mark })
        });
        Self { history, served: served.collect(), found: found.collect() }
    }

    /// What each has to say whose newest file was found.
    fn claims(&self) -> Vec<(Environment, Claim)> {
        let claim = |found: &Found<'_>| {
            let Found { code, mark, .. } = *found;
            (found.environment.clone(), Claim { code, mark, rivals: self.rivals(found) })
        };
        self.found.iter().map(claim).collect()
    }

    /// The data keys whose owner is known and that others have.
    fn shared(&self) -> Vec<(DataKeyCode, Environment)> {
        let owners = &self.history.data_keys;
        let new = self.found.iter().filter(|found| {
            let is_others = owners.owner(found.code).is_some_and(|of| of != found.environment);
            is_others && owners.shared_with(found.code).is_none()
        });
        new.map(|found| (found.code, found.environment.clone())).collect()
    }

    /// Who else has the data key: whoever it is known to be of, and who is served with it, as before
    /// another replica said whose it is; and those whose files were found or were once, as nobody can
    /// tell which of them is the forged one, but from the owner's version that is known.
    fn rivals(&self, of: &Found<'_>) -> Rivals {
        let owners = &self.history.data_keys;
        let owner = owners.owner(of.code);
        let mut all: BTreeSet<&Environment> = owner.into_iter().collect();
        let served = self.served.iter().filter(|(code, _)| *code == of.code);
        all.extend(served.map(|(_, environment)| *environment));
        let is_known = self.history.marks.get(of.environment) == Some(&of.mark);
        if owner.is_none() || owner == Some(of.environment) && !is_known {
            let found = self.found.iter().filter(|found| found.code == of.code);
            all.extend(found.map(|found| found.environment));
            all.extend(owners.shared_with(of.code));
        }
        all.remove(of.environment);
        let named: Vec<Environment> = all.iter().take(MAX_NAMED).map(|of| (*of).clone()).collect();
        Rivals { more: all.len() - named.len(), named }
    }
}
