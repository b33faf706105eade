//! What the policy decides: each rule of composition by example, then its laws by property.

use proptest::prelude::*;

use super::*;
use crate::domain::identity::{Administers, Method, PodReference};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn name<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn checkout() -> Subject {
    name("system:serviceaccount:shop:checkout")
}

/// A SecretAccess `shop/checkout`: its service account may read all of prod.
fn access() -> Access {
    Access {
        namespace: name("shop"),
        name: name("checkout"),
        subject: checkout(),
        environment: name("prod"),
        key_pattern: KeyPattern::any(),
        permissions: vec![Permission::Read],
        ttl_minutes: None,
        usage_limit: None,
        file: None,
    }
}

/// A SecretPolicy `shop-prod` around it, without bounds.
fn policy() -> Policy {
    Policy {
        name: name("shop-prod"),
        subjects: vec![SubjectSelector::AllServiceAccounts { namespace: name("shop") }],
        environment: name("prod"),
        key_patterns: vec![KeyPattern::any()],
        permissions: vec![Permission::Read],
        max_ttl_minutes: None,
        max_usage_limit: None,
        require_pod_bound_token: false,
    }
}

fn grants(accesses: &[Access], policies: &[Policy]) -> Grants {
    Grants { accesses: accesses.to_vec(), policies: policies.to_vec() }
}

fn identity(subject: Subject) -> Identity {
    Identity {
        method: Method::ServiceAccountToken,
        subject,
        pod: None,
        service_account_uid: None,
        credential_id: None,
        expires_at: None,
        administers: Administers::Nothing,
    }
}

fn in_a_pod(subject: Subject) -> Identity {
    let pod = PodReference { namespace: name("shop"), name: name("checkout-0"), uid: "u".into() };
    Identity { pod: Some(pod), ..identity(subject) }
}

fn read(key: &str) -> Request {
    to(Permission::Read, Target::Key(name(key)))
}

fn issue(pattern: &str) -> Request {
    to(Permission::Read, Target::Issue(name(pattern)))
}

fn to(permission: Permission, target: Target) -> Request {
    Request { environment: name("prod"), permission, target }
}

/// What checkout gets, without a pod.
fn decided(grants: &Grants, request: &Request) -> Decision {
    decide(grants, &identity(checkout()), request, NOW)
}

fn bounds(accesses: &[Access], policies: &[Policy]) -> (u32, Option<u32>) {
    let bounds = decided(&grants(accesses, policies), &read("A")).unwrap().bounds();
    (bounds.ttl_minutes, bounds.usage_limit)
}

#[test]
fn an_access_with_a_policy_around_it_is_a_grant_that_says_why() {
    let grant = decided(&grants(&[access()], &[policy()]), &read("A")).unwrap();
    assert_eq!(grant.readable(), Some((&name("prod"), &name("A"))));
    let why = Reason { access: "shop/checkout".into(), policy: "shop-prod".into() };
    assert_eq!(grant.reasons(), [why]);
    assert_eq!(grant.because(), "SecretAccess shop/checkout within SecretPolicy shop-prod");
}

#[test]
fn of_many_reasons_a_few_are_told_in_words() {
    let accesses = (0..9).map(|at| Access { name: name(&format!("a{at}")), ..access() });
    let accesses: Vec<Access> = accesses.collect();
    let request = Request {
        environment: name("prod"),
        permission: Permission::Read,
        target: Target::Key(name("KEY")),
    };
    let told = |count: usize| {
        let grants = grants(&accesses[..count], &[policy()]);
        decide(&grants, &identity(checkout()), &request, NOW).unwrap().because()
    };
    assert!(told(8).ends_with("SecretAccess shop/a7 within SecretPolicy shop-prod"));
    assert!(told(9).ends_with("SecretAccess shop/a7 within SecretPolicy shop-prod, and 1 more"));
}

#[test]
fn nothing_is_allowed_by_default() {
    let no_policy = Denial::NoPolicy(vec!["shop/checkout".into()]);
    for (accesses, policies, expected) in [
        (vec![], vec![], Denial::NoAccess),
        (vec![], vec![policy()], Denial::NoAccess),
        (vec![access()], vec![], no_policy),
    ] {
        assert_eq!(decided(&grants(&accesses, &policies), &read("A")), Err(expected));
    }
}

#[test]
fn one_access_and_one_policy_must_cover_the_read_alone() {
    let only = |permission| Access { permissions: vec![permission], ..access() };
    let keys = |pattern| Access { key_pattern: name(pattern), ..access() };
    let opens = |pattern| Policy { key_patterns: vec![name(pattern)], ..policy() };
    let lists = Policy { permissions: vec![Permission::List], ..policy() };
    let dev = Policy { environment: name("dev"), ..policy() };
    let others = Policy {
        subjects: vec![SubjectSelector::AllServiceAccounts { namespace: name("bank") }],
        ..policy()
    };
    let half_of_an_access = [
        ("the key in one, the permission in the other", keys("B"), only(Permission::List)),
        ("another environment", Access { environment: name("dev"), ..access() }, keys("B")),
    ];
    for (what, one, other) in half_of_an_access {
        let decision = decided(&grants(&[one, other], &[policy()]), &read("A"));
        assert_eq!(decision, Err(Denial::NoAccess), "{what}");
    }
    for (what, one, other) in [
        ("the key in one, the permission in the other", opens("B"), lists.clone()),
        ("the key in one, the environment in the other", opens("B"), dev),
        ("the key in one, the subject in the other", opens("B"), others),
    ] {
        let decision = decided(&grants(&[access()], &[one, other]), &read("A"));
        assert_eq!(decision, Err(Denial::NoPolicy(vec!["shop/checkout".into()])), "{what}");
    }
    let crossed = grants(&[keys("A*")], &[opens("*B")]);
    assert!(decided(&crossed, &read("AB")).is_ok());
    assert!(decided(&crossed, &read("AC")).is_err());
    assert!(decided(&crossed, &read("CB")).is_err());
}

#[test]
fn the_strictest_bound_of_all_that_match_holds_even_where_some_are_silent() {
    let of_access = |ttl, uses| Access { ttl_minutes: ttl, usage_limit: uses, ..access() };
    let of_policy = |ttl, uses| Policy { max_ttl_minutes: ttl, max_usage_limit: uses, ..policy() };
    let silent = of_policy(None, None);
    let (a, p) = (of_access(Some(30), Some(9)), of_policy(Some(60), Some(5)));
    assert_eq!(bounds(&[access()], &[policy()]), (DEFAULT_TTL_MINUTES, None));
    assert_eq!(bounds(std::slice::from_ref(&a), std::slice::from_ref(&p)), (30, Some(5)));
    assert_eq!(bounds(std::slice::from_ref(&a), std::slice::from_ref(&silent)), (30, Some(9)));
    assert_eq!(bounds(&[access()], std::slice::from_ref(&p)), (60, Some(5)));
    assert_eq!(bounds(std::slice::from_ref(&a), &[silent, p.clone()]), (30, Some(5)));
    assert_eq!(bounds(&[a, of_access(Some(10), None)], &[p]), (10, Some(5)));
    let endless = of_policy(Some(u32::MAX), None);
    assert_eq!(bounds(&[access()], &[endless]), (MAX_TTL_MINUTES, None));
}

#[test]
fn a_pair_that_says_no_life_keeps_the_default_beside_one_that_says_a_long_one() {
    let long = Policy { max_ttl_minutes: Some(600), ..policy() };
    assert_eq!(bounds(&[access()], &[policy(), long]), (DEFAULT_TTL_MINUTES, None));
}

#[test]
fn a_bound_of_a_pair_that_does_not_match_is_no_bound() {
    let elsewhere = Policy { key_patterns: vec![name("B")], max_usage_limit: Some(1), ..policy() };
    assert_eq!(bounds(&[access()], &[policy(), elsewhere]).1, None);
}

#[test]
fn one_policy_that_wants_a_pod_is_enough_to_want_it() {
    let strict = Policy { name: name("strict"), require_pod_bound_token: true, ..policy() };
    let both = grants(&[access()], &[policy(), strict.clone()]);
    assert_eq!(decided(&both, &read("A")), Err(Denial::NotPodBound(vec!["strict".into()])));
    assert!(decide(&both, &in_a_pod(checkout()), &read("A"), NOW).is_ok());
    let elsewhere = Policy { key_patterns: vec![name("B")], ..strict };
    assert!(decided(&grants(&[access()], &[policy(), elsewhere]), &read("A")).is_ok());
}

#[test]
fn a_policy_names_namespace_account_client_and_oidc_subject_exactly() {
    let client: Subject = name("client:ci");
    let oidc: Subject = name("oidc:https://id.example:alice");
    let all = |namespace| SubjectSelector::AllServiceAccounts { namespace: name(namespace) };
    let one = |namespace, account| SubjectSelector::ServiceAccount {
        namespace: name(namespace),
        name: name(account),
    };
    let of_client = |namespace, client| SubjectSelector::Client {
        namespace: name(namespace),
        name: name(client),
    };
    let of_oidc = |namespace, issuer: &str, subject: &str| SubjectSelector::Oidc {
        namespace: name(namespace),
        issuer: issuer.into(),
        subject: subject.into(),
    };
    for (selector, subject, expected) in [
        (all("shop"), checkout(), true),
        (all("sho"), checkout(), false),
        (all("shop-2"), checkout(), false),
        (one("shop", "checkout"), checkout(), true),
        (one("shop", "check"), checkout(), false),
        (one("bank", "checkout"), checkout(), false),
        (all("shop"), client.clone(), false),
        (all("shop"), oidc.clone(), false),
        (of_client("shop", "ci"), client.clone(), true),
        (of_client("shop", "cd"), client.clone(), false),
        (of_client("bank", "ci"), client, false),
        (of_oidc("shop", "https://id.example", "alice"), oidc.clone(), true),
        (of_oidc("shop", "https://id.example", "bob"), oidc.clone(), false),
        (of_oidc("shop", "https://id.example/", "alice"), oidc.clone(), false),
        (of_oidc("bank", "https://id.example", "alice"), oidc, false),
    ] {
        let world = grants(
            &[Access { subject: subject.clone(), ..access() }],
            &[Policy { subjects: vec![selector.clone()], ..policy() }],
        );
        let decision = decide(&world, &identity(subject), &read("A"), NOW);
        assert_eq!(decision.is_ok(), expected, "{selector:?}");
    }
}

#[test]
fn an_access_never_opens_for_an_account_of_another_namespace() {
    let foreign = Access { namespace: name("bank"), ..access() };
    let around = |namespace: &str| {
        let (all, one) = (name(namespace), (name(namespace), name("checkout")));
        let one = SubjectSelector::ServiceAccount { namespace: one.0, name: one.1 };
        vec![SubjectSelector::AllServiceAccounts { namespace: all }, one]
    };
    let policies =
        ["shop", "bank"].map(|namespace| Policy { subjects: around(namespace), ..policy() });
    let decision = decided(&grants(&[foreign], &policies), &read("A"));
    assert_eq!(decision, Err(Denial::NoPolicy(vec!["bank/checkout".into()])));
}

#[test]
fn a_pattern_is_issued_only_where_one_of_its_keys_might_be_read() {
    let narrow = Access { key_pattern: name("A_*"), ..access() };
    let world = grants(&[narrow], &[policy()]);
    for (pattern, expected) in
        [("A_1", true), ("B_1", false), ("A_*", true), ("B_*", false), ("*", true)]
    {
        assert_eq!(decided(&world, &issue(pattern)).is_ok(), expected, "{pattern}");
    }
    let wide = decided(&world, &issue("*")).unwrap();
    assert_eq!(wide.granted().iter().map(ToString::to_string).collect::<Vec<_>>(), ["A_*"]);
    assert_eq!(wide.readable(), None, "an issue is no grant to read");
}

#[test]
fn only_the_patterns_that_open_a_key_are_reasons_for_it() {
    let several = Policy { key_patterns: ["A*", "*1", "B*"].map(name).to_vec(), ..policy() };
    let world = grants(&[access()], &[several]);
    for (request, expected) in [
        (read("A1"), vec!["*1", "A*"]),
        (issue("A1"), vec!["*1", "A*"]),
        (issue("A?"), vec!["*1", "A*"]),
        (issue("*"), vec!["*1", "A*", "B*"]),
    ] {
        let grant = decided(&world, &request).unwrap();
        let granted: Vec<String> = grant.granted().iter().map(ToString::to_string).collect();
        assert_eq!(granted, expected, "{request:?}");
    }
}

#[test]
fn a_pair_whose_keys_are_known_to_differ_is_no_pair() {
    let of_key = |key| Access { key_pattern: name(key), ..access() };
    let around = |patterns: &[&str]| Policy {
        key_patterns: patterns.iter().map(|pattern| name(pattern)).collect(),
        max_usage_limit: Some(1),
        ..policy()
    };
    let denied = decided(&grants(&[of_key("GREETING")], &[around(&["A_*"])]), &issue("*"));
    assert_eq!(denied, Err(Denial::NoPolicy(vec!["shop/checkout".into()])));
    let wide = Policy { key_patterns: vec![name("GREETING")], ..policy() };
    let world = grants(&[of_key("GREETING")], &[wide, around(&["A_*"])]);
    let grant = decided(&world, &issue("*")).unwrap();
    assert_eq!(grant.granted(), [GrantedPattern::try_from("GREETING".to_owned()).unwrap()]);
    assert_eq!(grant.bounds().usage_limit, None, "what opens nothing bounds nothing");
}

#[test]
fn permissions_are_separate() {
    let world = grants(&[access()], &[policy()]);
    assert_eq!(decided(&world, &to(Permission::List, Target::Names)), Err(Denial::NoAccess));
    let lists = Access { permissions: vec![Permission::Read, Permission::List], ..access() };
    let world = grants(&[lists], &[policy()]);
    let denial = decided(&world, &to(Permission::List, Target::Key(name("A")))).unwrap_err();
    assert_eq!(denial, Denial::NoPolicy(vec!["shop/checkout".into()]));
}

#[test]
fn an_identity_ends_at_its_end_whatever_the_grants_say() {
    let world = grants(&[access()], &[policy()]);
    let ending = |second| Identity {
        expires_at: Some(Timestamp::from_second(second).unwrap()),
        ..identity(checkout())
    };
    assert_eq!(decide(&world, &ending(0), &read("A"), NOW), Err(Denial::IdentityExpired));
    assert_eq!(
        decide(&grants(&[], &[]), &ending(-1), &read("A"), NOW),
        Err(Denial::IdentityExpired)
    );
    assert!(decide(&world, &ending(1), &read("A"), NOW).is_ok());
}

#[test]
fn a_denial_names_what_is_missing() {
    let said = |denial: Denial| denial.to_string();
    insta::assert_snapshot!(said(Denial::IdentityExpired), @"the proof of identity has expired");
    insta::assert_snapshot!(said(Denial::NoAccess), @"no SecretAccess gives this subject this permission here");
    insta::assert_snapshot!(said(Denial::NoPolicy(vec!["shop/a".into(), "shop/b".into()])), @"no SecretPolicy allows what SecretAccess shop/a, shop/b asks for");
    insta::assert_snapshot!(said(Denial::NotPodBound(vec!["strict".into()])), @"SecretPolicy strict requires a pod-bound token");
}

#[test]
fn a_denial_tells_who_wrote_the_access_which_policy_is_missing() {
    let denied = Denial::NoPolicy(vec!["shop/checkout".into()]);
    insta::assert_snapshot!(denied.explain(&access()), @"no SecretPolicy covers environment prod, keys * for system:serviceaccount:shop:checkout");
    let of_client = Access { subject: name("client:ci"), ..access() };
    insta::assert_snapshot!(denied.explain(&of_client), @"no SecretPolicy covers environment prod, keys * for client:ci in namespace shop");
    assert_eq!(Denial::NoAccess.explain(&access()), Denial::NoAccess.to_string());
}

#[path = "policy_laws_tests.rs"]
mod laws;

#[path = "policy_composition_tests.rs"]
mod composition;

#[test]
fn grants_are_alike_for_a_subject_where_nothing_that_has_a_say_differs() {
    let alike = |accesses: &[Access], policies: &[Policy]| {
        let others = grants(accesses, policies);
        grants(&[access()], &[policy()]).are_alike_for(&others, &checkout(), &name("prod"))
    };
    let of_another = Access { subject: name("client:ci"), ..access() };
    let elsewhere = Access { environment: name("dev"), ..access() };
    let policy_elsewhere = Policy { environment: name("dev"), ..policy() };
    assert!(alike(&[access()], &[policy()]));
    assert!(alike(&[of_another, access(), elsewhere], &[policy_elsewhere, policy()]));
    assert!(!alike(&[], &[policy()]), "an access is gone");
    assert!(!alike(&[access()], &[]), "a policy is gone");
    assert!(!alike(&[Access { usage_limit: Some(1), ..access() }], &[policy()]));
    let bounded = Policy { max_ttl_minutes: Some(1), ..policy() };
    assert!(!alike(&[access()], &[bounded]));
}

#[test]
fn a_permission_is_written_as_in_the_objects() {
    assert_eq!(
        (Permission::Read.to_string(), Permission::List.to_string()),
        ("read".into(), "list".into())
    );
}

#[test]
fn what_is_in_the_way_is_said_in_words() {
    let said =
        |access: Access| access_obstacle(&access, &checkout(), &read("A")).map(|of| of.to_string());
    assert_eq!(said(access()), None);
    let patterns = Access { key_pattern: name("B"), ..access() };
    assert_eq!(said(patterns).unwrap(), "its patterns do not match");
    let other = Access { environment: name("dev"), ..access() };
    assert_eq!(said(other).unwrap(), "it is for another environment");
}
