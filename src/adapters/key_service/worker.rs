//! The thread that asks sops, one data key after the other.
//!
//! It is one thread for as long as the vault lives: the kernel ends a process with the thread that
//! started it, not with its process.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::error::KeyServiceError;
use super::pause::Pause;
use super::process::{Launch, Running};
use super::protocol;

/// What one call gives.
pub(super) type Answer = Result<Zeroizing<Vec<u8>>, KeyServiceError>;

/// One call.
pub(super) struct Job {
    /// The master key.
    pub(super) key: String,
    /// A framed request.
    pub(super) request: Vec<u8>,
    /// Is told what came of it.
    pub(super) done: Box<dyn FnOnce(Answer) + Send>,
}

/// How long the parts of a call may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// To start sops.
    pub start: Duration,
    /// For one answer.
    pub answer: Duration,
    /// How long sops is kept with nothing to do.
    pub idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            idle: Duration::from_mins(1),
        }
    }
}

/// How long nothing is asked of what failed.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(30);

/// Sops, where it runs.
pub(super) struct Worker {
    pub(super) launch: Launch,
    pub(super) deadlines: Deadlines,
    pub(super) running: Option<Running>,
    /// Of starts that failed since the last that did not.
    pub(super) failed: Option<(KeyServiceError, Pause)>,
    /// The keys whose services did not answer in time: they are given a rest, so that many files
    /// for one of them do not hold back those for others.
    pub(super) silent: HashMap<String, Pause>,
}

impl Worker {
    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, mut jobs: UnboundedReceiver<Job>) {
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(Job { key, request, done }) => done(self.answer(key, request).await),
                    None => return,
                },
                () = ended(&mut self.running) => {
                    self.running = None;
                    tracing::warn!("sops keyservice has ended; it is started again when it is needed");
                }
                () = sleep(self.deadlines.idle), if self.running.is_some() => self.running = None,
            }
        }
    }

    async fn answer(&mut self, key: String, request: Vec<u8>) -> Answer {
        let silent = self.silent.get(&key).copied();
        if silent.is_some_and(Pause::lasts) {
            return Err(KeyServiceError::Deadline);
        }
        let answer = match self.call(request.clone()).await {
            // It was ended since the last call, say.
            Err(KeyServiceError::Ended) => self.call(request).await,
            answer => answer,
        };
        if matches!(answer, Err(KeyServiceError::Deadline)) {
            self.silent.insert(key, Pause::after(silent, &PAUSES));
        } else {
            self.silent.remove(&key);
        }
        answer
    }

    async fn call(&mut self, request: Vec<u8>) -> Answer {
        let limit = self.deadlines.answer;
        let running = self.running().await?;
        let called = timeout(limit, running.connection.decrypt(request)).await;
        let answer = called.unwrap_or(Err(KeyServiceError::Deadline));
        // What it goes on doing for nobody ends with it.
        if matches!(answer, Err(KeyServiceError::Ended | KeyServiceError::Deadline)) {
            self.running = None;
        }
        let plaintext = protocol::answer(&answer?).ok_or(KeyServiceError::BadAnswer)?;
        Ok(plaintext)
    }

    /// Sops, which is started where it does not run.
    async fn running(&mut self) -> Result<&mut Running, KeyServiceError> {
        if self.running.is_none() {
            if let Some((error, pause)) = self.failed
                && pause.lasts()
            {
                return Err(error);
            }
            match Running::start(&self.launch, self.deadlines.start).await {
                Ok(running) => {
                    tracing::info!(process = running.id(), "sops keyservice was started");
                    self.failed = None;
                    self.running = Some(running);
                }
                Err(error) => {
                    let pause = Pause::after(self.failed.map(|(_, pause)| pause), &PAUSES);
                    self.failed = Some((error, pause));
                    return Err(error);
                }
            }
        }
        self.running.as_mut().ok_or(KeyServiceError::Ended)
    }
}

/// Waits for the end of what runs.
async fn ended(running: &mut Option<Running>) {
    match running {
        // That the task was ended is the news, however it was.
        Some(running) => drop((&mut running.connection.driver).await),
        None => std::future::pending().await,
    }
}
