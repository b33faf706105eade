//! The rules of composition, each told again in the plainest way and compared with what is decided.
//!
//! `Told` goes through every pair of a world for one key and shares no code with the policy but
//! the patterns, which a fuzz target holds against a matcher of its own.

use std::collections::BTreeSet;

use super::laws::{
    KEYS, SUBJECTS, accesses, callers, for_key, no_looser, policies, requests, worlds,
};
use super::*;

/// What a pair says of one key, rule by rule.
struct Told<'a> {
    access: &'a Access,
    policy: &'a Policy,
}

impl Told<'_> {
    fn all(world: &Grants) -> Vec<Told<'_>> {
        let mut pairs = Vec::new();
        for access in &world.accesses {
            pairs.extend(world.policies.iter().map(|policy| Told { access, policy }));
        }
        pairs
    }

    /// The policy names whom the access is for, in the namespace in which the access stands.
    fn is_about(&self, subject: &Subject) -> bool {
        let stands_in = self.access.namespace.as_str();
        self.access.subject == *subject
            && self.policy.subjects.iter().any(|selector| {
                let said: Vec<String> = match selector {
                    SubjectSelector::AllServiceAccounts { namespace } => {
                        let accounts = SUBJECTS.iter().map(|text| (*text).to_owned());
                        let prefix = format!("system:serviceaccount:{namespace}:");
                        accounts.filter(|account| account.starts_with(&prefix)).collect()
                    }
                    SubjectSelector::ServiceAccount { namespace, name } => {
                        vec![format!("system:serviceaccount:{namespace}:{name}")]
                    }
                    SubjectSelector::Client { name, .. } => vec![format!("client:{name}")],
                    SubjectSelector::Oidc { issuer, subject, .. } => {
                        vec![format!("oidc:{issuer}:{subject}")]
                    }
                };
                let (SubjectSelector::AllServiceAccounts { namespace }
                | SubjectSelector::ServiceAccount { namespace, .. }
                | SubjectSelector::Client { namespace, .. }
                | SubjectSelector::Oidc { namespace, .. }) = selector;
                namespace.as_str() == stands_in && said.contains(&subject.to_string())
            })
    }

    /// Both cover environment, permission and key, each by itself.
    fn covers(&self, caller: &Identity, request: &Request, key: &Key) -> bool {
        self.is_about(&caller.subject)
            && self.access.environment == request.environment
            && self.policy.environment == request.environment
            && self.access.permissions.contains(&request.permission)
            && self.policy.permissions.contains(&request.permission)
            && self.access.key_pattern.matches(key)
            && self.policy.key_patterns.iter().any(|pattern| pattern.matches(key))
    }

    fn minutes(&self) -> u32 {
        match (self.access.ttl_minutes, self.policy.max_ttl_minutes) {
            (None, None) => 15,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(one), Some(other)) => one.min(other),
        }
    }

    fn uses(&self) -> Vec<u32> {
        self.access.usage_limit.into_iter().chain(self.policy.max_usage_limit).collect()
    }
}

/// The requests for one key each.
fn for_keys() -> impl Iterator<Item = (Request, Key)> {
    requests().into_iter().filter_map(|request| match &request.target {
        Target::Key(key) => Some((request.clone(), key.clone())),
        _ => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 500, ..ProptestConfig::default() })]

    /// One SecretAccess and one SecretPolicy that together cover the read alone; the strictest
    /// life, uses and binding of all such pairs, also where some are silent; nothing otherwise.
    #[test]
    fn a_read_is_what_its_pairs_say_one_by_one(world in worlds(), caller in callers()) {
        for (request, key) in for_keys() {
            let pairs = Told::all(&world);
            let pairs: Vec<&Told<'_>> =
                pairs.iter().filter(|pair| pair.covers(&caller, &request, &key)).collect();
            let wants_pod = pairs.iter().any(|pair| pair.policy.require_pod_bound_token);
            match decide(&world, &caller, &request, NOW) {
                Ok(grant) => {
                    prop_assert!(!pairs.is_empty(), "no pair covers {request:?}");
                    prop_assert!(!wants_pod || caller.pod.is_some());
                    let minutes = pairs.iter().map(|pair| pair.minutes()).min().unwrap();
                    let uses = pairs.iter().flat_map(|pair| pair.uses()).min();
                    let expected = Bounds { ttl_minutes: minutes, usage_limit: uses };
                    prop_assert_eq!(grant.bounds(), expected);
                    let reasons: BTreeSet<(String, String)> = pairs.iter().map(|pair| {
                        let Access { namespace, name, .. } = pair.access;
                        (format!("{namespace}/{name}"), pair.policy.name.to_string())
                    }).collect();
                    let said = grant.reasons().iter();
                    let said: Vec<(String, String)> =
                        said.map(|it| (it.access.clone(), it.policy.clone())).collect();
                    prop_assert_eq!(said, Vec::from_iter(reasons));
                }
                Err(Denial::NotPodBound(wanting)) => {
                    prop_assert!(caller.pod.is_none() && wants_pod);
                    let expected: BTreeSet<String> = pairs.iter()
                        .filter(|pair| pair.policy.require_pod_bound_token)
                        .map(|pair| pair.policy.name.to_string())
                        .collect();
                    prop_assert_eq!(wanting, Vec::from_iter(expected));
                }
                Err(denial) => prop_assert!(pairs.is_empty(), "{denial:?} for {request:?}"),
            }
        }
    }

    #[test]
    fn nothing_is_allowed_where_one_of_the_two_kinds_is_absent(world in worlds(), caller in callers()) {
        let no_accesses = Grants { accesses: Vec::new(), ..world.clone() };
        let no_policies = Grants { policies: Vec::new(), ..world };
        for request in requests() {
            let decision = decide(&no_accesses, &caller, &request, NOW);
            prop_assert_eq!(decision, Err(Denial::NoAccess));
            let decision = decide(&no_policies, &caller, &request, NOW);
            prop_assert!(matches!(decision, Err(Denial::NoAccess | Denial::NoPolicy(_))));
        }
    }

    /// However many objects somebody may write, the administrator's bound what they give.
    #[test]
    fn adding_an_access_never_opens_what_no_policy_does_and_never_loosens(
        world in worlds(), caller in callers(), access in accesses(),
    ) {
        let mut more = world.clone();
        more.accesses.push(access);
        for (request, key) in for_keys() {
            let after = decide(&more, &caller, &request, NOW);
            if let Ok(before) = decide(&world, &caller, &request, NOW) {
                match &after {
                    Ok(after) => prop_assert!(no_looser(before.bounds(), after.bounds())),
                    Err(denial) => prop_assert!(matches!(denial, Denial::NotPodBound(_))),
                }
            }
            if let Ok(after) = after {
                let around = world.policies.iter().filter(|policy| {
                    policy.environment == request.environment
                        && policy.permissions.contains(&request.permission)
                        && policy.key_patterns.iter().any(|pattern| pattern.matches(&key))
                        && after.reasons().iter().any(|it| it.policy == policy.name.as_str())
                });
                let around: Vec<&Policy> = around.collect();
                prop_assert!(!around.is_empty(), "{request:?} is open without a policy");
                // Policies may share a name here: one of each name bounds what is given.
                for reason in after.reasons() {
                    let mut named = around.iter().filter(|it| it.name.as_str() == reason.policy);
                    let bounded = named.any(|policy| {
                        let uses = after.bounds().usage_limit.unwrap_or(u32::MAX);
                        after.bounds().ttl_minutes <= policy.max_ttl_minutes.unwrap_or(u32::MAX)
                            && uses <= policy.max_usage_limit.unwrap_or(u32::MAX)
                    });
                    prop_assert!(bounded, "{:?} is not bounded", reason);
                }
            }
        }
    }

    #[test]
    fn removing_an_access_or_a_policy_never_grants(
        world in worlds(), subject in callers(), at in any::<prop::sample::Index>(),
    ) {
        let caller = in_a_pod(subject.subject);
        let mut fewer = Vec::new();
        if !world.accesses.is_empty() {
            let mut one = world.clone();
            one.accesses.remove(at.index(one.accesses.len()));
            fewer.push(one);
        }
        if !world.policies.is_empty() {
            let mut one = world.clone();
            one.policies.remove(at.index(one.policies.len()));
            fewer.push(one);
        }
        for fewer in fewer {
            for request in requests() {
                let after = decide(&fewer, &caller, &request, NOW);
                prop_assert!(after.is_err() || decide(&world, &caller, &request, NOW).is_ok());
            }
        }
    }

    #[test]
    fn an_identity_that_has_ended_is_nobody(
        world in worlds(), caller in callers(), end in -5_i64..5,
    ) {
        let end = Timestamp::from_second(end).unwrap();
        let ending = Identity { expires_at: Some(end), ..caller.clone() };
        for request in requests() {
            let decision = decide(&world, &ending, &request, NOW);
            if end <= NOW {
                prop_assert_eq!(decision, Err(Denial::IdentityExpired));
            } else {
                prop_assert_eq!(decision, decide(&world, &caller, &request, NOW));
            }
        }
    }

    /// What a token reads was granted when it was issued and is granted now, whatever the grants
    /// were and have become: a token's scope is the first, the decision at the read the second.
    #[test]
    fn what_a_token_reads_was_granted_at_issue_and_is_granted_now(
        then in worlds(), now in worlds(), caller in callers(), policy in policies(),
    ) {
        let mut now = now;
        now.policies.push(policy);
        now.accesses.extend(then.accesses.iter().take(1).cloned());
        for request in requests() {
            let Target::Issue(asked) = &request.target else { continue };
            let Ok(issued) = decide(&then, &caller, &request, NOW) else { continue };
            for key in KEYS.map(name) {
                let key: Key = key;
                let in_scope = asked.matches(&key)
                    && issued.granted().iter().any(|granted| granted.matches(&key));
                let at_read = for_key(&request, key.as_str());
                let reads = in_scope && decide(&now, &caller, &at_read, NOW).is_ok();
                if reads {
                    let pairs = Told::all(&then);
                    prop_assert!(pairs.iter().any(|pair| pair.covers(&caller, &request, &key)));
                    let pairs = Told::all(&now);
                    prop_assert!(pairs.iter().any(|pair| pair.covers(&caller, &request, &key)));
                }
            }
        }
    }
}
