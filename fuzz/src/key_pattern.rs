//! A key and two patterns, a line each: a pattern means what a naive matcher makes of it, and the
//! meeting of two opens just what both do.

use vanta::domain::names::Key;
use vanta::domain::pattern::{GrantedPattern, KeyPattern};

use super::glob;

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (key, one, other) = (next().parse::<Key>(), next(), next());
    let (one, other) = (one.parse::<KeyPattern>(), other.parse::<KeyPattern>());
    for pattern in [&one, &other].into_iter().flatten() {
        // What the grammar takes is printed and read back.
        assert_eq!(pattern.to_string().parse::<KeyPattern>().as_ref(), Ok(pattern));
        if let Some(named) = pattern.as_key() {
            assert!(pattern.matches(&named));
        }
        if let Ok(key) = &key {
            let expected = glob::matches(pattern.as_str(), key.as_str());
            assert_eq!(pattern.matches(key), expected, "{pattern} and {key}");
        }
    }
    let (Ok(one), Ok(other)) = (one, other) else { return };
    assert_eq!(one.may_meet(&other), other.may_meet(&one));
    let met = GrantedPattern::both(&one, &other);
    assert_eq!(met, GrantedPattern::both(&other, &one));
    assert_eq!(met.is_some(), one.may_meet(&other));
    if let Some(met) = &met {
        let read = GrantedPattern::try_from(met.to_string());
        assert_eq!(read.as_ref(), Ok(met));
    }
    if let Ok(key) = key {
        let both = one.matches(&key) && other.matches(&key);
        let opened = met.is_some_and(|met| met.matches(&key));
        assert_eq!(opened, both, "{one} & {other} and {key}");
    }
}
