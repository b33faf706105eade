//! Verifies folders of the audit offline, and sorts good checkpoints from bad.

use std::fs::File;
use std::io;
use std::path::Path;

use super::folder::{Kind, files};
use super::lines::Forward;
use super::signing::{PublicKey, removal_holds, signature_holds};
use crate::domain::chain::{Fault, Finding, Place, Report, Verifier};
use crate::domain::checkpoint::Checkpoint;

/// Checkpoints by what they are worth.
#[derive(Debug, Default)]
pub struct Checkpoints {
    /// Those whose signatures hold.
    pub good: Vec<Checkpoint>,
    /// What is wrong with the others.
    pub findings: Vec<Finding>,
    /// The keys that signed the good ones, where none was given to compare with.
    pub unknown_keys: Vec<String>,
}

impl Checkpoints {
    /// Takes one. Without keys to compare with, a signature of the key that it names is enough.
    pub fn take(&mut self, checkpoint: Checkpoint, keys: &[PublicKey], place: Option<Place>) {
        let known = keys.iter().any(|key| key.to_string() == checkpoint.public_key);
        let wrong = if !signature_holds(&checkpoint) {
            Some("the checkpoint's signature is wrong".to_owned())
        } else if !known && !keys.is_empty() {
            Some(format!(
                "the checkpoint is signed by {}, not by a key given",
                checkpoint.public_key
            ))
        } else {
            None
        };
        if let Some(what) = wrong {
            self.findings.push(Finding {
                fault: Fault::BadCheckpoint,
                place,
                replica: Some(checkpoint.head.replica),
                sequence: Some(checkpoint.head.sequence),
                what,
            });
            return;
        }
        if !known && !self.unknown_keys.contains(&checkpoint.public_key) {
            self.unknown_keys.push(checkpoint.public_key.clone());
        }
        self.good.push(checkpoint);
    }

    /// Takes all that a file of lines tells: a log, or the standard output of a vault. A file that
    /// tells of no checkpoint is an error: it is not the one that was meant.
    pub fn read(&mut self, path: &Path, keys: &[PublicKey]) -> io::Result<()> {
        let name = path.display().to_string();
        let mut told = false;
        for (number, line) in (1..).zip(Forward::new(File::open(path)?)) {
            if let Some(checkpoint) = Checkpoint::read(line?.text()) {
                told = true;
                let place = Place { file: name.clone(), line: number };
                self.take(checkpoint, keys, Some(place));
            }
        }
        if told { Ok(()) } else { Err(io::Error::other("it holds no checkpoint")) }
    }

    /// A verifier that knows the good ones and believes removals that one of these keys signed, and
    /// a report that has what is wrong with the others.
    pub fn begin(self, keys: &[PublicKey]) -> (Verifier, Report) {
        let mut report = Report::default();
        if self.good.is_empty() {
            let note = "nothing signed was compared, so an end that was removed, and a chain made \
                        anew, are not seen: give the log with --checkpoints";
            report.notes.push(note.to_owned());
        }
        self.findings.into_iter().for_each(|finding| report.find(finding));
        for key in self.unknown_keys {
            let note = format!(
                "the checkpoints are signed by {key}, which was compared with no key given: \
                 whoever can sign anew could have made them"
            );
            report.notes.push(note);
        }
        let keys = keys.to_vec();
        let verifier = Verifier::new(self.good);
        (verifier.believing(move |removal| removal_holds(removal, &keys)), report)
    }
}

/// Gives a verifier all lines of a folder, in their order.
pub fn verify_folder(folder: &Path, verifier: &mut Verifier) -> io::Result<Vec<String>> {
    let mut notes = Vec::new();
    let files = files(folder)?;
    if files.is_empty() {
        let what = format!("there is no file of an audit in {}", folder.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    for stored in files {
        let name = stored.path.display().to_string();
        verifier.begin_file(matches!(stored.kind, Kind::Retired(_)));
        for (number, line) in (1..).zip(Forward::new(File::open(&stored.path)?)) {
            let line = line?;
            let place = Place { file: name.clone(), line: number };
            match line.finished() {
                Some(text) => verifier.line(&place, text),
                // Full files are whole: what misses its newline there was cut.
                None if stored.kind == Kind::Rotated => verifier.line(&place, line.text()),
                None => notes.push(format!(
                    "{place}: the last line is not written to its end: nobody was answered on it"
                )),
            }
        }
    }
    Ok(notes)
}

/// Joins what came of the parts of one run.
pub fn join(mut report: Report, more: Report, notes: Vec<String>) -> Report {
    report.chains.extend(more.chains);
    more.findings.into_iter().for_each(|finding| report.find(finding));
    report.more_findings += more.more_findings;
    report.notes.extend(more.notes);
    report.notes.extend(notes);
    report
}
