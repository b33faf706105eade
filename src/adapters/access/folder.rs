//! The folder: every `*.yaml` and `*.yml` in it, each of which may hold several objects.
//!
//! Invariant: each file is taken whole or not at all. One that is bad keeps the objects that it
//! last gave, since leaving out a SecretPolicy would loosen the bounds of what it is around; one
//! that is deleted takes its objects with it, whatever state the others are in. Without a folder
//! there are no grants; a folder that cannot be listed changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{AccessFileError, has_access, has_policy, parse, shared};
use crate::adapters::files::{ReadError, Watch, read_text};
use crate::domain::grants::Grants;

/// What is beyond this many bytes of a folder is refused.
const MAX_FOLDER_LEN: u64 = 16 * 1024 * 1024;

/// A folder's objects, file by file.
pub struct AccessFolder {
    path: PathBuf,
    files: BTreeMap<PathBuf, File>,
    /// Why the folder cannot be listed.
    problem: Option<String>,
    /// Whether changes in the folder would be seen.
    seen: bool,
    grants: Option<Arc<Grants>>,
}

#[derive(Default)]
struct File {
    watch: Watch,
    length: u64,
    /// The objects of the last version that was well formed.
    newest: Option<Arc<Grants>>,
    /// The objects that were last in use.
    used: Option<Arc<Grants>>,
    /// The object that a file earlier in order has, too.
    duplicate: Option<String>,
}

/// What one look at the folder did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AccessReport {
    /// Whether the grants are others than before.
    pub changed: bool,
    /// What is wrong and was not so before, with the names of the files.
    pub problems: Vec<String>,
}

impl AccessFolder {
    /// A folder that was not looked at yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, files: BTreeMap::new(), problem: None, seen: false, grants: None }
    }

    /// The grants; none before anything could be read.
    pub fn grants(&self) -> Option<&Arc<Grants>> {
        self.grants.as_ref()
    }

    /// Whether the last look has seen what there is; a folder that is gone has been seen to be so.
    pub fn is_seen(&self) -> bool {
        self.seen
    }

    /// All that is wrong, in the order of the files.
    pub fn problems(&self) -> Vec<String> {
        let of_files = self.files.iter().filter_map(|(path, file)| file.problem(path));
        self.problem.iter().cloned().chain(of_files).collect()
    }

    /// Looks at the folder, and reads the files that have changed. It blocks.
    pub fn refresh(&mut self) -> AccessReport {
        let before: BTreeSet<String> = self.problems().into_iter().collect();
        let listed = list(&self.path);
        self.seen = listed.as_ref().map_or_else(ReadError::means_missing, |_| true);
        let touched = match listed {
            Ok(paths) => {
                self.problem = None;
                self.read(&paths)
            }
            Err(error) if ReadError::means_missing(&error) => {
                self.files.clear();
                let path = self.path.display();
                self.problem =
                    Some(format!("{path} is no folder, so there are no grants: {error}"));
                true
            }
            Err(error) => {
                let path = self.path.display();
                self.problem =
                    Some(format!("{path} cannot be listed, so no change is seen: {error}"));
                false
            }
        };
        let changed = (touched || self.grants.is_none()) && self.assemble();
        let problems = self.problems().into_iter().filter(|problem| !before.contains(problem));
        AccessReport { changed, problems: problems.collect() }
    }

    /// Puts the objects of all files in the place of the grants. Says whether they are others.
    fn assemble(&mut self) -> bool {
        let grants = self.objects();
        let readable = self.problem.is_none()
            && (self.files.is_empty() || self.files.values().any(|file| file.newest.is_some()));
        let changed = match &self.grants {
            Some(before) => **before != grants,
            None => readable,
        };
        if changed {
            self.grants = Some(Arc::new(grants));
        }
        changed
    }

    /// Reads what has to be read. Says whether there was anything, or a file is gone.
    fn read(&mut self, paths: &BTreeSet<PathBuf>) -> bool {
        let known = self.files.len();
        self.files.retain(|path, _| paths.contains(path));
        let mut touched = self.files.len() < known;
        let mut total = 0;
        for path in paths {
            let file = self.files.entry(path.clone()).or_default();
            if let Some(seen) = file.watch.look([path.as_path()]) {
                touched = true;
                let read = read_text(path, MAX_FOLDER_LEN.saturating_sub(total));
                let length = read.as_ref().map_or(0, |text| text.len() as u64);
                let parsed = read.map_err(AccessFileError::from).and_then(|text| parse(&text));
                match parsed {
                    Ok(objects) => {
                        file.length = length;
                        file.newest = Some(Arc::new(objects));
                        file.watch.succeeded(seen);
                    }
                    // Deleted since the folder was listed, or a link that leads nowhere.
                    Err(AccessFileError::Read(error)) if error.is_missing() => {
                        self.files.remove(path);
                        continue;
                    }
                    Err(error) => {
                        let passing =
                            matches!(&error, AccessFileError::Read(error) if error.is_passing());
                        file.watch.failed(seen, error.to_string(), passing);
                    }
                }
            }
            total += file.length;
        }
        touched
    }

    /// The objects of all files, in their order.
    fn objects(&mut self) -> Grants {
        let mut grants = Grants::default();
        for file in self.files.values_mut() {
            let Some(newest) = file.newest.clone() else { continue };
            file.duplicate = shared(&grants, &newest);
            if file.duplicate.is_none() {
                file.used = Some(Arc::clone(&newest));
            }
            // Of a bad file, what it gave before and no other file gives.
            let Some(used) = &file.used else { continue };
            let accesses = used.accesses.iter().filter(|access| !has_access(&grants, access));
            let accesses: Vec<_> = accesses.cloned().collect();
            let policies = used.policies.iter().filter(|policy| !has_policy(&grants, policy));
            let policies: Vec<_> = policies.cloned().collect();
            grants.accesses.extend(accesses);
            grants.policies.extend(policies);
        }
        grants
    }
}

impl File {
    fn problem(&self, path: &Path) -> Option<String> {
        let duplicate =
            self.duplicate.clone().map(|name| AccessFileError::Duplicate(name).to_string());
        let reason = self.watch.failure().map(str::to_owned).or(duplicate)?;
        let kept = if self.used.is_some() {
            "what it said before stays in use"
        } else {
            "nothing of it is in use"
        };
        Some(format!("{}: {reason}; {kept}", path.display()))
    }
}

fn list(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut paths = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if matches!(path.extension().and_then(|end| end.to_str()), Some("yaml" | "yml")) {
            paths.insert(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::file::tests::ACCESS;
    use super::*;

    const POLICY: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: p}
spec:
  subjects: [{namespace: default, clients: [ci]}]
  environment: dev
  keyPatterns: ['*']
";

    struct Scenario {
        folder: tempfile::TempDir,
        access: AccessFolder,
    }

    impl Scenario {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let access = AccessFolder::new(folder.path().to_owned());
            let scenario = Self { folder, access };
            for (name, text) in files {
                scenario.write(name, text);
            }
            scenario
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn remove(&self, name: &str) {
            fs::remove_file(self.folder.path().join(name)).unwrap();
        }

        /// How many accesses and policies there are after a look, and what is newly wrong.
        fn look(&mut self) -> (usize, usize, Vec<String>) {
            let problems = self.access.refresh().problems;
            let grants = self.access.grants().cloned().unwrap_or_default();
            (grants.accesses.len(), grants.policies.len(), problems)
        }
    }

    fn named(name: &str) -> String {
        ACCESS.replace("name: a", &format!("name: {name}"))
    }

    #[test]
    fn objects_of_both_kinds_are_read_from_one_file_or_many() {
        let mut together = Scenario::with(&[("all.yaml", &format!("{ACCESS}---{POLICY}"))]);
        let mut apart =
            Scenario::with(&[("a.yaml", ACCESS), ("p.yml", POLICY), ("notes.txt", "x")]);
        assert_eq!(together.look(), (1, 1, vec![]));
        assert_eq!(apart.look(), (1, 1, vec![]));
        assert_eq!(together.access.grants(), apart.access.grants());
        assert_eq!(apart.access.refresh(), AccessReport::default());
    }

    #[test]
    fn a_bad_file_keeps_what_it_said_and_holds_back_no_deletion_elsewhere() {
        let mut scenario =
            Scenario::with(&[("a.yaml", ACCESS), ("b.yaml", &named("b")), ("p.yaml", POLICY)]);
        assert_eq!(scenario.look(), (2, 1, vec![]));
        scenario.write("p.yaml", "kind: Nonsense");
        let (accesses, policies, problems) = scenario.look();
        assert_eq!((accesses, policies), (2, 1));
        assert!(problems[0].contains("p.yaml") && problems[0].contains("stays in use"));
        scenario.remove("b.yaml");
        assert_eq!(scenario.look(), (1, 1, vec![]));
        scenario.write("new.yaml", "kind: Nonsense");
        let (accesses, _, problems) = scenario.look();
        assert_eq!(accesses, 1);
        assert!(problems[0].contains("nothing of it is in use"), "{problems:?}");
        scenario.remove("p.yaml");
        assert_eq!(scenario.look(), (1, 0, vec![]));
    }

    #[test]
    fn of_two_files_with_one_name_the_later_is_the_bad_one() {
        let mut scenario = Scenario::with(&[("b.yaml", &format!("{ACCESS}---{}", named("b")))]);
        assert_eq!(scenario.look(), (2, 0, vec![]));
        scenario.write("a.yaml", ACCESS);
        let (accesses, _, problems) = scenario.look();
        assert_eq!(accesses, 2);
        assert!(problems[0].contains("b.yaml") && problems[0].contains("two objects"));
        scenario.write("c.yaml", &format!("{}---{ACCESS}", named("c")));
        assert_eq!(scenario.look().0, 2);
        scenario.remove("a.yaml");
        assert_eq!(scenario.look().0, 2);
        scenario.remove("b.yaml");
        assert_eq!((scenario.look().0, scenario.access.problems()), (2, vec![]));
    }

    #[test]
    fn a_pipe_or_a_device_in_the_folder_is_refused_at_once() {
        let mut scenario = Scenario::with(&[("a.yaml", ACCESS)]);
        let path = |name| scenario.folder.path().join(name);
        nix::unistd::mkfifo(&path("pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink("/dev/zero", path("zero.yaml")).unwrap();
        symlink("nowhere", path("dangling.yaml")).unwrap();
        let (accesses, _, problems) = scenario.look();
        assert_eq!((accesses, problems.len()), (1, 2), "{problems:?}");
    }

    #[test]
    fn without_the_folder_there_are_no_grants() {
        let mut scenario = Scenario::with(&[("a.yaml", ACCESS)]);
        scenario.look();
        fs::remove_dir_all(scenario.folder.path()).unwrap();
        let (accesses, _, problems) = scenario.look();
        assert_eq!((accesses, problems.len()), (0, 1));
        assert!(problems[0].contains("no grants"), "{problems:?}");
        assert_eq!(scenario.look().2, Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_not_seen_and_one_that_is_gone_is() {
        let mut scenario = Scenario::with(&[("a.yaml", ACCESS)]);
        scenario.look();
        assert!(scenario.access.is_seen());
        let path = scenario.folder.path().to_owned();
        fs::remove_dir_all(&path).unwrap();
        symlink(&path, &path).unwrap();
        let (accesses, _, problems) = scenario.look();
        assert_eq!(accesses, 1, "what it said stays in use");
        assert!(!scenario.access.is_seen() && problems[0].contains("no change is seen"));
        fs::remove_file(&path).unwrap();
        assert_eq!(scenario.look().0, 0);
        assert!(scenario.access.is_seen());
    }

    #[test]
    fn where_nothing_could_be_read_yet_there_is_no_answer_and_not_an_empty_one() {
        let mut scenario = Scenario::with(&[("a.yaml", "kind: Nonsense")]);
        scenario.look();
        assert!(scenario.access.grants().is_none());
        let mut missing = AccessFolder::new(scenario.folder.path().join("none"));
        missing.refresh();
        assert!(missing.grants().is_none());
        let mut empty = Scenario::with(&[]);
        assert!(empty.access.refresh().changed && empty.access.grants().is_some());
    }
}
