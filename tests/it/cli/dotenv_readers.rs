//! python-dotenv, dotenv for Node and a POSIX shell read back what is written for them.
//!
//! The readers are installed once into the build's folder. Where one cannot be had the test says
//! so in a line and asks the others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use vanta::domain::grants::FileFormat;
use vanta::domain::names::Key;
use vanta::domain::render::{Rendered, render_as};
use vanta::domain::secret::SecretValue;

/// Prints name and value of each variable, NUL after each.
const PYTHON: &str = "import sys, dotenv
for name, value in dotenv.dotenv_values(sys.argv[1]).items():
    sys.stdout.buffer.write(f'{name}\\0{value}\\0'.encode())";
const NODE: &str = "const text = require('fs').readFileSync(process.argv[1], 'utf8');
const options = process.argv[2] === 'fast' ? { fast: true } : {};
for (const [name, value] of Object.entries(require('dotenv').parse(text, options)))
    process.stdout.write(`${name}\\0${value}\\0`);";
const SHELL: &str = "set -a; . \"$1\"; env -0";

#[test]
fn every_value_that_is_written_is_read_back_by_all_three() {
    let values = values();
    let Rendered::Text(text) =
        render_as(&values, FileFormat::Dotenv, &BTreeMap::new()).expect("these have a form")
    else {
        panic!("dotenv is one text");
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.env");
    fs::write(&file, text.expose()).unwrap();
    let expected: BTreeMap<&str, &str> =
        values.iter().map(|(key, value)| (key.as_str(), value.expose_str().unwrap())).collect();
    for (reader, command) in readers() {
        let Some(mut command) = command else {
            println!("{reader} cannot be had here, so it is not asked");
            continue;
        };
        let output = command.arg(&file).output().unwrap();
        assert!(output.status.success(), "{reader}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut read = pairs(&text);
        read.retain(|name, _| name.starts_with("VALUE_"));
        for (name, value) in &expected {
            assert_eq!(read.get(name), Some(value), "{reader} reads {name} otherwise");
        }
        assert_eq!(read.len(), expected.len(), "{reader} reads more than was written");
    }
}

fn pairs(text: &str) -> BTreeMap<&str, &str> {
    let mut parts = text.split_terminator('\0');
    let mut pairs = BTreeMap::new();
    while let Some(name) = parts.next() {
        match name.split_once('=') {
            Some((name, value)) => pairs.insert(name, value),
            None => pairs.insert(name, parts.next().expect("a value follows its name")),
        };
    }
    pairs
}

/// Some thousand values that a dotenv file may hold, made of what the three treat specially.
fn values() -> BTreeMap<Key, SecretValue> {
    let mut runner = TestRunner::deterministic();
    let special = proptest::string::string_regex(
        "([ \t\nab=#$'\"`\\\\{}()!*~;&|<>%\u{e9}\u{2028}\u{85}\u{a0}]|#|\\n|\\$|export A=|'|\"){0,10}",
    )
    .unwrap();
    let one = |value: &str| {
        let key = "K".parse().expect("it is a key");
        let values = BTreeMap::from([(key, SecretValue::from(value.to_owned()))]);
        render_as(&values, FileFormat::Dotenv, &BTreeMap::new()).is_ok()
    };
    let mut values = BTreeMap::new();
    while values.len() < 1500 {
        let value = special.new_tree(&mut runner).expect("nothing is filtered out").current();
        if one(&value) {
            let key = format!("VALUE_{}", values.len()).parse().expect("it is a key");
            values.insert(key, SecretValue::from(value));
        }
    }
    values
}

fn readers() -> Vec<(&'static str, Option<Command>)> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dotenv-readers");
    fs::create_dir_all(&folder).expect("the build's folder can be written");
    let shell = |program: &str| {
        let mut command = Command::new(program);
        command.args(["-c", SHELL, "sh"]);
        // A POSIX shell is everywhere; bash may not be.
        Command::new(program).args(["-c", ":"]).status().is_ok().then_some(command)
    };
    vec![
        ("python-dotenv", python(&folder)),
        ("dotenv for Node", node(&folder, "latest")),
        ("dotenv 16 for Node", node(&folder, "16")),
        ("sh", shell("sh")),
        ("bash", shell("bash")),
    ]
}

fn python(folder: &Path) -> Option<Command> {
    let python = folder.join("python/bin/python");
    if !python.exists() {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(folder.join("python")))?;
    }
    let has_it = |python: &PathBuf| succeeds(Command::new(python).args(["-c", "import dotenv"]));
    if has_it(&python).is_none() {
        succeeds(Command::new(&python).args(["-m", "pip", "install", "-q", "python-dotenv"]))?;
    }
    let mut command = Command::new(python);
    command.args(["-c", PYTHON]);
    Some(command)
}

fn node(folder: &Path, version: &str) -> Option<Command> {
    let folder = folder.join(format!("node-{version}"));
    if !folder.join("node_modules/dotenv").exists() {
        fs::create_dir_all(&folder).ok()?;
        let package = format!("dotenv@{version}");
        succeeds(Command::new("npm").args(["install", "--prefix"]).arg(&folder).arg(package))?;
    }
    let mut command = Command::new("node");
    command.args(["-e", NODE]).env("NODE_PATH", folder.join("node_modules"));
    Some(command)
}

fn succeeds(command: &mut Command) -> Option<()> {
    command.output().is_ok_and(|output| output.status.success()).then_some(())
}
