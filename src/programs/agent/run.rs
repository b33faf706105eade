//! From arguments to a running agent, and from a signal to its end.

use std::ffi::OsString;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::sys::stat::{Mode, umask};
use serde_json::json;

use super::config::{self, Config};
use super::log::{Level, log};
use super::status::{Standing, StatusFile, probe};
use super::supervise::supervise;
use super::trace::Tracer;
use crate::adapters::files::SecretsFolder;
use crate::adapters::process::Status;
use crate::adapters::process::Termination;
use crate::adapters::process::hardening::{close_to_others, forbid_core_dumps};
use crate::domain::pod::AgentMode;

const USAGE: &str = "\
vanta-agent: gets a pod's secrets, writes them into its memory volume, and keeps them fresh

  vanta-agent            runs; VANTA_* variables say how
  vanta-agent probe      says whether the files are there, and if not, why
  vanta-agent --version
";

/// How long a probe waits for the files. The kubelet gives it more.
const PATIENCE: Duration = Duration::from_secs(3);

/// The program `vanta-agent`.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<&str> =
        arguments.iter().map(|argument| argument.to_str().unwrap_or_default()).collect();
    match arguments.as_slice() {
        [] => run().into(),
        ["probe"] => {
            let (text, ready) = probe(&config::status_file(), PATIENCE);
            print(&text);
            if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        ["--version" | "-V"] => {
            print(concat!("vanta-agent ", env!("CARGO_PKG_VERSION"), "\n"));
            ExitCode::SUCCESS
        }
        ["--help" | "-h"] => {
            print(USAGE);
            ExitCode::SUCCESS
        }
        _ => {
            // With nowhere to write to, the code still says it.
            let _ = std::io::stderr().write_all(USAGE.as_bytes());
            Status::Usage.into()
        }
    }
}

fn print(text: &str) {
    // With nowhere to write to, the code still says it.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn run() -> Status {
    let status = StatusFile::new(config::status_file());
    let fail = |code, what: String| {
        log(Level::Error, &what, json!({}));
        // The log has it where this cannot.
        let _ = status.say(&Standing::Ended(vec![what]));
        code
    };
    // First, since what comes before it is lost.
    let termination = match Termination::block() {
        Ok(termination) => termination,
        Err(error) => {
            return fail(Status::Software, format!("signals cannot be received: {error}"));
        }
    };
    // Before there is anything in memory that a dump or another process could show.
    if let Err(error) = forbid_core_dumps().and_then(|()| close_to_others()) {
        let what = format!("the process cannot be closed to others: {error}");
        return fail(Status::Software, what);
    }
    // Folders of files that a group may read have to let that group in, and nobody else.
    umask(Mode::S_IWGRP | Mode::S_IRWXO);
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(error) => return fail(Status::Configuration, error.to_string()),
    };
    let folder = match SecretsFolder::open(&config.secrets_folder, config.file_mode) {
        Ok(folder) => folder,
        Err(error) => return fail(Status::Configuration, error.to_string()),
    };
    if !folder.is_in_memory() {
        log(Level::Warn, "the secrets folder is not in memory but on a disk", json!({}));
    }
    let beginning = Standing::Waiting(vec!["the vault has not been asked yet".to_owned()]);
    if let Err(error) = status.say(&beginning) {
        let what = format!("the status file cannot be written: {error}");
        return fail(Status::Configuration, what);
    }
    let fields = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "vault": config.address.to_string(),
        "mode": config.mode.as_str(),
        "access": config.access.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    log(Level::Info, "the agent begins", fields);
    if config.has_unusable_collector {
        let what = "no traces are exported: OTEL_EXPORTER_OTLP_ENDPOINT is http://HOST:PORT";
        log(Level::Warn, what, json!({}));
    }
    attend(termination, config, folder, status)
}

/// Waits for a signal or for the supervisor's end, whichever is first. Other threads end with
/// the process, also in the middle of a request.
fn attend(
    termination: Termination,
    config: Config,
    folder: SecretsFolder,
    status: StatusFile,
) -> Status {
    // An init container that ends with 0 would have its pod start without the files.
    let when_told = if config.mode == AgentMode::Init { Status::Temporary } else { Status::Done };
    let tracer = config.collector.clone().and_then(Tracer::start).map(Arc::new);
    let of_work = tracer.clone();
    let (tell, ended) = channel();
    let told = tell.clone();
    thread::spawn(move || {
        let signal = termination.wait().unwrap_or("no signal can be received");
        log(Level::Info, "the agent ends, and the files stay", json!({"signal": signal}));
        // The supervisor may have ended a moment before.
        let _ = told.send(when_told);
    });
    thread::spawn(move || {
        let work = AssertUnwindSafe(|| supervise(config, folder, status, of_work));
        let _ = tell.send(catch_unwind(work).unwrap_or(Status::Software));
    });
    let ended = ended.recv().unwrap_or(Status::Software);
    if let Some(tracer) = tracer {
        tracer.flush();
    }
    ended
}
