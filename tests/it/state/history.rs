//! What was served, as a state keeps it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use vanta::domain::data_keys::{DataKeyCode, MOST_OF_ONE};
use vanta::domain::history::History;
use vanta::domain::names::Environment;
use vanta::domain::versions::{VersionMark, VersionMarks};

use super::places;

fn environment(name: &str) -> Environment {
    name.parse().unwrap()
}

fn code(number: usize) -> DataKeyCode {
    DataKeyCode([u8::try_from(number).unwrap(); 32])
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
        state.keep_place(&environment("dev"), "ConfigMap b, key dev.enc.json").await.unwrap();
        drop(state);
        let History { marks, places, .. } = place.open().await.history().await.unwrap();
        assert_eq!(marks, expected);
        assert_eq!(
            places,
            [(environment("dev"), "ConfigMap b, key dev.enc.json".to_owned())].into()
        );
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
async fn a_data_key_stays_that_of_the_first_and_of_one_environment_the_newest_are_kept() {
    let at = |seconds: usize| Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
    for place in places() {
        let state = place.open().await;
        let keep = async |name: &str, number: usize, seconds: usize| {
            state.keep_data_key(&environment(name), code(number), at(seconds)).await.unwrap();
        };
        keep("prod", 100, 1).await;
        keep("dev", 100, 2).await;
        for number in 0..=MOST_OF_ONE {
            keep("dev", number, 10 + number).await;
        }
        drop(state);
        let kept = place.open().await.history().await.unwrap().data_keys;
        assert_eq!(kept.owner(code(100)), Some(&environment("prod")));
        assert_eq!(kept.owner(code(0)), None);
        let of_dev = kept.iter().filter(|(of, _)| **of == environment("dev"));
        let of_dev: Vec<DataKeyCode> = of_dev.map(|(_, code)| code).collect();
        assert_eq!(of_dev, (1..=MOST_OF_ONE).map(code).collect::<Vec<_>>(), "the oldest first");
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
                    let now = Timestamp::now();
                    state.keep_data_key(&environment(name), code(number), now).await.unwrap();
                }
            })
        });
        for writer in writers {
            writer.await.unwrap();
        }
        let kept = state.history().await.unwrap().data_keys;
        assert!(kept.iter().count() <= 20, "each is of one");
        assert!(kept.owner(code(19)).is_some());
    }
}

#[tokio::test]
async fn what_was_served_last_long_before_the_rest_is_forgotten_however_wrong_a_clock_is() {
    let days = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    for place in places() {
        let state = place.open().await;
        let keep = async |name: &str, number: usize| {
            let mark = VersionMark { last_modified: days(-500), digest: [1; 32] };
            state.keep_version(&environment(name), &mark, days(-401)).await.unwrap();
            state.keep_data_key(&environment(name), code(number), days(-401)).await.unwrap();
        };
        for (number, name) in ["gone", "there", "prod"].into_iter().enumerate() {
            keep(name, number).await;
        }
        let names = async || {
            state.forget_old_history().await.unwrap();
            let History { marks, data_keys, .. } = state.history().await.unwrap();
            let names: Vec<String> = marks.keys().map(ToString::to_string).collect();
            let owners: Vec<_> = data_keys.iter().map(|(of, _)| of.to_string()).collect();
            assert_eq!(names.len(), owners.len(), "{names:?}, {owners:?}");
            names.join(" ")
        };
        assert_eq!(names().await, "gone prod there", "none was served long after the others");
        for name in ["there", "prod"] {
            state.touch_history(&environment(name), days(-2)).await.unwrap();
        }
        assert_eq!(names().await, "gone prod there", "400 days are not over");
        state.touch_history(&environment("prod"), days(0)).await.unwrap();
        assert_eq!(names().await, "prod there");
        // A clock that is years ahead takes nothing of what is served by it.
        for name in ["there", "prod"] {
            state.touch_history(&environment(name), days(4000)).await.unwrap();
        }
        assert_eq!(names().await, "prod there");
    }
}
