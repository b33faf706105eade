//! Signs the head of the chain every so often, where it moved.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::AuditLog;
use crate::adapters::audit::signing::SigningKey;
use crate::domain::checkpoint::{Checkpoint, Head};
use crate::domain::record::Link;

/// How often the head is signed.
const PERIOD: Duration = Duration::from_secs(10);

/// Makes the checkpoints of one log. It does not keep the log open.
pub struct Checkpointer {
    key: SigningKey,
    replica: String,
    head: watch::Receiver<Link>,
    ticks: Interval,
    signed: Option<Link>,
}

impl Checkpointer {
    /// Signs the log's heads with the key of this seed.
    pub fn new(log: &AuditLog, seed: &[u8; 32]) -> Self {
        Self::every(PERIOD, log, seed)
    }

    fn every(period: Duration, log: &AuditLog, seed: &[u8; 32]) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            key: SigningKey::new(seed),
            replica: log.replica().to_owned(),
            head: log.head(),
            ticks,
            signed: None,
        }
    }

    /// The next checkpoint, once the head has moved and it is time. Nothing is lost where the wait
    /// is given up.
    pub async fn next(&mut self) -> Checkpoint {
        loop {
            self.ticks.tick().await;
            if let Some(checkpoint) = self.now() {
                return checkpoint;
            }
        }
    }

    /// The checkpoint of this moment, where the head moved since the last one.
    pub fn now(&mut self) -> Option<Checkpoint> {
        let head = self.head.borrow().clone();
        if head.sequence() == 0 || self.signed.as_ref() == Some(&head) {
            return None;
        }
        self.signed = Some(head.clone());
        Some(self.key.sign(Head {
            replica: self.replica.clone(),
            sequence: head.sequence(),
            hash: head.hash().to_owned(),
            time: Timestamp::now(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::audit::signature_holds;
    use crate::domain::record::{Event, Outcome, Record};

    #[tokio::test]
    async fn a_head_is_signed_once_and_again_when_it_moved() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(folder.path(), "r").unwrap();
        let mut checkpointer = Checkpointer::every(Duration::from_millis(1), &log, &[1; 32]);
        assert_eq!(checkpointer.now(), None, "there is no entry yet");
        for sequence in 1..=2 {
            let record = Record::new(Timestamp::now(), Event::Read, Outcome::Granted);
            log.append(record).await.unwrap();
            let checkpoint = checkpointer.next().await;
            assert_eq!(checkpoint.head.sequence, sequence);
            assert!(signature_holds(&checkpoint));
            assert_eq!(checkpointer.now(), None, "the head did not move");
        }
    }
}
