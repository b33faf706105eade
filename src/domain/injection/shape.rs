//! Comparing by what has to be there: whatever else is there is somebody else's.

use serde_json::Value;

/// Whether all of `wanted` is in `there`; each element of a list in some element of the other.
pub(super) fn contains(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted
            .iter()
            .all(|(field, wanted)| there.get(field).is_some_and(|there| contains(there, wanted))),
        (Value::Array(there), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| there.iter().any(|there| contains(there, wanted)))
        }
        _ => there == wanted,
    }
}

/// What `there` becomes with all of `wanted` in it: fields are added or put right, and the elements
/// of a list too, which are the same where they agree on the field that names them.
pub(super) fn merged(there: &Value, wanted: &Value) -> Value {
    if contains(there, wanted) {
        return there.clone();
    }
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            let mut merged_fields = there.clone();
            for (field, wanted) in wanted {
                let value =
                    there.get(field).map_or_else(|| wanted.clone(), |it| merged(it, wanted));
                merged_fields.insert(field.clone(), value);
            }
            Value::Object(merged_fields)
        }
        (Value::Array(there), Value::Array(wanted)) => {
            let mut elements = there.clone();
            for wanted in wanted {
                match elements.iter_mut().find(|element| is_same(element, wanted)) {
                    Some(element) => *element = merged(element, wanted),
                    None => elements.push(wanted.clone()),
                }
            }
            Value::Array(elements)
        }
        _ => wanted.clone(),
    }
}

/// Kubernetes names mounts by their path, and what else is in a container's lists by its name.
fn is_same(element: &Value, wanted: &Value) -> bool {
    let key = if wanted.get("mountPath").is_some() { "mountPath" } else { "name" };
    match wanted.get(key) {
        Some(name) => element.get(key) == Some(name),
        None => element == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_and_more_is_contained_and_stays_as_it_is() {
        let wanted = json!({"env": [{"name": "A", "value": "1"}], "drop": ["ALL"]});
        let there = json!({
            "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1", "x": null}],
            "drop": ["NET_RAW", "ALL"], "image": "a",
        });
        assert!(contains(&there, &wanted));
        assert_eq!(merged(&there, &wanted), there);
        assert!(!contains(&wanted, &there));
    }

    #[test]
    fn what_is_missing_or_wrong_is_put_right_and_the_rest_stays() {
        let wanted = json!({
            "env": [{"name": "A", "value": "1"}, {"name": "C", "value": "3"}],
            "volumeMounts": [{"name": "v", "mountPath": "/a"}],
            "drop": ["ALL"],
        });
        let there = json!({
            "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "0"}],
            "volumeMounts": [{"name": "w", "mountPath": "/a", "readOnly": true}],
            "drop": ["NET_RAW"],
        });
        let expected = json!({
            "env": [
                {"name": "B", "value": "2"}, {"name": "A", "value": "1"}, {"name": "C", "value": "3"},
            ],
            "volumeMounts": [{"name": "v", "mountPath": "/a", "readOnly": true}],
            "drop": ["NET_RAW", "ALL"],
        });
        assert_eq!(merged(&there, &wanted), expected);
    }
}
