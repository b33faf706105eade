//! What is left when the vault is killed under load, again and again.

use std::collections::HashSet;
use std::sync::Mutex;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::report::Report;
use crate::support::cli::{run, without_identity};
use crate::support::program::{Program, Site, agent, until};
use crate::support::service::GRANTS;

/// How often it is killed, and how many values leave before each time.
const KILLED: usize = 20;
const VALUES: usize = 1000;

/// The chain verifies, up to the last signed checkpoint, and each value that left has its record.
pub(crate) fn killed(report: &mut Report) {
    let site = Site::new();
    site.write("access/all.yaml", &GRANTS.replace(", usageLimit: 1000", ""));
    let received = Mutex::new(HashSet::new());
    let mut log = String::new();
    for round in 1..=KILLED {
        let mut command = site.command();
        command.env("VANTA_AUDIT_MAX_MIB", "1").env("VANTA_LOG", "info");
        let mut vault = Program::start(command, "http");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (agent, token) = (agent(), vault.token(&site, "APP_*"));
                    while let Some(read) = vault.read(&agent, "dev/APP_DB_USER", &token) {
                        assert_eq!(read.status, 200, "{read:?}");
                        received.lock().expect("no reader panics").insert(read.id);
                    }
                });
            }
            let so_far = || received.lock().expect("no reader panics").len();
            until("enough values have left", || (so_far() >= round * VALUES).then_some(()));
            vault.signal(Signal::SIGKILL);
        });
        vault.wait();
        log.push_str(&vault.log());
    }
    // Its start cuts off what the last crash left unfinished, and its end signs the head.
    let mut vault = site.start();
    vault.signal(Signal::SIGTERM);
    vault.wait();
    log.push_str(&vault.log());
    site.write("vault.log", &log);

    let (audit, checkpoints) = (site.path("audit"), site.path("vault.log"));
    let (audit, checkpoints) = (audit.display().to_string(), checkpoints.display().to_string());
    let verify = ["audit", "verify", "--folder", &audit, "--checkpoints", &checkpoints];
    let verified = run(without_identity(&verify));
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);

    let lines = site.audit();
    let granted = lines.iter().filter_map(|line| {
        let entry: Value = serde_json::from_str(line).expect("a line is JSON");
        let read = entry["event"] == "read" && entry["outcome"] == "granted";
        read.then(|| entry["request_id"].as_str().expect("an id is text").to_owned())
    });
    let granted: HashSet<String> = granted.collect();
    let received = received.into_inner().expect("no reader panics");
    let missing = received.difference(&granted).count();
    assert_eq!(missing, 0, "values left without a record");
    report.line(format!(
        "Killed {KILLED} times by SIGKILL under 8 readers: {} values left, each with its record \
         among {} entries in {} files; {missing} without. `vanta-cli audit verify` said:\n\n```\n{}```",
        received.len(),
        lines.len(),
        site.full_files().len() + 1,
        verified.stdout,
    ));
}
