//! Versions of an environment's file: which was the highest that was served, and whether another
//! one is newer, the same, or one that was put back.
//!
//! What a version says of its own age is authentic (SOPS's MAC is bound to it), but whoever holds
//! none of its keys can still put a whole older file back. Only memory tells.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::names::Environment;

/// How far the clock of whoever saved a file may be ahead.
const MOST_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The latest time of which a version may be at `now`.
pub fn latest(now: Timestamp) -> Timestamp {
    // At the end of all times that can be told, none is yet to come.
    now.checked_add(MOST_AHEAD).unwrap_or(Timestamp::MAX)
}

/// The highest version of each environment that was served.
pub type VersionMarks = BTreeMap<Environment, VersionMark>;

/// What is kept in mind of the highest version of an environment that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionMark {
    /// When sops saved it, as it says itself, to the second.
    pub last_modified: Timestamp,
    /// Of its content as it is encrypted: names, ciphertexts, types. It tells nobody a value.
    pub digest: [u8; 32],
}

/// How a version stands to the highest that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succession {
    /// It is the first, a newer one, or the very same.
    Good,
    /// An older version than this one of the past.
    Older(Timestamp),
    /// Saved at the same second as the highest, and of other content.
    OtherContent,
    /// It says that it is of the future, and may be taken after so long.
    Future(SignedDuration),
}

impl VersionMark {
    /// Whether it says that it is of the future, by more than clocks differ, at `now`.
    pub fn is_yet_to_come(&self, now: Timestamp) -> bool {
        self.early(now).is_positive()
    }

    /// Whether it takes the place of one that is kept: as a newer one, or of one of the future, which
    /// does not count.
    pub fn replaces(&self, kept: &Self, now: Timestamp) -> bool {
        self != kept && (self.last_modified > kept.last_modified || kept.is_yet_to_come(now))
    }

    fn early(&self, now: Timestamp) -> SignedDuration {
        self.last_modified.duration_since(now) - MOST_AHEAD
    }

    /// How this version stands to the highest before it, at `now`.
    pub fn after(&self, highest: Option<&Self>, now: Timestamp) -> Succession {
        // Were it served as any other, all that is saved before that day would be older.
        if self.is_yet_to_come(now) {
            return Succession::Future(self.early(now));
        }
        match highest {
            Some(highest) if self.last_modified < highest.last_modified => {
                Succession::Older(highest.last_modified)
            }
            Some(highest)
                if self.last_modified == highest.last_modified && self.digest != highest.digest =>
            {
                Succession::OtherContent
            }
            _ => Succession::Good,
        }
    }

    /// The highest of this one, which is served, and the one before it. One of the future is not
    /// kept in mind.
    #[must_use]
    pub fn highest_with(self, before: Option<&Self>, now: Timestamp) -> Option<Self> {
        match self.after(before, now) {
            Succession::Good => Some(self),
            Succession::Older(_) | Succession::OtherContent | Succession::Future(_) => {
                before.copied()
            }
        }
    }
}

/// Takes what others have seen of an environment into what is known at `now`: the highest, but none
/// of the future, whoever says so. With one, all that is saved before that day would be older.
pub fn merge(
    known: &mut VersionMarks,
    environment: Environment,
    other: VersionMark,
    now: Timestamp,
) {
    if other.is_yet_to_come(now) {
        return;
    }
    let mark = known.entry(environment).or_insert(other);
    if other.last_modified > mark.last_modified {
        *mark = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_000_000, 0);

    fn version(seconds: i64, content: u8) -> VersionMark {
        let last_modified = Timestamp::constant(seconds, 0);
        VersionMark { last_modified, digest: [content; 32] }
    }

    /// One that is so many seconds further ahead than clocks differ.
    fn beyond_clocks(seconds: i64) -> VersionMark {
        let last_modified = NOW + MOST_AHEAD + SignedDuration::from_secs(seconds);
        VersionMark { last_modified, digest: [1; 32] }
    }

    #[test]
    fn one_takes_the_place_of_an_older_one_and_of_none_of_the_same_second() {
        assert_eq!(latest(NOW), NOW + MOST_AHEAD);
        assert!(version(101, 1).replaces(&version(100, 1), NOW));
        assert!(!version(100, 2).replaces(&version(100, 1), NOW));
        assert!(!version(100, 1).replaces(&version(100, 1), NOW));
        let environment: Environment = "a".parse().expect("it is a name");
        let mut known = VersionMarks::from([(environment.clone(), version(100, 1))]);
        merge(&mut known, environment.clone(), version(100, 2), NOW);
        assert_eq!(known[&environment], version(100, 1));
    }

    #[test]
    fn the_first_a_newer_and_the_same_version_are_good() {
        let highest = version(100, 1);
        assert_eq!(version(100, 1).after(None, NOW), Succession::Good);
        assert_eq!(version(101, 2).after(Some(&highest), NOW), Succession::Good);
        assert_eq!(version(100, 1).after(Some(&highest), NOW), Succession::Good);
    }

    #[test]
    fn an_older_one_and_another_of_the_same_second_are_told_apart_from_a_newer_one() {
        let highest = version(100, 1);
        assert_eq!(
            version(99, 1).after(Some(&highest), NOW),
            Succession::Older(highest.last_modified)
        );
        assert_eq!(version(100, 2).after(Some(&highest), NOW), Succession::OtherContent);
    }

    #[test]
    fn one_of_the_future_never_makes_those_of_today_old() {
        let future = beyond_clocks(1);
        assert_eq!(future.after(None, NOW), Succession::Future(SignedDuration::from_secs(1)));
        assert_eq!(future.highest_with(None, NOW), None);
        let highest = version(100, 1);
        assert_eq!(future.highest_with(Some(&highest), NOW), Some(highest));
        let ahead = beyond_clocks(0);
        assert_eq!(ahead.after(Some(&highest), NOW), Succession::Good);
    }

    #[test]
    fn the_first_and_the_last_time_that_can_be_told_are_old_and_yet_to_come() {
        let at = |last_modified| VersionMark { last_modified, digest: [1; 32] };
        let (first, last) = (at(Timestamp::MIN), at(Timestamp::MAX));
        assert_eq!(
            first.after(Some(&version(100, 1)), NOW),
            Succession::Older(version(100, 1).last_modified)
        );
        assert!(matches!(last.after(Some(&first), NOW), Succession::Future(_)));
        assert!(matches!(last.after(None, Timestamp::MIN), Succession::Future(_)));
        assert_eq!(first.after(None, Timestamp::MAX), Succession::Good);
    }

    #[test]
    fn the_highest_stays_whatever_older_one_is_served() {
        let highest = version(100, 1);
        for served in [version(99, 2), version(100, 2)] {
            assert_eq!(served.highest_with(Some(&highest), NOW), Some(highest));
        }
        assert_eq!(version(101, 2).highest_with(Some(&highest), NOW), Some(version(101, 2)));
    }

    #[test]
    fn of_what_several_have_seen_the_highest_is_known() {
        let environment = |name: &str| name.parse::<Environment>().expect("it is a name");
        let marks = |of: &[(&str, VersionMark)]| -> VersionMarks {
            of.iter().map(|(name, mark)| (environment(name), *mark)).collect()
        };
        let mut known = marks(&[("a", version(2, 1)), ("b", version(1, 1))]);
        for (name, mark) in [("a", version(1, 2)), ("b", version(2, 2)), ("c", version(1, 1))] {
            merge(&mut known, environment(name), mark, NOW);
        }
        let expected = [("a", version(2, 1)), ("b", version(2, 2)), ("c", version(1, 1))];
        assert_eq!(known, marks(&expected));
    }

    #[test]
    fn what_others_say_of_the_future_is_left_out_and_takes_nothing_away() {
        let environment: Environment = "a".parse().expect("it is a name");
        let of = |mark| VersionMarks::from([(environment.clone(), mark)]);
        let future = beyond_clocks(1);
        let ahead = beyond_clocks(0);
        let mut known = VersionMarks::new();
        merge(&mut known, environment.clone(), future, NOW);
        assert_eq!(known, VersionMarks::new());
        merge(&mut known, environment.clone(), ahead, NOW);
        merge(&mut known, environment.clone(), future, NOW);
        assert_eq!(known, of(ahead));
    }
}
