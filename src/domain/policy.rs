//! The one place where access is decided: at issue, at each read, in explain and in warnings.
//!
//! Invariant: only [`decide`] makes a [`Grant`], and a secret cannot be read without one.

use std::fmt;

use jiff::Timestamp;

use super::grants::{Access, Grants, Permission, Policy, SubjectSelector};
use super::identity::{Identity, Subject};
use super::names::{Environment, Key};
use super::pattern::{GrantedPattern, KeyPattern};

/// An access token's life where neither the access nor the policy of a pair bounds it, in minutes.
pub const DEFAULT_TTL_MINUTES: u32 = 15;

/// The longest life that any access token has, whatever the grants say, in minutes.
pub const MAX_TTL_MINUTES: u32 = 24 * 60;

/// How many reasons of a grant are told in words.
const MOST_TOLD: usize = 8;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// In which environment.
    pub environment: Environment,
    /// What would be done.
    pub permission: Permission,
    /// With what.
    pub target: Target,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An access token for the keys of a pattern.
    Issue(KeyPattern),
    /// The names in the environment, each of which is then asked for as a key.
    Names,
    /// One key.
    Key(Key),
}

/// The strictest of all bounds that match, also where some of the matching are silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest life of an access token, in minutes.
    pub ttl_minutes: u32,
    /// The most uses of an access token.
    pub usage_limit: Option<u32>,
}

impl Bounds {
    /// The stricter of both, each in its own right.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let uses = [self.usage_limit, other.usage_limit];
        Self {
            ttl_minutes: self.ttl_minutes.min(other.ttl_minutes),
            usage_limit: uses.into_iter().flatten().min(),
        }
    }
}

/// Permission, as it stands at one moment, to do what one [`Request`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    request: Request,
    bounds: Bounds,
    granted: Vec<GrantedPattern>,
    reasons: Vec<Reason>,
}

impl Grant {
    /// The environment and key that may be read, where this is a grant to read one key.
    pub fn readable(&self) -> Option<(&Environment, &Key)> {
        match (&self.request.permission, &self.request.target) {
            (Permission::Read, Target::Key(key)) => Some((&self.request.environment, key)),
            _ => None,
        }
    }

    /// The bounds on an access token.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The keys that the matching pairs open, one pattern for each of the policy's patterns in a
    /// pair, sorted and without repeats.
    pub fn granted(&self) -> &[GrantedPattern] {
        &self.granted
    }

    /// Each SecretAccess and SecretPolicy that allowed it.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The reasons in words, for the audit: the first few, since each read is recorded with them.
    pub fn because(&self) -> String {
        let words = self.reasons.iter().take(MOST_TOLD).map(|reason| {
            format!("SecretAccess {} within SecretPolicy {}", reason.access, reason.policy)
        });
        let mut words: Vec<String> = words.collect();
        let more = self.reasons.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            words.push(format!("and {more} more"));
        }
        words.join(", ")
    }
}

/// A SecretAccess and a SecretPolicy that together cover a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The SecretAccess, as `NAMESPACE/NAME`.
    pub access: String,
    /// The SecretPolicy's name.
    pub policy: String,
}

/// Why a request is refused. The first that holds, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// The proof of identity has ended.
    IdentityExpired,
    /// No SecretAccess gives the subject this.
    NoAccess,
    /// These SecretAccesses would, and no SecretPolicy is around any of them.
    NoPolicy(Vec<String>),
    /// A policy that matches wants a proof that is bound to a pod.
    NotPodBound(Vec<String>),
}

impl Denial {
    /// Why this SecretAccess alone gives nothing, for the person who mends it: which policy is
    /// missing, say.
    pub fn explain(&self, access: &Access) -> String {
        let Self::NoPolicy(_) = self else { return self.to_string() };
        let Access { subject, environment, key_pattern, namespace, .. } = access;
        let of = match subject {
            Subject::ServiceAccount { .. } => String::new(),
            Subject::Client(_) | Subject::Oidc { .. } => format!(" in namespace {namespace}"),
        };
        format!(
            "no SecretPolicy covers environment {environment}, keys {key_pattern} for {subject}{of}"
        )
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdentityExpired => f.write_str("the proof of identity has expired"),
            Self::NoAccess => {
                f.write_str("no SecretAccess gives this subject this permission here")
            }
            Self::NoPolicy(accesses) => {
                write!(
                    f,
                    "no SecretPolicy allows what SecretAccess {} asks for",
                    accesses.join(", ")
                )
            }
            Self::NotPodBound(policies) => {
                write!(f, "SecretPolicy {} requires a pod-bound token", policies.join(", "))
            }
        }
    }
}

/// The answer to a [`Request`].
pub type Decision = Result<Grant, Denial>;

/// Decides whether the grants allow this identity what it asks, and says why.
///
/// Default deny. One [`Access`] and one [`Policy`] must together cover the request alone; the
/// bounds are the strictest of all pairs that cover it. The order of the objects is irrelevant.
pub fn decide(grants: &Grants, identity: &Identity, request: &Request, now: Timestamp) -> Decision {
    if identity.expires_at.is_some_and(|end| end <= now) {
        return Err(Denial::IdentityExpired);
    }
    let accesses: Vec<&Access> = grants
        .accesses
        .iter()
        .filter(|access| access_obstacle(access, &identity.subject, request).is_none())
        .collect();
    if accesses.is_empty() {
        return Err(Denial::NoAccess);
    }
    let pairs: Vec<(&Access, &Policy)> = accesses
        .iter()
        .flat_map(|access| {
            let policies = grants.policies.iter();
            let around =
                policies.filter(|policy| policy_obstacle(policy, access, request).is_none());
            around.map(|policy| (*access, policy))
        })
        .collect();
    if pairs.is_empty() {
        return Err(Denial::NoPolicy(sorted(accesses.iter().map(|access| full_name(access)))));
    }
    let wanting_pod = pairs.iter().filter(|(_, policy)| policy.require_pod_bound_token);
    let wanting_pod = sorted(wanting_pod.map(|(_, policy)| policy.name.to_string()));
    if identity.pod.is_none() && !wanting_pod.is_empty() {
        return Err(Denial::NotPodBound(wanting_pod));
    }
    Ok(Grant {
        request: request.clone(),
        bounds: strictest(&pairs),
        granted: granted(&pairs, request),
        reasons: sorted(pairs.iter().map(|(access, policy)| Reason {
            access: full_name(access),
            policy: policy.name.to_string(),
        })),
    })
}

/// Why an object has no part in a request: the first that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It is about other subjects.
    Subject,
    /// It is about another environment.
    Environment,
    /// It does not allow what would be done.
    Permission,
    /// It leaves other keys open.
    Keys,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subject => "it is for other subjects",
            Self::Environment => "it is for another environment",
            Self::Permission => "it does not allow the permission",
            Self::Keys => "its patterns do not match",
        })
    }
}

/// Why a SecretAccess has no part in a subject's request, where it has none.
pub fn access_obstacle(access: &Access, subject: &Subject, request: &Request) -> Option<Obstacle> {
    if access.subject != *subject {
        Some(Obstacle::Subject)
    } else if access.environment != request.environment {
        Some(Obstacle::Environment)
    } else if !access.permissions.contains(&request.permission) {
        Some(Obstacle::Permission)
    } else if !pattern_covers(&access.key_pattern, &request.target) {
        Some(Obstacle::Keys)
    } else {
        None
    }
}

/// Why a SecretPolicy leaves nothing open of what a SecretAccess gives, where it leaves nothing.
pub fn policy_obstacle(policy: &Policy, access: &Access, request: &Request) -> Option<Obstacle> {
    if policy.environment != request.environment {
        Some(Obstacle::Environment)
    } else if !policy.subjects.iter().any(|selector| selects(selector, access)) {
        Some(Obstacle::Subject)
    } else if !policy.permissions.contains(&request.permission) {
        Some(Obstacle::Permission)
    } else if open_patterns(policy, access, request).next().is_none() {
        Some(Obstacle::Keys)
    } else {
        None
    }
}

/// Whether a pattern leaves a target open. For a token, what plainly cannot meet the pattern that
/// is asked for opens nothing and bounds nothing; each key is tested when it is read.
fn pattern_covers(pattern: &KeyPattern, target: &Target) -> bool {
    match target {
        Target::Key(key) => pattern.matches(key),
        Target::Issue(asked) => pattern.may_meet(asked),
        Target::Names => true,
    }
}

fn selects(selector: &SubjectSelector, access: &Access) -> bool {
    match (selector, &access.subject) {
        (
            SubjectSelector::AllServiceAccounts { namespace },
            Subject::ServiceAccount { namespace: of_subject, .. },
        ) => *namespace == access.namespace && namespace == of_subject,
        (
            SubjectSelector::ServiceAccount { namespace, name },
            Subject::ServiceAccount { namespace: of_subject, name: subject },
        ) => *namespace == access.namespace && namespace == of_subject && name == subject,
        (SubjectSelector::Client { namespace, name }, Subject::Client(subject)) => {
            *namespace == access.namespace && name == subject
        }
        (
            SubjectSelector::Oidc { namespace, issuer, subject },
            Subject::Oidc { issuer: of_subject, subject: name },
        ) => *namespace == access.namespace && issuer == of_subject && subject == name,
        _ => false,
    }
}

fn strictest(pairs: &[(&Access, &Policy)]) -> Bounds {
    // The default is each silent pair's own bound, and not what is left when all are silent: else
    // a second policy with a long maximum would lengthen what the first one kept short.
    let ttl = pairs.iter().map(|(access, policy)| {
        let said = [access.ttl_minutes, policy.max_ttl_minutes].into_iter().flatten();
        said.min().unwrap_or(DEFAULT_TTL_MINUTES)
    });
    let uses =
        pairs.iter().flat_map(|(access, policy)| [access.usage_limit, policy.max_usage_limit]);
    Bounds {
        ttl_minutes: ttl.min().unwrap_or(DEFAULT_TTL_MINUTES).min(MAX_TTL_MINUTES),
        usage_limit: uses.flatten().min(),
    }
}

/// What a policy's patterns and an access open together of a target. A pattern of the one that
/// is a key which the other does not match opens nothing, so it bounds nothing either.
fn open_patterns<'a>(
    policy: &'a Policy,
    access: &'a Access,
    request: &'a Request,
) -> impl Iterator<Item = GrantedPattern> + 'a {
    policy
        .key_patterns
        .iter()
        .filter(|pattern| pattern_covers(pattern, &request.target))
        .filter_map(|pattern| GrantedPattern::both(&access.key_pattern, pattern))
}

fn granted(pairs: &[(&Access, &Policy)], request: &Request) -> Vec<GrantedPattern> {
    let mut patterns: Vec<GrantedPattern> =
        pairs.iter().flat_map(|(access, policy)| open_patterns(policy, access, request)).collect();
    patterns.sort_by_key(ToString::to_string);
    patterns.dedup();
    patterns
}

fn full_name(access: &Access) -> String {
    format!("{}/{}", access.namespace, access.name)
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items.dedup();
    items
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
