//! Whose place and whose turn it is, where more is noticed than can be written.

use super::*;

fn notice(name: &str) -> Notice {
    Notice {
        about: About {
            api_version: "v1",
            kind: "Pod",
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            uid: None,
        },
        reason: "Refused",
        action: "Read",
        of: "prod".to_owned(),
        note: "x".to_owned(),
    }
}

/// What the vault tells a ConfigMap of one of its environments.
fn alarm(config_map: &str, environment: &str, reason: &'static str, note: &str) -> Notice {
    let mut notice = notice(config_map);
    notice.about.kind = "ConfigMap";
    (notice.of, notice.reason, notice.note) = (environment.to_owned(), reason, note.to_owned());
    notice
}

fn at(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

/// The name of the object that is written next, which then is.
fn write(topics: &mut Topics, now: Instant) -> Option<(String, i32)> {
    let due = topics.due(now)?;
    let written = (due.topic.about.name.clone(), due.count);
    topics.written(due, Some("e".to_owned()), now);
    Some(written)
}

#[test]
fn one_kind_for_one_object_is_written_at_once_and_then_every_ten_seconds_with_its_count() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    for _ in 0..1000 {
        assert!(!topics.see(notice("a"), start));
    }
    assert_eq!(write(&mut topics, start), Some(("a".to_owned(), 1000)));
    assert_eq!(topics.due(at(start, 60)), None, "nothing is new");
    topics.see(notice("a"), at(start, 1));
    assert_eq!(topics.due(at(start, 9)), None);
    let due = topics.due(at(start, 10)).unwrap();
    assert_eq!((due.count, due.event.as_deref()), (1001, Some("e")));
}

#[test]
fn the_one_that_waits_longest_comes_first_and_a_failure_waits_too() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    topics.see(notice("b"), start);
    topics.see(notice("a"), at(start, 1));
    let due = topics.due(at(start, 1)).unwrap();
    assert_eq!(due.topic.about.name, "b", "it was seen first");
    topics.failed(&due, at(start, 1));
    assert_eq!(write(&mut topics, at(start, 2)), Some(("a".to_owned(), 1)));
    assert_eq!(topics.due(at(start, 3)), None);
    assert_eq!(write(&mut topics, at(start, 11)), Some(("b".to_owned(), 1)));
}

#[test]
fn what_else_is_said_of_one_topic_is_counted_and_an_event_of_its_own_after_a_minute() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    let line = |line: u64| alarm("a", "dev", "NotLoaded", &format!("line {line}"));
    topics.see(line(0), start);
    let first = topics.due(start).unwrap();
    assert_eq!((first.note.as_str(), first.event.as_deref()), ("line 0", None));
    topics.written(first, Some("first".to_owned()), start);
    for second in 1..=50 {
        topics.see(line(second), at(start, second));
    }
    let counted = topics.due(at(start, 50)).unwrap();
    assert_eq!((counted.count, counted.event.as_deref()), (51, Some("first")));
    topics.written(counted, Some("first".to_owned()), at(start, 50));
    assert_eq!(topics.due(at(start, 59)), None);
    let second = topics.due(at(start, 60)).unwrap();
    assert_eq!((second.note.as_str(), second.event.as_deref()), ("line 50", None));
    topics.written(second, Some("second".to_owned()), at(start, 60));
    topics.see(line(50), at(start, 70));
    let again = topics.due(at(start, 70)).unwrap();
    assert_eq!((again.count, again.event.as_deref()), (2, Some("second")));
}

#[test]
fn an_event_that_is_gone_is_made_anew_with_the_next_notice() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    topics.see(notice("a"), start);
    write(&mut topics, start);
    topics.see(notice("a"), at(start, 10));
    let due = topics.due(at(start, 10)).unwrap();
    topics.written(due, None, at(start, 10));
    let due = topics.due(at(start, 20)).unwrap();
    assert_eq!((due.count, due.event), (1, None));
}

#[test]
fn a_flood_about_one_environment_leaves_the_rollback_of_another_its_place_and_its_turn() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    for line in 0..10_000 {
        let note = format!("line {line} is not valid YAML");
        assert!(!topics.see(alarm("dev", "dev", "NotLoaded", &note), start));
    }
    assert!(!topics.see(alarm("prod", "prod", "RolledBack", "it is older"), start));
    assert_eq!(write(&mut topics, start), Some(("dev".to_owned(), 10_000)));
    assert_eq!(write(&mut topics, start), Some(("prod".to_owned(), 1)));
}

#[test]
fn who_has_most_topics_gives_one_up_for_who_has_less_and_it_is_told_that_it_is_lost() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    let bad = |at: usize| alarm("evil", &format!("e{at}"), "NotLoaded", "x");
    for at in 0..MOST_KEPT {
        assert!(!topics.see(bad(at), start));
    }
    assert!(topics.see(bad(MOST_KEPT), start), "its own has no place, and that is said");
    assert!(!topics.0.keys().any(|topic| topic.of == format!("e{MOST_KEPT}")));
    let rolled_back = alarm("prod", "prod", "RolledBack", "it is older");
    assert!(topics.see(rolled_back, at(start, 1)), "another is lost for it");
    assert_eq!(topics.0.len(), MOST_KEPT);
    assert_eq!(write(&mut topics, at(start, 1)), Some(("evil".to_owned(), 1)));
    let second = write(&mut topics, at(start, 1));
    assert_eq!(second, Some(("prod".to_owned(), 1)), "it has its turn after one of the others");
    // One that is written is no loss, and goes before those that are not.
    assert!(!topics.see(alarm("stage", "stage", "RolledBack", "it is older"), at(start, 2)));
    topics.see(notice("new"), start + REST + Duration::from_secs(2));
    assert_eq!(topics.0.len(), 1, "what rests is forgotten");
}

#[test]
fn of_one_object_that_is_told_of_all_each_matter_has_its_place() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    let of_pod = |of: &str, reason| {
        let mut notice = alarm("vault-0", of, reason, "x");
        notice.about.kind = "Pod";
        notice
    };
    for at in 0..MOST_KEPT / 2 {
        topics.see(of_pod(&format!("e{at}"), "NotLoaded"), start);
        topics.see(of_pod(&format!("e{at}"), "NotSigned"), start);
    }
    topics.see(of_pod("prod", "RolledBack"), start);
    assert!(topics.0.keys().any(|topic| topic.of == "prod"));
    assert_eq!(topics.0.len(), MOST_KEPT);
}

#[test]
fn namespaces_take_turns_however_many_objects_one_has() {
    let (mut topics, start) = (Topics::default(), Instant::now());
    for name in 0..100 {
        topics.see(notice(&name.to_string()), start);
    }
    let mut other = notice("other");
    other.about.namespace = "bank".to_owned();
    topics.see(other, at(start, 1));
    write(&mut topics, at(start, 1));
    assert_eq!(write(&mut topics, at(start, 1)), Some(("other".to_owned(), 1)));
}
