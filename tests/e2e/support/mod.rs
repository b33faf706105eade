//! The cluster that the suite shares, and what scenarios are made of.

pub(crate) mod kubectl;
pub(crate) mod pods;
pub(crate) mod shop;
pub(crate) mod vault;

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// The namespace that the chart is installed in.
pub(crate) const SYSTEM: &str = "vanta-system";

/// How long a test waits for what takes seconds: the machine may be busy with the other tests.
pub(crate) const DEADLINE: Duration = Duration::from_mins(4);

/// Held for reading by each test, and for writing by one that takes a part of the system away.
static SYSTEM_RUNS: RwLock<()> = RwLock::new(());

/// A share of the cluster: the system runs for as long as it is held.
pub(crate) struct Share {
    _runs: RwLockReadGuard<'static, ()>,
}

/// The cluster for one test alone.
pub(crate) struct Alone {
    _alone: RwLockWriteGuard<'static, ()>,
}

/// A share of the cluster, or none where there is no cluster, which is said.
pub(crate) fn share() -> Option<Share> {
    folder().map(|_| Share { _runs: SYSTEM_RUNS.read().unwrap_or_else(PoisonError::into_inner) })
}

/// The cluster without other tests, or none where there is no cluster, which is said.
pub(crate) fn alone() -> Option<Alone> {
    folder().map(|_| Alone { _alone: SYSTEM_RUNS.write().unwrap_or_else(PoisonError::into_inner) })
}

/// The cluster's folder: etcd's data, logs.
#[expect(clippy::print_stdout, reason = "a test that is passed over says so")]
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = variable("VANTA_CLUSTER");
    if folder.is_none() {
        println!("passed over: there is no cluster here; run `make test-cluster`");
    }
    folder.map(PathBuf::from)
}

/// What `scripts/cluster-tests` tells.
#[expect(clippy::disallowed_methods, reason = "tests are told where the cluster is")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Waits until something holds; what it looks at is said where it never does.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => {
                assert!(started.elapsed() < DEADLINE, "waited too long until {what}; seen: {seen}");
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
