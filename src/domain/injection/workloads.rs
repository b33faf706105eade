//! Objects that make pods, whose authors are told what their pods will be told.

use serde_json::Value;

use super::annotations::{Annotations, PREFIX};
use super::{InjectionConfig, inject, warnings_of_annotations};

/// Where the pod stands in an object of this kind, as a JSON Pointer.
pub fn pod_pointer(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some(""),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => Some("/spec/template"),
        "CronJob" => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// What will be refused or warned of in the pods that this object makes, which its author hears of
/// at no other place.
pub fn warnings_of_workload(kind: &str, object: &Value, config: &InjectionConfig) -> Vec<String> {
    let Some(pointer) = pod_pointer(kind).filter(|pointer| !pointer.is_empty()) else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if Annotations::of(object).is_ok_and(|own| !own.is_empty()) {
        let template = pointer.replace('/', ".");
        warnings.push(format!(
            "annotations {PREFIX}... of the {kind} itself have no effect: put them on its pods, under {}.metadata.annotations",
            template.trim_start_matches('.')
        ));
    }
    if let Some(pod) = object.pointer(pointer) {
        match inject(pod, config) {
            Ok(injection) => warnings.extend(injection.warnings),
            Err(refusal) => {
                warnings.push(format!("its pods will be refused: {refusal}"));
                warnings.extend(warnings_of_annotations(pod));
            }
        }
    }
    warnings
}
