//! Asks sops for data keys without waiting for it: an answer is there the next time.
//!
//! Invariants: only for a key that is [`Allowed`] is anything started or sent; what one environment
//! asks for takes no other's place.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zeroize::Zeroizing;

use super::allowed::{AllowList, Allowed, Service};
use super::error::KeyServiceError;
use super::pause::Pause;
use super::process::Launch;
use super::protocol::{self, Ciphertext};
use super::worker::{Answer, Deadlines, Job, Reply, hand_out};
use crate::domain::names::Environment;

/// How long an answer is kept for who asked.
const KEPT: Duration = Duration::from_secs(30);

/// How long a data key is not asked for again after a failure.
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);

/// How many data keys of one environment are known of at once. A file has few, and may be changed a
/// few times within the time for which they are remembered.
const MOST: usize = 64;

/// How many data keys of the environments of one ConfigMap are being asked for at once. It has at
/// most a hundred, and each of their files at most 16 keys.
const MOST_OF_ORIGIN: usize = 1600;

/// How often what is of no use any more is forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// What is known of one data key.
enum Known {
    /// It is being asked for, after a failure or not.
    Asked(Option<Pause>),
    Answered(Zeroizing<Vec<u8>>, Instant),
    Failed(KeyServiceError, Pause),
}

/// Of the request that was sent.
type RequestDigest = [u8; 32];

/// What is known of the data keys of one environment.
#[derive(Default)]
struct DataKeys {
    known: HashMap<RequestDigest, Known>,
    /// The number of the last answer to one of them.
    last_answer: u64,
}

/// What is known of all data keys.
struct State {
    environments: HashMap<Environment, DataKeys>,
    /// How many of each origin are being asked for.
    asked: HashMap<Arc<str>, usize>,
    /// How many answers there were.
    answers: u64,
    swept: Instant,
}

struct Shared {
    state: Mutex<State>,
    answered: Condvar,
}

/// Sops's key service, which is started when it is first needed.
pub struct KeyService {
    list: AllowList,
    deadlines: Deadlines,
    jobs: UnboundedSender<(Service, Job)>,
    shared: Arc<Shared>,
}

impl fmt::Debug for KeyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyService").field("list", &self.list).finish_non_exhaustive()
    }
}

/// What there is of a data key.
#[derive(Debug)]
pub enum DataKeyOf {
    /// Here it is.
    Known(Zeroizing<Vec<u8>>),
    /// It is being asked for: ask again.
    Awaited,
    /// It could not be had, and will be asked for again.
    Failed(KeyServiceError),
}

impl KeyService {
    /// A service for the keys on a list. Nothing is started yet.
    pub fn new(list: AllowList, launch: Launch, deadlines: Deadlines) -> io::Result<Self> {
        let (jobs, mut received) = unbounded_channel();
        let launch = Arc::new(launch);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("sops-keyservice".to_owned()).spawn(move || {
            // Its answers are of use to nobody but who waits for them, and these are told of a
            // failure: nothing is left half done by one.
            let mut run = || runtime.block_on(hand_out(&launch, deadlines, &mut received));
            while catch_unwind(AssertUnwindSafe(&mut run)).is_err() {
                tracing::error!("what hands out the questions to sops has failed, which is a fault of the vault: it begins again");
            }
        })?;
        let state = State {
            environments: HashMap::new(),
            asked: HashMap::new(),
            answers: 0,
            swept: Instant::now(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), answered: Condvar::new() });
        Ok(Self { list, deadlines, jobs, shared })
    }

    /// The keys that it may be asked for.
    pub fn list(&self) -> &AllowList {
        &self.list
    }

    /// How long a file may wait for its data keys until people are told.
    pub fn patience(&self) -> Duration {
        self.deadlines.file
    }

    /// The plaintext of a data key of an environment's file, where sops has given it; else sops is
    /// asked, and the answer is there at a later call. The origin is what the file takes turns with
    /// the others of.
    pub fn data_key(
        &self,
        origin: &Arc<str>,
        environment: &Environment,
        key: &Allowed,
        ciphertext: Ciphertext<'_>,
    ) -> DataKeyOf {
        let request = protocol::request(key, ciphertext);
        let digest: RequestDigest = Sha256::digest(&request).into();
        let mut state = self.shared.lock();
        state.sweep();
        let is_full = state.asked.get(origin).is_some_and(|asked| *asked >= MOST_OF_ORIGIN);
        let known = &mut state.environments.entry(environment.clone()).or_default().known;
        let failed = match known.get(&digest) {
            Some(Known::Asked(_)) => return DataKeyOf::Awaited,
            Some(Known::Answered(key, _)) => return DataKeyOf::Known(key.clone()),
            Some(Known::Failed(error, pause)) if pause.lasts() => {
                return DataKeyOf::Failed(*error);
            }
            Some(Known::Failed(_, pause)) => Some(*pause),
            None if is_full || known.len() >= MOST => {
                return DataKeyOf::Failed(KeyServiceError::Busy);
            }
            None => None,
        };
        known.insert(digest, Known::Asked(failed));
        *state.asked.entry(Arc::clone(origin)).or_default() += 1;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let (whence, of) = (Arc::clone(origin), environment.clone());
        let reply = Reply::to(move |answer| shared.take(&whence, &of, digest, answer));
        let (origin, environment) = (Arc::clone(origin), environment.clone());
        let job = Job { origin, environment, request, reply };
        // The thread is there for as long as this is; were it not, the reply would say so.
        drop(self.jobs.send((key.service(), job)));
        DataKeyOf::Awaited
    }

    /// The number of the last answer for an environment: where it is what it was, what is awaited
    /// still is.
    pub fn last_answer(&self, environment: &Environment) -> u64 {
        let mut state = self.shared.lock();
        // It is called at each look, so that no data key is kept for long.
        state.sweep();
        state.environments.get(environment).map_or(0, |of| of.last_answer)
    }

    /// Waits until nothing is being asked for any more, or the time is over.
    pub fn wait(&self, limit: Duration) {
        let asks = |state: &mut State| state.all().any(|known| matches!(known, Known::Asked(_)));
        drop(self.shared.answered.wait_timeout_while(self.shared.lock(), limit, asks));
    }
}

impl State {
    fn all(&self) -> impl Iterator<Item = &Known> {
        self.environments.values().flat_map(|of| of.known.values())
    }

    /// Takes down that one less is being asked for.
    fn answered(&mut self, origin: &Arc<str>) {
        if let Some(asked) = self.asked.get_mut(origin) {
            *asked -= 1;
            if *asked == 0 {
                self.asked.remove(origin);
            }
        }
    }

    /// Forgets what is of no use any more, where that was not done a moment ago.
    fn sweep(&mut self) {
        if self.swept.elapsed() < SWEEP {
            return;
        }
        self.environments.retain(|_, of| {
            of.known.retain(|_, known| known.is_of_use());
            !of.known.is_empty()
        });
        self.swept = Instant::now();
    }
}

impl Known {
    /// Whether somebody may still ask for it.
    fn is_of_use(&self) -> bool {
        match self {
            Self::Asked(_) => true,
            Self::Answered(_, at) => at.elapsed() < KEPT,
            // So that the pause after the next failure is longer.
            Self::Failed(_, pause) => pause.lasted_within(KEPT),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(
        &self,
        origin: &Arc<str>,
        environment: &Environment,
        digest: RequestDigest,
        answer: Answer,
    ) {
        let mut state = self.lock();
        state.answered(origin);
        state.answers += 1;
        let number = state.answers;
        if let Some(of) = state.environments.get_mut(environment)
            && let Some(known) = of.known.get_mut(&digest)
        {
            of.last_answer = number;
            let failed = match known {
                Known::Asked(failed) => *failed,
                Known::Answered(..) | Known::Failed(..) => None,
            };
            *known = match answer {
                Ok(key) => Known::Answered(key, Instant::now()),
                Err(error) => Known::Failed(error, Pause::after(failed, &PAUSES)),
            };
        }
        drop(state);
        self.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "hckms:r:1-2";

    fn service() -> KeyService {
        let launch = Launch {
            host: "/no/such/host".into(),
            arguments: Vec::new(),
            program: "/no/such/sops".into(),
            variables: Vec::new(),
            folder: "/tmp".into(),
        };
        KeyService::new(AllowList::parse(KEY).unwrap(), launch, Deadlines::default()).unwrap()
    }

    fn asked(service: &KeyService, ciphertext: &[u8]) -> DataKeyOf {
        let name = super::super::grammar::entry(KEY).unwrap();
        let environment = "prod".parse().unwrap();
        let ciphertext = Ciphertext::new(ciphertext).unwrap();
        let key = service.list().check(&name).unwrap();
        service.data_key(&"app".into(), &environment, &key, ciphertext)
    }

    #[test]
    fn an_environment_that_asks_for_ever_more_data_keys_leaves_the_others_their_place() {
        let service = service();
        let asked = |environment: &str, number: usize| {
            let name = super::super::grammar::entry(KEY).unwrap();
            let key = service.list().check(&name).unwrap();
            let number = number.to_be_bytes();
            let ciphertext = Ciphertext::new(&number).unwrap();
            service.data_key(&"app".into(), &environment.parse().unwrap(), &key, ciphertext)
        };
        for number in 0..MOST {
            assert!(matches!(asked("greedy", number), DataKeyOf::Awaited));
        }
        let more = asked("greedy", MOST);
        assert!(matches!(more, DataKeyOf::Failed(KeyServiceError::Busy)), "{more:?}");
        assert!(matches!(asked("other", MOST), DataKeyOf::Awaited));
    }

    #[test]
    fn a_config_map_that_asks_for_ever_more_leaves_the_others_their_place() {
        let service = service();
        // None is answered while this is asked for.
        let mut state = service.shared.lock();
        state.asked.insert("evil".into(), MOST_OF_ORIGIN);
        drop(state);
        let asked = |origin: &str| {
            let name = super::super::grammar::entry(KEY).unwrap();
            let key = service.list().check(&name).unwrap();
            service.data_key(
                &origin.into(),
                &origin.parse().unwrap(),
                &key,
                Ciphertext::new(b"x").unwrap(),
            )
        };
        let more = asked("evil");
        assert!(matches!(more, DataKeyOf::Failed(KeyServiceError::Busy)), "{more:?}");
        assert!(matches!(asked("app"), DataKeyOf::Awaited));
        service.wait(Duration::from_mins(1));
        assert_eq!(service.shared.lock().asked.get("app"), None, "it is answered");
    }

    #[test]
    fn where_its_host_is_not_there_nobody_says_that_sops_is_missing() {
        let service = service();
        assert!(matches!(asked(&service, b"x"), DataKeyOf::Awaited));
        service.wait(Duration::from_mins(1));
        let answer = asked(&service, b"x");
        assert!(matches!(answer, DataKeyOf::Failed(KeyServiceError::Start(_))), "{answer:?}");
    }
}
