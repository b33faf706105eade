//! Pauses after failures, each twice as long as the one before it.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// How long, and since when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    length: Duration,
    since: Instant,
}

impl Pause {
    /// The one after another, from now on.
    pub(super) fn after(before: Option<Self>, bounds: &RangeInclusive<Duration>) -> Self {
        let (shortest, longest) = (*bounds.start(), *bounds.end());
        let length = before.map_or(shortest, |before| (before.length * 2).min(longest));
        Self { length, since: Instant::now() }
    }

    /// Whether it is not over yet.
    pub(super) fn lasts(self) -> bool {
        self.lasted_within(Duration::ZERO)
    }

    /// Whether it is not over, or not for longer than this.
    pub(super) fn lasted_within(self, time: Duration) -> bool {
        self.since.elapsed() < self.length + time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_up_to_the_longest() {
        let bounds = Duration::from_secs(10)..=Duration::from_secs(35);
        let mut pause = None;
        let lengths = [10, 20, 35, 35].map(|_| {
            let next = Pause::after(pause, &bounds);
            pause = Some(next);
            next.length.as_secs()
        });
        assert_eq!(lengths, [10, 20, 35, 35]);
    }

    #[test]
    fn a_pause_ends_and_is_remembered_for_a_while() {
        let past = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let began = |seconds| Pause { length: Duration::from_mins(1), since: past(seconds) };
        assert!(began(0).lasts() && !began(61).lasts());
        let kept = Duration::from_mins(1);
        assert!(began(61).lasted_within(kept) && !began(121).lasted_within(kept));
    }
}
