//! Pods as people write them, and what becomes of them.

use serde_json::{Value, json};

use super::kubectl::{json as kubectl_json, kubectl};
use super::shop::Shop;
use super::until;

/// A program that does nothing, for as long as it is let.
pub(crate) const IDLE: &str = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

/// A pod's metadata and spec: one container, which runs a shell script as user 10001.
pub(crate) fn template(account: &str, access: Option<&str>, script: &str) -> Value {
    let mut annotations = json!({"vanta.dev/inject": "true"});
    if let Some(access) = access {
        annotations["vanta.dev/access"] = access.into();
    }
    json!({
        "metadata": {"annotations": annotations},
        "spec": {
            "serviceAccountName": account,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "app",
                "image": "localhost/busybox:1",
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", script],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    })
}

/// A Pod of a template.
pub(crate) fn pod(name: &str, mut template: Value) -> Value {
    template["apiVersion"] = "v1".into();
    template["kind"] = "Pod".into();
    template["metadata"]["name"] = name.into();
    template
}

/// A Deployment of a template, with one replica.
pub(crate) fn deployment(name: &str, mut template: Value) -> Value {
    let labels = json!({"app": name});
    template["metadata"]["labels"] = labels.clone();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    })
}

/// A Job of a template, tried once.
pub(crate) fn job(name: &str, mut template: Value) -> Value {
    template["spec"]["restartPolicy"] = "Never".into();
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": template, "backoffLimit": 0},
    })
}

impl Shop {
    /// The pod of this name, or the only one of a Deployment or Job.
    pub(crate) fn pod(&self, name: &str) -> Result<Value, String> {
        if let Ok(pod) = kubectl_json(&["-n", &self.name, "get", "pod", name]) {
            return Ok(pod);
        }
        let pods = kubectl_json(&["-n", &self.name, "get", "pods"])?;
        let of = |pod: &&Value| {
            let labels = &pod["metadata"]["labels"];
            labels["app"] == name || labels["job-name"] == name
        };
        let found = pods["items"].as_array().into_iter().flatten().find(of).cloned();
        found.ok_or_else(|| format!("no pod of {name}"))
    }

    /// Waits until all of a pod's containers are ready.
    pub(crate) fn ready(&self, name: &str) -> Value {
        until(&format!("{name} is ready"), || {
            let pod = self.pod(name)?;
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            let ready = conditions
                .clone()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            if ready { Ok(pod) } else { Err(pod["status"].to_string()) }
        })
    }

    /// Waits until a pod has ended, and gives its phase.
    pub(crate) fn ended(&self, name: &str) -> Value {
        until(&format!("{name} has ended"), || {
            let pod = self.pod(name)?;
            match pod["status"]["phase"].as_str() {
                Some("Succeeded" | "Failed") => Ok(pod),
                _ => Err(pod["status"].to_string()),
            }
        })
    }

    /// A container's log so far.
    pub(crate) fn log(&self, pod: &Value, container: &str) -> Result<String, String> {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        kubectl(&["-n", &self.name, "logs", name, "-c", container])
    }

    /// The messages of a pod's events so far.
    pub(crate) fn events(&self, pod: &Value) -> Result<String, String> {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let of = format!("involvedObject.name={name}");
        let events = kubectl_json(&["-n", &self.name, "get", "events", "--field-selector", &of])?;
        let messages = events["items"].as_array().into_iter().flatten();
        Ok(messages.filter_map(|event| event["message"].as_str()).collect::<Vec<_>>().join("\n"))
    }
}
