//! Where questions are worked on: beside the tasks that serve, which so go on whatever is asked.
//!
//! Invariant: as many questions are worked on at once as there are CPUs, and a bounded number waits
//! for that; whoever goes away while its question is worked on frees no place for another.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;

/// How many questions may wait for each CPU.
const WAITING_FOR_EACH: usize = 32;

/// How long one waits; the API server asks for an answer in five seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why a question is not worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WorkError {
    #[error("too many questions wait for their answers: ask again")]
    Overloaded,
    #[error("the question could not be answered, by a mistake of the injector")]
    Failed,
}

/// The places for questions.
#[derive(Debug)]
pub(super) struct Workers {
    /// Of those that wait or are worked on.
    places: Arc<Semaphore>,
    /// Of those that are worked on.
    turns: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        let at_once = available_parallelism().map_or(1, usize::from);
        Self::new(at_once, at_once * WAITING_FOR_EACH)
    }
}

impl Workers {
    fn new(at_once: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_once + waiting)),
            turns: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Does what may take long, in its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        self.run_within(TIMEOUT, work).await
    }

    async fn run_within<T: Send + 'static>(
        &self,
        time: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let place =
            Arc::clone(&self.places).try_acquire_owned().map_err(|_| WorkError::Overloaded)?;
        let turn = tokio::time::timeout(time, Arc::clone(&self.turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(WorkError::Overloaded) };
        let work = move || {
            let _held = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| WorkError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use tokio::task::JoinHandle;

    use super::*;

    /// Work that goes on until something is sent.
    fn long(workers: &Arc<Workers>) -> (Sender<()>, JoinHandle<Result<(), WorkError>>) {
        let (end, ended) = channel();
        let workers = Arc::clone(workers);
        let work = async move { workers.run(move || ended.recv().unwrap()).await };
        (end, tokio::spawn(work))
    }

    /// Lets each task go as far as it can.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_too_much_is_turned_away_at_once_and_nothing_else_is_held_up() {
        let workers = Arc::new(Workers::new(1, 1));
        let (end_first, first) = long(&workers);
        settle().await;
        let (end_second, second) = long(&workers);
        settle().await;
        // This task runs on the only thread that serves, while the first is worked on.
        assert!(!first.is_finished());
        assert_eq!(workers.run(|| ()).await, Err(WorkError::Overloaded));
        end_first.send(()).unwrap();
        first.await.unwrap().unwrap();
        end_second.send(()).unwrap();
        second.await.unwrap().unwrap();
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn whoever_goes_away_keeps_its_turn_until_its_work_is_done() {
        let workers = Arc::new(Workers::new(1, 1));
        let (end, gone) = long(&workers);
        settle().await;
        gone.abort();
        settle().await;
        let next = workers.run_within(Duration::from_millis(1), || ()).await;
        assert_eq!(next, Err(WorkError::Overloaded));
        end.send(()).unwrap();
        workers.run(|| ()).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_is_told_of_and_frees_its_turn() {
        let workers = Workers::new(1, 0);
        assert_eq!(workers.run(|| panic!("a mistake")).await, Err::<(), _>(WorkError::Failed));
        workers.run(|| ()).await.unwrap();
    }
}
