//! python-dotenv, dotenv for Node and a POSIX shell read back what is written for them.
//!
//! `scripts/setup test` installs the readers. Where one cannot be had the tests say so in a line and
//! ask the others.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use proptest::strategy::{BoxedStrategy, Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use vanta::domain::grants::FileFormat;
use vanta::domain::names::Key;
use vanta::domain::render::{RenderError, Rendered, render_as};
use vanta::domain::secret::SecretValue;

use crate::support::{oracle, passed_over};

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
    read_back(&values());
}

#[test]
fn two_hundred_values_of_each_kind_are_read_back_or_refused_by_name() {
    let mut runner = TestRunner::deterministic();
    let mut written = BTreeMap::new();
    for Kind { name, values, has_a_form } in kinds() {
        let mut refused = 0;
        for at in 0..EACH {
            let value = values.new_tree(&mut runner).expect("nothing is filtered out").current();
            let key: Key = format!("VALUE_{name}_{at}").parse().expect("it is a key");
            match alone(&key, &value) {
                Ok(()) => drop(written.insert(key, SecretValue::from(value))),
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.contains(key.as_str()) && said.contains("format: json"), "{said}");
                    assert!(value.len() < 8 || !said.contains(&value), "the value is told");
                    refused += 1;
                }
            }
        }
        match has_a_form {
            HasAForm::Always => assert_eq!(refused, 0, "{name}: {refused} are refused"),
            HasAForm::Seldom => assert!(refused > 0, "{name}: none is refused"),
            HasAForm::Never => assert_eq!(refused, EACH, "{name}: some are written"),
        }
    }
    read_back(&written);
}

/// How many values there are of a kind.
const EACH: usize = 200;

/// Whether the three readers share a form for the values of a kind.
enum HasAForm {
    Always,
    Seldom,
    Never,
}

struct Kind {
    name: &'static str,
    values: BoxedStrategy<String>,
    has_a_form: HasAForm,
}

fn kinds() -> Vec<Kind> {
    use HasAForm::{Always, Never, Seldom};
    let kind = |name, regex: &str, has_a_form| {
        let values = proptest::string::string_regex(regex).expect("it is a regular expression");
        Kind { name, values: values.boxed(), has_a_form }
    };
    vec![
        kind("PLAIN", "[A-Za-z0-9_./:@,+-]{1,40}", Always),
        kind("EMPTY", "", Always),
        kind("BLANKS", "[ \t]{1,3}[a-z ]{0,9}[ \t]{1,3}", Always),
        kind("SINGLE_QUOTES", "[a-z ]{0,5}'[a-z ']{0,9}", Always),
        kind("DOUBLE_QUOTES", "[a-z ]{0,5}\"[a-z \"]{0,9}", Always),
        kind("BOTH_QUOTES", "[a-z'\"]{0,9}('[a-z]*\"|\"[a-z]*')[a-z'\"]{0,9}", Never),
        kind("DOLLARS", "[a-z$() ]{0,9}\\$[a-z0-9($]{1,9}", Always),
        kind("BRACED_DOLLARS", "[a-z ]{0,5}\\$\\{[A-Z:-]{0,6}\\}?[a-z]{0,5}", Never),
        kind("BACKSLASHES", "[a-z\\\\]{0,6}\\\\[a-z\\\\ntr$]{0,6}", Seldom),
        kind("LAST_BACKSLASH", "[a-z '\"]{0,9}\\\\", Never),
        kind("NEWLINES", "[a-z=# \n]{0,9}\n[a-z=# \n]{0,9}", Always),
        kind("CARRIAGE_RETURNS", "[a-z\n]{0,9}\r[a-z\n]{0,9}", Never),
        kind("UNICODE", "[\u{a0}-\u{d7ff}\u{e000}-\u{10ffff}]{1,12}", Always),
        kind("LINE_SEPARATORS", "[a-z]{0,4}[\u{85}\u{2028}\u{2029}\u{b}\u{c}][a-z]{0,4}", Always),
        kind("HASHES", "[a-z ]{0,5} ?#[a-z #]{0,9}", Always),
        kind("EQUALS", "[A-Z ]{0,5}=[a-z =]{0,9}", Always),
        kind("BACKTICKS", "[a-z ]{0,5}`[a-z `]{0,9}", Always),
        kind(
            "EXPORTS",
            "(export |export\t)?[A-Z]{1,4}=[a-z]{0,4}\n[A-Z]{1,4}=[a-z\"]{0,4}",
            Always,
        ),
        kind("CONTROLS", "[a-z\u{1}-\u{9}\u{b}\u{c}\u{e}-\u{1f}\u{7f}]{1,12}", Always),
        kind("NULS", "[a-z]{0,5}\u{0}[a-z]{0,5}", Never),
        kind("QUOTED_JSON", "\\{\"[a-z]{1,5}\": ?\"[a-z$#]{0,5}\"\\}", Always),
        kind("LONG", "[A-Za-z0-9+/ #=]{2000,4000}", Always),
    ]
}

/// What comes of one value by itself.
fn alone(key: &Key, value: &str) -> Result<(), RenderError> {
    let values = BTreeMap::from([(key.clone(), SecretValue::from(value.to_owned()))]);
    render_as(&values, FileFormat::Dotenv, &BTreeMap::new()).map(|_| ())
}

/// Has each reader read these values, which have to be what was written.
fn read_back(values: &BTreeMap<Key, SecretValue>) {
    let Rendered::Text(text) =
        render_as(values, FileFormat::Dotenv, &BTreeMap::new()).expect("these have a form")
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
            passed_over(&format!(
                "{reader} is not here, so it is not asked: run `scripts/setup test`"
            ));
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
    let key = "K".parse().expect("it is a key");
    let mut values = BTreeMap::new();
    while values.len() < 1500 {
        let value = special.new_tree(&mut runner).expect("nothing is filtered out").current();
        if alone(&key, &value).is_ok() {
            let key = format!("VALUE_{}", values.len()).parse().expect("it is a key");
            values.insert(key, SecretValue::from(value));
        }
    }
    values
}

/// Each reader, or none where it cannot be had.
fn readers() -> Vec<(&'static str, Option<Command>)> {
    let shell = |program: &str| {
        let mut command = Command::new(program);
        command.args(["-c", SHELL, "sh"]);
        works(Command::new(program).args(["-c", ":"])).then_some(command)
    };
    vec![
        ("python-dotenv", python()),
        ("dotenv for Node", node("dotenv")),
        ("dotenv 16 for Node", node("dotenv-16")),
        ("sh", shell("sh")),
        ("bash", shell("bash")),
    ]
}

fn python() -> Option<Command> {
    let with = |script: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", script]).env("PYTHONPATH", oracle::libraries()?.join("python"));
        Some(command)
    };
    works(&mut with("import dotenv")?).then(|| with(PYTHON))?
}

fn node(library: &str) -> Option<Command> {
    let with = |script: &str| {
        let mut command = Command::new("node");
        command.args(["-e", &script.replace("'dotenv'", &format!("'{library}'"))]);
        command.env("NODE_PATH", oracle::libraries()?.join("node_modules"));
        Some(command)
    };
    works(&mut with("require('dotenv')")?).then(|| with(NODE))?
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
