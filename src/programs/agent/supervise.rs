//! The one thread that knows all: it takes what the others see, lays down the files, and says how
//! things stand. It never waits for the vault itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::config::Config;
use super::grants::Grants;
use super::lay::Files;
use super::log::{Level, log};
use super::question::Question;
use super::say::Voice;
use super::status::{Standing, StatusFile};
use super::trace::Tracer;
use super::trouble::{Kind, Trouble};
use super::vault::Vault;
use super::watch::{Scope, Seen, follow};
use crate::adapters::files::SecretsFolder;
use crate::adapters::process::Status;
use crate::contract::api::access::AccessList;
use crate::domain::pod::AgentMode;

/// After so long what could not be laid down is tried again.
const LAY_AGAIN: Duration = Duration::from_secs(5);
/// It rests no longer than this, so that what is wrong still is said again.
const AT_MOST: Duration = Duration::from_secs(30);

/// What the other threads tell.
enum Event {
    /// What is granted, as it was asked at this moment.
    Access(Instant, Result<AccessList, Trouble>),
    /// What was seen of one grant's values, while this switch was on.
    Values(String, Seen, Arc<AtomicBool>),
}

/// Keeps the files fresh; in init mode, until they are there or the budget is used up, which the
/// exit code says.
pub(super) fn supervise(
    config: Config,
    folder: SecretsFolder,
    status: StatusFile,
    tracer: Option<Arc<Tracer>>,
) -> Status {
    let (tell, events) = channel();
    let named = config.access.iter().map(ToString::to_string).collect();
    Supervisor {
        vault: Arc::new(Vault::new(&config, tracer)),
        grants: Grants::new(named, config.on_revoke),
        files: Files::new(folder),
        voice: Voice::new(status),
        deadline: (config.mode == AgentMode::Init).then(|| Instant::now() + config.start_up_budget),
        config,
        tell,
        file_troubles: Vec::new(),
        unlaid: false,
        is_whole: false,
        ready: false,
        question: Question::new(Instant::now()),
    }
    .run(&events)
}

struct Supervisor {
    config: Config,
    vault: Arc<Vault>,
    grants: Grants,
    files: Files,
    voice: Voice,
    tell: Sender<Event>,
    /// When init mode gives up.
    deadline: Option<Instant>,
    file_troubles: Vec<Trouble>,
    /// Whether the files may have to be laid down anew.
    unlaid: bool,
    /// Whether all that is known is in the files.
    is_whole: bool,
    ready: bool,
    question: Question,
}

impl Supervisor {
    fn run(mut self, events: &Receiver<Event>) -> Status {
        let is_sidecar = self.config.mode == AgentMode::Sidecar;
        // The files of an agent before this one: what was ready stays so while the vault is away.
        self.ready = is_sidecar && self.files.are_kept();
        loop {
            self.settle();
            if self.ready && !is_sidecar {
                return Status::Done;
            }
            let now = Instant::now();
            if let Some(deadline) = self.deadline
                && deadline <= now
            {
                return self.give_up();
            }
            if self.question.is_due(now) {
                self.ask();
            }
            self.take_events(events, self.rest(now));
        }
    }

    /// Lays down what may have changed, and says how things stand then.
    fn settle(&mut self) {
        if self.unlaid && self.grants.are_known() {
            let outcome = self.files.lay(&self.grants);
            for key in outcome.given_way {
                self.grants.forget(&key);
            }
            self.unlaid = !outcome.troubles.is_empty();
            self.is_whole = outcome.is_whole;
            self.file_troubles = outcome.troubles;
        }
        let lacking = self.lacking();
        if !self.ready && self.is_whole && lacking.is_empty() {
            self.ready = true;
            log(Level::Info, "the files are ready", json!({}));
        }
        if !self.ready {
            let level = level(&lacking);
            return self.voice.say(level, &Standing::Waiting(texts(&lacking)));
        }
        if self.grants.are_known()
            && let Err(trouble) = self.files.keep()
        {
            self.unlaid = true;
            self.file_troubles.push(trouble);
        }
        let mut troubles = self.grants.troubles();
        troubles.extend(self.file_troubles.iter().cloned());
        self.voice.say(level(&troubles), &Standing::Ready(texts(&troubles)));
    }

    /// What keeps the pod from its start.
    fn lacking(&self) -> Vec<Trouble> {
        let mut lacking = self.grants.lacking();
        lacking.extend(self.file_troubles.iter().cloned());
        lacking
    }

    /// For how long nothing has to be done but what an event asks for.
    fn rest(&self, now: Instant) -> Duration {
        let again = (self.unlaid || !self.ready).then(|| now + LAY_AGAIN);
        let until = [self.question.next_at(), again, self.deadline].into_iter().flatten().min();
        until.map_or(AT_MOST, |until| until.saturating_duration_since(now).min(AT_MOST))
    }

    fn take_events(&mut self, events: &Receiver<Event>, wait: Duration) {
        match events.recv_timeout(wait) {
            Ok(event) => {
                self.take(event);
                // Values of several grants often come together, and so do their files.
                while let Ok(event) = events.try_recv() {
                    self.take(event);
                }
            }
            Err(RecvTimeoutError::Timeout) => self.unlaid |= !self.ready,
            Err(RecvTimeoutError::Disconnected) => unreachable!("one sender is our own"),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Access(at, answer) => self.take_access(at, answer),
            Event::Values(key, seen, while_on) => {
                if while_on.load(Ordering::Relaxed) {
                    let to_do = self.grants.see(&key, seen, self.files.laid());
                    self.unlaid |= to_do.lay;
                    if to_do.ask {
                        self.question.hurry(Instant::now());
                    }
                }
            }
        }
    }

    fn take_access(&mut self, at: Instant, answer: Result<AccessList, Trouble>) {
        match answer {
            Err(trouble) => self.grants.unanswered(trouble),
            Ok(list) => {
                let changes = self.grants.take(list, at, self.files.laid());
                for trouble in changes.withdrawn {
                    log(Level::Error, &trouble.text, json!({}));
                }
                for (key, scope, switch) in changes.follow {
                    self.follow(&key, scope, switch);
                }
                self.unlaid = true;
            }
        }
        self.question.answered(Instant::now(), self.grants.are_complete());
    }

    fn follow(&mut self, key: &str, scope: Scope, switch: Arc<AtomicBool>) {
        let tell = self.tell.clone();
        let of = key.to_owned();
        let started = follow(Arc::clone(&self.vault), scope, move |seen| {
            switch.load(Ordering::Relaxed)
                && tell.send(Event::Values(of.clone(), seen, Arc::clone(&switch))).is_ok()
        });
        if let Err(error) = started {
            log(Level::Error, &format!("{key} cannot be followed: {error}"), json!({}));
            // The next answer gives it again.
            self.grants.forget(key);
        }
    }

    /// Asks what is granted, in a thread of its own: the answer is an event.
    fn ask(&mut self) {
        let (vault, tell) = (Arc::clone(&self.vault), self.tell.clone());
        let ask = move || {
            let at = Instant::now();
            let access = vault.fetch("fetch grants", || vault.access());
            // Nobody listens to an agent that ends.
            let _ = tell.send(Event::Access(at, access));
        };
        if let Err(error) = thread::Builder::new().name("ask".to_owned()).spawn(ask) {
            let why = Trouble::temporary(format!("the vault cannot be asked: {error}"));
            self.take_access(Instant::now(), Err(why));
        }
    }

    fn give_up(&mut self) -> Status {
        let lacking = self.lacking();
        // What somebody has to do is said before what may pass.
        let worst = lacking.iter().map(|trouble| trouble.kind).max();
        let budget = self.config.start_up_budget.as_secs();
        let mut reasons = vec![format!("gave up after {budget} seconds")];
        reasons.extend(texts(&lacking));
        self.voice.say(Level::Error, &Standing::Ended(reasons));
        worst.map_or(Status::Temporary, Into::into)
    }
}

/// How much the worst of them matters.
fn level(troubles: &[Trouble]) -> Level {
    match troubles.iter().map(|trouble| trouble.kind).max() {
        None | Some(Kind::Underway) => Level::Info,
        Some(Kind::Temporary) => Level::Warn,
        Some(Kind::Configuration | Kind::Refused) => Level::Error,
    }
}

fn texts(troubles: &[Trouble]) -> Vec<String> {
    // Grants of one environment fail with one text.
    let mut seen = BTreeSet::new();
    let new = troubles.iter().filter(|trouble| seen.insert(&trouble.text));
    new.map(|trouble| trouble.text.clone()).collect()
}
