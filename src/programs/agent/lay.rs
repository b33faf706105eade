//! The files as they are laid down in the secrets folder, and as they were before.

use std::collections::BTreeSet;

use serde_json::json;

use super::grants::Grants;
use super::layout::{Contents, Part, Planned, nest, plan, render};
use super::log::{Level, log};
use super::manifest::{Laid, Manifest, Share};
use super::trouble::Trouble;
use crate::adapters::files::SecretsFolder;
use crate::domain::relative_path::RelativePath;

/// The secrets folder, and what the agent has laid down in it.
pub(super) struct Files {
    folder: SecretsFolder,
    laid: Manifest,
    /// Whether an agent has been ready with what is laid down.
    kept: bool,
}

/// What came of laying down.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) troubles: Vec<Trouble>,
    /// Withdrawn grants whose values are in no file any more.
    pub(super) given_way: Vec<String>,
    /// Whether all values that are known and granted are in their files.
    pub(super) is_whole: bool,
}

/// What is to become of one file.
enum Step<'a> {
    /// It stays as it is.
    Keep,
    /// It is made of these.
    Write(Vec<Part<'a>>),
}

impl Files {
    /// The folder, with the files from before where they are whole.
    pub(super) fn new(folder: SecretsFolder) -> Self {
        let found = Manifest::find(&folder);
        Self { kept: found.is_some(), laid: found.unwrap_or_default(), folder }
    }

    pub(super) fn laid(&self) -> &Manifest {
        &self.laid
    }

    /// Whether the files are those with which an agent has been ready.
    pub(super) fn are_kept(&self) -> bool {
        self.kept
    }

    /// From now on an agent that is started again is ready with these files.
    pub(super) fn keep(&mut self) -> Result<(), Trouble> {
        self.laid.keep(&self.folder)?;
        self.kept = true;
        Ok(())
    }

    /// Makes the files what the grants and their values say.
    pub(super) fn lay(&mut self, grants: &Grants) -> Outcome {
        let mut outcome = Outcome::default();
        let parts = grants.parts();
        let (files, troubles) = plan(&parts);
        outcome.troubles = troubles;
        let mut now = Manifest::default();
        for file in &files {
            let before = self.laid.at(file.path).cloned();
            let laid = match step(file, before.as_ref()) {
                Step::Keep => before,
                Step::Write(parts) => match self.write(file, &parts, &mut outcome) {
                    Ok(laid) => Some(laid),
                    Err(trouble) => {
                        outcome.troubles.push(trouble);
                        before
                    }
                },
            };
            now.files.extend(laid);
        }
        // What an old file holds of these is nowhere else yet.
        let unfinished = parts.iter().filter(|part| part.granted && share_of(part, &now).is_none());
        let unfinished: BTreeSet<&str> = unfinished.map(|part| part.access).collect();
        for stale in self.laid.files.clone() {
            if now.at(&stale.path).is_some() {
                continue;
            }
            if stale.of.iter().any(|share| unfinished.contains(share.access.as_str())) {
                now.files.push(stale);
            } else if let Err(trouble) = self.remove(&stale.there) {
                outcome.troubles.push(trouble);
                now.files.push(stale);
            }
        }
        outcome.is_whole = parts.iter().filter(|part| part.granted).all(|part| match part.values {
            Some((_, revision)) => share_of(part, &now).is_some_and(|of| of.revision == revision),
            None => true,
        });
        self.laid = now;
        outcome
    }

    fn write(
        &self,
        file: &Planned<'_>,
        parts: &[Part<'_>],
        outcome: &mut Outcome,
    ) -> Result<Laid, Trouble> {
        let (parts, contents) = together(file, parts)?;
        self.put(file, &parts, &contents)?;
        let is_in = |part: &&Part<'_>| parts.iter().any(|other| other.access == part.access);
        let given_way = file.parts.iter().filter(|part| !part.granted && !is_in(part));
        outcome.given_way.extend(given_way.map(|part| part.access.to_owned()));
        let share = |part: &Part<'_>| Share {
            access: part.access.to_owned(),
            revision: part.values.map(|(_, revision)| revision.to_owned()).unwrap_or_default(),
        };
        Ok(Laid {
            path: file.path.clone(),
            format: file.format,
            of: parts.iter().map(share).collect(),
            there: contents.into_keys().collect(),
        })
    }

    fn put(
        &self,
        file: &Planned<'_>,
        parts: &[Part<'_>],
        contents: &Contents,
    ) -> Result<(), Trouble> {
        let before = self.laid.files.iter().flat_map(|laid| &laid.there);
        let in_the_way: Vec<RelativePath> =
            before.filter(|there| contents.keys().any(|path| nest(path, there))).cloned().collect();
        self.remove(&in_the_way)?;
        let mut written = false;
        for (path, content) in contents {
            written |= self.folder.write(path, content)?;
        }
        let before = self.laid.at(file.path).map(|laid| laid.there.clone()).unwrap_or_default();
        let stale: Vec<RelativePath> =
            before.into_iter().filter(|there| !contents.contains_key(there)).collect();
        self.remove(&stale)?;
        if written {
            let of: Vec<&str> = parts.iter().map(|part| part.name).collect();
            let fields = json!({"file": file.path, "access": of});
            log(Level::Info, "the file was written", fields);
        }
        Ok(())
    }

    fn remove(&self, paths: &[RelativePath]) -> Result<(), Trouble> {
        for path in paths {
            self.folder.remove(path)?;
            log(Level::Info, "the file was removed", json!({"file": path}));
        }
        Ok(())
    }
}

/// All these parts as content, but for the withdrawn ones that stand in the way of others.
fn together<'a>(
    file: &Planned<'_>,
    parts: &[Part<'a>],
) -> Result<(Vec<Part<'a>>, Contents), Trouble> {
    let all = match render(file.path, file.format, parts) {
        Ok(contents) => return Ok((parts.to_vec(), contents)),
        Err(trouble) => trouble,
    };
    let (mut kept, withdrawn): (Vec<Part<'a>>, Vec<Part<'a>>) =
        parts.iter().copied().partition(|part| part.granted);
    if kept.is_empty() || withdrawn.is_empty() {
        return Err(all);
    }
    let mut contents = render(file.path, file.format, &kept)?;
    for part in withdrawn {
        kept.push(part);
        match render(file.path, file.format, &kept) {
            Ok(more) => contents = more,
            Err(_) => drop(kept.pop()),
        }
    }
    Ok((kept, contents))
}

/// A grant's share in the file that it is for.
fn share_of<'a>(part: &Part<'_>, laid: &'a Manifest) -> Option<&'a Share> {
    laid.at(&part.form.path)?.share(part.access)
}

/// What to do with a file, so that no value that is granted still, or kept, is lost from it.
fn step<'a>(file: &Planned<'a>, before: Option<&Laid>) -> Step<'a> {
    let was_in = |part: &Part<'_>| before.and_then(|laid| laid.share(part.access));
    let (with, without): (Vec<Part<'a>>, Vec<Part<'a>>) =
        file.parts.iter().copied().partition(|part| part.values.is_some());
    let awaited = |part: &Part<'_>| part.granted && (part.expected || was_in(part).is_some());
    if file.contested || with.is_empty() || without.iter().any(awaited) {
        return Step::Keep;
    }
    // Of what was withdrawn while no agent ran only the file has the values. It stays for as long
    // as nothing else in it changes.
    let of_the_file_alone = without.iter().any(|part| !part.granted && was_in(part).is_some());
    let is_as_it_was = |part: &Part<'_>| match (was_in(part), part.values) {
        (Some(share), Some((_, revision))) => share.revision == revision,
        _ => false,
    };
    if of_the_file_alone && with.iter().all(is_as_it_was) {
        return Step::Keep;
    }
    Step::Write(with)
}
