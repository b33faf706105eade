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
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::allowed::Service;
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
    pub(super) reply: Reply,
}

/// Where an answer goes. Where none is ever given, whoever waits for it is told that.
pub(super) struct Reply(Option<Box<dyn FnOnce(Answer) + Send>>);

impl Reply {
    pub(super) fn to(take: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self(Some(Box::new(take)))
    }

    fn give(mut self, answer: Answer) {
        self.take(answer);
    }

    fn take(&mut self, answer: Answer) {
        if let Some(take) = self.0.take() {
            take(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.take(Err(KeyServiceError::Lost));
    }
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
/// this.
pub(super) async fn hand_out(
    launch: &Arc<Launch>,
    deadlines: Deadlines,
    jobs: &mut UnboundedReceiver<(Service, Job)>,
) {
    let mut workers =
        Workers { launch, deadlines, running: JoinSet::new(), by_service: HashMap::new() };
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some((service, job)) => workers.hand(service, job),
                None => return,
            },
            Some(ended) = workers.running.join_next_with_id() => {
                workers.forget(match ended {
                    Ok((id, ())) => id,
                    Err(error) => error.id(),
                });
            }
        }
    }
}

/// The workers that there are.
struct Workers<'a> {
    launch: &'a Arc<Launch>,
    deadlines: Deadlines,
    running: JoinSet<()>,
    by_service: HashMap<Service, (Id, UnboundedSender<Job>)>,
}

impl Workers<'_> {
    /// Hands a job to the worker of its service, which is made where there is none, or none any
    /// more.
    fn hand(&mut self, service: Service, job: Job) {
        let job = match self.by_service.get(&service) {
            Some((_, worker)) => match worker.send(job) {
                Ok(()) => return,
                Err(SendError(job)) => {
                    tell_of_failure(&service);
                    job
                }
            },
            None => job,
        };
        let (worker, jobs) = unbounded_channel();
        let run = Worker::new(Arc::clone(self.launch), self.deadlines).run(jobs);
        let id = self.running.spawn(run).id();
        // Its other end is there until it runs.
        drop(worker.send(job));
        self.by_service.insert(service, (id, worker));
    }

    /// A worker ends by itself where nobody can ask it any more, and never before.
    fn forget(&mut self, worker: Id) {
        self.by_service.retain(|service, (id, _)| {
            if *id == worker {
                tell_of_failure(service);
            }
            *id != worker
        });
    }
}

fn tell_of_failure(service: &Service) {
    tracing::error!(
        %service,
        "what asks sops for data keys has failed, which is a fault of the vault: what it was asked is asked again by another"
    );
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
            if let Some(Job { environment, request, reply, .. }) = turns.next() {
                reply.give(self.answer(environment, request).await);
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

#[cfg(test)]
mod tests {
    use super::super::{AllowList, grammar};
    use super::*;

    #[tokio::test]
    async fn what_a_worker_that_fails_was_asked_is_answered_and_another_takes_its_place() {
        let launch = Arc::new(Launch {
            host: "/no/such/host".into(),
            arguments: Vec::new(),
            program: "/no/such/sops".into(),
            variables: Vec::new(),
            folder: "/tmp".into(),
        });
        let (asker, mut jobs) = unbounded_channel();
        let (answered, mut answers) = unbounded_channel();
        let key = "hckms:r:1-2";
        let list = AllowList::parse(key).unwrap();
        let service = list.check(&grammar::entry(key).unwrap()).unwrap().service();
        let ask = |environment: &str, reply| {
            let environment = environment.parse().unwrap();
            let job = Job { origin: "app".into(), environment, request: vec![], reply };
            assert!(asker.send((service.clone(), job)).is_ok());
        };
        let reply = |number| {
            let answered = answered.clone();
            Reply::to(move |answer: Answer| answered.send((number, answer.unwrap_err())).unwrap())
        };
        let ask_all = async {
            ask("a", Reply::to(|_| panic!("a fault, on purpose")));
            ask("b", reply(1));
            assert_eq!(answers.recv().await.unwrap(), (1, KeyServiceError::Lost));
            ask("a", reply(2));
            let (number, error) = answers.recv().await.unwrap();
            assert!(number == 2 && matches!(error, KeyServiceError::Start(_)), "{error:?}");
        };
        tokio::select! {
            () = ask_all => {}
            () = hand_out(&launch, Deadlines::default(), &mut jobs) => panic!("it asks no more"),
        }
    }
}
