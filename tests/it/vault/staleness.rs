//! Grants of which nothing is heard for long: nothing is issued, and later nothing is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use vanta::adapters::kubernetes::{Cluster, ClusterGrants};

use super::cluster::{ACCESS, POLICY};
use crate::support::fake_cluster::{FakeCluster, Mood};
use crate::support::program::DEADLINE;
use crate::support::service::{Reply, Vault, until};

/// How much faster the vault's silence grows here once the cluster is silent than it does
/// elsewhere: no token is issued after 1.5 seconds, and nothing is read after 5.
const FASTER: u32 = 60;

async fn generate(vault: &Vault) -> Reply {
    vault.generate(json!({"environment": "dev", "key_pattern": "APP_*"})).await
}

async fn access(vault: &Vault) -> Reply {
    let request = Request::get("/api/v1/access").header("authorization", vault.basic());
    vault.send(request.body(Body::empty()).unwrap()).await
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

/// A vault whose grants are those of this cluster, which is watched.
struct Watching {
    vault: Vault,
    grants: Arc<ClusterGrants>,
    /// How much faster than it is the silence grows that the vault hears.
    faster: Arc<AtomicU32>,
    watch: JoinHandle<()>,
}

impl Watching {
    async fn start(cluster: &FakeCluster) -> Self {
        for object in [ACCESS, POLICY] {
            let object = object.replace("serviceAccount: checkout", "client: ci");
            let object = object.replace("serviceAccounts: ['*']", "clients: [ci]");
            cluster.apply(&object.replace("prod", "dev"));
        }
        let vault = Vault::start_without_grants().await;
        let namespace = "vanta-system".to_owned();
        let real = Cluster { client: cluster.client(), namespace };
        let grants = Arc::new(ClusterGrants::new(&real, vault.grants.clone()));
        let faster = Arc::new(AtomicU32::new(1));
        vault.hear({
            let (grants, faster) = (Arc::clone(&grants), Arc::clone(&faster));
            move || grants.silence() * faster.load(Ordering::Relaxed)
        });
        let watched = Arc::clone(&grants);
        let watch = tokio::spawn(async move { match watched.run().await {} });
        until("the grants are read", || vault.grants.borrow().is_some()).await;
        Self { vault, grants, faster, watch }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

#[tokio::test]
async fn a_quiet_watch_that_is_well_is_never_stale() {
    let cluster = FakeCluster::start();
    let Watching { grants, vault, .. } = &Watching::start(&cluster).await;
    // Nothing changes, and yet the silence ends again and again: by bookmarks alone.
    let (mut longest, mut ended) = (Duration::ZERO, 0);
    until("it is heard", || {
        let silence = grants.silence();
        ended += u32::from(silence < longest);
        longest = silence;
        ended >= 10
    })
    .await;
    assert!(cluster.bookmarks() >= 10);
    let token = vault.token("APP_*").await;
    assert_eq!(vault.read("dev/APP_DB_USER", &token, &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_silent_or_a_missing_api_server_makes_them_stale_until_it_is_back() {
    for mood in [Mood::Silent, Mood::Away] {
        let cluster = FakeCluster::start();
        let watching = Watching::start(&cluster).await;
        let (vault, faster) = (&watching.vault, &watching.faster);
        let token = vault.token("APP_*").await;
        let read = async || vault.read("dev/APP_DB_USER", &token, &[]).await;
        cluster.feel(mood);
        faster.store(FASTER, Ordering::Relaxed);
        let deadline = Instant::now() + DEADLINE;
        let refused = loop {
            let reply = generate(vault).await;
            if reply.status != StatusCode::OK {
                break reply;
            }
            assert!(Instant::now() < deadline, "it is issued for ever");
            sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(refused.problem(), "grants-stale");
        let refused = loop {
            let reply = read().await;
            if reply.status != StatusCode::OK {
                break reply;
            }
            assert!(Instant::now() < deadline, "it is read for ever");
            sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(refused.problem(), "grants-stale");
        // What was deleted meanwhile opens nothing in the first moment that it is back.
        cluster.delete("secretaccesses", "shop", "checkout");
        cluster.feel(Mood::Willing);
        let first = loop {
            let reply = read().await.problem();
            if reply != "grants-stale" {
                break reply;
            }
            assert!(Instant::now() < deadline, "it never comes back");
            sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(first, "out-of-scope");
    }
}
