//! All objects of a kind, and each change of them.
//!
//! kube's own watcher keeps bookmarks to itself, which are all that an idle cluster says; so the
//! requests are made here, with a limit on how long each may be silent.

use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Error, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::ask::{ClusterError, ask};
use super::contact::Contact;

/// How many seconds the API server keeps a watch open; another one goes on from there.
const WATCH_SECONDS: u32 = 30;

/// How long a watch may be silent: it ends before, unless the connection is dead.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);

/// The pauses after failures in a row, the last for all further ones.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// How many objects a page of a list has.
const PAGE: u32 = 100;

/// What is seen of the objects of a kind.
pub enum Seen<K> {
    /// All that there are now.
    All(Vec<K>),
    /// One that is new or has changed.
    Applied(K),
    /// One that is gone.
    Deleted(K),
}

/// What to watch.
pub struct Watch<'a, K> {
    /// Where the objects are.
    pub api: Api<K>,
    /// A selector by labels.
    pub labels: Option<&'a str>,
    /// A selector by fields.
    pub fields: Option<&'a str>,
    /// What it is called where it fails: `secretaccesses.vanta.dev`.
    pub kind: &'a str,
    /// Learns when the API server was heard.
    pub contact: &'a Contact,
}

impl<K> Watch<'_, K>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    /// Watches until it is dropped. The first that is seen is all that there are.
    pub async fn run(&self, mut see: impl FnMut(Seen<K>)) -> Infallible {
        let mut version: Option<String> = None;
        let mut failures = 0;
        loop {
            let started = Instant::now();
            match self.follow(&mut version, &mut see).await {
                // A watch that was open for its time.
                Ok(()) if started.elapsed() > PAUSES[2] => failures = 0,
                Ok(()) => {
                    sleep(PAUSES[0]).await;
                }
                Err(failure) => {
                    // What could be watched for a while has not failed in a row.
                    failures = if started.elapsed() > SILENCE / 2 { 0 } else { failures };
                    // An API server that was set back does not say so in a way of its own.
                    if failure.stale || failures > 1 {
                        version = None;
                    }
                    // Who has nothing new to hear for long is told so, and only lists again. Again
                    // and again would be another matter.
                    if !failure.expired || failures > 1 {
                        self.contact.failed(&failure.text);
                    }
                    sleep(PAUSES[failures.min(PAUSES.len() - 1)]).await;
                    failures += 1;
                }
            }
        }
    }

    /// Lists where nothing is known to go on from, then watches until the API server ends it.
    async fn follow(
        &self,
        version: &mut Option<String>,
        see: &mut impl FnMut(Seen<K>),
    ) -> Result<(), Failure> {
        let at = match version.take() {
            Some(at) => at,
            None => self.list(see).await?,
        };
        let at = version.insert(at);
        let mut params = WatchParams::default().timeout(WATCH_SECONDS);
        params.label_selector = self.labels.map(str::to_owned);
        params.field_selector = self.fields.map(str::to_owned);
        let what = format!("watch {}", self.kind);
        let mut events = pin!(ask(&what, self.api.watch(&params, at)).await?);
        self.contact.heard();
        loop {
            let event = timeout(SILENCE, events.next()).await;
            let event = event.map_err(|_| ClusterError::silent_for(&what, SILENCE))?;
            let Some(event) = event else { return Ok(()) };
            match event.map_err(|error| ClusterError::new(&what, error))? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    Self::advance(at, &object);
                    see(Seen::Applied(object));
                }
                WatchEvent::Deleted(object) => {
                    Self::advance(at, &object);
                    see(Seen::Deleted(object));
                }
                WatchEvent::Bookmark(bookmark) => *at = bookmark.metadata.resource_version,
                WatchEvent::Error(status) => {
                    return Err(ClusterError::new(&what, Error::Api(status)).into());
                }
            }
            self.contact.heard();
        }
    }

    /// Shows all objects of one moment, and gives that moment.
    async fn list(&self, see: &mut impl FnMut(Seen<K>)) -> Result<String, Failure> {
        let mut params = ListParams::default().limit(PAGE);
        params.label_selector = self.labels.map(str::to_owned);
        params.field_selector = self.fields.map(str::to_owned);
        let what = format!("list {}", self.kind);
        let mut objects = Vec::new();
        loop {
            let page = ask(&what, self.api.list(&params)).await?;
            objects.extend(page.items);
            let more = page.metadata.continue_.filter(|token| !token.is_empty());
            if more.is_some() {
                params.continue_token = more;
                continue;
            }
            let version = page.metadata.resource_version.filter(|version| !version.is_empty());
            let text = format!("to {what}: the answer has no resourceVersion");
            let version = version.ok_or(Failure { text, stale: true, expired: false })?;
            see(Seen::All(objects));
            // Not before: what is heard counts as news, and it was not seen until now.
            self.contact.heard();
            return Ok(version);
        }
    }

    fn advance(at: &mut String, object: &K) {
        if let Some(version) = &object.meta().resource_version {
            at.clone_from(version);
        }
    }
}

/// Why watching ended before its time.
struct Failure {
    text: String,
    /// Whether all objects have to be listed again.
    stale: bool,
    /// Whether that is so because too much time went by, as it ordinarily does.
    expired: bool,
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        // What is too old to go on from, and what was not understood and would come again.
        let stale = match &error {
            ClusterError::Refused { status, .. } => matches!(status.code, 400 | 404 | 410),
            ClusterError::NotUnderstood { .. } => true,
            ClusterError::NoCredentials { .. } | ClusterError::Silent { .. } => false,
        };
        Self { text: error.to_string(), stale, expired: error.code() == Some(410) }
    }
}
