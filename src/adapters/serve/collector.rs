//! The way to a collector of traces: HTTP on the exporter's own thread, which alone waits for it.

use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;
use ureq::tls::Certificate;

use crate::adapters::files::read_text;
use crate::adapters::trust;

/// How long a collector may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes; what it says is of no use.
const MAX_ANSWER: u64 = 64 * 1024;

/// The longest file of authorities, in bytes.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// How often a failure that lasts is logged again.
const REMIND: Duration = Duration::from_mins(10);

type Sent<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

/// A collector, which may be away: what is for it is lost then.
#[derive(Debug)]
pub(super) struct Collector {
    agent: Agent,
    /// When a failure was last logged, while they last.
    told: Mutex<Option<Instant>>,
}

impl Collector {
    /// One whose certificate comes from an authority in this file (PEM), or without one from an
    /// authority that this system trusts. The error says what is wrong with the file.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let certificates = match ca_file {
            Some(file) => in_file(file)?,
            // Without any, only a collector that wants TLS is not reached.
            None => trust::of_the_system().unwrap_or_default(),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Headers that prove who exports are for whom the administrator named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .tls_config(trust::believing(certificates))
            .user_agent(concat!("vanta/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: config.build().into(), told: Mutex::default() })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, body.to_vec());
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        // Read, so that the connection serves again.
        let text = body.with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(parts, text.into()))
    }

    /// Logs the first of many failures, and that they are over. An error of the client names no
    /// header, which may hold a credential.
    fn tell(&self, wrong: Option<String>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match wrong {
            Some(reason) if told.is_none_or(|told| told.elapsed() >= REMIND) => {
                tracing::warn!(reason, "traces are lost: the collector does not take them");
                *told = Some(Instant::now());
            }
            Some(_) => {}
            None => {
                if told.take().is_some() {
                    tracing::info!("the collector takes traces again");
                }
            }
        }
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'sent>(&'a self, request: Request<Bytes>) -> Sent<'sent>
    where
        'a: 'sent,
        Self: 'sent,
    {
        // It blocks, which is right on the exporter's thread.
        let sent = self.send(request);
        self.tell(match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status().as_u16())),
            Err(error) => Some(error.to_string()),
        });
        Box::pin(std::future::ready(sent.map_err(HttpError::from)))
    }
}

fn in_file(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let path = file.display();
    let text = read_text(file, MAX_CA_BYTES).map_err(|error| format!("{path}: {error}"))?;
    trust::of_pem(text.as_bytes()).map_err(|why| format!("{path}: {why}"))
}
