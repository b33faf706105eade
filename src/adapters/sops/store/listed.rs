//! Which environments a store reads, of all that there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::listing::{Chosen, Listing, Seniority, Sources};
use super::super::load::Slot;
use super::super::report::RefreshReport;
use super::super::source::ConfigMapFiles;
use super::{SopsStore, Watch};
use crate::domain::names::Environment;

impl SopsStore {
    /// Whether it is known which files there are.
    pub(super) fn is_known(&self, watch: &Watch) -> bool {
        self.options.folder.is_some() || watch.given.is_some()
    }

    /// What is said of versions that are taken of environments that are not there, once it is known
    /// which are.
    pub(super) fn accepted_of_none(&self, watch: &Watch, listed: &Sources) -> Vec<String> {
        if !self.is_known(watch) || self.listed.load(Ordering::Acquire) {
            return Vec::new();
        }
        let accepted = self.options.authorship.accepted.iter();
        let of_none = accepted.filter(|of| !listed.contains_key(&of.environment));
        of_none.map(|of| format!("there is no file of {}: take {of} out", of.environment)).collect()
    }

    /// The environments that there are and their files; none where the folder cannot be listed.
    pub(super) fn list(
        &self,
        watch: &mut Watch,
        signed: bool,
        there: &BTreeMap<Environment, Slot>,
        report: &mut RefreshReport,
    ) -> Option<Sources> {
        // Many names take time, and those of ConfigMaps change where others are given alone.
        if let Some(chosen) = &watch.chosen {
            return Some(chosen.clone());
        }
        let mut listing = Listing::new(signed);
        listing.add_given(watch.given.as_ref().unwrap_or(&ConfigMapFiles::new()));
        if let Some(folder) = &self.options.folder
            && let Err(error) = listing.add_folder(folder)
        {
            let folder = folder.display();
            let error = format!("the folder {folder} cannot be listed: {error}");
            self.problems.store(Arc::new(vec![error.clone()]));
            if watch.folder.as_ref() != Some(&error) {
                report.folder = Some(error.clone());
                watch.folder = Some(error);
            }
            return None;
        }
        report.folder_is_back = watch.folder.take().is_some();
        report.ignored = listing.ignored.difference(&watch.ignored).cloned().collect();
        watch.ignored = std::mem::take(&mut listing.ignored);
        let Chosen { sources, left_out } =
            listing.choose(|environment| self.seniority(environment, there));
        let known = self.problems.load_full();
        report.left_out = left_out.iter().filter(|text| !known.contains(text)).cloned().collect();
        if *known != left_out {
            self.problems.store(Arc::new(left_out));
        }
        watch.chosen = self.options.folder.is_none().then(|| sources.clone());
        Some(sources)
    }

    /// What an environment's place among those that are read rests on.
    fn seniority(
        &self,
        environment: &Environment,
        there: &BTreeMap<Environment, Slot>,
    ) -> Seniority {
        match there.get(environment) {
            Some(slot) if slot.version.is_some() => Seniority::Served,
            _ if self.history.borrow().knows(environment) => Seniority::ServedBefore,
            Some(_) => Seniority::There,
            None => Seniority::New,
        }
    }
}
