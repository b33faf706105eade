//! Jobs that wait, in a queue for each environment of each origin: origins are served in turn, and
//! in each of them its environments. So one with many jobs holds back another by one job at a time,
//! and a ConfigMap with many environments another ConfigMap.

use std::collections::VecDeque;
use std::sync::Arc;

use super::worker::Job;
use crate::domain::names::Environment;

/// The queues that hold something, the next in turn first.
#[derive(Default)]
pub(super) struct Turns(Queues<Arc<str>, Queues<Environment, VecDeque<Job>>>);

/// Queues by what they are of.
type Queues<K, Q> = VecDeque<(K, Q)>;

impl Turns {
    /// Adds a job behind the others of its environment and its origin.
    pub(super) fn add(&mut self, job: Job) {
        let of_origin = queue(&mut self.0, &job.origin);
        queue(of_origin, &job.environment).push_back(job);
    }

    /// Takes the next job. Its origin's turn comes again after all others', and in it that of its
    /// environment.
    pub(super) fn next(&mut self) -> Option<Job> {
        let (origin, mut environments) = self.0.pop_front()?;
        let (environment, mut jobs) = environments.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            environments.push_back((environment, jobs));
        }
        if !environments.is_empty() {
            self.0.push_back((origin, environments));
        }
        job
    }
}

/// The queue of something, which is the last where there was none.
fn queue<'a, K: Clone + PartialEq, Q: Default>(queues: &'a mut Queues<K, Q>, of: &K) -> &'a mut Q {
    let at = queues.iter().position(|(known, _)| known == of).unwrap_or_else(|| {
        queues.push_back((of.clone(), Q::default()));
        queues.len() - 1
    });
    &mut queues[at].1
}

#[cfg(test)]
mod tests {
    use super::super::worker::Reply;
    use super::*;

    /// The numbers of jobs in the order in which they are served.
    fn served<'a>(jobs: impl IntoIterator<Item = (&'a str, &'a str, u8)>) -> Vec<u8> {
        let mut turns = Turns::default();
        for (origin, environment, number) in jobs {
            let (origin, environment) = (origin.into(), environment.parse().unwrap());
            turns.add(Job { origin, environment, request: vec![number], reply: Reply::to(drop) });
        }
        std::iter::from_fn(|| turns.next()).map(|job| job.request[0]).collect()
    }

    #[test]
    fn an_environment_with_many_jobs_waits_after_each_for_the_others() {
        let jobs = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)];
        assert_eq!(served(jobs.map(|(of, number)| ("all", of, number))), [1, 4, 5, 2, 6, 3]);
        assert_eq!(served(jobs.map(|(of, number)| (of, of, number))), [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn a_config_map_with_many_environments_waits_after_each_for_other_config_maps() {
        let names: Vec<String> = (0..200).map(|at| format!("e{at}")).collect();
        let many = names.iter().map(|name| ("evil", name.as_str(), 0));
        let served = served(many.chain([("app", "prod", 1), ("app", "stage", 2)]));
        assert_eq!(served[..5], [0, 1, 0, 2, 0]);
        assert_eq!(served.len(), 202);
    }
}
