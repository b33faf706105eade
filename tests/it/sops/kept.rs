//! What is kept of files that open: what is served of them, within a bound for each and for all.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use vanta::adapters::sops::{
    EncryptedFile, FileError, Format, Leave, MAX_KEPT_BYTES, ReadError, RefreshReport, SopsStore,
    StoreOptions, Withheld,
};

use super::fixtures::{identities, keys, open, options, read, text};
use super::made::keys::OURS;
use super::memory;
use super::workshop::Workshop;

/// Keys of one mapping, aliases of it, and the length of the key above these.
const INNER: usize = 98;
const ALIASES: usize = 490;

/// The lines of a mapping.
fn inner(indent: &str) -> String {
    (0..INNER).fold(String::new(), |mut lines, at| {
        writeln!(lines, "{indent}k{at:x}: 0").unwrap();
        lines
    })
}

/// A file of a few kilobytes whose aliases stand for 48,000 plain values, with what sops signs of
/// the same file written out: the MAC is over the values alone.
fn fat(workshop: &Workshop, above: usize) -> String {
    let above = "k".repeat(above);
    let mut plain = format!("secret: hunter2\na:\n{}{above}:\n", inner("  "));
    let mut aliased = format!("a: &a\n{}{above}:\n", inner("  "));
    for at in 0..ALIASES {
        write!(plain, "  k{at:x}:\n{}", inner("    ")).unwrap();
        writeln!(aliased, "  k{at:x}: *a").unwrap();
    }
    let arguments = ["encrypt", "--in-place", "--age", OURS, "--encrypted-regex", "^secret$"];
    let arguments = [&arguments[..], &["fat.enc.yaml"]].concat();
    let made = workshop.change("fat.enc.yaml", plain.as_bytes(), &arguments);
    let made = String::from_utf8(made).unwrap();
    let secret = made.lines().next().unwrap();
    let metadata = &made[made.find("\nsops:").unwrap()..];
    format!("{secret}\n{}{metadata}", aliased.trim_end())
}

fn load(folder: &Path, leave: Leave) -> (SopsStore, RefreshReport) {
    SopsStore::open(StoreOptions { leave, ..options(folder) })
}

#[test]
fn a_small_file_that_opens_is_kept_as_little() {
    let name = "sops::kept::a_small_file_that_opens_is_kept_as_little";
    if let Some(folder) = memory::given() {
        memory::limit();
        let (_, report) = load(&folder, Leave::default());
        memory::say(&format!("{} were loaded", report.loaded.len()));
        return;
    }
    let Some(workshop) = Workshop::new() else { return };
    let fat = fat(&workshop, 238);
    assert!(fat.len() < 10_000, "{}", fat.len());
    for at in 0..8 {
        workshop.put(&format!("e{at}.enc.yaml"), fat.as_bytes());
    }
    let said = memory::run(name, workshop.served.path());
    assert!(said.contains("8 were loaded"), "{said}");
    // What is not kept is still told of.
    let file = open(&fat, Leave::default()).unwrap();
    assert_eq!(keys(&file), ["secret"]);
    assert_eq!(read(&file, "secret"), "hunter2");
    let withheld = file.read(&"a.k61".parse().unwrap()).err();
    assert_eq!(withheld, Some(ReadError::Withheld(Withheld::Plain)));
    let missing = file.read(&"a.k62".parse().unwrap()).err();
    assert_eq!(missing, Some(ReadError::NoKey));
    insta::assert_snapshot!(file.warnings().join("\n"), @"48118 values are not served: 48118 plain (VANTA_SOPS_ALLOW: `plain-values`): a.k0, a.k1, a.k10, a.k11, a.k12, …");
}

#[test]
fn a_file_that_is_kept_as_much_as_may_be_opens_within_64_mebibytes() {
    let name = "sops::kept::a_file_that_is_kept_as_much_as_may_be_opens_within_64_mebibytes";
    if let Some(folder) = memory::given() {
        memory::limit();
        let leave = Leave { plain_values: true, ..Leave::default() };
        let (_, report) = load(&folder, leave);
        memory::say(&format!("{} keys are served", report.loaded[0].keys));
        return;
    }
    let Some(workshop) = Workshop::new() else { return };
    workshop.put("dev.enc.yaml", fat(&workshop, 130).as_bytes());
    let said = memory::run(name, workshop.served.path());
    let count = 1 + INNER * (1 + ALIASES);
    assert!(said.contains(&format!("{count} keys are served")), "{said}");
}

#[test]
fn a_small_file_of_which_much_would_be_kept_is_refused() {
    let Some(workshop) = Workshop::new() else { return };
    let refused = open(&fat(&workshop, 238), Leave::ALL).err().unwrap();
    assert_eq!(refused, FileError::TooMuchKept { limit: MAX_KEPT_BYTES });
    insta::assert_snapshot!(refused, @"the values that are served of the file and their paths take more than 16777216 bytes of memory: split it into several environments");
}

#[test]
fn an_environment_for_which_there_is_no_room_is_refused_by_name_and_no_other() {
    const FILES: usize = 12;
    let Some(workshop) = Workshop::new() else { return };
    // Each takes somewhat less than it may.
    let fat = fat(&workshop, 130);
    let file = |at: usize| format!("e{at:02}.enc.yaml");
    for at in 0..FILES {
        workshop.put(&file(at), fat.as_bytes());
    }
    let leave = Leave { plain_values: true, ..Leave::default() };
    let (store, report) = load(workshop.served.path(), leave);
    let (loaded, failed) = (report.loaded.len(), report.failed.len());
    assert!(loaded >= 8 && failed > 0 && loaded + failed == FILES, "{loaded} and {failed}");
    insta::assert_snapshot!(report.failed[0].reason, @"with it, the values that are served of all environments would take more than 134217728 bytes of memory: take out what is not needed, here or in others, or serve some of them from another vault; it is tried again by itself");
    // A change of one that is served has its own room, and a small one has room too.
    workshop.put(&file(0), (fat.clone() + "# changed\n").as_bytes());
    workshop.put("small.enc.yaml", text("app.enc.yaml").as_bytes());
    let report = store.refresh();
    let names: Vec<String> = report.loaded.iter().map(|of| of.environment.to_string()).collect();
    assert_eq!((names.join(" "), report.failed.len()), ("e00 small".to_owned(), 0));
    // What goes makes room.
    fs::remove_file(workshop.path(&file(0))).unwrap();
    workshop.put(&file(FILES - 1), (fat.clone() + "# changed\n").as_bytes());
    let report = store.refresh();
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    // After a restart what was served has its room before what is new, whatever that is called.
    let keys = |store: &SopsStore| {
        let of = store.status().into_iter();
        let served = of.filter(|status| status.keys.is_some());
        served.map(|status| status.environment.to_string()).collect::<Vec<_>>()
    };
    let before = keys(&store);
    for new in ["a.enc.yaml", "b.enc.yaml"] {
        workshop.put(new, fat.as_bytes());
    }
    let history = store.history().borrow().as_ref().clone();
    let options = StoreOptions { leave, ..options(workshop.served.path()) };
    assert_eq!(keys(&SopsStore::open_again(options, history).0), before);
}

#[test]
fn ten_thousand_values_are_served_under_ordinary_rules() {
    let Some(workshop) = Workshop::new() else { return };
    let alternatives: Vec<String> = (0..30).map(|at| format!("part{at}_of_the_names")).collect();
    let alternatives = format!("^({}|value_of_)", alternatives.join("|"));
    for rule in ["^(data|stringData)$", &alternatives] {
        let values: Vec<String> =
            (0..10_000).map(|at| format!("  value_of_{at}: v{at}\n")).collect();
        let plain = format!("stringData:\n{}", values.concat());
        let arguments = ["encrypt", "--in-place", "--age", OURS, "--encrypted-regex", rule];
        let arguments = [&arguments[..], &["many.enc.yaml"]].concat();
        let made = workshop.change("many.enc.yaml", plain.as_bytes(), &arguments);
        let file = EncryptedFile::open(&made, Format::Yaml, &identities(), Leave::default());
        let file = file.unwrap();
        assert_eq!(file.keys().count(), 10_000, "{rule}");
        assert_eq!(read(&file, "stringData.value_of_9999"), "v9999");
    }
}

#[test]
fn a_value_is_found_whatever_its_path_is_made_of() {
    let Some(workshop) = Workshop::new() else { return };
    // Keys that hold dots, below lists, and both: each has another place than its path tells.
    let plain = "a.b: one\na.c:\n  d.e: two\nl:\n- three\n- f.g: four\n";
    let made = workshop.encrypt("dotted.enc.yaml", plain, OURS);
    let file = open(std::str::from_utf8(&made).unwrap(), Leave::ALL).unwrap();
    assert_eq!(keys(&file), ["a.b", "a.c.d.e", "l.0", "l.1.f.g"]);
    let values = ["a.b", "a.c.d.e", "l.0", "l.1.f.g"].map(|key| read(&file, key));
    assert_eq!(values, ["one", "two", "three", "four"]);
}

#[test]
fn a_comment_beside_an_alias_is_before_it_and_in_no_copy() {
    let Some(workshop) = Workshop::new() else { return };
    workshop.beside(
        ".sops.yaml",
        &format!("creation_rules:\n  - unencrypted_comment_regex: open\n    age: {OURS}\n"),
    );
    let plain = "# open\na:\n    x: 1\n    v: 2\nm:\n    # open\n    k:\n        x: 1\n        v: 2\n    z: 3\n";
    let made =
        workshop.change("c.enc.yaml", plain.as_bytes(), &["encrypt", "--in-place", "c.enc.yaml"]);
    let made = String::from_utf8(made).unwrap();
    let written = "a:\n    x: 1\n    v: 2\nm:\n    # open\n    k:\n        x: 1\n        v: 2\n";
    let aliased = "a: &a\n    x: 1\n    v: 2\nm:\n    k: *a # open\n";
    assert_eq!(made.matches(written).count(), 1, "{made}");
    let aliased = made.replace(written, aliased);
    let theirs =
        workshop.change("c.enc.yaml", aliased.as_bytes(), &["decrypt", "--in-place", "c.enc.yaml"]);
    let theirs = String::from_utf8(theirs).unwrap();
    assert!(theirs.contains("z: 3"), "{theirs}");
    let ours = open(&aliased, Leave::ALL).unwrap();
    assert_eq!(keys(&ours), ["a.v", "a.x", "m.k.v", "m.k.x", "m.z"]);
    assert_eq!(read(&ours, "m.z"), "3");
}
