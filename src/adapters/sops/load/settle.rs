//! What becomes of an environment that was looked at: what is served of it, and what is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::candidate::Opened;
use super::super::refusal::{Grace, Outlook, Refusal};
use super::super::report::{Failed, Loaded, RefreshReport};
use super::super::store::StoreOptions;
use super::{Awaited, Looked, Read, Seen, Slot, Spell, Unserved, Version};
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
                if let Some(place) = seen.place.take().filter(|_| self.slot.unserved.is_none()) {
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

    fn with_read(mut self, read: Read) -> Seen {
        let Read { sources, around, digest, settled, loaded, claim, .. } = read;
        let (last_answer, before) = (read.last_answer, read.awaited_before);
        let outlook = loaded.as_ref().err().map(|refusal| refusal.outlook);
        let awaited = (outlook == Some(Outlook::Awaited)).then(|| Awaited {
            since: before.map_or_else(Instant::now, |before| before.since),
            last_answer,
        });
        let (spell, silent_until) = self.spell(&loaded, read.spell);
        let rests_until = match outlook {
            Some(Outlook::Passing { rest }) if !rest.is_zero() => Some(Instant::now() + rest),
            _ => None,
        };
        let rests_until = match silent_until {
            Some(end) => rests_until.map(|rest| rest.min(end)),
            None => rests_until,
        };
        // What may pass by itself is tried again at the next refresh.
        let lasts = silent_until.is_none() && outlook.is_none_or(|of| of == Outlook::Lasting);
        if let Some(awaited) = awaited {
            self.wait(awaited);
        } else if silent_until.is_none() {
            self.apply(loaded);
        }
        let (digest, settled) = if lasts { (digest, settled) } else { (None, false) };
        Seen { sources, around, digest, settled, rests_until, awaited, spell, claim, place: None }
    }

    /// That no version is good, where none is, and until when nothing is said of that. What is over
    /// before anything was is reported.
    fn spell(
        &mut self,
        loaded: &Result<Opened, Refusal>,
        before: Option<Spell>,
    ) -> (Option<Spell>, Option<Instant>) {
        let refusal = match loaded {
            Ok(_) => {
                let brief = before.and_then(|spell| spell.brief(self.environment));
                self.report.brief.extend(brief);
                return (None, None);
            }
            // It is none yet: whoever rewrites the file again and again gains no time by it.
            Err(Refusal { outlook: Outlook::Awaited, .. }) => return (before, None),
            Err(refusal) => refusal,
        };
        let spell = before.unwrap_or(Spell { since: self.now, untold: None });
        let since = spell.since;
        let end = since + self.grace(refusal.grace);
        if self.slot.version.is_some() && self.now < end {
            let found = (refusal.alarm, refusal.reason.clone());
            let untold = match spell.untold {
                Some(graver) if graver.0 > found.0 => graver,
                _ => found,
            };
            return (Some(Spell { since, untold: Some(untold) }), Some(end));
        }
        // What is told now tells of all before it that was the same.
        let brief = spell.brief(self.environment).filter(|brief| brief.alarm != refusal.alarm);
        self.report.brief.extend(brief);
        (Some(Spell { since, untold: None }), None)
    }

    /// How long what is served is left as it is without a word: a file that is written where it
    /// stands is half there for a moment, and may be there before its signature is.
    fn grace(&self, grace: Grace) -> Duration {
        match grace {
            Grace::None => Duration::ZERO,
            Grace::Settling => self.options.settling,
            Grace::Signature => self.options.authorship.signature_grace,
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
        if slot.version.is_none() && slot.unserved.is_none() {
            let (fault, reason) = (FileFault::Awaited, AWAITED.to_owned());
            slot.unserved = Some(Unserved { fault, alarm: None, reason });
            report.awaited.push(environment.clone());
        }
    }

    /// Puts what was loaded in the place of what is served, or writes down why not.
    fn apply(self, loaded: Result<Opened, Refusal>) {
        let Self { options, environment, number, slot, report, served, .. } = self;
        match loaded {
            Ok(Opened { file, origin, warnings, alarm, signer, mark, place, .. }) => {
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
                let version = Some(Arc::new(Version { file, keys, origin, alarm, number }));
                *slot = Slot { version, unserved: None };
            }
            Err(Refusal { reason, fault, alarm, .. }) => {
                let unserved = Unserved { fault, alarm: Some(alarm), reason };
                if slot.unserved.as_ref() != Some(&unserved) {
                    report.failed.push(Failed {
                        environment: environment.clone(),
                        fault,
                        alarm,
                        reason: unserved.reason.clone(),
                        serves_earlier: slot.version.is_some(),
                    });
                }
                slot.unserved = Some(unserved);
            }
        }
    }
}
