//! What entries of chains say of others that were removed on purpose, and what of that is proved.

use std::collections::BTreeMap;

use super::verifier::Chain;
use crate::domain::checkpoint::Removal;
use crate::domain::record::{Entry, Link};

/// Whose word is taken for it that entries were removed on purpose.
pub(super) struct Belief {
    /// Whether a removal is signed with a key that is known.
    pub(super) proves: Box<dyn Fn(&Removal) -> bool>,
    /// Whether an entry's own word is enough.
    pub(super) takes_word: bool,
}

/// How well it is known that entries were removed on purpose, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// Nothing says so.
    Unsaid,
    /// An entry says so, which whoever can write the audit could have written.
    Said,
    /// The vault signed it.
    Proved,
}

/// What the entries of one chain say.
#[derive(Debug, Default)]
pub(super) struct Removed {
    said_through: u64,
    /// The last entry of those that a signature says were removed.
    proved: Option<Link>,
}

impl Removed {
    /// Takes in what an entry says that is in its place.
    pub(super) fn take(&mut self, entry: &Entry, belief: &Belief) {
        let Some(through) = entry.record.removed_through else { return };
        self.said_through = self.said_through.max(through);
        let Some(removal) = &entry.record.removal else { return };
        let later = self.proved.as_ref().is_none_or(|link| link.sequence() < removal.head.sequence);
        if later && removal.head.replica == entry.replica && (belief.proves)(removal) {
            self.proved = Some(Link::at(removal.head.sequence, removal.head.hash.clone()));
        }
    }

    /// What is known of an entry, by what one chain says.
    fn of(&self, link: &Link) -> Known {
        let proves = |removed: &Link| removed.sequence() > link.sequence() || removed == link;
        if self.proved.as_ref().is_some_and(proves) {
            Known::Proved
        } else if self.said_through >= link.sequence() {
            Known::Said
        } else {
            Known::Unsaid
        }
    }
}

/// What is known of an entry before a chain, by what the chain says, or those that go on from it.
pub(super) fn known(chains: &BTreeMap<String, Chain>, replica: &str, link: &Link) -> Known {
    let goes_on_from = |chain: &Chain| chain.goes_on_from.as_deref() == Some(replica);
    let later = chains.iter().filter(|(_, chain)| goes_on_from(chain));
    let later = later.map(|(name, _)| known(chains, name, link));
    let own = chains.get(replica).map_or(Known::Unsaid, |chain| chain.removed.of(link));
    later.fold(own, Known::max)
}

#[cfg(test)]
#[path = "removed_tests.rs"]
mod tests;
