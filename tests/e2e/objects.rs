//! What `kubectl apply` takes of the two kinds, and what it says of the rest.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::kubectl::{kubectl, kubectl_with};
use crate::support::pods::{IDLE, deployment, template};
use crate::support::{share, until};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/crd").join(folder);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files.collect();
    assert!(files.len() > 2, "there are no fixtures in {}", folder.display());
    files
}

fn apply(file: &Path) -> Result<String, String> {
    kubectl(&["apply", "--dry-run=server", "-f", file.to_str().unwrap()])
}

#[test]
fn each_good_object_is_taken() {
    let Some(_share) = share() else { return };
    for file in fixtures("good") {
        apply(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

#[test]
fn each_bad_object_is_refused_with_words_that_say_why() {
    let Some(_share) = share() else { return };
    for file in fixtures("bad") {
        let text = std::fs::read_to_string(&file).unwrap();
        let said = text.lines().find_map(|line| line.strip_prefix("# refused: "));
        let said = said.unwrap_or_else(|| panic!("{} does not say why", file.display())).trim();
        let refusal = apply(&file).expect_err(&format!("{} was taken", file.display()));
        assert!(refusal.contains(said), "{}: {refusal}", file.display());
    }
}

#[test]
fn an_object_whose_metadata_would_fill_the_vaults_memory_is_refused() {
    let Some(_share) = share() else { return };
    let refusal = |metadata: Value| {
        let mut object = json!({
            "apiVersion": "vanta.dev/v1alpha1", "kind": "SecretAccess", "metadata": metadata,
            "spec": {
                "subject": {"serviceAccount": "a"}, "environment": "dev", "keyPattern": "A_*",
            },
        });
        object["metadata"]["name"] = "large".into();
        object["metadata"]["namespace"] = "default".into();
        let arguments = ["create", "--dry-run=server", "-f", "-"];
        kubectl_with(&arguments, &object.to_string())
    };
    let labels = |count: usize| {
        let labels = (0..count).map(|label| (format!("l{label}"), Value::from("x")));
        json!({"labels": labels.collect::<serde_json::Map<_, _>>()})
    };
    assert!(refusal(labels(32)).is_ok());
    assert!(refusal(labels(33)).unwrap_err().contains("at most 32 labels"));
    let annotations = |length: usize| json!({"annotations": {"a": "x".repeat(length)}});
    assert!(refusal(annotations(16_383)).is_ok());
    assert!(refusal(annotations(16_384)).unwrap_err().contains("at most 16 KiB"));
}

#[test]
fn whoever_applies_a_workload_is_warned_of_a_grant_that_is_missing() {
    let Some(_share) = share() else { return };
    let mut workload = deployment("warned", template("default", Some("nowhere"), IDLE));
    workload["metadata"]["namespace"] = "default".into();
    let said = until("the warning is given", || {
        let mut create = Command::new("kubectl");
        create.args(["create", "--dry-run=server", "-f", "-"]);
        let said = said_by(create, &workload.to_string());
        if said.contains("Warning: ") { Ok(said) } else { Err(said) }
    });
    assert!(said.contains("SecretAccess nowhere"), "{said}");
}

/// What a command says on its standard error.
fn said_by(mut command: Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}
