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
    looked: &'a BTreeMap<Environment, Looked>,
    history: &'a History,
    /// Those that are served with it.
    served: BTreeMap<DataKeyCode, BTreeSet<&'a Environment>>,
    /// Those whose newest files have it and are good but for that.
    found: BTreeMap<DataKeyCode, BTreeSet<&'a Environment>>,
}

impl<'a> Holders<'a> {
    fn of(
        looked: &'a BTreeMap<Environment, Looked>,
        slots: &'a BTreeMap<Environment, Slot>,
        history: &'a History,
    ) -> Self {
        let (mut served, mut found) = (BTreeMap::new(), BTreeMap::new());
        let add = |all: &mut BTreeMap<_, BTreeSet<_>>, code: DataKeyCode, of: &'a Environment| {
            all.entry(code).or_default().insert(of);
        };
        for (environment, slot) in slots {
            if let Some(version) = &slot.version {
                add(&mut served, version.file.data_key_code(), environment);
            }
        }
        for (environment, looked) in looked {
            if let Some(code) = looked.opened().or(looked.claim().map(|claim| claim.code)) {
                add(&mut found, code, environment);
            }
        }
        Self { looked, history, served, found }
    }

    fn found(&self) -> impl Iterator<Item = (DataKeyCode, &'a Environment)> {
        self.found.iter().flat_map(|(code, of)| of.iter().map(move |of| (*code, *of)))
    }

    /// What each has to say whose newest file was found.
    fn claims(&self) -> Vec<(Environment, Claim)> {
        let claim =
            |(code, of)| (Environment::clone(of), Claim { code, rivals: self.rivals(of, code) });
        self.found().map(claim).collect()
    }

    /// The data keys whose owner is known and that others have.
    fn shared(&self) -> Vec<(DataKeyCode, Environment)> {
        let owners = &self.history.data_keys;
        let is_others =
            |(code, of): &(_, &Environment)| owners.owner(*code).is_some_and(|owner| owner != *of);
        let new = self.found().filter(is_others);
        let new = new.filter(|(code, _)| owners.shared_with(*code).is_none());
        new.map(|(code, of)| (code, of.clone())).collect()
    }

    /// Who else has the data key: whoever it is known to be of, and who is served with it, as before
    /// another replica said whose it is; or, where there is nobody, those whose files were found, as
    /// nobody can tell which of them is the forged one.
    fn rivals(&self, environment: &'a Environment, code: DataKeyCode) -> Rivals {
        let owners = &self.history.data_keys;
        let mut all: BTreeSet<&Environment> = owners.owner(code).into_iter().collect();
        all.extend(self.served.get(&code).into_iter().flatten());
        if all.is_empty() {
            all.extend(self.found.get(&code).into_iter().flatten());
        }
        // What the other had is genuine under it. The version that is known is still the owner's own.
        if let Some(other) = owners.shared_with(code)
            && !self.is_known(environment)
        {
            all.insert(other);
        }
        all.remove(environment);
        let named: Vec<Environment> = all.iter().take(MAX_NAMED).map(|of| (*of).clone()).collect();
        Rivals { more: all.len() - named.len(), named }
    }

    /// Whether the newest file is the highest version that is remembered.
    fn is_known(&self, environment: &Environment) -> bool {
        let found = self.looked.get(environment).and_then(Looked::mark);
        found.is_some() && found.as_ref() == self.history.marks.get(environment)
    }
}
