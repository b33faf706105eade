//! Jobs that wait, each environment's in a queue of its own: they are served in turn, so that one
//! with many holds back another by one job at a time.

use std::collections::VecDeque;

use super::worker::Job;
use crate::domain::names::Environment;

/// The queues that hold something, the next in turn first.
#[derive(Default)]
pub(super) struct Turns(VecDeque<(Environment, VecDeque<Job>)>);

impl Turns {
    /// Adds a job behind the others of its environment.
    pub(super) fn add(&mut self, job: Job) {
        match self.0.iter_mut().find(|(environment, _)| *environment == job.environment) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.0.push_back((job.environment.clone(), VecDeque::from([job]))),
        }
    }

    /// Takes the next job; its environment's turn comes again after all others'.
    pub(super) fn next(&mut self) -> Option<Job> {
        let (environment, mut jobs) = self.0.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.0.push_back((environment, jobs));
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use super::super::worker::Reply;
    use super::*;

    #[test]
    fn an_environment_with_many_jobs_waits_after_each_for_the_others() {
        let mut turns = Turns::default();
        for (environment, number) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)] {
            let environment = environment.parse().unwrap();
            let job = Job { environment, request: vec![number], reply: Reply::to(drop) };
            turns.add(job);
        }
        let served: Vec<u8> =
            std::iter::from_fn(|| turns.next()).map(|job| job.request[0]).collect();
        assert_eq!(served, [1, 4, 5, 2, 6, 3]);
    }
}
