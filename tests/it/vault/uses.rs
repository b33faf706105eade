//! At most as many answers carry a value as the token has uses, whoever races.

use std::sync::Arc;

use serde_json::json;

use crate::support::service::Vault;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_racers_on_ten_uses_get_exactly_ten_values_in_each_of_fifty_rounds() {
    let vault = Arc::new(Vault::start().await);
    for round in 0..50 {
        let body = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 10});
        let token = Arc::new(vault.token_with(body).await);
        let racers: Vec<_> = (0..64)
            .map(|_| {
                let (vault, token) = (Arc::clone(&vault), Arc::clone(&token));
                tokio::spawn(async move { vault.read("dev/APP_DB_USER", &token, &[]).await })
            })
            .collect();
        let mut values = 0;
        for racer in racers {
            let reply = racer.await.unwrap();
            if reply.status == 200 {
                assert_eq!(reply.text, "app");
                values += 1;
            } else {
                assert_eq!(reply.problem(), "token-exhausted");
            }
        }
        assert_eq!(values, 10, "in round {round}");
    }
}

#[tokio::test]
async fn a_limited_token_that_the_state_does_not_know_is_refused() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 10});
    let token = vault.token_with(body).await;
    vault.state.sweep(i64::MAX).await.unwrap();
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.problem(), "token-unknown");
}

#[tokio::test]
async fn a_read_that_fails_takes_no_use() {
    let vault = Vault::start().await;
    let body = json!({"environment": "dev", "key_pattern": "APP_*", "usage_limit": 1});
    let token = vault.token_with(body).await;
    for path in ["dev/APP_NONE", "dev/GREETING", "dev/a%2fb"] {
        assert_ne!(vault.read(path, &token, &[]).await.status, 200);
    }
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, 200);
}
