//! The laws of the policy, over small worlds in which everything is likely to meet.

use proptest::collection::vec;
use proptest::option;
use proptest::sample::{select, subsequence};

use super::*;
use crate::domain::names::Label;

pub(super) const KEYS: [&str; 5] = ["A", "B", "AB", "A.B", "BA"];
pub(super) const SUBJECTS: [&str; 4] = [
    "system:serviceaccount:shop:checkout",
    "system:serviceaccount:bank:till",
    "client:ci",
    "oidc:https://id.example:alice",
];

fn namespaces() -> impl Strategy<Value = Label> {
    select(vec!["shop", "bank"]).prop_map(name)
}

fn environments() -> impl Strategy<Value = Environment> {
    select(vec!["prod", "prod", "prod", "dev"]).prop_map(name)
}

fn subjects() -> impl Strategy<Value = Subject> {
    select(SUBJECTS.to_vec()).prop_map(name)
}

fn patterns() -> impl Strategy<Value = KeyPattern> {
    select(vec!["*", "*", "A*", "*B", "?", "A", "[A-B]", "{A,BA}", "A?B"]).prop_map(name)
}

fn permissions() -> impl Strategy<Value = Vec<Permission>> {
    subsequence(vec![Permission::Read, Permission::List], 1..=2)
}

fn selectors() -> impl Strategy<Value = SubjectSelector> {
    (namespaces(), subjects(), any::<bool>()).prop_map(|(of_access, subject, all)| match subject {
        Subject::ServiceAccount { namespace, .. } if all => {
            SubjectSelector::AllServiceAccounts { namespace }
        }
        Subject::ServiceAccount { namespace, name } => {
            SubjectSelector::ServiceAccount { namespace, name }
        }
        Subject::Client(name) => SubjectSelector::Client { namespace: of_access, name },
        Subject::Oidc { issuer, subject } => {
            SubjectSelector::Oidc { namespace: of_access, issuer, subject }
        }
    })
}

pub(super) fn accesses() -> impl Strategy<Value = Access> {
    let bounds = (option::of(1..90_u32), option::of(1..9_u32));
    let names = select(vec!["a", "b", "c"]);
    (names, namespaces(), subjects(), environments(), patterns(), permissions(), bounds).prop_map(
        |(label, namespace, subject, environment, key_pattern, permissions, bounds)| Access {
            namespace,
            name: name(label),
            subject,
            environment,
            key_pattern,
            permissions,
            ttl_minutes: bounds.0,
            usage_limit: bounds.1,
            file: None,
        },
    )
}

pub(super) fn policies() -> impl Strategy<Value = Policy> {
    let bounds = (option::of(1..90_u32), option::of(1..9_u32), proptest::bool::weighted(0.2));
    let names = select(vec!["p", "q", "r"]);
    let (selectors, patterns) = (vec(selectors(), 1..4), vec(patterns(), 1..3));
    (names, selectors, environments(), patterns, permissions(), bounds).prop_map(
        |(label, subjects, environment, key_patterns, permissions, bounds)| Policy {
            name: name(label),
            subjects,
            environment,
            key_patterns,
            permissions,
            max_ttl_minutes: bounds.0,
            max_usage_limit: bounds.1,
            require_pod_bound_token: bounds.2,
        },
    )
}

pub(super) fn worlds() -> impl Strategy<Value = Grants> {
    (vec(accesses(), 0..6), vec(policies(), 0..5))
        .prop_map(|(accesses, policies)| Grants { accesses, policies })
}

/// Somebody of these worlds, in a pod or not.
pub(super) fn callers() -> impl Strategy<Value = Identity> {
    (subjects(), any::<bool>()).prop_map(
        |(subject, pod)| {
            if pod { in_a_pod(subject) } else { identity(subject) }
        },
    )
}

/// Every request that these worlds can tell apart.
pub(super) fn requests() -> Vec<Request> {
    let keys = KEYS.into_iter().map(|key| Target::Key(name(key)));
    let issues = ["*", "A", "A*"].into_iter().map(|pattern| Target::Issue(name(pattern)));
    let targets: Vec<Target> = keys.chain(issues).chain([Target::Names]).collect();
    let mut requests = Vec::new();
    for environment in ["prod", "dev"] {
        for permission in [Permission::Read, Permission::List] {
            let with = |target: &Target| Request {
                environment: name(environment),
                permission,
                target: target.clone(),
            };
            requests.extend(targets.iter().map(with));
        }
    }
    requests
}

/// The request for one key of what is asked for here.
pub(super) fn for_key(request: &Request, key: &str) -> Request {
    Request { target: Target::Key(name(key)), ..request.clone() }
}

/// Takes one thing away from a world: an object, a permission, a pattern or a subject.
fn narrow(mut world: Grants, how: u8, at: prop::sample::Index) -> Grants {
    fn drop_one<T>(items: &mut Vec<T>, at: prop::sample::Index) {
        if !items.is_empty() {
            items.remove(at.index(items.len()));
        }
    }
    let policy = (!world.policies.is_empty()).then(|| at.index(world.policies.len()));
    let access = (!world.accesses.is_empty()).then(|| at.index(world.accesses.len()));
    match (how, access, policy) {
        (0, ..) => drop_one(&mut world.accesses, at),
        (1, ..) => drop_one(&mut world.policies, at),
        (2, Some(access), _) => drop_one(&mut world.accesses[access].permissions, at),
        (3, _, Some(policy)) => drop_one(&mut world.policies[policy].permissions, at),
        (4, _, Some(policy)) => drop_one(&mut world.policies[policy].key_patterns, at),
        (5, _, Some(policy)) => drop_one(&mut world.policies[policy].subjects, at),
        (6, Some(access), _) if world.accesses[access].key_pattern.matches(&name("A")) => {
            world.accesses[access].key_pattern = name("A");
        }
        _ => {}
    }
    world
}

/// Whether the second is at least as strict as the first.
pub(super) fn no_looser(first: Bounds, second: Bounds) -> bool {
    let uses = |bounds: Bounds| bounds.usage_limit.unwrap_or(u32::MAX);
    second.ttl_minutes <= first.ttl_minutes && uses(second) <= uses(first)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Held for a caller in a pod: the wish for a pod is a bound, and goes with what wished it.
    #[test]
    fn narrowing_a_grant_never_widens_it(
        world in worlds(), subject in subjects(), how in 0..7_u8, at in any::<prop::sample::Index>(),
    ) {
        let caller = in_a_pod(subject);
        let narrowed = narrow(world.clone(), how, at);
        for request in requests() {
            if let Ok(after) = decide(&narrowed, &caller, &request, NOW) {
                let before = decide(&world, &caller, &request, NOW);
                prop_assert!(before.is_ok(), "{request:?} was {before:?}");
                let before = before.unwrap();
                for key in KEYS.map(name) {
                    let opens = |grant: &Grant| grant.granted().iter().any(|open| open.matches(&key));
                    prop_assert!(!opens(&after) || opens(&before), "{key} in {request:?}");
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_objects_is_irrelevant(
        (world, shuffled) in worlds().prop_flat_map(|world| {
            let accesses = Just(world.accesses.clone()).prop_shuffle();
            let policies = Just(world.policies.clone()).prop_shuffle();
            let shuffled = (accesses, policies)
                .prop_map(|(accesses, policies)| Grants { accesses, policies });
            (Just(world), shuffled)
        }),
        caller in callers(),
    ) {
        for request in requests() {
            prop_assert_eq!(
                decide(&world, &caller, &request, NOW),
                decide(&shuffled, &caller, &request, NOW)
            );
        }
    }

    #[test]
    fn one_subjects_objects_never_change_anothers_decisions(
        world in worlds(), caller in callers(), others in vec(accesses(), 1..4),
    ) {
        let mut more = world.clone();
        more.accesses.extend(others.into_iter().filter(|access| access.subject != caller.subject));
        for request in requests() {
            prop_assert_eq!(
                decide(&world, &caller, &request, NOW),
                decide(&more, &caller, &request, NOW)
            );
        }
    }

    #[test]
    fn adding_a_policy_never_loosens_what_was_allowed(
        world in worlds(), caller in callers(), policy in policies(),
    ) {
        let mut more = world.clone();
        more.policies.push(policy);
        for request in requests() {
            if let Ok(before) = decide(&world, &caller, &request, NOW) {
                match decide(&more, &caller, &request, NOW) {
                    Ok(after) => prop_assert!(no_looser(before.bounds(), after.bounds())),
                    Err(denial) => prop_assert!(matches!(denial, Denial::NotPodBound(_))),
                }
            }
        }
    }

    /// What a token is granted at issue is just what its holder could read key by key.
    #[test]
    fn a_key_is_granted_at_issue_just_where_an_access_and_a_policy_cover_it(
        world in worlds(), subject in subjects(),
    ) {
        let caller = in_a_pod(subject);
        for request in requests() {
            let grant = decide(&world, &caller, &request, NOW);
            prop_assert!(grant.as_ref().map_or(true, |grant| !grant.granted().is_empty()));
            let wide = !matches!(&request.target, Target::Key(_))
                && !matches!(&request.target, Target::Issue(asked) if asked.as_key().is_some());
            for key in KEYS {
                let granted = grant.as_ref().is_ok_and(|grant| {
                    grant.granted().iter().any(|open| open.matches(&name(key)))
                });
                let readable = decide(&world, &caller, &for_key(&request, key), NOW).is_ok();
                prop_assert!(!granted || readable, "{key} in {request:?}");
                prop_assert!(granted || !readable || !wide, "{key} in {request:?}");
            }
        }
    }
}
