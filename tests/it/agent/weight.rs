//! The agent's own build is small because of what is not in it.

use std::process::Command;

/// What the other programs need and the agent must not.
const ABSENT: [&str; 12] = [
    "anyhow",
    "axum",
    "clap",
    "globset",
    "hyper",
    "kube",
    "k8s-openapi",
    "regex",
    "sqlx",
    "tempfile",
    "tokio",
    "tracing",
];

#[test]
fn no_large_dependency_is_in_the_agents_own_build() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--offline", "--locked", "--no-default-features", "--features=agent"]);
    command.args(["--edges=normal", "--prefix=none", "--format={p}"]);
    let ran = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let tree = String::from_utf8(ran.stdout).unwrap();
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains(&"ureq"), "{}", String::from_utf8_lossy(&ran.stderr));
    for absent in ABSENT {
        assert!(!crates.contains(&absent), "{absent} is in the agent's build");
    }
}
