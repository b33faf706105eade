//! How often something may be told of each key: of each environment, say.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// A pace for each key.
pub(super) type Pace<K, C> =
    RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// So many at once, and one more after each pause.
pub(super) fn pace<K: Hash + Eq + Clone, C: Clock + Clone>(
    pause: Duration,
    at_once: NonZeroU32,
    clock: &C,
) -> Pace<K, C> {
    let quota = Quota::with_period(pause).expect("a pause takes time").allow_burst(at_once);
    RateLimiter::hashmap_with_clock(quota, clock.clone())
}
