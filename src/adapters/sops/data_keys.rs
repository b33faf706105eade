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
    served: BTreeMap<DataKeyCode, BTreeSet<&'a Environment>>,
    /// Those whose newest files have it and are good but for that, with which version each is.
    found: BTreeMap<DataKeyCode, BTreeMap<&'a Environment, VersionMark>>,
}

impl<'a> Holders<'a> {
    fn of(
        looked: &'a BTreeMap<Environment, Looked>,
        slots: &'a BTreeMap<Environment, Slot>,
        history: &'a History,
    ) -> Self {
        let mut holders = Self { history, served: BTreeMap::new(), found: BTreeMap::new() };
        for (environment, slot) in slots {
            if let Some(version) = &slot.version {
                let code = version.file.data_key_code();
                holders.served.entry(code).or_default().insert(environment);
            }
        }
        for (environment, looked) in looked {
            let claimed = || looked.claim().map(|claim| (claim.code, claim.mark));
            if let Some((code, mark)) = looked.opened().or_else(claimed) {
                holders.found.entry(code).or_default().insert(environment, mark);
            }
        }
        holders
    }

    fn found(&self) -> impl Iterator<Item = (DataKeyCode, &'a Environment, VersionMark)> {
        let of_one = |(code, of): (&DataKeyCode, &BTreeMap<&'a Environment, VersionMark>)| {
            let code = *code;
            let all: Vec<_> = of.iter().map(|(of, mark)| (code, *of, *mark)).collect();
            all
        };
        self.found.iter().flat_map(of_one)
    }

    /// What each has to say whose newest file was found.
    fn claims(&self) -> Vec<(Environment, Claim)> {
        let claim = |(code, of, mark): (DataKeyCode, &'a Environment, VersionMark)| {
            (of.clone(), Claim { code, mark, rivals: self.rivals(of, code, &mark) })
        };
        self.found().map(claim).collect()
    }

    /// The data keys whose owner is known and that others have.
    fn shared(&self) -> Vec<(DataKeyCode, Environment)> {
        let owners = &self.history.data_keys;
        let new = self.found().filter(|(code, of, _)| {
            let is_others = owners.owner(*code).is_some_and(|owner| owner != *of);
            is_others && owners.shared_with(*code).is_none()
        });
        new.map(|(code, of, _)| (code, of.clone())).collect()
    }

    /// Who else has the data key: whoever it is known to be of, and who is served with it, as before
    /// another replica said whose it is; and those whose files were found or were once, as nobody can
    /// tell which of them is the forged one, but from the owner's version that is known.
    fn rivals(
        &self,
        environment: &'a Environment,
        code: DataKeyCode,
        mark: &VersionMark,
    ) -> Rivals {
        let owners = &self.history.data_keys;
        let owner = owners.owner(code);
        let mut all: BTreeSet<&Environment> = owner.into_iter().collect();
        all.extend(self.served.get(&code).into_iter().flatten());
        let is_known = self.history.marks.get(environment) == Some(mark);
        if owner.is_none() || owner == Some(environment) && !is_known {
            all.extend(self.found.get(&code).into_iter().flat_map(BTreeMap::keys));
            all.extend(owners.shared_with(code));
        }
        all.remove(environment);
        let named: Vec<Environment> = all.iter().take(MAX_NAMED).map(|of| (*of).clone()).collect();
        Rivals { more: all.len() - named.len(), named }
    }
}
