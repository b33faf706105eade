//! The lines of the audit on standard output too, for whoever gathers logs.

use std::io::{self, Write as _};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

/// How many batches may wait for standard output.
const QUEUE: usize = 1024;

/// What goes to standard output, in a thread of its own: a reader that is slow or gone keeps
/// nobody from being answered. What it misses is told, and is in the audit itself.
#[derive(Clone)]
pub struct Stream {
    queue: SyncSender<String>,
}

impl Stream {
    /// Starts the thread, which ends with the last handle.
    pub fn start() -> io::Result<Self> {
        let (queue, texts) = sync_channel::<String>(QUEUE);
        std::thread::Builder::new().name("audit-stdout".to_owned()).spawn(move || {
            for text in texts {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
                if let Err(error) = written {
                    tracing::warn!(%error, "standard output takes no lines of the audit");
                }
            }
        })?;
        Ok(Self { queue })
    }

    /// Sends lines on their way.
    pub fn send(&self, lines: &[String]) {
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        if let Err(TrySendError::Full(_)) = self.queue.try_send(text) {
            let lines = lines.len();
            tracing::warn!(lines, "standard output is too slow for these lines of the audit");
        }
    }
}
