//! Requests of all kinds, made from the OpenAPI document, are answered as it says.

use crate::support::passed_over;
use crate::support::schemathesis::{Attack, attack};

#[test]
fn requests_made_from_the_document_are_answered_as_it_says() {
    let Some(outcome) = attack(Attack { examples: 60, seed: 1 }) else {
        return passed_over("schemathesis is not installed: `scripts/setup test` does it");
    };
    assert!(outcome.as_described, "{}", outcome.said);
    // It says little unless each operation was reached by requests that are answered.
    assert!(outcome.said.contains("11 selected"), "{}", outcome.said);
    for route in [
        "/api/v1/access",
        "/api/v1/access/explain",
        "/api/v1/access/holders",
        "/api/v1/audit",
        "/api/v1/audit/checkpoints",
        "/api/v1/openapi.json",
        "/api/v1/vault/tokens/generate",
        "/api/v1/vault/tokens/introspect",
        "/api/v1/vault/tokens/revoke",
        "/api/v1/vault/{environment}",
        "/api/v1/vault/{environment}/{key}",
    ] {
        let answered = format!(r#""route":"{route}","status":200"#);
        assert!(outcome.log.contains(&answered), "no request to {route} was answered with 200");
    }
}
