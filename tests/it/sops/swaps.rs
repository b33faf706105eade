//! Files that are exchanged while others read as fast as they can: no read fails, and none sees two
//! versions.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use vanta::adapters::sops::{Alarm, Authorship, SopsStore};
use vanta::domain::names::Key;
use vanta::domain::ports::SecretStore;

use super::fixtures::text;
use super::folder::{environment, grant};
use super::workshop::{ONE, Workshop, read};
use crate::support::ssh_keygen::SigningKey;

/// How many reads there have to be at least while files are exchanged.
const READS: usize = 5000;

/// And how many exchanges.
const SWAPS: usize = 50;

/// The version that all keys of one reading are of.
fn version(store: &SopsStore) -> String {
    let all = |key: &Key| Some(grant("prod", key.as_str()));
    let values = store.read_all(&environment("prod"), &all).expect("a read failed");
    let values = values.values().map(|value| value.expose_str().expect("it is text").to_owned());
    let versions: BTreeSet<String> = values.collect();
    assert_eq!(versions.len(), 1, "a mixed version: {versions:?}");
    versions.into_iter().next().expect("there is one")
}

/// Three versions, of which each has two keys that always agree.
fn versions(workshop: &Workshop) -> Vec<Vec<u8>> {
    let plain = |number| format!("A: v{number}\nB: v{number}\n");
    (1..=3).map(|number| workshop.encrypt("prod.enc.yaml", &plain(number), ONE)).collect()
}

/// Readers and whoever looks for changes go on for as long as files are exchanged, and a while.
#[expect(
    clippy::print_stdout,
    reason = "the figures are wanted by whoever runs it with --nocapture"
)]
fn under_load(what: &str, store: &SopsStore, mut swap: impl FnMut(usize)) {
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let loaded = AtomicUsize::new(0);
    let started = Instant::now();
    let mut swaps = 0;
    std::thread::scope(|scope| {
        let reader = || {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let seen = version(store);
                    assert!(["v1", "v2", "v3"].contains(&seen.as_str()), "{seen}");
                    read(store, "prod", "A").expect("a read failed");
                    reads.fetch_add(2, Ordering::Relaxed);
                }
            })
        };
        let readers = [reader(), reader()];
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                loaded.fetch_add(store.refresh().loaded.len(), Ordering::Relaxed);
            }
        });
        let enough = |swaps| swaps >= SWAPS && reads.load(Ordering::Relaxed) >= READS;
        // One that has failed reads no more; its panic is the scope's.
        while !enough(swaps) && !readers.iter().any(ScopedJoinHandle::is_finished) {
            swaps += 1;
            swap(swaps);
        }
        done.store(true, Ordering::Relaxed);
    });
    let (reads, loaded) = (reads.into_inner(), loaded.into_inner());
    let seconds = started.elapsed().as_secs_f64();
    println!("{what}: {reads} reads in {seconds:.1} s, {swaps} exchanges, {loaded} of them seen");
    assert!(loaded > 1, "no exchange was seen at all");
}

/// Writes a file in pieces where it stands, as whoever knows no better does.
fn write_in_pieces(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    for piece in bytes.chunks(bytes.len() / 7) {
        file.write_all(piece).unwrap();
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_is_renamed_into_place() {
    let Some(workshop) = Workshop::new() else { return };
    let versions = versions(&workshop);
    workshop.put("prod.enc.yaml", &versions[0]);
    let (store, _) = workshop.open(Authorship::default());
    under_load("by rename", &store, |swap| {
        workshop.put("prod.enc.yaml", &versions[swap % versions.len()]);
    });
    assert!(store.status()[0].error.is_none());
}

#[test]
fn a_folder_whose_links_are_swapped_as_the_kubelet_does() {
    let Some(workshop) = Workshop::new() else { return };
    let versions = versions(&workshop);
    let folder = workshop.served.path();
    let point = |swap: usize| {
        // A new folder each time, then the link, then the old folder goes.
        let name = format!("..v{swap}");
        fs::create_dir(folder.join(&name)).unwrap();
        fs::write(folder.join(&name).join("prod.enc.yaml"), &versions[swap % versions.len()])
            .unwrap();
        symlink(&name, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        if swap > 0 {
            fs::remove_dir_all(folder.join(format!("..v{}", swap - 1))).unwrap();
        }
    };
    point(0);
    symlink("..data/prod.enc.yaml", folder.join("prod.enc.yaml")).unwrap();
    let (store, report) = workshop.open(Authorship::default());
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    under_load("by links", &store, point);
}

#[test]
fn a_file_that_is_written_in_pieces_where_it_stands() {
    let Some(workshop) = Workshop::new() else { return };
    let versions = versions(&workshop);
    workshop.put("prod.enc.yaml", &versions[0]);
    let (store, _) = workshop.open(Authorship::default());
    under_load("in pieces", &store, |swap| {
        write_in_pieces(&workshop.path("prod.enc.yaml"), &versions[swap % versions.len()]);
    });
    // What was whole in the end is served.
    store.refresh();
    assert!(store.status()[0].error.is_none(), "{:?}", store.status());
}

#[test]
fn a_file_and_its_signature_that_are_exchanged_one_after_the_other() {
    let (Some(workshop), Some(key)) = (Workshop::new(), SigningKey::new("ed25519", None)) else {
        return;
    };
    let versions = versions(&workshop);
    let signatures: Vec<Vec<u8>> =
        versions.iter().map(|bytes| key.sign("vanta-sops:prod", bytes)).collect();
    let put = |swap: usize| {
        workshop.put("prod.enc.yaml", &versions[swap % versions.len()]);
        workshop.put("prod.enc.yaml.sig", &signatures[swap % versions.len()]);
    };
    put(0);
    let signers = tempfile::NamedTempFile::new().unwrap();
    fs::write(signers.path(), key.line("ci", "")).unwrap();
    let authorship = Authorship {
        trusted_signers: Some(signers.path().to_owned()),
        // What is tried is that nothing passing is an alarm, however slow the machine is.
        signature_grace: std::time::Duration::from_hours(1),
        ..Authorship::default()
    };
    let (store, report) = workshop.open(authorship);
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    under_load("with signatures", &store, put);
    assert!(store.status()[0].error.is_none(), "{:?}", store.status());
}

#[test]
fn one_bad_file_takes_no_other_down() {
    let Some(workshop) = Workshop::new() else { return };
    let good = workshop.encrypt("good.enc.yaml", "A: v1\nB: v1\n", ONE);
    for name in ["a", "m", "z"] {
        workshop.put(&format!("{name}.enc.yaml"), &good);
    }
    let (store, _) = workshop.open(Authorship::default());
    fs::create_dir(workshop.path("b.enc.yaml")).unwrap();
    symlink("nowhere", workshop.path("c.enc.yaml")).unwrap();
    symlink("d.enc.yaml", workshop.path("d.enc.yaml")).unwrap();
    let pipe = workshop.path("e.enc.yaml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (name, content) in [
        ("f.enc.yaml", String::new()),
        ("g.enc.yaml", "a: [".to_owned()),
        ("h.enc.json", text("app.enc.json")[..500].to_owned()),
        ("m.enc.json", text("app.enc.json")),
        ("z.enc.yaml", String::from_utf8(good.clone()).unwrap().replace("A: ", "C: ")),
    ] {
        workshop.put(name, content.as_bytes());
    }
    let report = store.refresh();
    let failed: Vec<&str> = report.failed.iter().map(|of| of.environment.as_str()).collect();
    assert_eq!(failed, ["b", "c", "d", "e", "f", "g", "h", "m", "z"]);
    assert!(report.failed.iter().all(|failed| failed.alarm == Alarm::Refused));
    for name in ["a", "m", "z"] {
        assert_eq!(read(&store, name, "A").unwrap(), "v1", "{name} serves what it served");
    }
    workshop.put("y.enc.yaml", &good);
    store.refresh();
    assert_eq!(read(&store, "y", "B").unwrap(), "v1", "what is new is taken among bad ones");
}
