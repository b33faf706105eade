//! How things stand, said where people look: the status file at once, the log once for each change
//! and every minute while something is wrong.

use std::time::{Duration, Instant};

use serde_json::json;

use super::log::{Level, log};
use super::status::{Standing, StatusFile};

/// So often is the log told of what is wrong still.
const AGAIN: Duration = Duration::from_mins(1);

/// What says how things stand.
pub(super) struct Voice {
    status: StatusFile,
    said: Option<(Standing, Instant)>,
}

impl Voice {
    pub(super) fn new(status: StatusFile) -> Self {
        Self { status, said: None }
    }

    /// Says it, where that is news or was not said for a while.
    pub(super) fn say(&mut self, level: Level, standing: &Standing) {
        let before = self.said.as_ref();
        let is_news = before.is_none_or(|(said, _)| said != standing);
        if is_news && let Err(error) = self.status.say(standing) {
            let message = format!("the status file cannot be written: {error}");
            log(Level::Error, &message, json!({}));
        }
        if is_news || before.is_none_or(|(_, at)| at.elapsed() >= AGAIN) {
            self.tell_log(level, standing);
            self.said = Some((standing.clone(), Instant::now()));
        }
    }

    fn tell_log(&self, level: Level, standing: &Standing) {
        let was_wrong = self.said.as_ref().is_some_and(|(said, _)| match said {
            Standing::Ready(reasons) => !reasons.is_empty(),
            Standing::Waiting(_) | Standing::Ended(_) => false,
        });
        let (message, reasons) = match standing {
            Standing::Ready(reasons) if reasons.is_empty() => {
                if was_wrong {
                    log(Level::Info, "all is well again", json!({}));
                }
                return;
            }
            Standing::Ready(reasons) => ("the files may be out of date", reasons),
            Standing::Waiting(reasons) => ("waiting", reasons),
            Standing::Ended(reasons) => ("giving up", reasons),
        };
        log(level, &format!("{message}: {}", reasons.join("; ")), json!({}));
    }
}
