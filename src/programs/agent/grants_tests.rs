//! What the grants and the values that were seen of them come to.

use std::time::Duration;

use super::*;
use crate::domain::names::Key;
use crate::domain::secret::SecretValue;

fn answer(access: &[&str], missing: &[(&str, MissingKind, &str)]) -> AccessList {
    let access = access.iter().map(|name| Access {
        namespace: "shop".to_owned(),
        name: (*name).to_owned(),
        environment: "dev".parse().unwrap(),
        key_pattern: "*".parse().unwrap(),
        permissions: vec![Permission::Read, Permission::List],
        ttl_minutes: 15,
        usage_limit: None,
        file: None,
        revision: Some("1".to_owned()),
    });
    let missing = missing.iter().map(|(name, kind, reason)| Missing {
        name: (*name).to_owned(),
        kind: *kind,
        reason: (*reason).to_owned(),
    });
    AccessList {
        subject: "system:serviceaccount:shop:checkout".parse().unwrap(),
        access: access.collect(),
        missing: missing.collect(),
    }
}

fn grants(named: &[&str]) -> Grants {
    Grants::new(named.iter().map(|name| (*name).to_owned()).collect(), OnRevoke::Keep)
}

fn values(keys: &[&str], tag: &str) -> Seen {
    let value = |key: &&str| (key.parse::<Key>().unwrap(), SecretValue::new(vec![]));
    Seen::Values(keys.iter().map(value).collect(), tag.to_owned())
}

fn keys(grants: &Grants) -> Vec<String> {
    let parts = grants.parts();
    let keys = parts.iter().filter_map(|part| part.values).flat_map(|(values, _)| values.keys());
    keys.map(ToString::to_string).collect()
}

fn texts(troubles: Vec<Trouble>) -> Vec<String> {
    troubles.into_iter().map(|trouble| trouble.text).collect()
}

#[test]
fn an_answer_that_says_nothing_of_a_name_starts_no_pod() {
    let mut grants = grants(&["checkout", "shared"]);
    let laid = Manifest::default();
    grants.take(answer(&["checkout"], &[]), Instant::now(), &laid);
    grants.see("shop/checkout", values(&["A"], "1"), &laid);
    assert_eq!(texts(grants.lacking()), ["the vault says nothing of SecretAccess shared"]);
}

#[test]
fn a_reason_names_the_secretaccess_and_what_to_do() {
    let mut grants = grants(&["a", "b", "checkout"]);
    let missing = [
        (
            "a",
            MissingKind::Absent,
            "there is no SecretAccess a for system:serviceaccount:shop:checkout",
        ),
        ("b", MissingKind::Unknown, "of another version"),
        (
            "checkout",
            MissingKind::NoPolicy,
            "no SecretPolicy covers system:serviceaccount:shop:checkout",
        ),
    ];
    grants.take(answer(&[], &missing), Instant::now(), &Manifest::default());
    insta::assert_snapshot!(texts(grants.lacking()).join("\n"), @r"
    there is no SecretAccess a for system:serviceaccount:shop:checkout; apply one in namespace shop, and a SecretPolicy around it
    SecretAccess b: of another version
    SecretAccess checkout: no SecretPolicy covers system:serviceaccount:shop:checkout
    ");
}

#[test]
fn keys_that_vanish_stay_until_an_answer_that_was_asked_for_since_says_that_the_grant_holds() {
    let mut grants = grants(&[]);
    let laid = Manifest::default();
    let before = Instant::now();
    grants.take(answer(&["a"], &[]), before, &laid);
    assert_eq!(
        grants.see("shop/a", values(&["A", "B"], "1"), &laid),
        ToDo { lay: true, ask: false }
    );
    assert_eq!(grants.see("shop/a", values(&["B"], "2"), &laid), ToDo { lay: false, ask: true });
    grants.take(answer(&["a"], &[]), before, &laid);
    assert_eq!(keys(&grants), ["A", "B"], "it was asked for before");
    let since = Instant::now() + Duration::from_millis(1);
    grants.take(answer(&["a"], &[]), since, &laid);
    assert_eq!(keys(&grants), ["B"]);
    grants.see("shop/a", values(&[], "3"), &laid);
    let withdrawn = grants.take(answer(&[], &[]), since + Duration::from_secs(1), &laid).withdrawn;
    assert_eq!(withdrawn.len(), 1);
    assert_eq!(keys(&grants), ["B"], "what was withdrawn stays as it was");
}

#[test]
fn values_that_a_new_token_would_not_give_are_followed_with_a_new_one() {
    let mut grants = grants(&[]);
    let laid = Manifest::default();
    let first = grants.take(answer(&["a"], &[]), Instant::now(), &laid).follow;
    assert_eq!(first.len(), 1);
    grants.see("shop/a", values(&["A"], "1"), &laid);
    assert!(grants.take(answer(&["a"], &[]), Instant::now(), &laid).follow.is_empty());
    grants.see("shop/a", values(&["A"], "of a narrower token"), &laid);
    let again = grants.take(answer(&["a"], &[]), Instant::now(), &laid).follow;
    assert_eq!(again.len(), 1);
    assert!(!first[0].2.load(Ordering::Relaxed), "the first is followed no more");
    assert!(again[0].2.load(Ordering::Relaxed));
    assert_eq!(keys(&grants), ["A"]);
}

#[test]
fn one_of_several_that_were_not_named_holds_the_pod_up_for_some_seconds_alone() {
    let mut grants = grants(&[]);
    let laid = Manifest::default();
    grants.take(answer(&["a", "b"], &[]), Instant::now(), &laid);
    grants.see("shop/a", values(&["A"], "1"), &laid);
    assert_eq!(texts(grants.lacking()), ["SecretAccess b is being fetched"]);
    let refused = Seen::Trouble(Trouble::refused("no"));
    assert_eq!(grants.see("shop/b", refused, &laid), ToDo { lay: true, ask: true });
    assert!(grants.lacking().is_empty());
    assert_eq!(texts(grants.troubles()), ["SecretAccess b: no"]);
}
