//! How much of the log is for files that are no environment's, and for environments that are left
//! out.
//!
//! Whoever may write a folder or a ConfigMap can give files other names again and again. Invariant:
//! one name takes no other's lines, and the names of one folder or ConfigMap none of another; what
//! is kept in mind of them is bounded, and what is left out is counted.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};

use super::pace::{Pace, pace};
use crate::adapters::sops::Misnamed;

/// How many lines of one folder or ConfigMap are written at once: twice what one may have to say.
const AT_ONCE_OF_ORIGIN: NonZeroU32 = NonZeroU32::new(22).expect("it is not zero");

/// How long it takes until one more may be.
const PAUSE_OF_ORIGIN: Duration = Duration::from_secs(5);

/// How often one and the same line is written at once.
const AT_ONCE_OF_LINE: NonZeroU32 = NonZeroU32::new(3).expect("it is not zero");

/// How long it takes until it may be once more.
const PAUSE_OF_LINE: Duration = Duration::from_mins(1);

/// How many folders and ConfigMaps have a pace of their own; while there are as many, all share one.
const MOST_ORIGINS: usize = 1000;

/// How many lines have; while there are as many, each has that of its origin alone.
const MOST_LINES: usize = 10_000;

/// Whose pace it is that there are more environments than are read, and that of all origins beyond
/// those with a pace of their own.
const EVERYBODY: &str = "";

/// Tells of files that are no environment's, and of environments that are left out.
pub(super) struct Reasons<C: Clock = DefaultClock> {
    lines: Pace<String, C>,
    origins: Pace<String, C>,
    left_out: AtomicU64,
}

impl Default for Reasons {
    fn default() -> Self {
        Self::new(&DefaultClock::default())
    }
}

impl<C: Clock + Clone> Reasons<C> {
    fn new(clock: &C) -> Self {
        Self {
            lines: pace(PAUSE_OF_LINE, AT_ONCE_OF_LINE, clock),
            origins: pace(PAUSE_OF_ORIGIN, AT_ONCE_OF_ORIGIN, clock),
            left_out: AtomicU64::new(0),
        }
    }

    /// Writes into the log what there is room for.
    pub(super) fn log(&self, ignored: Vec<Misnamed>, left_out: Vec<String>) {
        self.forget();
        for reason in left_out {
            if let Some(count) = self.admit(EVERYBODY, &reason) {
                let lines_left_out = (count > 0).then_some(count);
                tracing::error!(
                    reason,
                    lines_left_out,
                    "there are more environments than are read"
                );
            }
        }
        for Misnamed { origin, reason } in ignored {
            if let Some(count) = self.admit(&origin, &reason) {
                let lines_left_out = (count > 0).then_some(count);
                tracing::warn!(reason, lines_left_out, "a file among the SOPS files is not read");
            }
        }
    }

    /// Forgets those of which nothing was told for long.
    fn forget(&self) {
        self.origins.retain_recent();
        self.lines.retain_recent();
    }

    /// How many lines there was no room for before this one, where there is for it.
    fn admit(&self, origin: &str, line: &str) -> Option<u64> {
        let origin = if self.origins.len() < MOST_ORIGINS { origin } else { EVERYBODY };
        let line = (self.lines.len() < MOST_LINES).then_some(line);
        // The line first, so that one that comes again and again takes nothing of its origin's.
        let may = line.is_none_or(|line| self.lines.check_key(&line.to_owned()).is_ok())
            && self.origins.check_key(&origin.to_owned()).is_ok();
        if !may {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn reasons() -> (Reasons<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Reasons::new(&clock), clock)
    }

    #[test]
    fn one_name_that_comes_and_goes_takes_no_other_names_line() {
        let (reasons, clock) = reasons();
        let told = (0..1000).filter(|_| reasons.admit("folder", "a.yaml").is_some()).count();
        assert_eq!(told, 3);
        assert_eq!(reasons.admit("folder", "b.yaml"), Some(997), "what was left out is counted");
        assert_eq!(reasons.admit("folder", "c.yaml"), Some(0));
        clock.advance(PAUSE_OF_LINE);
        assert_eq!(reasons.admit("folder", "a.yaml"), Some(0));
    }

    #[test]
    fn the_names_of_one_config_map_take_no_line_of_another() {
        let (reasons, clock) = reasons();
        let flood = |round: u32| {
            let names = (0..1000).map(|at| format!("{round}-{at}.yaml"));
            names.filter(|name| reasons.admit("ConfigMap evil", name).is_some()).count()
        };
        assert_eq!(flood(0), 22);
        assert_eq!(reasons.admit("ConfigMap good", "prod.yaml"), Some(978));
        clock.advance(PAUSE_OF_ORIGIN);
        assert_eq!(flood(1), 1);
        assert_eq!(reasons.admit("ConfigMap good", "dev.yaml"), Some(999));
    }

    #[test]
    fn what_is_kept_in_mind_is_bounded_and_forgotten() {
        let (reasons, clock) = reasons();
        let mut told = 0;
        for at in 0..3000 {
            for name in 0..5 {
                let line = format!("{at}/{name}");
                told += usize::from(reasons.admit(&format!("ConfigMap c{at}"), &line).is_some());
            }
        }
        assert!(reasons.origins.len() <= MOST_ORIGINS + 1 && reasons.lines.len() <= MOST_LINES);
        // All of those with a pace of their own, and what the others have together.
        assert!((5 * (MOST_ORIGINS - 1)..=5 * MOST_ORIGINS + 22).contains(&told), "{told}");
        clock.advance(2 * PAUSE_OF_LINE * AT_ONCE_OF_LINE.get());
        reasons.forget();
        assert!(reasons.origins.is_empty() && reasons.lines.is_empty());
    }
}
