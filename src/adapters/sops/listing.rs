//! Which environments there are, by the names of files.
//!
//! Invariant: no folder and no ConfigMap makes more of them than there is room for, and a flood of
//! new names takes the place of none that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::authorship::signature_name;
use super::format::Format;
use super::report::Misnamed;
use super::source::{ConfigMapFiles, ConfigMapKey, Place, Source, config_map_origin};
use crate::domain::names::{Environment, some_of};

/// The most environments that one vault serves.
pub const MAX_ENVIRONMENTS: usize = 1000;

/// The most environments that one ConfigMap has files of.
pub const MAX_ENVIRONMENTS_OF_CONFIG_MAP: usize = 100;

/// The most misnamed files of one folder or ConfigMap that are told each by itself.
const MOST_IGNORED: usize = 10;

/// How the files' names end, as people are told.
const ENDINGS: &str = ".enc.yaml, .enc.json, .enc.env, .enc.ini or .enc.bin";

/// How many folders and ConfigMaps one text names.
const MOST_NAMED: usize = 5;

/// What an environment's place rests on, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seniority {
    /// A version of it is served.
    Served,
    /// One was, before the vault was started say.
    ServedBefore,
    /// It is there, and nothing of it could be loaded.
    There,
    /// It was not seen before.
    New,
}

/// What files there are.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) ignored: BTreeSet<Misnamed>,
    /// Whether signatures are looked for.
    signed: bool,
    origins: Vec<Origin>,
}

/// The environments and their files.
pub(super) type Sources = BTreeMap<Environment, Vec<Source>>;

/// The environments that are read, and where there are more of them than that.
pub(super) struct Chosen {
    pub(super) sources: Sources,
    pub(super) left_out: Vec<String>,
}

/// The files of a folder or of a ConfigMap.
struct Origin {
    name: String,
    /// How many environments it may have.
    most: usize,
    files: BTreeMap<Environment, Vec<Named>>,
}

/// A file that is named as that of an environment.
struct Named {
    name: String,
    format: Format,
    at: At,
}

enum At {
    Path(PathBuf),
    Key { bytes: Arc<[u8]>, signature: Option<Arc<[u8]>> },
}

impl Listing {
    /// Of nothing yet.
    pub(super) fn new(signed: bool) -> Self {
        Self { signed, ..Self::default() }
    }

    /// Adds the files of a folder.
    pub(super) fn add_folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut found = BTreeMap::new();
        // In an order of their own: that of a folder means nothing and may change.
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str() {
                found.insert(name.to_owned(), entry.path());
            }
        }
        let name = format!("the folder {}", folder.display());
        let mut origin = Origin { name, most: MAX_ENVIRONMENTS, files: BTreeMap::new() };
        let mut ignored = Ignored::default();
        for (name, path) in found {
            match environment_of(&name) {
                Ok(Some((environment, format))) => {
                    let files = origin.files.entry(environment).or_default();
                    files.push(Named { name, format, at: At::Path(path) });
                }
                Ok(None) => {}
                Err(reason) => ignored.add(reason),
            }
        }
        self.ignored.extend(ignored.told(&origin.name, ""));
        self.origins.push(origin);
        Ok(())
    }

    /// Adds the files of ConfigMaps.
    pub(super) fn add_given(&mut self, files: &ConfigMapFiles) {
        let mut ignored: BTreeMap<&str, Ignored> = BTreeMap::new();
        for (name, bytes) in files {
            let (environment, format) = match environment_of(&name.key) {
                Ok(Some(named)) => named,
                Ok(None) => continue,
                Err(reason) => {
                    ignored.entry(&name.config_map).or_default().add(reason);
                    continue;
                }
            };
            let beside = ConfigMapKey { key: signature_name(&name.key), ..name.clone() };
            let signature = files.get(&beside).filter(|_| self.signed).map(Arc::clone);
            let at = At::Key { bytes: Arc::clone(bytes), signature };
            let named = Named { name: name.to_string(), format, at };
            let origin = config_map_origin(&name.config_map);
            // The keys of one ConfigMap come one after the other.
            if self.origins.last().is_none_or(|last| last.name != origin) {
                let most = MAX_ENVIRONMENTS_OF_CONFIG_MAP;
                self.origins.push(Origin { name: origin, most, files: BTreeMap::new() });
            }
            if let Some(origin) = self.origins.last_mut() {
                origin.files.entry(environment).or_default().push(named);
            }
        }
        for (config_map, ignored) in ignored {
            let origin = config_map_origin(config_map);
            self.ignored.extend(ignored.told(&origin, &format!("{origin}: ")));
        }
    }

    /// The environments for which there is room: by seniority, and of those that are alike one of
    /// each origin in turn.
    pub(super) fn choose(self, seniority: impl Fn(&Environment) -> Seniority) -> Chosen {
        let (mut crowded, mut beyond) = (Vec::new(), BTreeSet::new());
        let mut candidates = Vec::new();
        for (at, origin) in self.origins.iter().enumerate() {
            let own = origin.files.keys().map(|environment| (seniority(environment), environment));
            let mut own: Vec<(Seniority, &Environment)> = own.collect();
            own.sort();
            if own.len() > origin.most {
                crowded.push(format!("{} ({} at most)", origin.name, origin.most));
            }
            let own = own.into_iter().take(origin.most).enumerate();
            candidates.extend(own.map(|(turn, (rank, environment))| (rank, turn, at, environment)));
        }
        candidates.sort();
        let (mut taken, mut chosen) = (BTreeSet::new(), BTreeSet::new());
        for (_, _, at, environment) in candidates {
            if taken.contains(environment) || taken.len() < MAX_ENVIRONMENTS {
                taken.insert(environment);
                chosen.insert((at, environment.clone()));
            } else {
                beyond.insert(self.origins[at].name.clone());
            }
        }
        let mut left_out = Vec::new();
        if !crowded.is_empty() {
            let names = some_of(crowded, MOST_NAMED);
            left_out.push(format!(
                "there are more environments than are read in {names}: the rest is left out, and \
                 those that were there first stay; take away what is no environment, or split it"
            ));
        }
        if !beyond.is_empty() {
            let names = some_of(beyond, MOST_NAMED);
            left_out.push(format!(
                "there are more than {MAX_ENVIRONMENTS} environments in all, the most that are \
                 read: some of {names} are left out, and those that were there first stay; take \
                 away what is no environment, or run another vault for the rest"
            ));
        }
        let mut sources = Sources::new();
        for (at, origin) in self.origins.into_iter().enumerate() {
            let config_map: Arc<str> = origin.name.into();
            for (environment, files) in origin.files {
                if chosen.contains(&(at, environment.clone())) {
                    let files = files.into_iter().map(|file| file.source(&config_map, self.signed));
                    sources.entry(environment).or_default().extend(files);
                }
            }
        }
        Chosen { sources, left_out }
    }
}

impl Named {
    /// The file as it is seen now.
    fn source(self, config_map: &Arc<str>, signed: bool) -> Source {
        let Self { name, format, at } = self;
        match at {
            At::Path(path) => {
                let signature =
                    signed.then(|| Place::at(path.with_file_name(signature_name(&name))));
                let origin = name.as_str().into();
                Source { name, origin, format, place: Place::at(path), signature }
            }
            At::Key { bytes, signature } => {
                let (place, signature) = (Place::Given(bytes), signature.map(Place::Given));
                Source { name, origin: Arc::clone(config_map), format, place, signature }
            }
        }
    }
}

/// What is told of files that are no environment's, of which there may be many.
#[derive(Default)]
struct Ignored {
    reasons: BTreeSet<String>,
    more: bool,
}

impl Ignored {
    fn add(&mut self, reason: String) {
        if self.reasons.len() < MOST_IGNORED {
            self.reasons.insert(reason);
        } else {
            self.more |= !self.reasons.contains(&reason);
        }
    }

    /// Each reason, after what says where it is.
    fn told(self, origin: &str, whence: &str) -> impl Iterator<Item = Misnamed> {
        let origin: Arc<str> = origin.into();
        let more =
            self.more.then(|| "more names are not those of an environment's file".to_owned());
        let told = move |reason: String| Misnamed {
            origin: Arc::clone(&origin),
            reason: format!("{whence}{reason}"),
        };
        self.reasons.into_iter().chain(more).map(told)
    }
}

/// The environment whose file has this name; none where it is no environment's.
pub fn environment_of_file(name: &str) -> Option<Environment> {
    environment_of(name).ok().flatten().map(|(environment, _)| environment)
}

/// The environment and the format of a file that is named
/// `{environment}.enc.{yaml,json,env,ini,bin}`; none of one that is not meant for VANTA, and why
/// not of one that is.
fn environment_of(name: &str) -> Result<Option<(Environment, Format)>, String> {
    let Some((stem, extension)) = name.rsplit_once('.') else { return Ok(None) };
    let Some(environment) = stem.strip_suffix(".enc") else {
        // Such a file is meant for VANTA; what else is there, a README say, is not.
        let is_meant = matches!(extension, "yaml" | "yml" | "json" | "env" | "ini");
        let problem = || format!("{name:?}: a file of secrets is named {{environment}}{ENDINGS}");
        return if is_meant { Err(problem()) } else { Ok(None) };
    };
    let mut formats = Format::ALL.into_iter();
    let Some(format) = formats.find(|format| format.extension() == extension) else {
        return Err(format!("{name:?}: it has to end in {ENDINGS}"));
    };
    match environment.parse() {
        Ok(environment) => Ok(Some((environment, format))),
        Err(error) => Err(error.to_string()),
    }
}
