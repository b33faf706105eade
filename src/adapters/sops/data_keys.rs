//! Which environments have one and the same data key.
//!
//! Where two files share a data key, whoever can write one of them can put values of the other
//! into it, or its entries of recipients around the whole other file, and holds no key for it:
//! neither an identity of its own nor an encrypted name tells the two apart then.
//!
//! Invariant: data keys are compared by a code that only this process can compute, and that is in
//! no text. A file that is refused for any other reason takes no other environment down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::authorship::AuthorshipError;
use super::load::{Looked, Slot};
use super::refusal::Refusal;
use crate::domain::names::{Environment, and_more};

/// How many environments a refusal names.
const MAX_NAMED: usize = 3;

/// The key of the code.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the kernel gives random bytes, as it has to age and to TLS");
    key
});

/// What tells data keys apart, within this process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DataKeyCode([u8; 32]);

impl DataKeyCode {
    /// Of a data key.
    pub(super) fn of(data_key: &[u8]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(&*KEY);
        let mac = mac.expect("HMAC takes a key of any size").chain_update(data_key);
        Self(mac.finalize().into_bytes().into())
    }
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

/// Who has a data key.
#[derive(Default)]
struct Holders<'a> {
    /// Those that are served with it.
    served: BTreeSet<&'a Environment>,
    /// Those whose newest files have it and are not served.
    found: BTreeSet<&'a Environment>,
}

#[derive(Default)]
struct DataKeys<'a> {
    holders: BTreeMap<DataKeyCode, Holders<'a>>,
    served: BTreeMap<&'a Environment, DataKeyCode>,
}

impl<'a> DataKeys<'a> {
    fn serve(&mut self, environment: &'a Environment, code: DataKeyCode) {
        if let Some(before) = self.served.insert(environment, code)
            && let Some(holders) = self.holders.get_mut(&before)
        {
            holders.served.remove(environment);
        }
        let holders = self.holders.entry(code).or_default();
        holders.found.remove(environment);
        holders.served.insert(environment);
    }

    fn find(&mut self, environment: &'a Environment, code: DataKeyCode) {
        self.holders.entry(code).or_default().found.insert(environment);
    }

    /// Who else has the data key: others that are served with it, or, where nothing is, others whose
    /// files were found, as nobody can tell which of them is the forged one.
    fn rivals(&self, environment: &Environment, code: DataKeyCode) -> Rivals {
        let Some(Holders { served, found }) = self.holders.get(&code) else {
            return Rivals::default();
        };
        // What is served with a data key is not put down by another one that is found.
        let of = if served.is_empty() { found } else { served };
        let all = of.len() - usize::from(of.contains(environment));
        let others = of.iter().filter(|other| **other != environment).take(MAX_NAMED);
        let named: Vec<Environment> = others.map(|other| Environment::clone(other)).collect();
        Rivals { more: all - named.len(), named }
    }
}

/// Refuses what was found good but for a data key that another environment has, and has those
/// looked at again whose data key has become their own. Where files are signed, what is rotated has
/// to be signed anew, which the refusal says.
pub(super) fn compare(
    looked: &mut BTreeMap<Environment, Looked>,
    slots: &BTreeMap<Environment, Slot>,
    signed: bool,
) {
    let claims = |looked: &Looked| looked.opened().is_some() || looked.claim().is_some();
    if !looked.values().any(claims) {
        return;
    }
    let claims = decide(looked, slots);
    for (environment, claim) in claims {
        let Some(looked) = looked.get_mut(&environment) else { continue };
        match looked.claim() {
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

/// The claims of all environments that have no data key of their own, and of those that had none.
fn decide(
    looked: &BTreeMap<Environment, Looked>,
    slots: &BTreeMap<Environment, Slot>,
) -> Vec<(Environment, Claim)> {
    let mut keys = DataKeys::default();
    for (environment, slot) in slots {
        if let Some(version) = &slot.version {
            keys.serve(environment, version.file.data_key_code());
        }
    }
    let mut open: BTreeMap<&Environment, DataKeyCode> = BTreeMap::new();
    let mut standing: BTreeMap<&Environment, DataKeyCode> = BTreeMap::new();
    for (environment, looked) in looked {
        if let Some(code) = looked.opened() {
            keys.find(environment, code);
            open.insert(environment, code);
        } else if let Some(claim) = looked.claim() {
            keys.find(environment, claim.code);
            standing.insert(environment, claim.code);
        }
    }
    // Each that is taken may leave a data key to another.
    loop {
        let own = |(environment, code): &(&&Environment, &DataKeyCode)| {
            keys.rivals(environment, **code) == Rivals::default()
        };
        let taken: Vec<_> = open.iter().filter(own).map(|(of, code)| (*of, *code)).collect();
        if taken.is_empty() {
            break;
        }
        for (environment, code) in taken {
            open.remove(environment);
            keys.serve(environment, code);
        }
    }
    let claims = open.into_iter().chain(standing);
    let claims = claims.map(|(environment, code)| {
        (environment.clone(), Claim { code, rivals: keys.rivals(environment, code) })
    });
    claims.collect()
}
