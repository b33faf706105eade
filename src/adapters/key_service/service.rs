//! Asks sops for data keys without waiting for it: an answer is there the next time.
//!
//! Invariant: only for a key that is [`Allowed`] is anything started or sent.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zeroize::Zeroizing;

use super::allowed::{AllowList, Allowed};
use super::error::KeyServiceError;
use super::pause::Pause;
use super::process::Launch;
use super::protocol::{self, MAX_CIPHERTEXT};
use super::worker::{Answer, Deadlines, Job, Worker};

/// How long an answer is kept for who asked.
const KEPT: Duration = Duration::from_secs(30);

/// How long a data key is not asked for again after a failure.
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);

/// How many data keys are known of at once.
const MOST: usize = 4096;

/// What is known of one data key.
enum Known {
    /// It is being asked for, after a failure or not.
    Asked(Option<Pause>),
    Answered(Zeroizing<Vec<u8>>, Instant),
    Failed(KeyServiceError, Pause),
}

/// Of the request that was sent.
type RequestDigest = [u8; 32];

#[derive(Default)]
struct Shared {
    known: Mutex<HashMap<RequestDigest, Known>>,
    answered: Condvar,
}

/// Sops's key service, which is started when it is first needed.
pub struct KeyService {
    list: AllowList,
    jobs: UnboundedSender<Job>,
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
        let (jobs, received) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker =
            Worker { launch, deadlines, running: None, failed: None, silent: HashMap::new() };
        thread::Builder::new().name("sops-keyservice".to_owned()).spawn(move || {
            runtime.block_on(worker.run(received));
        })?;
        Ok(Self { list, jobs, shared: Arc::default() })
    }

    /// The keys that it may be asked for.
    pub fn list(&self) -> &AllowList {
        &self.list
    }

    /// The plaintext of a data key, where sops has given it; else sops is asked, and the answer is
    /// there at a later call.
    pub fn data_key(&self, key: &Allowed, ciphertext: &[u8]) -> DataKeyOf {
        if ciphertext.len() > MAX_CIPHERTEXT {
            return DataKeyOf::Failed(KeyServiceError::TooLong);
        }
        let request = protocol::request(key, ciphertext);
        let digest: RequestDigest = Sha256::digest(&request).into();
        let mut known = self.shared.lock();
        known.retain(|other, known| *other == digest || known.is_of_use());
        let failed = match known.get(&digest) {
            Some(Known::Asked(_)) => return DataKeyOf::Awaited,
            Some(Known::Answered(key, _)) => return DataKeyOf::Known(key.clone()),
            Some(Known::Failed(error, pause)) if pause.lasts() => {
                return DataKeyOf::Failed(*error);
            }
            Some(Known::Failed(_, pause)) => Some(*pause),
            None if known.len() >= MOST => return DataKeyOf::Failed(KeyServiceError::Busy),
            None => None,
        };
        known.insert(digest, Known::Asked(failed));
        drop(known);
        let shared = Arc::clone(&self.shared);
        let done = Box::new(move |answer| shared.take(digest, answer));
        // The thread is there for as long as this is.
        if self.jobs.send(Job { key: key.name().to_string(), request, done }).is_err() {
            self.shared.take(digest, Err(KeyServiceError::Ended));
        }
        DataKeyOf::Awaited
    }

    /// Waits until nothing is being asked for any more, or the time is over.
    pub fn wait(&self, limit: Duration) {
        let asks = |known: &mut HashMap<RequestDigest, Known>| {
            known.values().any(|known| matches!(known, Known::Asked(_)))
        };
        drop(self.shared.answered.wait_timeout_while(self.shared.lock(), limit, asks));
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
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestDigest, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, digest: RequestDigest, answer: Answer) {
        if let Some(known) = self.lock().get_mut(&digest) {
            let failed = match known {
                Known::Asked(failed) => *failed,
                Known::Answered(..) | Known::Failed(..) => None,
            };
            *known = match answer {
                Ok(key) => Known::Answered(key, Instant::now()),
                Err(error) => Known::Failed(error, Pause::after(failed, &PAUSES)),
            };
        }
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
        service.data_key(&service.list().check(&name).unwrap(), ciphertext)
    }

    #[test]
    fn for_a_ciphertext_that_is_too_long_nobody_is_asked() {
        let longest = vec![0; MAX_CIPHERTEXT];
        assert!(matches!(asked(&service(), &longest), DataKeyOf::Awaited));
        let longer = vec![0; MAX_CIPHERTEXT + 1];
        let answer = asked(&service(), &longer);
        assert!(matches!(answer, DataKeyOf::Failed(KeyServiceError::TooLong)), "{answer:?}");
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
