//! What was served, as a state keeps it.

use std::sync::Arc;

use jiff::Timestamp;
use vanta::domain::data_keys::{DataKeyCode, OwnDataKey};
use vanta::domain::history::History;
use vanta::domain::names::Environment;
use vanta::domain::versions::{VersionMark, VersionMarks};

use super::places;

fn environment(name: &str) -> Environment {
    name.parse().unwrap()
}

fn key(number: u8, since: i64) -> OwnDataKey {
    OwnDataKey { code: DataKeyCode([number; 32]), since }
}

#[tokio::test]
async fn the_highest_version_is_kept_whoever_writes_and_a_restart_does_not_forget_it() {
    let version = |seconds, content: u8| {
        let last_modified = Timestamp::from_second(seconds).unwrap();
        VersionMark { last_modified, digest: [content; 32] }
    };
    for place in places() {
        let state = place.open().await;
        assert_eq!(state.history().await.unwrap(), History::default());
        let keep = async |name: &str, mark: VersionMark| {
            state.keep_version(&environment(name), &mark, Timestamp::now()).await.unwrap();
        };
        keep("dev", version(7, 1)).await;
        keep("prod", version(100, 1)).await;
        keep("prod", version(99, 2)).await;
        keep("prod", version(100, 3)).await;
        keep("dev", version(8, 2)).await;
        keep("dev", version(9, 3)).await;
        let expected: VersionMarks =
            [(environment("dev"), version(9, 3)), (environment("prod"), version(100, 1))].into();
        assert_eq!(state.history().await.unwrap().marks, expected);
        let place_of_dev = "ConfigMap b, key dev.enc.json";
        assert!(state.keep_place(&environment("dev"), place_of_dev).await.unwrap());
        drop(state);
        let History { marks, places, .. } = place.open().await.history().await.unwrap();
        assert_eq!(marks, expected);
        assert_eq!(places, [(environment("dev"), place_of_dev.to_owned())].into());
    }
}

#[tokio::test]
async fn replicas_that_keep_versions_at_once_keep_the_highest() {
    let environment: Environment = "prod".parse().unwrap();
    let version = |seconds: u8| {
        let last_modified = Timestamp::from_second(i64::from(seconds)).unwrap();
        VersionMark { last_modified, digest: [seconds; 32] }
    };
    for place in places() {
        let state = place.open().await;
        let writers = (0..50_u16).map(|number| {
            let (state, environment) = (Arc::clone(&state), environment.clone());
            // In an order that is that of no number.
            let mark = version(u8::try_from(number * 37 % 50).unwrap());
            tokio::spawn(async move {
                state.keep_version(&environment, &mark, Timestamp::now()).await.unwrap();
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(state.history().await.unwrap().marks[&environment], version(49));
    }
}

#[tokio::test]
async fn a_version_of_the_future_is_replaced_by_an_older_one_and_no_other_is() {
    let environment: Environment = "prod".parse().unwrap();
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    let version = |seconds| VersionMark { last_modified: at(seconds), digest: [1; 32] };
    for place in places() {
        let state = place.open().await;
        let keep = async |mark: VersionMark, now: i64| {
            state.keep_version(&environment, &mark, at(now)).await.unwrap();
            state.history().await.unwrap().marks[&environment]
        };
        assert_eq!(keep(version(10_000), 10_000).await, version(10_000));
        // Clocks may be five minutes apart.
        assert_eq!(keep(version(9_000), 9_700).await, version(10_000));
        assert_eq!(keep(version(9_000), 9_699).await, version(9_000));
        assert_eq!(keep(version(9_001), 9_699).await, version(9_001));
    }
}

#[tokio::test]
async fn a_data_key_stays_that_of_the_first_through_a_restart_until_it_is_forgotten() {
    for place in places() {
        let state = place.open().await;
        let keep = async |name: &str, number: u8, since: i64| {
            state.keep_data_key(&environment(name), key(number, since)).await.unwrap();
        };
        keep("prod", 1, 1_000).await;
        keep("dev", 1, 2_000).await;
        keep("dev", 3, 4_000).await;
        keep("dev", 2, 3_000).await;
        // What another environment has is not forgotten for this one.
        state.forget_data_key(&environment("dev"), key(1, 0).code).await.unwrap();
        drop(state);
        let state = place.open().await;
        let kept = state.history().await.unwrap().data_keys;
        assert_eq!(kept.of(&environment("prod")), [key(1, 1_000)]);
        assert_eq!(kept.of(&environment("dev")), [key(2, 3_000), key(3, 4_000)]);
        let test = environment("test");
        let prod = environment("prod");
        // Whichever of the two whoever writes takes for the owner.
        state.keep_shared_data_key(key(1, 0).code, [&test, &prod]).await.unwrap();
        state.keep_shared_data_key(key(1, 0).code, [&prod, &environment("dev")]).await.unwrap();
        let old = state.history_since(5_000).await.unwrap().data_keys;
        assert_eq!(old.shared().collect::<Vec<_>>(), [(key(1, 0).code, &test)], "it is news");
        assert_eq!(old.iter().count(), 1);
        let news = state.history_since(3_001).await.unwrap().data_keys;
        assert_eq!(news.of(&environment("dev")), [key(3, 4_000)]);
        state.forget_data_key(&environment("prod"), key(1, 0).code).await.unwrap();
        assert_eq!(state.history().await.unwrap().data_keys.of(&environment("prod")), []);
    }
}

#[tokio::test]
async fn replicas_that_serve_two_environments_with_one_data_key_at_once_agree_whose_it_is() {
    for place in places() {
        let state = place.open().await;
        let writers = ["dev", "prod"].map(|name| {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                for number in 0..20 {
                    state.keep_data_key(&environment(name), key(number, 0)).await.unwrap();
                }
            })
        });
        for writer in writers {
            writer.await.unwrap();
        }
        let kept = state.history().await.unwrap().data_keys;
        assert_eq!(kept.iter().count(), 20, "each is of one");
    }
}

#[tokio::test]
async fn a_place_is_kept_beside_a_version_and_not_without_one() {
    for place in places() {
        let state = place.open().await;
        let dev = environment("dev");
        assert!(!state.keep_place(&dev, "dev.enc.yaml").await.unwrap());
        assert_eq!(state.history().await.unwrap(), History::default());
    }
}
