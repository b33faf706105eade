//! One grant's values, followed by a thread of its own: a token, all values in one request, then
//! the wait for a change, again and again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::pace::{Backoff, jittered};
use super::trouble::{Kind, Trouble};
use super::vault::{CallError, Token, Vault};
use crate::adapters::client::{EntityTag, TaggedValues};
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::secret::SecretValue;

/// How long the vault is asked to wait for a change.
const WAIT: Duration = Duration::from_secs(55);
/// It waits for no longer than the token is to be used, and so long at least.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// After so long a renewal that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(10);
/// A vault that answers sooner does not wait, and is asked no more often than this.
const POLL: Duration = Duration::from_secs(5);
/// Changes are taken no more often than this, so that a vault whose tags never stay has rest.
const BETWEEN_CHANGES: Duration = Duration::from_millis(500);

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) environment: Environment,
    pub(super) pattern: KeyPattern,
}

/// What is known of a grant's values.
pub(super) enum Seen {
    /// They are these now, of this revision.
    Values(BTreeMap<Key, SecretValue>, String),
    /// They are what they were.
    Unchanged,
    /// They could not be had; it is tried again.
    Trouble(Trouble),
}

/// Follows the values, in a thread of its own, for as long as `tell` says that somebody listens.
pub(super) fn follow(
    vault: Arc<Vault>,
    scope: Scope,
    tell: impl Fn(Seen) -> bool + Send + 'static,
) -> io::Result<()> {
    let mut following = Following { vault, scope, token: None, known: None, failed: false };
    let mut backoff = Backoff::default();
    let round = move || {
        loop {
            let began = Instant::now();
            let (seen, pause) = match following.round() {
                Ok((seen, least)) => {
                    backoff.reset();
                    (seen, least.saturating_sub(began.elapsed()))
                }
                Err(trouble) => (Seen::Trouble(trouble), backoff.after_failure()),
            };
            if !tell(seen) {
                break;
            }
            thread::sleep(pause);
        }
    };
    thread::Builder::new().name("follow".to_owned()).spawn(round).map(drop)
}

struct Following {
    vault: Arc<Vault>,
    scope: Scope,
    token: Option<Token>,
    known: Option<EntityTag>,
    /// Whether the last round failed. The next one does not wait, so that its success is told.
    failed: bool,
}

impl Following {
    /// What is seen next, and how long the round has to last at least.
    fn round(&mut self) -> Result<(Seen, Duration), Trouble> {
        let had_failed = std::mem::replace(&mut self.failed, true);
        let vault = Arc::clone(&self.vault);
        let seen = vault.fetch("fetch values", || self.look(had_failed))?;
        self.failed = false;
        let least = match seen {
            Seen::Values(..) => BETWEEN_CHANGES,
            _ if had_failed => Duration::ZERO,
            Seen::Unchanged | Seen::Trouble(_) => jittered(POLL, 0.2),
        };
        Ok((seen, least))
    }

    fn look(&mut self, at_once: bool) -> Result<Seen, Trouble> {
        let (token, is_new) = self.usable_token()?;
        match self.ask(token, at_once) {
            // It ended, or was revoked: another one may do. A new one that is refused will not.
            Err(error) if error.is_the_token_s() && !is_new => {
                let (token, _) = self.usable_token()?;
                self.ask(token, at_once).map_err(Trouble::from)
            }
            answered => answered.map_err(Trouble::from),
        }
    }

    /// Asks for the values, or for a change of them. The token is kept where it may serve again.
    fn ask(&mut self, mut token: Token, at_once: bool) -> Result<Seen, CallError> {
        let left = token.renew_at.saturating_duration_since(Instant::now());
        let wait = if at_once { Duration::ZERO } else { WAIT.min(left).max(SHORTEST_WAIT) };
        let known = self.known.as_ref().map(|tag| (tag, wait));
        let Scope { environment, pattern } = &self.scope;
        match self.vault.values(&token, environment, pattern, known) {
            Ok(None) => {
                self.token = Some(token);
                Ok(Seen::Unchanged)
            }
            Ok(Some(TaggedValues { tag, values })) => {
                token.uses_left = token.uses_left.map(|left| left.saturating_sub(1));
                self.token = Some(token);
                let revision = tag.as_str().trim_matches('"').to_owned();
                self.known = Some(tag);
                Ok(Seen::Values(values, revision))
            }
            Err(error) => {
                if !error.is_refusal() {
                    self.token = Some(token);
                }
                Err(error)
            }
        }
    }

    /// The token that there is, or another one, and whether it is another one.
    fn usable_token(&mut self) -> Result<(Token, bool), Trouble> {
        let now = Instant::now();
        let before = self.token.take().filter(|token| token.uses_left != Some(0));
        if let Some(mut token) = before {
            if now < token.renew_at {
                return Ok((token, false));
            }
            return match self.new_token() {
                // It is of use for a third of its life yet: time to try again.
                Err(trouble) if trouble.kind == Kind::Temporary && now < token.ends_at => {
                    token.renew_at = now + RENEW_AGAIN;
                    Ok((token, false))
                }
                renewed => Ok((renewed?, true)),
            };
        }
        Ok((self.new_token()?, true))
    }

    fn new_token(&self) -> Result<Token, Trouble> {
        self.vault.token(&self.scope.environment, &self.scope.pattern)
    }
}
