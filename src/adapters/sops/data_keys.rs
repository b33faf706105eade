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
use crate::domain::data_keys::{DataKeyCode, DataKeyOwners};
use crate::domain::names::{Environment, and_more};

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
    rivals: Rivals,
}

/// The other environments that have an environment's data key.
#[derive(Clone, PartialEq, Eq, Default)]
struct Rivals {
    named: Vec<Environment>,
    more: usize,
}

/// Refuses what was found good but for a data key that another environment has, and has those
/// looked at again whose data key has become their own. Where files are signed, what is rotated has
/// to be signed anew, which the refusal says.
pub(super) fn compare(
    looked: &mut BTreeMap<Environment, Looked>,
    slots: &BTreeMap<Environment, Slot>,
    owners: &DataKeyOwners,
    signed: bool,
) {
    let claims = |looked: &Looked| looked.opened().is_some() || looked.claim().is_some();
    if !looked.values().any(claims) {
        return;
    }
    let holders = Holders::of(looked, slots, owners);
    let claims: Vec<(Environment, Claim)> = holders.claims().collect();
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
            Some(before) if *before != claim => looked.forget(),
            Some(_) => {}
        }
    }
}

/// Who has which data key.
struct Holders<'a> {
    owners: &'a DataKeyOwners,
    /// Those that are served with it.
    served: BTreeMap<DataKeyCode, BTreeSet<&'a Environment>>,
    /// Those whose newest files have it and are good but for that.
    found: BTreeMap<DataKeyCode, BTreeSet<&'a Environment>>,
}

impl<'a> Holders<'a> {
    fn of(
        looked: &'a BTreeMap<Environment, Looked>,
        slots: &'a BTreeMap<Environment, Slot>,
        owners: &'a DataKeyOwners,
    ) -> Self {
        let mut holders = Self { owners, served: BTreeMap::new(), found: BTreeMap::new() };
        for (environment, slot) in slots {
            if let Some(version) = &slot.version {
                let code = version.file.data_key_code();
                holders.served.entry(code).or_default().insert(environment);
            }
        }
        for (environment, looked) in looked {
            if let Some(code) = looked.opened().or(looked.claim().map(|claim| claim.code)) {
                holders.found.entry(code).or_default().insert(environment);
            }
        }
        holders
    }

    /// What each has to say whose newest file was found.
    fn claims(&self) -> impl Iterator<Item = (Environment, Claim)> {
        let all = self.found.iter().flat_map(|(code, of)| of.iter().map(move |of| (*code, *of)));
        all.map(|(code, of)| (of.clone(), Claim { code, rivals: self.rivals(of, code) }))
    }

    /// Who else has the data key: whoever it is known to be of, and who is served with it, as before
    /// another replica said whose it is; or, where there is nobody, those whose files were found, as
    /// nobody can tell which of them is the forged one.
    fn rivals(&self, environment: &'a Environment, code: DataKeyCode) -> Rivals {
        let owner = self.owners.owner(code);
        let mut all: BTreeSet<&Environment> = owner.into_iter().collect();
        all.extend(self.served.get(&code).into_iter().flatten());
        if all.is_empty() {
            all.extend(self.found.get(&code).into_iter().flatten());
        }
        all.remove(environment);
        let named: Vec<Environment> = all.iter().take(MAX_NAMED).map(|of| (*of).clone()).collect();
        Rivals { more: all.len() - named.len(), named }
    }
}
