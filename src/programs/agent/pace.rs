//! How long to wait before the next attempt, so that many agents never ask all at once.

use std::time::Duration;

/// At least so often is a vault asked that is away, or a grant that is missing.
const LONGEST: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(250);

/// Waits that double from attempt to attempt.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: half of what it could be, and a random part of the rest.
    pub(super) fn after_failure(&mut self) -> Duration {
        let most = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        jittered(most, 0.5)
    }

    /// The next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A time that is shorter by a random part, which is `share` of it at most.
pub(super) fn jittered(time: Duration, share: f64) -> Duration {
    // Without randomness nothing is lost but that agents may ask at once.
    let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    time.mul_f64(1.0 - share * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_seconds_and_are_never_the_longer_for_their_jitter() {
        let mut backoff = Backoff::default();
        for most in [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000] {
            let wait = backoff.after_failure();
            let most = Duration::from_millis(most);
            assert!(most / 2 <= wait && wait <= most, "{wait:?} of {most:?}");
        }
        for _ in 0..100 {
            assert!(backoff.after_failure() <= LONGEST);
        }
        backoff.reset();
        assert!(backoff.after_failure() <= SHORTEST);
    }
}
