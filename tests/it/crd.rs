//! The definitions of SecretAccess and SecretPolicy are as the code is, and the code takes and
//! refuses what the API server takes and refuses.
//!
//! The fixtures below `tests/fixtures/crd` were applied to a real API server: all of `good` were
//! taken, and all of `bad` refused, with a message that holds the text of their first line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kube::CustomResourceExt;
use serde_json::Value;
use vanta::adapters::access::AccessFolder;
use vanta::contract::crd::{SecretAccess, SecretPolicy};
use vanta::programs::generate::crds;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_definitions_are_as_the_code_is() {
    let committed = fs::read_dir(project().join("crds")).unwrap();
    let committed: BTreeMap<String, String> = committed
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            (format!("crds/{name}"), fs::read_to_string(&path).unwrap())
        })
        .collect();
    let made: BTreeMap<String, String> = crds().into_iter().collect();
    assert!(committed == made, "run `cargo run --bin generate`");
}

/// Each fixture's name and text.
fn fixtures(folder: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(project().join("tests/fixtures/crd").join(folder)).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
}

/// What is wrong with the objects of a text, where they were a file of the vault's folder.
fn problems(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("all.yaml"), text).unwrap();
    AccessFolder::new(folder.path().to_owned()).refresh().problems
}

#[test]
fn what_the_api_server_takes_is_taken_from_a_file_too() {
    let good = fixtures("good");
    assert!(good.len() > 5);
    for (name, text) in good {
        assert_eq!(problems(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_the_api_server_refuses_is_refused_in_a_file_too() {
    let bad = fixtures("bad");
    assert!(bad.len() > 20);
    for (name, text) in bad {
        assert!(text.starts_with("# refused: "), "{name} does not say what is wrong with it");
        assert_eq!(problems(&text).len(), 1, "{name} was accepted");
    }
}

/// Each schema below this one, with its path.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&format!("{path}[]"), &schema[inner], visit);
        }
    }
}

#[test]
fn everything_in_a_spec_has_a_maximum_and_a_description() {
    for definition in [SecretAccess::crd(), SecretPolicy::crd()] {
        let definition = serde_json::to_value(definition).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk("spec", &schema["properties"]["spec"], &mut |path, schema| {
            let bounded = match schema["type"].as_str().expect("a structural schema has types") {
                "string" => !schema["maxLength"].is_null() || !schema["enum"].is_null(),
                "array" => !schema["maxItems"].is_null(),
                "object" if schema["properties"].is_null() => !schema["maxProperties"].is_null(),
                _ => true,
            };
            assert!(bounded, "{path} has no maximum");
            let item = path.ends_with("[]");
            assert!(item || schema["description"].is_string(), "{path} has no description");
        });
    }
}

#[test]
fn a_list_that_is_too_long_is_refused_in_a_file_too() {
    let many = |count: usize, one: &str| vec![one; count].join(", ");
    let policy = |subjects: &str| {
        format!(
            "apiVersion: vanta.dev/v1alpha1\nkind: SecretPolicy\nmetadata: {{name: p}}\n\
             spec: {{subjects: [{subjects}], environment: dev, keyPatterns: ['*']}}\n"
        )
    };
    let group = "{namespace: a, clients: [ci]}";
    assert!(problems(&policy(&many(32, group))).is_empty());
    for (text, expected) in [
        (policy(&many(33, group)), "spec.subjects: it holds 33, and the most is 32"),
        (
            policy(&format!("{{namespace: a, clients: [{}]}}", many(65, "ci"))),
            "spec.subjects.clients: it holds 65, and the most is 64",
        ),
    ] {
        let problems = problems(&text);
        assert!(problems[0].contains(expected), "{problems:?}");
    }
}
