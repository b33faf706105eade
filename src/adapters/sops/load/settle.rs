//! What becomes of an environment that was looked at: what is served of it, and what is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::authorship::Alarm;
use super::super::candidate::Opened;
use super::super::refusal::Refusal;
use super::super::report::{Failed, Loaded, RefreshReport};
use super::super::store::StoreOptions;
use super::{Awaited, Looked, Read, Seen, Slot, Version};
use crate::domain::history::Served;
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;

/// How an environment is of which nothing is known yet.
const AWAITED: &str = "sops is being asked for the data key";

/// One environment that was looked at, and what is to become of it.
pub(in super::super) struct Settle<'a> {
    pub(in super::super) options: &'a StoreOptions,
    /// When the look at all environments began.
    pub(in super::super) now: Instant,
    pub(in super::super) environment: &'a Environment,
    /// The number of the version, where there is a new one.
    pub(in super::super) number: u64,
    pub(in super::super) slot: &'a mut Slot,
    pub(in super::super) report: &'a mut RefreshReport,
    /// What is to be remembered of all environments.
    pub(in super::super) served: &'a mut Vec<Served>,
}

impl Settle<'_> {
    /// Applies what came of the look.
    pub(in super::super) fn with(self, looked: Looked) -> Seen {
        match looked {
            Looked::Unchanged(mut seen) => {
                if let Some(place) = seen.place.take().filter(|_| self.slot.error.is_none()) {
                    let environment = self.environment.clone();
                    self.served.push(Served { environment, mark: None, data_key: None, place });
                }
                if let Some(awaited) = seen.awaited {
                    self.wait(awaited);
                }
                *seen
            }
            Looked::Read(read) => self.with_read(*read),
        }
    }

    fn with_read(self, read: Read) -> Seen {
        let Read { sources, around, digest, settled, loaded, refused_since, claim, .. } = read;
        let (last_answer, before) = (read.last_answer, read.awaited_before);
        let refusal = loaded.as_ref().err();
        let awaited = refusal.is_some_and(|refusal| refusal.awaited).then(|| Awaited {
            since: before.map_or_else(Instant::now, |before| before.since),
            last_answer,
        });
        let refused_since = match refusal {
            None => None,
            // It is none yet: whoever rewrites the file again and again gains no time by it.
            Some(Refusal { awaited: true, .. }) => refused_since,
            Some(_) => Some(refused_since.unwrap_or(self.now)),
        };
        let grace_ends = refusal.and_then(|refusal| Some(refused_since? + self.grace(refusal)));
        let waits = self.slot.version.is_some() && grace_ends.is_some_and(|end| self.now < end);
        let rest = refusal.map(|refusal| refusal.rest).filter(|rest| !rest.is_zero());
        let rests_until = rest.map(|rest| Instant::now() + rest);
        let rests_until = match grace_ends.filter(|_| waits) {
            Some(end) => rests_until.map(|rest| rest.min(end)),
            None => rests_until,
        };
        // What may pass by itself is tried again at the next refresh.
        let passing = waits || refusal.is_some_and(|refusal| refusal.passing);
        if let Some(awaited) = awaited {
            self.wait(awaited);
        } else if !waits {
            self.apply(loaded);
        }
        let (digest, settled) = if passing { (None, false) } else { (digest, settled) };
        Seen {
            sources,
            around,
            digest,
            settled,
            rests_until,
            awaited,
            refused_since,
            claim,
            place: None,
        }
    }

    /// How long what is served is left as it is without a word: a file that is written where it
    /// stands is half there for a moment, and may be there before its signature is.
    fn grace(&self, refusal: &Refusal) -> Duration {
        match refusal.alarm {
            // No file is on its way: they are wrong for all environments.
            Alarm::Signature if refusal.of_signers => Duration::ZERO,
            Alarm::Signature => self.options.authorship.signature_grace,
            Alarm::Refused | Alarm::Rollback | Alarm::Environment => self.options.settling,
        }
    }

    /// Leaves what is served as it is, until sops has answered. That this takes long is told.
    fn wait(self, awaited: Awaited) {
        let patience = self.options.key_service.as_ref().map(|service| service.patience());
        let patience = patience.unwrap_or_default();
        if awaited.since.elapsed() >= patience {
            let seconds = patience.as_secs();
            self.apply(Err(Refusal::lasting(format!("sops has been asked for the data key for more than {seconds} s: look at whether it reaches the services of the file's keys, and how many keys the file lists; the file is opened once the data key is there"))));
            return;
        }
        let Self { environment, slot, report, .. } = self;
        if slot.version.is_none() && slot.error.is_none() {
            slot.error = Some((FileFault::Awaited, AWAITED.to_owned()));
            report.awaited.push(environment.clone());
        }
    }

    /// Puts what was loaded in the place of what is served, or writes down why not.
    fn apply(self, loaded: Result<Opened, Refusal>) {
        let Self { options, environment, number, slot, report, served, .. } = self;
        match loaded {
            Ok(Opened { file, warnings, alarm, signer, mark, place, .. }) => {
                let compares = options.authorship.leaf.compares_data_keys();
                let data_key = compares.then(|| file.data_key_code());
                served.push(Served { environment: environment.clone(), mark, data_key, place });
                let keys = file.keys().count();
                report.loaded.push(Loaded {
                    environment: environment.clone(),
                    keys,
                    warnings,
                    alarm: alarm.clone(),
                    signer,
                });
                let version = Some(Arc::new(Version { file, keys, number }));
                *slot = Slot { version, error: None, served_alarm: alarm.clone(), alarm };
            }
            Err(Refusal { reason, fault, alarm, .. }) => {
                let error = (fault, reason);
                if slot.error.as_ref() != Some(&error) {
                    report.failed.push(Failed {
                        environment: environment.clone(),
                        fault,
                        alarm,
                        reason: error.1.clone(),
                        serves_earlier: slot.version.is_some(),
                    });
                }
                slot.alarm = Some((alarm, error.1.clone()));
                slot.error = Some(error);
            }
        }
    }
}
