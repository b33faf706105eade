//! A namespace with an environment of its own, whose secrets all hold the marker.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::SYSTEM;
use super::kubectl::{apply, json as kubectl_json, kubectl};

/// What every secret value begins with, and nothing else in the cluster may hold.
pub(crate) const MARKER: &str = "vmk-5Zq8xK2nR7wL4tYb";

/// One scenario's world: a namespace, and the environment of the same name.
pub(crate) struct Shop {
    pub(crate) name: String,
}

/// The SHA-256 of a value, as `sha256sum` prints it: what pods print in its place.
pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// The secret value that stands for a word.
pub(crate) fn secret(word: &str) -> String {
    format!("{MARKER}-{word}")
}

impl Shop {
    /// A new namespace, and an environment with these keys, each with [`secret`] of its word.
    pub(crate) fn new(name: &str, keys: &[(&str, &str)]) -> Self {
        let shop = Self { name: format!("e2e-{name}") };
        shop.remove(true);
        kubectl(&["create", "namespace", &shop.name]).unwrap();
        shop.secrets(keys);
        shop
    }

    /// Makes the environment hold these keys, as a commit to Git and its delivery would.
    pub(crate) fn secrets(&self, keys: &[(&str, &str)]) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": format!("sops-{}", self.name), "namespace": SYSTEM,
                "labels": {"vanta.dev/sops": "true"},
            },
            "data": {(format!("{}.enc.yaml", self.name)): encrypt(keys)},
        });
        apply(&object.to_string()).unwrap();
    }

    /// A SecretAccess of this name for a service account, to be laid down as `.env`.
    pub(crate) fn grant(&self, access: &str, account: &str, pattern: &str) {
        self.apply(&json!({
            "apiVersion": "vanta.dev/v1alpha1", "kind": "SecretAccess",
            "metadata": {"name": access},
            "spec": {
                "subject": {"serviceAccount": account},
                "environment": self.name,
                "keyPattern": pattern,
                "file": {"path": ".env", "format": "dotenv"},
            },
        }));
    }

    pub(crate) fn withdraw(&self, access: &str) {
        kubectl(&["-n", &self.name, "delete", "secretaccess", access]).unwrap();
    }

    /// A SecretPolicy around all of the namespace's service accounts and the environment.
    pub(crate) fn policy(&self, pod_bound: bool) {
        self.apply(&json!({
            "apiVersion": "vanta.dev/v1alpha1", "kind": "SecretPolicy",
            "metadata": {"name": self.name},
            "spec": {
                "subjects": [{"namespace": self.name, "serviceAccounts": ["*"]}],
                "environment": self.name,
                "keyPatterns": ["*"],
                "requirePodBoundToken": pod_bound,
            },
        }));
    }

    pub(crate) fn account(&self, name: &str) {
        let object = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name},
        });
        self.apply(&object);
    }

    /// Applies an object, in the namespace where it has one.
    pub(crate) fn apply(&self, object: &Value) {
        self.try_apply(object).unwrap();
    }

    pub(crate) fn try_apply(&self, object: &Value) -> Result<String, String> {
        let mut object = object.clone();
        let cluster = object["kind"] == "SecretPolicy";
        if !cluster {
            object["metadata"]["namespace"] = self.name.clone().into();
        }
        apply(&object.to_string())
    }

    /// A SecretAccess as it is.
    pub(crate) fn access(&self, name: &str) -> Result<Value, String> {
        kubectl_json(&["-n", &self.name, "get", "secretaccess", name])
    }

    /// The Ready condition of a SecretAccess.
    pub(crate) fn condition(&self, name: &str) -> Result<Value, String> {
        let access = self.access(name)?;
        let conditions = access["status"]["conditions"].as_array().into_iter().flatten();
        let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
        ready.next().cloned().ok_or_else(|| "it has no Ready condition yet".to_owned())
    }

    fn remove(&self, wait: bool) {
        let (name, wait) = (self.name.as_str(), format!("--wait={wait}"));
        let map = format!("sops-{name}");
        for what in [
            &["delete", "namespace", name][..],
            &["delete", "secretpolicy", name],
            &["-n", SYSTEM, "delete", "configmap", &map],
        ] {
            // What is not there needs no removing, and what stays harms no other scenario.
            let _ = kubectl(&[what, &["--ignore-not-found", &wait]].concat());
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.remove(false);
        }
    }
}

/// A SOPS file of these keys, made by real sops.
fn encrypt(keys: &[(&str, &str)]) -> String {
    let values: Map<String, Value> =
        keys.iter().map(|(key, word)| ((*key).to_owned(), secret(word).into())).collect();
    let recipient = recipient();
    let mut sops = Command::new("sops")
        .args(["encrypt", "--age", &recipient, "--input-type", "json", "--output-type", "yaml"])
        .args(["--filename-override", "x.json", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sops is on the path: `scripts/setup test` installs it");
    let mut stdin = sops.stdin.take().expect("standard input is piped");
    stdin.write_all(Value::Object(values).to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = sops.wait_with_output().unwrap();
    assert!(output.status.success(), "sops did not encrypt");
    String::from_utf8(output.stdout).unwrap()
}

/// The recipient of the example's key, which the suite's vault opens its files with.
fn recipient() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/secrets/dev.enc.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let recipient = text
        .lines()
        .find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("recipient: "));
    recipient.expect("the example says its recipient").to_owned()
}
