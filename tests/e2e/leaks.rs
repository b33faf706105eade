//! No secret is in etcd, in a pod's spec, in a log, an event or a metric.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::kubectl::{apply, kubectl};
use crate::support::pods::{deployment, pod, template};
use crate::support::shop::{MARKER, Shop};
use crate::support::vault::system_pods;
use crate::support::{alone, folder, until};

/// What the search must find first, or it would find nothing.
const PLANTED: &str = "vpl-8Hd3mQ6vS1xJ9cFe";

/// A marker as it is and as base64 has it, whatever stands before it.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![marker.as_bytes().to_vec()];
    for before in 0..3 {
        let padded = [vec![b'.'; before], marker.as_bytes().to_vec()].concat();
        let encoded = STANDARD.encode(padded);
        // What the bytes around it have a part in is left out.
        let (first, last) = (before.div_ceil(3) * 4, encoded.trim_end_matches('=').len() - 2);
        forms.push(encoded.as_bytes()[first..last].to_vec());
    }
    forms
}

/// The places that hold a marker in any of its forms.
fn search(places: &[(String, Vec<u8>)], marker: &str) -> Vec<String> {
    let forms = forms(marker);
    let holds = |content: &[u8]| {
        forms.iter().any(|form| content.windows(form.len()).any(|window| window == form))
    };
    let found = places.iter().filter(|(_, content)| holds(content));
    found.map(|(place, _)| place.clone()).collect()
}

/// Every file below a folder, those of gzip unpacked.
fn files(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        // Links lead to what is found elsewhere.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            files(&path, places);
        } else if metadata.is_file() {
            places.push((path.display().to_string(), content(&path)));
        }
    }
}

fn content(path: &PathBuf) -> Vec<u8> {
    if path.extension().is_some_and(|end| end == "gz") {
        return Command::new("gzip").arg("-dc").arg(path).output().unwrap().stdout;
    }
    // A log may be rotated away meanwhile.
    std::fs::read(path).unwrap_or_default()
}

/// All that could hold a secret and must not.
fn everything() -> Vec<(String, Vec<u8>)> {
    let mut places = Vec::new();
    let cluster = folder().unwrap();
    for part in ["etcd", "logs", "pod-logs"] {
        let before = places.len();
        files(&cluster.join(part), &mut places);
        assert!(places.len() > before, "there is nothing in {part}");
    }
    for what in ["pods", "events", "configmaps", "secrets", "secretaccesses"] {
        let text = kubectl(&["get", what, "-A", "-o", "json"]).unwrap();
        places.push((format!("all {what}"), text.into_bytes()));
    }
    for program in ["vault", "injector"] {
        for pod in system_pods(program) {
            let address = pod["status"]["podIP"].as_str().unwrap();
            let mut answer = ureq::get(format!("http://{address}:9090/metrics")).call().unwrap();
            let text = answer.body_mut().read_to_string().unwrap();
            assert!(text.contains("# EOF") || text.contains("# TYPE"), "no metrics: {text}");
            places.push((format!("metrics of {program}"), text.into_bytes()));
        }
    }
    places
}

#[test]
fn no_marker_of_any_scenario_is_in_etcd_specs_logs_events_or_metrics() {
    let Some(_alone) = alone() else { return };
    let shop = Shop::new("leaks", &[("APP_TOKEN", "t"), ("APP_URL", "u")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    let script = format!("echo {PLANTED}; . /vanta/secrets/.env; while :; do sleep 0.1; done");
    shop.apply(&deployment("web", template("default", Some("app"), &script)));
    shop.ready("web");
    // A file that is refused and one that cannot be granted are told of, without what they hold.
    shop.secrets(&[("APP_TOKEN", "t2"), ("NOT_GRANTED", "n")]);
    let mut waiting = template("default", Some("nothing"), "true");
    waiting["metadata"]["annotations"]["vanta.dev/mode"] = "init".into();
    waiting["metadata"]["annotations"]["vanta.dev/start-up-budget"] = "2s".into();
    waiting["spec"]["restartPolicy"] = "Never".into();
    shop.apply(&pod("waiting", waiting));
    shop.ended("waiting");

    plant(&shop);
    let places = until("what was planted is found", || {
        let places = everything();
        let found = search(&places, PLANTED);
        let cluster = folder().unwrap().display().to_string();
        let wanted = [
            format!("{cluster}/etcd"),
            format!("{cluster}/pod-logs"),
            format!("{cluster}/logs/planted.gz"),
            "all pods".to_owned(),
            "all events".to_owned(),
            "all configmaps".to_owned(),
        ];
        let missed: Vec<&String> =
            wanted.iter().filter(|part| !found.iter().any(|at| at.starts_with(*part))).collect();
        if missed.is_empty() { Ok(places) } else { Err(format!("not found in {missed:?}")) }
    });
    println!("{} places were searched", places.len());
    let leaked = search(&places, MARKER);
    assert!(leaked.is_empty(), "secrets are in {leaked:#?}");
}

/// Puts the planted marker where secrets must not be, in each form once.
fn plant(shop: &Shop) {
    let encoded = STANDARD.encode(format!("x{PLANTED}"));
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "planted", "namespace": shop.name},
        "data": {"base64": encoded},
    });
    apply(&map.to_string()).unwrap();
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": "planted", "namespace": shop.name},
        "involvedObject": {"kind": "Pod", "namespace": shop.name, "name": "x"},
        "reason": "Planted", "message": PLANTED, "type": "Normal",
    });
    kubectl_create(&event.to_string());
    let log = folder().unwrap().join("logs/planted");
    std::fs::write(&log, PLANTED).unwrap();
    let packed = Command::new("gzip").arg("-f").arg(&log).status().unwrap();
    assert!(packed.success());
}

fn kubectl_create(object: &str) {
    crate::support::kubectl::kubectl_with(&["create", "-f", "-"], object).unwrap();
}

#[test]
fn the_search_finds_a_marker_raw_and_in_base64_at_each_offset() {
    for before in ["", "a", "ab", "abc"] {
        let encoded = STANDARD.encode(format!("{before}{MARKER}-and more"));
        let places = [("here".to_owned(), encoded.into_bytes())];
        assert_eq!(search(&places, MARKER), ["here"], "after {before:?}");
    }
    let places = [("there".to_owned(), b"nothing".to_vec())];
    assert!(search(&places, MARKER).is_empty());
}
