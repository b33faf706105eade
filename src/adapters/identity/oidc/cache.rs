//! How long an issuer's keys are used, and when it is asked for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::keys::KeySet;

/// How long keys are used without a question, whatever the issuer says, at the most and the least.
const MOST_FRESH: Duration = Duration::from_hours(1);
const LEAST_FRESH: Duration = Duration::from_mins(1);

/// How long they are used while the issuer does not answer.
const KEPT: Duration = Duration::from_hours(24);

/// The least time between two questions: whoever shows made-up tokens makes no more of them.
const PAUSE: Duration = Duration::from_secs(10);

/// The keys that an issuer had.
#[derive(Default)]
pub(super) struct KeyCache {
    held: Option<Held>,
    asked: Option<Instant>,
    problem: Option<String>,
}

struct Held {
    keys: Arc<KeySet>,
    at: Instant,
    fresh_for: Duration,
}

/// What an issuer has answered with.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// How long it says that they are good for.
    pub(super) max_age: Option<Duration>,
}

/// What to do for a token.
pub(super) enum Plan {
    /// Verify by these keys.
    Use(Arc<KeySet>),
    /// Ask the issuer.
    Ask,
    /// There are no keys, and the issuer was asked just now.
    Lacking(String),
}

impl KeyCache {
    /// What to do for a token that names this key.
    pub(super) fn plan(&self, key_id: &str, now: Instant) -> Plan {
        let may_ask = self.asked.is_none_or(|asked| now.duration_since(asked) >= PAUSE);
        let age = |held: &Held| now.duration_since(held.at);
        match self.held.as_ref().filter(|held| age(held) < KEPT) {
            Some(held) => {
                let due = age(held) >= held.fresh_for || !held.keys.has(key_id);
                if due && may_ask { Plan::Ask } else { Plan::Use(Arc::clone(&held.keys)) }
            }
            None if may_ask => Plan::Ask,
            None => Plan::Lacking(self.problem.clone().unwrap_or_else(|| "there are none".into())),
        }
    }

    /// The keys that are held, where this one is among them.
    pub(super) fn held_with(&self, key_id: &str, now: Instant) -> Option<Arc<KeySet>> {
        let held = self.held.as_ref().filter(|held| now.duration_since(held.at) < KEPT)?;
        held.keys.has(key_id).then(|| Arc::clone(&held.keys))
    }

    /// Takes the issuer's answer. Without one, what is held stays for its time.
    pub(super) fn answered(&mut self, answer: Result<Fetched, String>, now: Instant) {
        self.asked = Some(now);
        match answer {
            Ok(Fetched { keys, max_age }) => {
                let fresh_for = max_age.unwrap_or(MOST_FRESH).clamp(LEAST_FRESH, MOST_FRESH);
                self.held = Some(Held { keys: Arc::new(keys), at: now, fresh_for });
                self.problem = None;
            }
            Err(problem) => self.problem = Some(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(key_ids: &[&str], max_age: Option<u64>) -> Fetched {
        let keys = KeySet::for_test(key_ids);
        Fetched { keys, max_age: max_age.map(Duration::from_secs) }
    }

    /// A cache, moment after moment.
    struct Scenario {
        cache: KeyCache,
        now: Instant,
    }

    impl Scenario {
        fn new() -> Self {
            Self { cache: KeyCache::default(), now: Instant::now() }
        }

        fn after(&mut self, seconds: u64) -> &mut Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn answered(&mut self, answer: Result<Fetched, String>) -> &mut Self {
            self.cache.answered(answer, self.now);
            self
        }

        fn plan(&self, key_id: &str) -> &'static str {
            match self.cache.plan(key_id, self.now) {
                Plan::Use(_) => "use",
                Plan::Ask => "ask",
                Plan::Lacking(_) => "lacking",
            }
        }
    }

    #[test]
    fn keys_are_used_for_an_hour_or_for_as_long_as_the_issuer_says_within_bounds() {
        for (max_age, fresh) in
            [(None, 3600), (Some(600), 600), (Some(0), 60), (Some(1_000_000), 3600)]
        {
            let mut scenario = Scenario::new();
            assert_eq!(scenario.plan("a"), "ask");
            scenario.answered(Ok(fetched(&["a"], max_age)));
            assert_eq!(scenario.after(fresh - 1).plan("a"), "use", "{max_age:?}");
            assert_eq!(scenario.after(1).plan("a"), "ask", "{max_age:?}");
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_asked_for_once_in_ten_seconds() {
        let mut scenario = Scenario::new();
        scenario.answered(Ok(fetched(&["a"], None)));
        assert_eq!(scenario.after(9).plan("b"), "use", "which will not verify it");
        assert_eq!(scenario.after(1).plan("b"), "ask");
        scenario.answered(Ok(fetched(&["a"], None)));
        assert_eq!(scenario.after(9).plan("c"), "use");
    }

    #[test]
    fn an_issuer_that_is_away_is_asked_again_and_again_and_its_keys_are_kept_for_a_day() {
        let mut scenario = Scenario::new();
        scenario.answered(Ok(fetched(&["a"], None))).after(3600).answered(Err("away".into()));
        assert_eq!(scenario.plan("a"), "use");
        assert_eq!(scenario.after(10).plan("a"), "ask");
        scenario.after(23 * 3600 - 11).answered(Err("away".into()));
        assert_eq!(scenario.plan("a"), "use");
        assert_eq!(scenario.after(1).plan("a"), "lacking");
        assert_eq!(scenario.after(9).plan("a"), "ask");
    }

    #[test]
    fn a_key_that_is_gone_goes_with_the_next_answer() {
        let mut scenario = Scenario::new();
        scenario
            .answered(Ok(fetched(&["a"], None)))
            .after(3600)
            .answered(Ok(fetched(&["b"], None)));
        let Plan::Use(keys) = scenario.cache.plan("a", scenario.now) else { panic!("it is fresh") };
        assert!(!keys.has("a") && keys.has("b"));
    }
}
