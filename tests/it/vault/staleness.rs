//! Grants of which nothing is heard for long: nothing is issued, and later nothing is read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use vanta::adapters::kubernetes::{Cluster, ClusterGrants};

use super::cluster::{ACCESS, POLICY};
use crate::support::fake_cluster::{FakeCluster, Mood};
use crate::support::service::{Reply, Vault};

/// How much faster the vault's silence grows here than it does elsewhere: no token is issued after
/// 1.5 seconds, and nothing is read after 5.
const FASTER: u32 = 60;

async fn generate(vault: &Vault) -> Reply {
    vault.generate(json!({"environment": "dev", "key_pattern": "APP_*"})).await
}

async fn access(vault: &Vault) -> Reply {
    let request = Request::get("/api/v1/access").header("authorization", vault.basic());
    vault.send(request.body(Body::empty()).unwrap()).await
}

async fn until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !met() {
        assert!(Instant::now() < deadline, "it never came: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn tokens_are_refused_before_reads_are_and_all_goes_on_with_the_first_news() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    let read = async || vault.read("dev/APP_DB_USER", &token, &[]).await;
    let seconds = |seconds| vault.hear(move || Duration::from_secs(seconds));
    seconds(90);
    assert_eq!(
        (generate(&vault).await.status, read().await.status),
        (StatusCode::OK, StatusCode::OK)
    );
    seconds(91);
    let refused = generate(&vault).await;
    assert_eq!(refused.problem(), "grants-stale");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(read().await.status, StatusCode::OK);
    assert_eq!(access(&vault).await.status, StatusCode::OK);
    seconds(301);
    for reply in [
        generate(&vault).await,
        read().await,
        vault.read("dev", &token, &[]).await,
        vault.read("dev?values=true", &token, &[]).await,
        access(&vault).await,
    ] {
        assert_eq!(reply.problem(), "grants-stale");
    }
    seconds(0);
    assert_eq!(
        (generate(&vault).await.status, read().await.status),
        (StatusCode::OK, StatusCode::OK)
    );
}

#[tokio::test]
async fn who_waits_for_a_change_is_told_that_none_would_be_seen() {
    let vault = Arc::new(Vault::start_for_waiting(1).await);
    let token = vault.token("APP_*").await;
    let all = vault.read("dev?values=true", &token, &[]).await;
    let tag = all.header("etag").to_owned();
    let waiting = tokio::spawn({
        let vault = Arc::clone(&vault);
        async move {
            let known = [("if-none-match", tag.as_str()), ("prefer", "wait=55")];
            vault.read("dev?values=true", &token, &known).await
        }
    });
    until("it waits", || vault.waiting() == 1).await;
    vault.hear(|| Duration::from_secs(301));
    assert_eq!(waiting.await.unwrap().problem(), "grants-stale");
}

#[tokio::test]
async fn a_revocation_needs_no_grants() {
    let vault = Vault::start().await;
    let token = vault.token("APP_*").await;
    vault.hear(|| Duration::from_hours(1));
    let request = Request::post("/api/v1/vault/tokens/revoke")
        .header("content-type", "application/x-www-form-urlencoded");
    let reply = vault.send(request.body(format!("token={token}").into()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.problem(), "token-revoked");
}

/// A vault whose grants are those of this cluster, and the task that watches it.
async fn watching(cluster: &FakeCluster) -> (Vault, JoinHandle<()>) {
    for object in [ACCESS, POLICY] {
        let object = object.replace("serviceAccount: checkout", "client: ci");
        let object = object.replace("serviceAccounts: ['*']", "clients: [ci]");
        cluster.apply(&object.replace("prod", "dev"));
    }
    let vault = Vault::start_without_grants().await;
    let namespace = "vanta-system".to_owned();
    let real = Cluster { client: cluster.client(), namespace };
    let grants = Arc::new(ClusterGrants::new(&real, vault.grants.clone()));
    vault.hear({
        let grants = Arc::clone(&grants);
        move || grants.silence() * FASTER
    });
    let watch = tokio::spawn(async move { match grants.run().await {} });
    until("the grants are read", || vault.grants.borrow().is_some()).await;
    (vault, watch)
}

#[tokio::test]
async fn a_quiet_watch_that_is_well_is_never_stale() {
    let cluster = FakeCluster::start();
    let (vault, watch) = watching(&cluster).await;
    let token = vault.token("APP_*").await;
    // Of both kinds, over more than the time after which a silent one would be.
    let (enough, begun) = (cluster.bookmarks() + 80, Instant::now());
    while cluster.bookmarks() < enough || begun.elapsed() < Duration::from_secs(2) {
        assert!(begun.elapsed() < Duration::from_secs(30), "there are no bookmarks");
        assert_eq!(generate(&vault).await.status, StatusCode::OK);
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, StatusCode::OK);
    watch.abort();
}

#[tokio::test]
async fn a_silent_or_a_missing_api_server_makes_them_stale_until_it_is_back() {
    for mood in [Mood::Silent, Mood::Away] {
        let cluster = FakeCluster::start();
        let (vault, watch) = watching(&cluster).await;
        let token = vault.token("APP_*").await;
        cluster.feel(mood);
        let deadline = Instant::now() + Duration::from_secs(30);
        while generate(&vault).await.status == StatusCode::OK {
            assert!(Instant::now() < deadline, "it is issued for ever");
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(generate(&vault).await.problem(), "grants-stale");
        while vault.read("dev/APP_DB_USER", &token, &[]).await.status == StatusCode::OK {
            assert!(Instant::now() < deadline, "it is read for ever");
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.problem(), "grants-stale");
        // What was deleted meanwhile opens nothing in the first moment that it is back.
        cluster.delete("secretaccesses", "shop", "checkout");
        cluster.feel(Mood::Willing);
        while vault.read("dev/APP_DB_USER", &token, &[]).await.problem() == "grants-stale" {
            assert!(Instant::now() < deadline, "it never comes back");
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.problem(), "out-of-scope");
        watch.abort();
    }
}
