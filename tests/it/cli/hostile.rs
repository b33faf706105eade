//! What came from outside is shown, and tells a terminal nothing.

use serde_json::{Value, json};

use crate::support::cli::{Ran, cli, run};
use crate::support::fake_vault::{FakeVault, Mood};

/// A text that clears the screen, makes a line of its own, and hides what it is.
const HOSTILE: &str = "x\u{1b}[2J\r\nactive\u{9b}31m\u{202e}\u{7f}";

/// The same, as it may be shown.
const SHOWN: &str = r"x\u{1b}[2J\r\nactive\u{9b}31m\u{202e}\u{7f}";

fn subject() -> String {
    format!("oidc:https://issuer.example:{HOSTILE}")
}

/// What a command makes of an answer.
fn ran(status: u16, answer: &Value, arguments: &[&str]) -> Ran {
    let vault = FakeVault::in_mood(Mood::Says(status, answer.to_string().leak()), &[]);
    let mut command = cli(&vault, arguments);
    command.env("VANTA_TOKEN", "a.b.c");
    run(command)
}

#[test]
fn what_people_are_shown_controls_no_terminal_and_begins_no_line() {
    let entry = json!({
        "time": "2026-01-05T10:00:00Z", "event": "read", "outcome": "refused",
        "subject": subject(), "environment": "dev", "keys": ["A"], "reason": HOSTILE,
        "sequence": 1, "previous": "0".repeat(64), "replica": HOSTILE,
    });
    let holder = json!({
        "subject": subject(), "environment": "dev", "scope": HOSTILE, "keys": ["A"],
        "revision": "0".repeat(32), "time": "2026-01-05T10:00:00Z", "current": true,
    });
    let access = json!({
        "name": HOSTILE, "obstacle": HOSTILE,
        "policies": [{"name": HOSTILE, "obstacle": HOSTILE, "requires_pod": true}],
    });
    let token = json!({
        "active": true, "scope": HOSTILE, "token_type": "Bearer", "exp": 2, "iat": 1, "nbf": 1,
        "sub": subject(), "aud": "a", "iss": "i", "jti": "0123456789abcdef0123456789abcdef",
        "vanta_scope": {
            "environment": "dev", "key_pattern": "*", "permissions": ["read"],
            "granted": {"read": ["*"]},
        },
    });
    let explanation = json!({
        "subject": subject(), "allowed": false, "reason": HOSTILE, "blocked": false,
        "accesses": [access],
    });
    for (arguments, answer, lines, times) in [
        (&["audit", "query"] as &[&str], json!({"entries": [entry]}), 1, 2),
        (&["who", "dev"], json!({"holders": [holder], "more": false}), 1, 2),
        (&["token", "inspect"], token, 8, 2),
        (&["explain", "dev", "A"], explanation, 3, 6),
    ] {
        let ran = ran(200, &answer, arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.lines().count(), lines, "{arguments:?}: {:?}", ran.stdout);
        assert_eq!(ran.stdout.matches(SHOWN).count(), times, "{arguments:?}: {:?}", ran.stdout);
        assert!(!acts(&ran.stdout), "{arguments:?}: {:?}", ran.stdout);
    }
}

#[test]
fn neither_does_an_error_nor_a_document_for_scripts() {
    let problem = json!({"type": "about:blank", "title": "x", "status": 403, "detail": HOSTILE});
    let refused = ran(403, &problem, &["audit", "query"]);
    assert_eq!(refused.code, Some(77));
    assert!(refused.stderr.contains(SHOWN), "{:?}", refused.stderr);
    assert!(!acts(&refused.stderr), "{:?}", refused.stderr);
    let explanation = json!({
        "subject": subject(), "allowed": false, "reason": HOSTILE, "blocked": false, "accesses": [],
    });
    let document = ran(200, &explanation, &["explain", "dev", "A", "-o=json"]).stdout;
    assert!(!acts(&document), "{document:?}");
    assert_eq!(serde_json::from_str::<Value>(&document).unwrap(), explanation);
}

fn acts(text: &str) -> bool {
    text.replace('\n', "").contains(|one: char| one.is_control() || one == '\u{202e}')
}
