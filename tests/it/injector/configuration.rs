//! A configuration that cannot be meant is refused at the start, with what to do.

use std::process::Command;

/// How the injector ends, and what it says.
fn refusal(variables: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vanta-injector"))
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .expect("the program starts");
    let said = String::from_utf8(output.stderr).expect("the log is text");
    (output.status.code().expect("it ends by itself"), said)
}

#[test]
fn each_mistake_ends_with_78_and_says_what_to_do() {
    let image = ("VANTA_AGENT_IMAGE", "registry.example/vanta-agent:1");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[], "--agent-image is needed (VANTA_AGENT_IMAGE)"),
        (&[("VANTA_AGENT_IMAGE", "a b")], "write it without spaces"),
        (&[image, ("VANTA_VAULT_ADDR", "http://vault")], "does not begin with https://"),
        (&[image, ("VANTA_LOG", "=?")], "VANTA_LOG"),
    ];
    for (variables, expected) in cases {
        let (code, said) = refusal(variables);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_wrong_value_is_a_usage_error() {
    for (variable, value, expected) in [
        ("VANTA_AGENT_IMAGE_PULL_POLICY", "always", "Always, IfNotPresent, Never"),
        ("VANTA_NAMESPACE", "", "--namespace"),
        ("VANTA_NAMESPACE", "A b", "--namespace"),
    ] {
        let (code, said) = refusal(&[(variable, value)]);
        assert_eq!(code, 64, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn without_a_cluster_it_ends_and_says_so() {
    let (code, said) = refusal(&[("VANTA_AGENT_IMAGE", "a"), ("HOME", "/nonexistent")]);
    assert_eq!(code, 1);
    assert!(said.contains("no cluster is configured: in a pod, mount"), "{said}");
}
