//! Subjects of OpenID Connect issuers, such as CI systems, by their ID tokens.
//!
//! Invariant: a token proves something only where an issuer that is listed signed it with a key
//! that was in its set at the last fetch, for this vault's audience, and it has not ended.

mod cache;
mod fetch;
mod keys;
mod token;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::adapters::files::{ReadError, parse_yaml, read_text};
use crate::contract::issuers::{IssuerEntry, IssuersFile};
use crate::domain::identity::Identity;
use crate::domain::ports::AuthenticationError;

use cache::{KeyCache, Plan};
use fetch::Fetcher;
use keys::KeySet;

/// The longest file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// How many issuers a file may list.
const MOST_ISSUERS: usize = 64;

/// How many callers wait for the keys of one issuer at the most: those who show made-up tokens
/// take no more of the vault's places.
const MOST_WAITING: usize = 128;

/// How many signatures of one issuer are checked at once.
const MOST_VERIFYING: usize = 2;

/// The file of issuers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuersError {
    /// It, or a file that it names, cannot be read.
    #[error("{path} of the OIDC issuers cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// There is none.
    #[error("the file of OIDC issuers {path} does not exist, so there are none")]
    Missing {
        /// The file.
        path: String,
    },
    /// It does not say what it has to.
    #[error("the file of OIDC issuers {path} cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: String,
        /// What and where.
        reason: String,
    },
}

impl IssuersError {
    /// Whether it may pass without a change of the file.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Read { source, .. } => source.is_passing(),
            Self::Missing { .. } | Self::Unusable { .. } => false,
        }
    }
}

/// The issuers that are believed.
#[derive(Default)]
pub struct OidcIssuers {
    issuers: ArcSwap<BTreeMap<String, Arc<Issuer>>>,
}

/// One issuer, with the keys that it had when it was last asked.
pub struct Issuer {
    entry: IssuerEntry,
    fetcher: Fetcher,
    cache: Mutex<KeyCache>,
    /// Held while it is asked, so that it is asked once for all who need it.
    asking: tokio::sync::Mutex<()>,
    /// Places for those who need it.
    waiting: Semaphore,
    /// Places for checking signatures.
    verifying: Semaphore,
}

impl OidcIssuers {
    /// Reads the file, and puts what it says in place of what was known. One that cannot be used
    /// changes nothing; one that is gone leaves no issuers. Keys of issuers that stay stay.
    pub fn load(&self, path: &Path) -> Result<usize, IssuersError> {
        let shown = path.display().to_string();
        let text = match read_text(path, MAX_FILE_BYTES) {
            Ok(text) => text,
            Err(error) if error.is_missing() => {
                self.issuers.store(Arc::default());
                return Err(IssuersError::Missing { path: shown });
            }
            Err(source) => return Err(IssuersError::Read { path: shown, source }),
        };
        let entries =
            parse(&text).map_err(|reason| IssuersError::Unusable { path: shown, reason })?;
        let before = self.issuers.load();
        let mut issuers = BTreeMap::new();
        for entry in entries {
            let fetcher = Fetcher::new(entry.ca_file.as_deref())?;
            let name = entry.issuer.clone();
            let known = before.get(&name).filter(|known| known.is_of(&entry, &fetcher)).cloned();
            let issuer = known.unwrap_or_else(|| Arc::new(Issuer::new(entry, fetcher)));
            issuers.insert(name, issuer);
        }
        let count = issuers.len();
        self.issuers.store(Arc::new(issuers));
        Ok(count)
    }

    /// The files beside the one of issuers that what it says depends on.
    pub fn files(&self) -> Vec<PathBuf> {
        self.issuers.load().values().filter_map(|issuer| issuer.entry.ca_file.clone()).collect()
    }

    /// The issuer that a token claims to be of, where it is one that is listed. Nobody has vouched
    /// for the claim: it only says who is to be asked.
    pub fn claimed(&self, token: &str) -> Option<Arc<Issuer>> {
        let issuers = self.issuers.load();
        if issuers.is_empty() {
            return None;
        }
        issuers.get(&token::claimed_issuer(token)?).cloned()
    }
}

fn parse(text: &str) -> Result<Vec<IssuerEntry>, String> {
    let mut files: Vec<IssuersFile> = parse_yaml(text)?;
    let file = files.pop().filter(|_| files.is_empty());
    let entries = file.ok_or("there is not one YAML document in it")?.issuers;
    if entries.len() > MOST_ISSUERS {
        return Err(format!("{MOST_ISSUERS} issuers are the most"));
    }
    for (at, entry) in entries.iter().enumerate() {
        let place = at + 1;
        if let Some(problem) = entry.problem() {
            return Err(format!("issuer {place} of the list: {problem}"));
        }
        if entries[..at].iter().any(|known| known.issuer == entry.issuer) {
            return Err(format!("issuer {place} of the list is there twice"));
        }
    }
    Ok(entries)
}

impl Issuer {
    fn new(entry: IssuerEntry, fetcher: Fetcher) -> Self {
        Self {
            entry,
            fetcher,
            cache: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
            verifying: Semaphore::new(MOST_VERIFYING),
        }
    }

    fn is_of(&self, entry: &IssuerEntry, fetcher: &Fetcher) -> bool {
        self.entry == *entry && self.fetcher.trusts_alike(fetcher)
    }

    /// The identity that an ID token of this issuer proves.
    pub async fn check(self: &Arc<Self>, text: &str) -> Result<Identity, AuthenticationError> {
        let refused = |reason: String| {
            let issuer = &self.entry.issuer;
            AuthenticationError::Refused(format!("an ID token that claims {issuer}: {reason}"))
        };
        // What is plainly refused is not worth a question to the issuer.
        let header = token::header(text).map_err(refused)?;
        token::claims(text, &self.entry, Timestamp::now()).map_err(refused)?;
        let keys = self.keys(&header.key_id).await.map_err(|reason| {
            let issuer = &self.entry.issuer;
            AuthenticationError::Unavailable(format!("the keys of {issuer}: {reason}"))
        })?;
        let turn = self.verifying.acquire().await;
        let turn = turn.map_err(|_| refused("the issuer is no longer listed".to_owned()))?;
        let shown = Zeroizing::new(text.to_owned());
        // A signature may take long to check, by keys that the issuer has chosen.
        let verified =
            tokio::task::spawn_blocking(move || token::verify(&shown, &header, &keys)).await;
        drop(turn);
        let verified = verified.unwrap_or_else(|_| Err("its signature cannot be checked".into()));
        verified.map_err(refused)?;
        token::claims(text, &self.entry, Timestamp::now()).map_err(refused)
    }

    /// The keys to verify by: those that are held, or newer ones where they are due.
    async fn keys(self: &Arc<Self>, key_id: &str) -> Result<Arc<KeySet>, String> {
        if let Plan::Use(keys) = self.plan(key_id) {
            return Ok(keys);
        }
        let _turn = if let Ok(turn) = self.asking.try_lock() {
            turn
        } else {
            // Somebody asks already: with a key that is known there is nothing to wait for.
            let held = self.with_cache(|cache| cache.held_with(key_id, Instant::now()));
            if let Some(keys) = held {
                return Ok(keys);
            }
            let waiting = self.waiting.try_acquire();
            let _waiting = waiting.map_err(|_| "too many callers wait for them".to_owned())?;
            self.asking.lock().await
        };
        // Another may have asked meanwhile.
        match self.plan(key_id) {
            Plan::Use(keys) => return Ok(keys),
            Plan::Lacking(problem) => return Err(problem),
            Plan::Ask => {}
        }
        let asked = Arc::clone(self);
        let fetched = tokio::task::spawn_blocking(move || asked.fetcher.fetch(&asked.entry)).await;
        let fetched = fetched.map_err(|_| "the question has ended".to_owned()).flatten();
        let problem = match &fetched {
            Err(problem) => Some(problem.as_str()),
            Ok(fetched) => fetched.keys.problem(),
        };
        if let Some(problem) = problem {
            let issuer = &self.entry.issuer;
            tracing::warn!(issuer, problem, "an OIDC issuer gives no keys");
        }
        self.with_cache(|cache| cache.answered(fetched, Instant::now()));
        match self.plan(key_id) {
            Plan::Use(keys) => Ok(keys),
            Plan::Lacking(problem) => Err(problem),
            Plan::Ask => Err("they are out of date again already".to_owned()),
        }
    }

    fn plan(&self, key_id: &str) -> Plan {
        self.with_cache(|cache| cache.plan(key_id, Instant::now()))
    }

    fn with_cache<T>(&self, work: impl FnOnce(&mut KeyCache) -> T) -> T {
        work(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_all_that_has_to_be_known() {
        let entries = parse(
            "issuers:\n- issuer: https://token.actions.githubusercontent.com\n\
             - {issuer: 'https://gitlab.example/x', audience: a, subjectClaim: project_path, \
             requiredClaims: {ref_protected: 'true', ref: [main, stable]}}",
        );
        let entries = entries.unwrap();
        assert_eq!(entries[0].audience, "vanta-vault");
        assert_eq!(entries[0].subject_claim, "sub");
        assert!(entries[1].required_claims["ref"].accepts("stable"));
        assert!(!entries[1].required_claims["ref"].accepts("mai"));
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_place() {
        for (entry, expected) in [
            ("{issuer: 'http://a'}", "issuer 1 of the list: its issuer is no https URL"),
            ("{issuer: 'https://a?b=c'}", "no https URL"),
            ("{issuer: 'https://user@a'}", "no https URL"),
            ("{issuer: 'https://'}", "no https URL"),
            ("{issuer: 'https://a', jwksUri: 'http://a'}", "jwksUri"),
            ("{issuer: 'https://a', audience: ''}", "empty"),
            ("{issuer: 'https://a', audiences: [a]}", "unknown field audiences"),
            ("{issuer: 'https://a', requiredClaims: {ref: []}}", "no value that would do"),
            ("{issuer: 'https://a', requiredClaims: {id: 1}}", "numbers stand in quotation marks"),
            ("{audience: a}", "field issuer is missing"),
            (
                "{issuer: 'https://a'}\n- {issuer: 'https://a'}",
                "issuer 2 of the list is there twice",
            ),
        ] {
            let error = parse(&format!("issuers:\n- {entry}")).unwrap_err();
            assert!(error.contains(expected), "{entry}: {error}");
        }
    }
}
