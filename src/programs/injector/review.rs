//! AdmissionReviews (`admission.k8s.io/v1`): the API server's questions, and their answers.
//!
//! Invariant: nothing of a question is logged but its id and its namespace, and of a refusal its
//! kind: an object may hold a secret that its author put in the wrong place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::metrics::Outcome;
use crate::domain::grants::Grants;
use crate::domain::injection::{
    InjectionConfig, Refusal, inject, pod_pointer, warnings_of_annotations, warnings_of_grants,
    warnings_of_workload,
};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// The longest id, in bytes; the API server makes UUIDs of 36.
const LONGEST_UID: usize = 128;

/// What the API server understands as "the request is at fault".
const BAD_REQUEST: u16 = 400;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    request: Option<Question>,
}

/// What is asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Question {
    pub(super) uid: String,
    #[serde(default)]
    pub(super) namespace: String,
    kind: Kind,
    operation: String,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    object: Value,
}

#[derive(Deserialize)]
struct Kind {
    group: String,
    kind: String,
}

/// What is answered.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// Why the object is refused.
    pub(super) refusal: Option<Refusal>,
    response: Value,
}

impl Question {
    /// Reads a question, or says what is wrong with it.
    pub(super) fn read(text: &[u8]) -> Result<Self, &'static str> {
        let review: Review = serde_json::from_slice(text)
            .map_err(|_| "the body is not an AdmissionReview in JSON")?;
        if review.api_version != API_VERSION || review.kind != KIND {
            return Err("the body is not an AdmissionReview of admission.k8s.io/v1");
        }
        let question = review.request.ok_or("the AdmissionReview has no request")?;
        if question.uid.len() > LONGEST_UID {
            return Err("the uid of the AdmissionReview is too long");
        }
        Ok(question)
    }

    /// Gives a pod that is created what it asks for; all else is let through.
    pub(super) fn mutate(&self, config: &InjectionConfig, grants: Option<&Grants>) -> Answer {
        let is_new_pod = self.kind.group.is_empty()
            && self.kind.kind == "Pod"
            && self.sub_resource.is_empty()
            && self.operation == "CREATE";
        if !is_new_pod {
            return self.allowed(Outcome::Allowed, &[]);
        }
        match inject(&self.object, config) {
            Err(refusal) => self.refused(refusal),
            Ok(injection) => {
                let outcome = match (injection.asked, injection.patch.is_empty()) {
                    (false, _) => Outcome::Allowed,
                    (true, true) => Outcome::Unchanged,
                    (true, false) => Outcome::Injected,
                };
                let mut warnings = injection.warnings;
                warnings.extend(self.warnings_of_grants(grants));
                let mut answer = self.allowed(outcome, &warnings);
                if !injection.patch.is_empty() {
                    let patch = serde_json::to_vec(&injection.patch);
                    let patch = patch.expect("a patch holds JSON alone");
                    answer.response["patchType"] = json!("JSONPatch");
                    answer.response["patch"] = json!(STANDARD.encode(patch));
                }
                answer
            }
        }
    }

    /// Tells the author of a workload what its pods would be told.
    pub(super) fn warn(&self, config: &InjectionConfig, grants: Option<&Grants>) -> Answer {
        let mut warnings = warnings_of_workload(&self.kind.kind, &self.object, config);
        warnings.extend(self.warnings_of_grants(grants));
        let outcome = if warnings.is_empty() { Outcome::Allowed } else { Outcome::Warned };
        self.allowed(outcome, &warnings)
    }

    /// What the pod, or those that the object makes, will wait for, as far as that is known.
    fn warnings_of_grants(&self, grants: Option<&Grants>) -> Vec<String> {
        let pod = pod_pointer(&self.kind.kind).and_then(|pointer| self.object.pointer(pointer));
        let told = pod.zip(grants);
        told.map(|(pod, grants)| warnings_of_grants(pod, &self.namespace, grants))
            .unwrap_or_default()
    }

    fn allowed(&self, outcome: Outcome, warnings: &[String]) -> Answer {
        let mut response = json!({"uid": self.uid, "allowed": true});
        add_warnings(&mut response, warnings);
        Answer { outcome, refusal: None, response }
    }

    fn refused(&self, refusal: Refusal) -> Answer {
        let mut response = json!({
            "uid": self.uid,
            "allowed": false,
            "status": {"code": BAD_REQUEST, "reason": "BadRequest", "message": refusal.to_string()},
        });
        add_warnings(&mut response, &warnings_of_annotations(&self.object));
        Answer { outcome: Outcome::Refused, refusal: Some(refusal), response }
    }
}

fn add_warnings(response: &mut Value, warnings: &[String]) {
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
}

impl Answer {
    /// As the API server reads it, in JSON.
    pub(super) fn to_review(&self) -> Vec<u8> {
        let review = json!({"apiVersion": API_VERSION, "kind": KIND, "response": self.response});
        serde_json::to_vec(&review).expect("an answer holds JSON alone")
    }
}
