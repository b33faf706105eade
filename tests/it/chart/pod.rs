//! A pod as the chart renders it.

use serde_json::Value;

use super::named;

/// The pod of a Deployment among what was rendered.
pub(super) fn pod<'a>(objects: &'a [Value], deployment: &str) -> &'a Value {
    &named(objects, &format!("Deployment {deployment}"))["spec"]["template"]["spec"]
}

/// What a container's variable is set to, where it has it.
pub(super) fn variable<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    let mut variables = container["env"].as_array().expect("it has variables").iter();
    variables.find(|variable| variable["name"] == name).map(|variable| &variable["value"])
}
