//! What a state store promises, whichever database it is in.

mod history;

use std::sync::Arc;

use jiff::Timestamp;
use vanta::adapters::state::{StateSource, StateStore};
use vanta::domain::claims::{Claims, TokenId};
use vanta::domain::identity::Subject;
use vanta::domain::ports::{TokenStore, UseTaken};
use vanta::domain::revocation::Revocation;

use crate::support::postgres::Postgres;

/// A database, and what keeps it there.
struct Place {
    source: StateSource,
    _folder: Option<tempfile::TempDir>,
    _postgres: Option<Postgres>,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = StateSource::Folder(folder.path().to_owned());
        Self { source, _folder: Some(folder), _postgres: None }
    }

    fn postgres() -> Option<Self> {
        let postgres = Postgres::start()?;
        let source = StateSource::Postgres(postgres.url().into());
        Some(Self { source, _folder: None, _postgres: Some(postgres) })
    }

    async fn open(&self) -> Arc<StateStore> {
        Arc::new(StateStore::open(&self.source).await.unwrap())
    }
}

/// SQLite, and PostgreSQL where there is one.
fn places() -> impl Iterator<Item = Place> {
    [Some(Place::sqlite()), Place::postgres()].into_iter().flatten()
}

fn claims(subject: &str, number: u8, limit: Option<u32>) -> Claims {
    let now = Timestamp::now().as_second();
    serde_json::from_value(serde_json::json!({
        "iss": "i", "aud": "a", "sub": subject, "exp": now + 60, "nbf": now, "iat": now,
        "jti": TokenId::from_random([number; 16]),
        "scope": {
            "environment": "dev", "key_pattern": "*", "permissions": ["read"],
            "granted": {"read": ["*"]},
        },
        "usage_limit": limit.unwrap_or(1),
    }))
    .map(|claims: Claims| Claims { usage_limit: limit, ..claims })
    .unwrap()
}

fn is_revoked(state: &StateStore, claims: &Claims) -> bool {
    state.is_revoked(claims.issued()).unwrap()
}

fn revocation_of(claims: &Claims) -> Revocation {
    Revocation::Token { id: claims.jti.clone(), expires_at: claims.exp }
}

fn revocation_of_subject(claims: &Claims, blocked: bool) -> Revocation {
    Revocation::Subject { subject: claims.sub.clone(), not_before: claims.iat, blocked }
}

#[tokio::test]
async fn a_token_has_as_many_uses_as_it_was_issued_with() {
    for place in places() {
        let (state, claims) = (place.open().await, claims("client:ci", 1, Some(2)));
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Unknown);
        state.issue(&claims).await.unwrap();
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Taken);
        assert_eq!(state.uses_left(&claims.jti).await.unwrap(), Some(1));
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Taken);
        assert_eq!(state.take_use(&claims.jti).await.unwrap(), UseTaken::Exhausted);
    }
}

#[tokio::test]
async fn a_token_without_a_limit_never_touches_the_store() {
    for place in places() {
        let (state, claims) = (place.open().await, claims("client:ci", 1, None));
        state.issue(&claims).await.unwrap();
        assert_eq!(state.uses_left(&claims.jti).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_is_written_outlives_the_process() {
    for place in places() {
        let (state, first) = (place.open().await, claims("client:ci", 1, Some(1)));
        let of_other = claims("client:cd", 2, None);
        state.issue(&first).await.unwrap();
        state.revoke(revocation_of(&first)).await.unwrap();
        state.revoke(revocation_of_subject(&of_other, true)).await.unwrap();
        let again = place.open().await;
        assert!(is_revoked(&again, &first) && is_revoked(&again, &of_other));
        assert!(again.standing(&of_other.sub).unwrap().blocked);
        assert_eq!(again.created_at(), state.created_at());
        assert_eq!(again.revision_key(), state.revision_key());
        assert_eq!(again.uses_left(&first.jti).await.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn what_has_ended_is_swept() {
    for place in places() {
        let (state, claims) = (place.open().await, claims("client:ci", 1, Some(1)));
        state.issue(&claims).await.unwrap();
        state.revoke(revocation_of(&claims)).await.unwrap();
        state.sweep(claims.exp + 30).await.unwrap();
        assert!(is_revoked(&state, &claims), "swept within the clocks' leeway");
        state.sweep(claims.exp + 61).await.unwrap();
        assert!(!is_revoked(&state, &claims));
        assert_eq!(state.uses_left(&claims.jti).await.unwrap(), None);
        assert!(!is_revoked(&*place.open().await, &claims), "the row is still there");
    }
}

#[tokio::test]
async fn a_block_is_taken_back_also_in_the_second_in_which_it_was_made() {
    for place in places() {
        let (state, claims) = (place.open().await, claims("client:ci", 1, None));
        let subject: Subject = claims.sub.clone();
        for blocked in [true, false, true, false] {
            state.revoke(revocation_of_subject(&claims, blocked)).await.unwrap();
            assert_eq!(state.standing(&subject).unwrap().blocked, blocked);
            assert_eq!(place.open().await.standing(&subject).unwrap().blocked, blocked);
            assert!(is_revoked(&state, &claims));
        }
    }
}

#[tokio::test]
async fn a_block_is_not_swept() {
    for place in places() {
        let (state, claims) = (place.open().await, claims("client:ci", 1, None));
        state.revoke(revocation_of_subject(&claims, true)).await.unwrap();
        state.sweep(claims.exp + 1_000_000_000).await.unwrap();
        assert!(place.open().await.standing(&claims.sub).unwrap().blocked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_take_no_more_uses_together_than_there_are() {
    let Some(place) = Place::postgres() else { return };
    let replicas = [place.open().await, place.open().await];
    for round in 0..50 {
        let claims = Arc::new(claims("client:ci", round, Some(10)));
        replicas[0].issue(&claims).await.unwrap();
        let racers: Vec<_> = (0..64)
            .map(|number| {
                let (replica, claims) = (Arc::clone(&replicas[number % 2]), Arc::clone(&claims));
                tokio::spawn(async move { replica.take_use(&claims.jti).await.unwrap() })
            })
            .collect();
        let mut taken = 0;
        for racer in racers {
            taken += usize::from(racer.await.unwrap() == UseTaken::Taken);
        }
        assert_eq!(taken, 10, "in round {round}");
    }
}

#[tokio::test]
async fn replicas_that_start_at_once_share_their_facts() {
    let Some(place) = Place::postgres() else { return };
    let opened = tokio::join!(place.open(), place.open(), place.open());
    let facts = |state: &StateStore| (state.created_at(), state.revision_key());
    assert_eq!(facts(&opened.0), facts(&opened.1));
    assert_eq!(facts(&opened.0), facts(&opened.2));
}
