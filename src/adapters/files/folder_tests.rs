//! What is promised of a secrets folder, tried against folders that somebody else prepared.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn folder(mode: FileMode) -> (TempDir, SecretsFolder) {
    let place = tempfile::tempdir().unwrap();
    let folder = SecretsFolder::open(place.path(), mode).unwrap();
    (place, folder)
}

fn path(text: &str) -> RelativePath {
    text.parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::from(text.to_owned())
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn a_file_has_its_mode_whatever_was_there_and_is_written_only_when_it_differs() {
    for (file_mode, bits) in [(FileMode::Owner, 0o600), (FileMode::Group, 0o440)] {
        let (place, folder) = folder(file_mode);
        let file = place.path().join("a/b");
        assert!(folder.write(&path("a/b"), &value("1")).unwrap());
        assert!(!folder.write(&path("a/b"), &value("1")).unwrap());
        assert!(folder.write(&path("a/b"), &value("2")).unwrap());
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("2", bits));
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        assert!(!folder.holds(&path("a/b")));
        assert!(folder.write(&path("a/b"), &value("2")).unwrap(), "others could write to it");
        assert_eq!(mode(&file), bits);
        assert!(folder.holds(&path("a/b")));
        assert_eq!(folder.read(&path("a/b"), 9).unwrap().unwrap(), b"2");
    }
}

#[test]
fn a_link_is_neither_followed_nor_read_and_one_in_the_place_of_a_file_is_replaced() {
    let (place, folder) = folder(FileMode::Owner);
    let elsewhere = tempfile::tempdir().unwrap();
    let victim = elsewhere.path().join("victim");
    fs::write(&victim, "as it was").unwrap();
    symlink(&victim, place.path().join("file")).unwrap();
    symlink(elsewhere.path(), place.path().join("folder")).unwrap();
    assert!(folder.read(&path("file"), 9).unwrap().is_none());
    assert!(folder.write(&path("file"), &value("secret")).unwrap());
    for in_folder in ["folder/victim", "folder/new/file"] {
        let refused = folder.write(&path(in_folder), &value("secret"));
        assert!(matches!(refused, Err(FolderError::NotOurs { .. })), "{refused:?}");
        assert!(folder.remove(&path(in_folder)).is_err());
        assert!(!folder.holds(&path(in_folder)));
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[test]
fn a_pipe_is_not_waited_for_and_an_open_folder_is_refused() {
    let (place, folder) = folder(FileMode::Owner);
    nix::unistd::mkfifo(&place.path().join("pipe"), Mode::S_IRWXU).unwrap();
    assert!(folder.read(&path("pipe"), 9).unwrap().is_none());
    assert!(folder.write(&path("pipe"), &value("1")).unwrap());
    fs::create_dir(place.path().join("open")).unwrap();
    fs::set_permissions(place.path().join("open"), Permissions::from_mode(0o777)).unwrap();
    let refused = folder.write(&path("open/file"), &value("1"));
    assert!(matches!(refused, Err(FolderError::NotOurs { .. })), "{refused:?}");
}

#[test]
fn what_is_removed_takes_the_folders_along_that_are_empty_then() {
    let (place, folder) = folder(FileMode::Owner);
    for file in ["a/b/c", "a/d"] {
        folder.write(&path(file), &value("1")).unwrap();
    }
    folder.remove(&path("a/b/c")).unwrap();
    assert!(!place.path().join("a/b").exists());
    assert!(place.path().join("a/d").exists());
    folder.remove(&path("a/d")).unwrap();
    folder.remove(&path("a/d")).unwrap();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn nothing_of_a_write_that_fails_is_left() {
    let (place, folder) = folder(FileMode::Owner);
    fs::create_dir_all(place.path().join("file/x")).unwrap();
    assert!(folder.write(&path("file"), &value("1")).is_err());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}
