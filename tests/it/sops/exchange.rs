//! A file that is exchanged in each of the ways in which it is done, while others read it as fast as
//! they can: no read may fail, and none may see two versions.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use vanta::adapters::sops::SopsStore;
use vanta::domain::names::Key;
use vanta::domain::ports::SecretStore;

use super::grants::{environment, grant};
use super::made::keys::OURS;
use super::workshop::{Workshop, read};

const FILE: &str = "prod.enc.yaml";

/// How many versions there are, which take turns.
pub(crate) const VERSIONS: usize = 3;

/// How a version comes into the place of the one before.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// It is written beside it and renamed.
    Rename,
    /// It has a folder of its own, and a link is swapped, as the kubelet does.
    Links,
    /// It is written where it stands, in pieces, as whoever knows no better does.
    Pieces,
}

/// An environment's versions, of which each has two keys that always agree.
pub(crate) struct Exchange {
    pub(crate) workshop: Workshop,
    versions: Vec<Vec<u8>>,
}

impl Exchange {
    /// None without sops.
    pub(crate) fn new() -> Option<Self> {
        let workshop = Workshop::new()?;
        let plain = |number| {
            let value = Self::value(number);
            format!("A: {value}\nB: {value}\n")
        };
        let versions = (0..VERSIONS).map(|number| workshop.encrypt(FILE, &plain(number), OURS));
        Some(Self { versions: versions.collect(), workshop })
    }

    /// What both keys are after so many exchanges.
    pub(crate) fn value(exchange: usize) -> String {
        format!("v{}", exchange % VERSIONS + 1)
    }

    /// The file after so many exchanges.
    pub(crate) fn bytes(&self, exchange: usize) -> &[u8] {
        &self.versions[exchange % VERSIONS]
    }

    /// Puts what is there after so many exchanges in place. The first is number 0.
    pub(crate) fn put(&self, way: Way, exchange: usize) {
        match way {
            Way::Rename => self.workshop.put(FILE, self.bytes(exchange)),
            Way::Links => self.swap_links(exchange),
            Way::Pieces => self.write_in_pieces(exchange),
        }
    }

    /// A new folder, then the link, then the old folder goes.
    fn swap_links(&self, exchange: usize) {
        let folder = self.workshop.served.path();
        let name = format!("..v{exchange}");
        fs::create_dir(folder.join(&name)).unwrap();
        fs::write(folder.join(&name).join(FILE), self.bytes(exchange)).unwrap();
        symlink(&name, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        match exchange.checked_sub(1) {
            Some(before) => fs::remove_dir_all(folder.join(format!("..v{before}"))).unwrap(),
            None => symlink(format!("..data/{FILE}"), folder.join(FILE)).unwrap(),
        }
    }

    fn write_in_pieces(&self, exchange: usize) {
        let bytes = self.bytes(exchange);
        let mut file = fs::File::create(self.workshop.path(FILE)).unwrap();
        for piece in bytes.chunks(bytes.len() / 7) {
            file.write_all(piece).unwrap();
            std::thread::yield_now();
        }
    }
}

/// The version that all keys of one reading are of.
pub(crate) fn version(store: &SopsStore) -> String {
    let all = |key: &Key| Some(grant("prod", key.as_str()));
    let values = store.read_all(&environment("prod"), &all).expect("a read failed");
    let values = values.values().map(|value| value.expose_str().expect("it is text").to_owned());
    let versions: BTreeSet<String> = values.collect();
    assert_eq!(versions.len(), 1, "a mixed version: {versions:?}");
    versions.into_iter().next().expect("there is one")
}

/// Sets what others look at to end, also where whoever holds it panics.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What was done while files were exchanged.
pub(crate) struct Load {
    pub(crate) reads: usize,
    pub(crate) exchanges: usize,
    /// How many of the exchanges the store took up.
    pub(crate) seen: usize,
    pub(crate) took: Duration,
}

impl Load {
    /// Reads a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.reads).unwrap_or(u32::MAX)) / self.took.as_secs_f64()
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, exchanges, seen, took } = self;
        let (rate, seconds) = (self.rate(), took.as_secs_f64());
        write!(f, "{reads} reads in {seconds:.1} s, {rate:.0} reads/s; ")?;
        write!(f, "{exchanges} exchanges, {seen} of them seen")
    }
}

/// Readers and whoever looks for changes go on for as long as files are exchanged: until there were
/// enough exchanges and reads.
pub(crate) fn under_load(
    store: &SopsStore,
    enough: impl Fn(usize, usize) -> bool,
    mut exchange: impl FnMut(usize),
) -> Load {
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seen = AtomicUsize::new(0);
    let started = Instant::now();
    let mut exchanges = 0;
    std::thread::scope(|scope| {
        let ends = Ends(&done);
        let reader = || {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seen = version(store);
                    let known = (0..VERSIONS).any(|number| Exchange::value(number) == seen);
                    assert!(known, "{seen}");
                    read(store, "prod", "A").expect("a read failed");
                    reads.fetch_add(2, Ordering::Relaxed);
                }
            })
        };
        let readers = [reader(), reader()];
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                seen.fetch_add(store.refresh().loaded.len(), Ordering::Relaxed);
            }
        });
        let enough = |exchanges| enough(exchanges, reads.load(Ordering::Relaxed));
        // One that has failed reads no more; its panic is the scope's.
        while !enough(exchanges) && !readers.iter().any(ScopedJoinHandle::is_finished) {
            exchanges += 1;
            exchange(exchanges);
        }
        drop(ends);
    });
    let (reads, seen) = (reads.into_inner(), seen.into_inner());
    Load { reads, exchanges, seen, took: started.elapsed() }
}
