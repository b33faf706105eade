//! What a caller prefers (RFC 7240): for how long an answer may be waited for.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The longest wait. What is between a client and the vault often ends what is silent for longer.
const LONGEST: u64 = 60;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The wait that is preferred and taken up, of at most [`LONGEST`] seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preferred {
    seconds: u64,
}

impl Preferred {
    /// `wait` in seconds (RFC 7240 section 4.3). One that is no number is ignored, as are all other
    /// preferences; of several that are given, the first counts (section 2). No wait is none.
    pub(super) fn wait(headers: &HeaderMap) -> Option<Self> {
        let given = headers.get_all(PREFER).iter().filter_map(|given| given.to_str().ok());
        let mut preferences = given.flat_map(split).filter_map(|preference| {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim())
        });
        let value = preferences.next()?;
        let value =
            value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than fit are a long wait all the same.
        let seconds = digits.then(|| value.parse().unwrap_or(LONGEST).min(LONGEST))?;
        (seconds > 0).then_some(Self { seconds })
    }

    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Says in an answer that the preference was taken up (RFC 7240 section 3).
    pub(super) fn applied(self, headers: &mut HeaderMap) {
        let value = HeaderValue::from_str(&format!("wait={}", self.seconds));
        headers.insert(PREFERENCE_APPLIED, value.expect("digits are a header's value"));
    }
}

/// The preferences of one header, between whose quotation marks a comma separates nothing.
fn split(header: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    header.split(move |sign| {
        quoted ^= sign == '"';
        sign == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(given: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append(PREFER, value.parse().unwrap());
        }
        Preferred::wait(&headers).map(|preferred| preferred.seconds)
    }

    #[test]
    fn a_wait_is_taken_up_whatever_else_is_preferred_and_bounded() {
        for given in ["wait=55", "Wait = \"55\"", "respond-async, wait=55", "wait=55; x=1"] {
            assert_eq!(seconds(&[given]), Some(55), "{given}");
        }
        assert_eq!(seconds(&["a=\"b, wait=1\"", "wait=2", "wait=3"]), Some(2));
        for long in ["wait=61", "wait=86400", "wait=99999999999999999999999"] {
            assert_eq!(seconds(&[long]), Some(60), "{long}");
        }
    }

    #[test]
    fn a_wait_that_is_none_is_ignored() {
        for bad in ["", "wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", "wait=0", "waiting=5"]
        {
            assert_eq!(seconds(&[bad]), None, "{bad}");
        }
        assert_eq!(seconds(&["wait=soon, wait=5"]), None, "only the first counts");
        assert_eq!(seconds(&[]), None);
    }
}
