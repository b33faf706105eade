//! AdmissionReviews (`admission.k8s.io/v1`): the API server's questions, and their answers.
//!
//! Invariant: nothing of a question is logged but its id and its namespace, and a refusal's text:
//! an object may hold a secret that its author put in the wrong place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::metrics::Outcome;
use crate::domain::injection::{
    InjectionConfig, Refusal, inject, warnings_of_annotations, warnings_of_workload,
};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

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
        review.request.ok_or("the AdmissionReview has no request")
    }

    /// Gives a pod that is created what it asks for; all else is let through.
    pub(super) fn mutate(&self, config: &InjectionConfig) -> Answer {
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
                let mut answer = self.allowed(outcome, &injection.warnings);
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
    pub(super) fn warn(&self, config: &InjectionConfig) -> Answer {
        let warnings = warnings_of_workload(&self.kind.kind, &self.object, config);
        let outcome = if warnings.is_empty() { Outcome::Allowed } else { Outcome::Warned };
        self.allowed(outcome, &warnings)
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
    /// As the API server reads it.
    pub(super) fn into_review(self) -> Value {
        json!({"apiVersion": API_VERSION, "kind": KIND, "response": self.response})
    }
}
