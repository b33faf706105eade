//! Replicas that share a PostgreSQL, and its being away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vanta::adapters::state::{STALE_AFTER, StateStore};
use vanta::domain::ports::TokenStore;

use super::promises::{Place, claims, is_revoked, revocation_of_subject};

/// A replica that hears of the others.
async fn replica(place: &Place) -> Arc<StateStore> {
    let state = place.open().await;
    let hearing = Arc::clone(&state);
    tokio::spawn(async move { hearing.run().await });
    state
}

/// How long it took until something held.
async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < 2 * STALE_AFTER, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_seen_by_the_other_replica() {
    let Some(place) = Place::postgres() else { return };
    let (one, other) = (replica(&place).await, replica(&place).await);
    let (first, of_other) = (claims("client:ci", 1, None), claims("client:cd", 2, None));
    one.revoke(vanta::domain::revocation::Revocation::Token {
        id: first.jti.clone(),
        expires_at: first.exp,
    })
    .await
    .unwrap();
    let seen = until("the token is revoked there too", || is_revoked(&other, &first)).await;
    assert!(seen < Duration::from_secs(5), "{seen:?}");
    one.revoke(revocation_of_subject(&of_other, true)).await.unwrap();
    let blocked = || other.is_blocked(&of_other.sub) == Ok(true);
    let seen = until("the subject is blocked there too", blocked).await;
    assert!(seen < Duration::from_secs(5), "{seen:?}");
    assert!(is_revoked(&other, &of_other));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_uses_are_not_taken_and_others_go_on_until_the_view_is_old() {
    let Some(mut place) = Place::postgres() else { return };
    let state = replica(&place).await;
    let (limited, unlimited) = (claims("client:ci", 1, Some(9)), claims("client:cd", 2, None));
    state.issue(&limited).await.unwrap();
    let gone = Instant::now();
    place.postgres.as_mut().unwrap().crash();
    assert!(state.take_use(&limited.jti).await.is_err());
    assert!(!state.check().await.problem.unwrap_or_default().is_empty());
    assert!(state.check().await.serves);
    assert!(!is_revoked(&state, &unlimited));
    until("the view is old", || state.is_revoked(unlimited.issued()).is_err()).await;
    // It may have been a second old when the server went away.
    assert!(gone.elapsed() + Duration::from_secs(2) >= STALE_AFTER, "{:?}", gone.elapsed());
    assert!(!state.check().await.serves);
    assert!(state.is_blocked(&unlimited.sub).is_err());
    place.postgres.as_mut().unwrap().resume();
    until("the view is fresh", || state.is_revoked(unlimited.issued()) == Ok(false)).await;
    assert!(state.take_use(&limited.jti).await.is_ok());
    assert!(state.check().await.problem.is_none());
}
