//! Of what callers tried, and of who they proved to be.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registrar::Registrar;

/// What proves who a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Method {
    /// A client's name and secret.
    Client,
    /// A token of the cluster's, or one of nobody that is known.
    ServiceAccount,
    /// An ID token of an issuer that is believed.
    Oidc,
}

impl Method {
    const ALL: [Self; 3] = [Self::Client, Self::ServiceAccount, Self::Oidc];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ServiceAccount => "service_account",
            Self::Oidc => "oidc",
        }
    }
}

/// What became of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Proof {
    /// It holds.
    Accepted,
    /// It does not.
    Refused,
    /// Whoever must be asked does not answer.
    Unavailable,
}

impl Proof {
    const ALL: [Self; 3] = [Self::Accepted, Self::Refused, Self::Unavailable];
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IdentityLabels {
    method: &'static str,
    result: Proof,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    event: String,
    outcome: String,
    problem: &'static str,
}

/// What is counted of decisions.
#[derive(Debug)]
pub struct DecisionMetrics {
    attempts: Family<AttemptLabels, Counter>,
    identities: Family<IdentityLabels, Counter>,
}

impl DecisionMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        let metrics = Self { attempts: Family::default(), identities: Family::default() };
        registrar.register(
            "attempts",
            "What was tried, by what came of it and the kind of problem",
            metrics.attempts.clone(),
        );
        registrar.register(
            "identities",
            "Proofs of identity that were reviewed",
            metrics.identities.clone(),
        );
        // From nought, for whoever asks for their increase.
        for method in Method::ALL.map(Method::name) {
            for result in Proof::ALL {
                drop(metrics.identities.get_or_create(&IdentityLabels { method, result }));
            }
        }
        metrics
    }

    /// Counts an attempt, in the audit's words, with the kind of its problem where it failed.
    pub fn attempted(&self, event: String, outcome: String, problem: Option<&'static str>) {
        let problem = problem.unwrap_or_default();
        self.attempts.get_or_create(&AttemptLabels { event, outcome, problem }).inc();
    }

    /// Counts a proof of identity that was reviewed.
    pub fn reviewed(&self, method: Method, result: Proof) {
        self.identities.get_or_create(&IdentityLabels { method: method.name(), result }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_that_nobody_can_review_is_counted_from_nought() {
        let mut registrar = Registrar::new("vanta");
        let metrics = DecisionMetrics::new(&mut registrar);
        for method in Method::ALL {
            let count = |number: u64| {
                let labels = format!("method=\"{}\",result=\"Unavailable\"", method.name());
                registrar.encode().contains(&format!("identities_total{{{labels}}} {number}\n"))
            };
            assert!(count(0), "{method:?}");
            metrics.reviewed(method, Proof::Unavailable);
            assert!(count(1), "{method:?}");
        }
    }
}
