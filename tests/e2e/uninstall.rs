//! `helm uninstall` leaves nothing behind but the CRDs. It runs last: it takes the system away.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the other target uses all of it")]
mod support;

use std::collections::BTreeSet;
use std::process::Command;

use support::kubectl::kubectl;
use support::shop::Shop;
use support::{SYSTEM, alone, folder, until};

/// Every object of the cluster, as `Kind namespace name`; what comes and goes by itself is left
/// out.
fn objects() -> Result<BTreeSet<String>, String> {
    let kinds = kubectl(&["api-resources", "--verbs=list", "-o", "name"])?;
    let passing = |kind: &&str| !kind.starts_with("events") && !kind.starts_with("leases.");
    let kinds = kinds.lines().filter(passing).collect::<Vec<_>>().join(",");
    let columns = "-o=custom-columns=:.kind,:.metadata.namespace,:.metadata.name";
    let list = kubectl(&["get", &kinds, "-A", "--ignore-not-found", "--no-headers", columns])?;
    let words = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(words.filter(|object| !object.is_empty()).collect())
}

fn is_a_scenarios(object: &str) -> bool {
    object.contains("e2e-")
}

#[test]
fn uninstalling_the_chart_leaves_nothing_behind_but_the_crds() {
    let Some(_alone) = alone() else { return };
    // What the cluster held before the chart was installed.
    let before = std::fs::read_to_string(folder().unwrap().join("objects-before")).unwrap();
    let before: BTreeSet<String> = before.lines().map(str::to_owned).collect();
    assert!(before.len() > 10, "the list of what was there before is empty");
    // A namespace with what the injector puts into each.
    let shop = Shop::new("left", &[("APP_TOKEN", "t")]);
    until("the authority is in the namespace", || {
        kubectl(&["-n", &shop.name, "get", "configmap", "vanta-ca"])
    });
    let installed = objects().unwrap();
    let own = |object: &&String| !before.contains(*object) && !is_a_scenarios(object);
    assert!(installed.iter().filter(own).count() > 10, "nothing is installed");

    let uninstalled =
        Command::new("helm").args(["uninstall", "vanta", "-n", SYSTEM, "--wait"]).output().unwrap();
    let said = String::from_utf8_lossy(&uninstalled.stderr);
    assert!(uninstalled.status.success(), "{said}");

    until("all but the CRDs are gone", || {
        let left: Vec<String> = objects()?.iter().filter(own).cloned().collect();
        // The API that the CRDs bring goes with them.
        let kept = [
            "APIService <none> v1alpha1.vanta.dev",
            "CustomResourceDefinition <none> secretaccesses.vanta.dev",
            "CustomResourceDefinition <none> secretpolicies.vanta.dev",
        ];
        if left == kept { Ok(()) } else { Err(format!("{left:?}")) }
    });
    let map = kubectl(&["-n", &shop.name, "get", "configmap", "vanta-ca"]);
    assert!(map.is_err(), "the authority is still in a namespace");
}
