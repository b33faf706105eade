//! How it stands with each thing that readiness depends on, in words.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a failure that lasts is logged again.
const REMIND: Duration = Duration::from_mins(1);

/// What is wrong with something, where anything is; in the beginning it is only not known.
#[derive(Debug)]
pub(super) struct Check(Mutex<State>);

#[derive(Debug)]
struct State {
    wrong: Option<String>,
    /// Whether it was right once, from when on the webhooks can be answered.
    was_right: bool,
    /// When what is wrong was last to be logged.
    told: Option<Instant>,
}

impl Check {
    fn new(beginning: &str) -> Self {
        let wrong = Some(beginning.to_owned());
        Self(Mutex::new(State { wrong, was_right: false, told: None }))
    }

    /// Takes down what is wrong now, and says whether that is to be logged: where it is another
    /// thing than before, and each minute.
    pub(super) fn set(&self, wrong: Option<String>) -> bool {
        self.with(|state| {
            let is_told = state.told.is_some_and(|told| told.elapsed() < REMIND);
            let is_news = wrong.is_some() && (state.wrong != wrong || !is_told);
            if is_news {
                state.told = Some(Instant::now());
            }
            state.was_right |= wrong.is_none();
            state.wrong = wrong;
            is_news
        })
    }

    fn is_right(&self) -> bool {
        self.with(|state| state.wrong.is_none())
    }

    fn was_right(&self) -> bool {
        self.with(|state| state.was_right)
    }

    fn text(&self) -> String {
        self.with(|state| state.wrong.clone()).unwrap_or_else(|| "ok".to_owned())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All checks.
#[derive(Debug)]
pub(super) struct Standing {
    /// The certificates are as they should be.
    pub(super) certificates: Check,
    /// The API server knows the authority.
    pub(super) webhook: Check,
    /// The namespaces have the authority.
    pub(super) config_maps: Check,
    /// The program goes on.
    pub(super) running: Check,
}

impl Default for Standing {
    fn default() -> Self {
        let standing = Self {
            certificates: Check::new("there is no certificate yet"),
            webhook: Check::new("caBundle is not written yet"),
            config_maps: Check::new("the namespaces are not known yet"),
            running: Check::new("the program starts"),
        };
        standing.running.set(None);
        standing
    }
}

impl Standing {
    /// Whether pods can be looked at. What was right once stays good enough: the certificate
    /// serves on, and other replicas may stand no better.
    pub(super) fn is_ready(&self) -> bool {
        self.certificates.was_right() && self.webhook.was_right() && self.running.is_right()
    }

    /// Each check, `ok` or what is wrong.
    pub(super) fn shown(&self) -> BTreeMap<&'static str, String> {
        [
            ("certificates", self.certificates.text()),
            ("config_maps", self.config_maps.text()),
            ("running", self.running.text()),
            ("webhook", self.webhook.text()),
        ]
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once_there_is_a_certificate_that_the_api_server_trusts() {
        let standing = Standing::default();
        standing.certificates.set(None);
        assert!(!standing.is_ready());
        standing.webhook.set(None);
        assert!(standing.is_ready());
        standing.certificates.set(Some("the API server is away".to_owned()));
        assert!(standing.is_ready(), "what was served before is served on");
        assert_eq!(standing.shown()["certificates"], "the API server is away");
        standing.running.set(Some("it ends".to_owned()));
        assert!(!standing.is_ready());
    }

    #[test]
    fn what_stays_wrong_is_no_news() {
        let check = Check::new("it is not known yet");
        let away = || Some("the API server is away".to_owned());
        assert_eq!([check.set(away()), check.set(away())], [true, false]);
        assert!(check.set(Some("it refuses".to_owned())));
        assert!(!check.set(None));
        assert!(check.set(away()), "it was right meanwhile");
    }
}
