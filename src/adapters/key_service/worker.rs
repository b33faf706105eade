//! The thread that asks sops. For each service of keys it has a worker with a sops of its own, which
//! asks for one data key after the other, so that one that is slow or silent holds back no
//! other.
//!
//! It is one thread for as long as the vault lives: the kernel ends a process with the thread that
//! started it, not with its process.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::{SendError, TryRecvError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::error::KeyServiceError;
use super::pause::Pause;
use super::process::{Launch, Running};
use super::protocol;
use super::turns::Turns;
use crate::domain::names::Environment;

/// What one call gives.
pub(super) type Answer = Result<Zeroizing<Vec<u8>>, KeyServiceError>;

/// One call.
pub(super) struct Job {
    /// Where that file is from: its ConfigMap, say.
    pub(super) origin: Arc<str>,
    /// For whose file.
    pub(super) environment: Environment,
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
    /// For all that a file needs: afterwards people are told that it is waited for.
    pub file: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            idle: Duration::from_mins(1),
            file: Duration::from_secs(20),
        }
    }
}

/// How long nothing is asked of what failed.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(30);

/// Hands each job to the worker of its service, until nobody can ask any more. The workers end with
/// the runtime.
pub(super) async fn hand_out(
    launch: Launch,
    deadlines: Deadlines,
    mut jobs: UnboundedReceiver<(String, Job)>,
) {
    let launch = Arc::new(launch);
    let mut workers: HashMap<String, UnboundedSender<Job>> = HashMap::new();
    while let Some((service, job)) = jobs.recv().await {
        let worker = workers.entry(service).or_insert_with(|| {
            let (worker, jobs) = unbounded_channel();
            tokio::spawn(Worker::new(Arc::clone(&launch), deadlines).run(jobs));
            worker
        });
        if let Err(SendError(job)) = worker.send(job) {
            (job.done)(Err(KeyServiceError::Ended));
        }
    }
}

/// The sops for one service, where it runs.
struct Worker {
    launch: Arc<Launch>,
    deadlines: Deadlines,
    running: Option<Running>,
    /// Of starts that failed since the last that did not.
    failed: Option<(KeyServiceError, Pause)>,
    /// The environments for one of whose data keys there was no answer in time: they are given a
    /// rest, so that not each of many is waited for. It may be the data key's fault, so that others
    /// are not given one with them.
    silent: HashMap<Environment, Pause>,
}

impl Worker {
    fn new(launch: Arc<Launch>, deadlines: Deadlines) -> Self {
        Self { launch, deadlines, running: None, failed: None, silent: HashMap::new() }
    }

    /// Works until nobody can ask any more.
    async fn run(mut self, mut jobs: UnboundedReceiver<Job>) {
        let mut turns = Turns::default();
        loop {
            loop {
                match jobs.try_recv() {
                    Ok(job) => turns.add(job),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            if let Some(Job { environment, request, done, .. }) = turns.next() {
                done(self.answer(environment, request).await);
                continue;
            }
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => turns.add(job),
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

    async fn answer(&mut self, environment: Environment, request: Vec<u8>) -> Answer {
        let silent = self.silent.get(&environment).copied();
        if silent.is_some_and(Pause::lasts) {
            return Err(KeyServiceError::Deadline);
        }
        let answer = match self.call(request.clone()).await {
            // It was ended since the last call, say.
            Err(KeyServiceError::Ended) => self.call(request).await,
            answer => answer,
        };
        if matches!(answer, Err(KeyServiceError::Deadline)) {
            self.silent.retain(|_, pause| pause.lasted_within(*PAUSES.end()));
            self.silent.insert(environment, Pause::after(silent, &PAUSES));
        } else {
            self.silent.remove(&environment);
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
