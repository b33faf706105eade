//! How it stands with each thing that readiness depends on, in words.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is wrong with something, where anything is; in the beginning it is only not known.
#[derive(Debug)]
pub(super) struct Check {
    wrong: Mutex<Option<String>>,
    /// Whether it was right once, from when on the webhooks can be answered.
    was_right: Mutex<bool>,
}

impl Check {
    fn new(beginning: &str) -> Self {
        Self { wrong: Mutex::new(Some(beginning.to_owned())), was_right: Mutex::new(false) }
    }

    pub(super) fn set(&self, wrong: Option<String>) {
        let mut was_right = self.was_right.lock().unwrap_or_else(PoisonError::into_inner);
        *was_right |= wrong.is_none();
        *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = wrong;
    }

    fn text(&self) -> String {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.clone().unwrap_or_else(|| "ok".to_owned())
    }

    fn was_right(&self) -> bool {
        *self.was_right.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.certificates.was_right() && self.webhook.was_right() && self.running.text() == "ok"
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
}
