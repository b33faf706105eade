//! kubectl, as whoever uses the cluster has it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs kubectl; its standard output, or what it said was wrong.
pub(crate) fn kubectl(arguments: &[&str]) -> Result<String, String> {
    kubectl_with(arguments, "")
}

/// The same with a standard input.
pub(crate) fn kubectl_with(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is on the path");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // It may end without reading all of it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("kubectl ends");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// `kubectl … -o json`
pub(crate) fn json(arguments: &[&str]) -> Result<Value, String> {
    let text = kubectl(&[arguments, &["-o", "json"]].concat())?;
    serde_json::from_str(&text).map_err(|error| format!("kubectl printed no JSON: {error}"))
}

/// `kubectl apply` of objects as YAML.
pub(crate) fn apply(yaml: &str) -> Result<String, String> {
    kubectl_with(&["apply", "-f", "-"], yaml)
}
