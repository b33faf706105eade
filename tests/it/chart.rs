//! The chart: what is derived from it is fresh, what it renders holds no key and runs as nobody in
//! particular, and what cannot work is refused in words.

#[path = "chart/authorship.rs"]
mod authorship;
#[path = "chart/master_keys.rs"]
mod master_keys;
#[path = "chart/pod.rs"]
mod pod;
#[path = "chart/refusals.rs"]
mod refusals;
#[path = "chart/tracing.rs"]
mod tracing;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};
use vanta::contract::crd::{SecretAccess, SecretPolicy};
use vanta::domain::pod::{AGENT_CONTAINER, AUTHORITY_CONFIG_MAP};
use vanta::domain::system::{
    AUTHORITY_SECRET, INJECTOR, INJECTOR_SECRET, MADE_SECRETS, VAULT, VAULT_PORT, VAULT_SECRET,
};

use crate::support::{oracle, passed_over};

const NAMESPACE: &str = "vanta-system";

/// The oldest Kubernetes that the chart is for; helm would else take a version of its own.
const KUBERNETES: &str = "1.30.0";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The YAML files of a folder, in order of their names.
fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

/// The documents of a YAML text.
fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// Real helm, or none where it is nowhere, which is said.
fn helm() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| oracle::program("helm", "VANTA_TEST_HELM")).as_deref();
    if found.is_none() {
        passed_over("there is no helm: install it, or name one in VANTA_TEST_HELM");
    }
    found
}

fn run(helm: &Path, arguments: &[&str]) -> Output {
    Command::new(helm).args(arguments).current_dir(root()).output().expect("helm can be started")
}

/// What the chart renders with some values, or why it refuses them.
fn render(helm: &Path, values: &[&str]) -> Result<Vec<Value>, String> {
    let chart = [
        "template",
        "vanta",
        "charts/vanta",
        "--namespace",
        NAMESPACE,
        "--kube-version",
        KUBERNETES,
    ];
    let output = run(helm, &[&chart, values].concat());
    if output.status.success() {
        Ok(documents(&String::from_utf8(output.stdout).unwrap()))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The values that the chart is tried with: its own, and those of `ci`.
fn each_values_file() -> Vec<Vec<String>> {
    let files = yaml_files("charts/vanta/ci");
    assert!(files.len() >= 2, "there are no values to try");
    let named = files.iter().map(|file| vec!["-f".to_owned(), file.display().to_string()]);
    std::iter::once(Vec::new()).chain(named).collect()
}

/// Everything that the chart can render, with the values that it was rendered with.
fn each_rendering(helm: &Path) -> Vec<(String, Vec<Value>)> {
    let values = each_values_file().into_iter().map(|values| {
        let rendered = render(helm, &values.iter().map(String::as_str).collect::<Vec<_>>());
        let name = values.join(" ");
        let rendered = rendered.unwrap_or_else(|refused| panic!("{name}: {refused}"));
        (name, rendered)
    });
    values.collect()
}

fn name(object: &Value) -> String {
    format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

fn named<'a>(objects: &'a [Value], wanted: &str) -> &'a Value {
    objects.iter().find(|object| name(object) == wanted).unwrap_or_else(|| panic!("no {wanted}"))
}

#[test]
fn the_charts_crds_are_the_projects() {
    let (ours, charts) = (yaml_files("crds"), yaml_files("charts/vanta/files/crds"));
    let names = |files: &[PathBuf]| -> Vec<_> {
        files.iter().map(|file| file.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&ours), names(&charts), "run scripts/manifests");
    assert_eq!(ours.len(), 2, "one of SecretAccess, one of SecretPolicy");
    for (our, chart) in ours.iter().zip(&charts) {
        let read = |file| std::fs::read_to_string(file).unwrap();
        assert_eq!(read(our), read(chart), "{}: run scripts/manifests", chart.display());
    }
}

#[test]
fn the_crds_are_installed_as_they_are_and_are_kept() {
    let Some(helm) = helm() else { return };
    let rendered = render(helm, &[]).unwrap();
    for file in yaml_files("crds") {
        let ours = documents(&std::fs::read_to_string(file).unwrap()).remove(0);
        let charts = named(&rendered, &name(&ours));
        assert_eq!(charts["spec"], ours["spec"]);
        assert_eq!(charts["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    }
}

#[test]
fn the_manifests_and_the_examples_are_fresh() {
    let Some(helm) = helm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = Command::new(root().join("scripts/manifests"))
        .arg(folder.path())
        .env("HELM", helm)
        .output()
        .unwrap();
    assert!(script.status.success(), "{}", String::from_utf8_lossy(&script.stderr));
    for file in ["manifests/vanta.yaml", "examples/cluster/sops.yaml"] {
        let fresh = std::fs::read_to_string(folder.path().join(file)).unwrap();
        // As values, since releases of helm differ in empty lines.
        assert_eq!(documents(&text(file)), documents(&fresh), "{file}: run scripts/manifests");
    }
    let example = documents(&text("examples/cluster/sops.yaml")).remove(0);
    assert_eq!(example["data"]["dev.enc.yaml"], text("examples/secrets/dev.enc.yaml"));
}

#[test]
fn the_examples_grants_hold_together() {
    let mut grants = 0;
    for file in ["examples/cluster/secret-access.yaml", "examples/cluster/secret-policy.yaml"] {
        for object in documents(&text(file)) {
            grants += 1;
            let checked = if object["kind"] == "SecretAccess" {
                serde_json::from_value::<SecretAccess>(object).unwrap().check().map(drop)
            } else {
                serde_json::from_value::<SecretPolicy>(object).unwrap().check().map(drop)
            };
            checked.unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }
    assert_eq!(grants, 3);
}

#[test]
fn each_file_of_values_passes_the_lint() {
    let Some(helm) = helm() else { return };
    for values in each_values_file() {
        let values = values.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["lint", "--strict", "charts/vanta", "--kube-version", KUBERNETES]
                .into_iter()
                .chain(values)
                .collect();
        let output = run(helm, &arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

#[test]
fn several_vaults_share_postgresql_and_no_volume() {
    let Some(helm) = helm() else { return };
    let values = ["-f", "charts/vanta/ci/replicas-values.yaml"];
    let objects = render(helm, &values).unwrap();
    let vault = &named(&objects, "Deployment vanta-vault")["spec"];
    assert_eq!(vault["replicas"], 3);
    assert_eq!(vault["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    named(&objects, "PodDisruptionBudget vanta-vault");
    assert!(!objects.iter().any(|object| object["kind"] == "PersistentVolumeClaim"));
    let pod = &vault["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let value = |name| variables.iter().find(|variable| variable["name"] == name);
    assert_eq!(value("VANTA_STATE_URL_FILE").unwrap()["value"], "/vanta/postgres/url");
    assert!(value("VANTA_STATE_PATH").is_none(), "the vault refuses both");
    let ports = &named(&objects, "NetworkPolicy vanta-vault")["spec"]["egress"][0]["ports"];
    let ports: Vec<u64> =
        ports.as_array().unwrap().iter().map(|port| port["port"].as_u64().unwrap()).collect();
    assert_eq!(ports, [53, 53, 443, 6443, 5432, 6432]);
    let ports = &named(&objects, "NetworkPolicy vanta-injector")["spec"]["egress"][0]["ports"];
    assert_eq!(ports.as_array().unwrap().len(), 4);
}

/// The pods that an object makes.
fn pod(object: &Value) -> Option<&Value> {
    object.pointer("/spec/template/spec")
}

#[test]
fn every_pod_passes_the_restricted_standard_and_writes_nowhere_but_to_its_volumes() {
    let Some(helm) = helm() else { return };
    for (values, objects) in each_rendering(helm) {
        let pods: Vec<_> =
            objects.iter().filter_map(|object| Some((name(object), pod(object)?))).collect();
        assert!(pods.len() >= 3, "{values}: two Deployments and at least one Job have pods");
        for (name, pod) in pods {
            let name = format!("{values}: {name}");
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true, "{name}");
            assert_eq!(security["runAsUser"], 65532, "{name}");
            assert_eq!(security["seccompProfile"], json!({"type": "RuntimeDefault"}), "{name}");
            // Variables such as VANTA_VAULT_PORT would be taken for settings.
            assert_eq!(pod["enableServiceLinks"], false, "{name}");
            for host in ["hostNetwork", "hostPID", "hostIPC"] {
                assert_eq!(pod[host], Value::Null, "{name}");
            }
            for volume in pod["volumes"].as_array().into_iter().flatten() {
                assert_eq!(volume["hostPath"], Value::Null, "{name}");
            }
            for container in pod["containers"].as_array().unwrap() {
                let wanted = json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "runAsNonRoot": true,
                    "capabilities": {"drop": ["ALL"]},
                });
                assert_eq!(container["securityContext"], wanted, "{name}");
                // The images have no shell, and each has one program.
                assert_eq!(container["command"], Value::Null, "{name}");
            }
        }
    }
}

#[test]
fn nothing_that_is_rendered_holds_a_key_or_a_certificate() {
    let Some(helm) = helm() else { return };
    for (values, objects) in each_rendering(helm) {
        for object in &objects {
            assert_ne!(object["kind"], "Secret", "{values}");
            let text = object.to_string();
            for sign in ["caBundle", "-----BEGIN", "AGE-SECRET-KEY"] {
                assert!(!text.contains(sign), "{values}: {} holds {sign}", name(object));
            }
        }
    }
}

/// Each rule of each role, with the role's name.
fn rules(objects: &[Value]) -> impl Iterator<Item = (String, &Value)> {
    let roles = objects.iter().filter(|object| object["rules"].is_array());
    roles.flat_map(|role| role["rules"].as_array().unwrap().iter().map(|rule| (name(role), rule)))
}

#[test]
fn rights_are_few_and_secrets_are_reached_by_name() {
    let Some(helm) = helm() else { return };
    for (values, objects) in each_rendering(helm) {
        for (role, rule) in rules(&objects) {
            assert!(!rule.to_string().contains('*'), "{values}: {role} has a wildcard: {rule}");
            let of =
                |resource: &str| rule["resources"].as_array().unwrap().contains(&json!(resource));
            if of("secrets") {
                // The hook can make one and read none: a name cannot be required of `create` alone.
                let hook = role == "Role vanta-signing-key" && rule["verbs"] == json!(["create"]);
                assert!(hook || rule["resourceNames"].is_array(), "{values}: {role}: {rule}");
                assert_ne!(
                    role, "Role vanta-vault",
                    "{values}: the vault reads no Secret by the API"
                );
            }
            if of("configmaps") && role.starts_with("ClusterRole ") {
                assert_eq!(
                    rule["resourceNames"],
                    json!([AUTHORITY_CONFIG_MAP]),
                    "{values}: {role}"
                );
            }
        }
    }
}

#[test]
fn pods_that_do_not_ask_never_depend_on_the_injector() {
    let Some(helm) = helm() else { return };
    for (values, objects) in each_rendering(helm) {
        let webhooks = named(&objects, "MutatingWebhookConfiguration vanta-injector");
        for webhook in webhooks["webhooks"].as_array().unwrap() {
            let conditions = webhook["matchConditions"].to_string();
            assert!(conditions.contains("name.startsWith('vanta.dev/')"), "{values}: {conditions}");
            assert!(webhook["timeoutSeconds"].as_u64().unwrap() <= 5, "{values}");
            let excluded = &webhook["namespaceSelector"]["matchExpressions"][0];
            assert_eq!(excluded["operator"], "NotIn", "{values}");
            for namespace in ["kube-system", NAMESPACE] {
                assert!(
                    excluded["values"].as_array().unwrap().contains(&json!(namespace)),
                    "{values}"
                );
            }
        }
        // What replaces `failurePolicy: Fail` is there, and holds.
        let policy = named(&objects, "ValidatingAdmissionPolicy vanta-injected");
        assert_eq!(policy["spec"]["failurePolicy"], "Fail", "{values}");
        assert!(policy["spec"]["validations"].to_string().contains(AGENT_CONTAINER), "{values}");
        let binding = named(&objects, "ValidatingAdmissionPolicyBinding vanta-injected");
        assert_eq!(binding["spec"]["validationActions"], json!(["Deny"]), "{values}");
    }
}

#[test]
fn an_uninstall_leaves_the_crds_alone_and_the_claim_where_it_is_told_to() {
    let Some(helm) = helm() else { return };
    for (values, objects) in each_rendering(helm) {
        let kept = objects.iter().filter(|object| {
            object.pointer("/metadata/annotations/helm.sh~1resource-policy") == Some(&json!("keep"))
        });
        for object in kept {
            let claim = object["kind"] == "PersistentVolumeClaim" && values.contains("everything");
            assert!(claim || object["kind"] == "CustomResourceDefinition", "{}", name(object));
        }
        let job = named(&objects, "Job vanta-cleanup");
        assert_eq!(job["metadata"]["annotations"]["helm.sh/hook"], "post-delete", "{values}");
    }
}

#[test]
fn an_upgrade_of_the_chart_alone_restarts_nothing() {
    let Some(helm) = helm() else { return };
    for (values, objects) in each_rendering(helm) {
        for object in &objects {
            let labels = object.pointer("/spec/template/metadata/labels").cloned();
            let of_release = ["helm.sh/chart", "app.kubernetes.io/version"];
            for label in of_release {
                assert_eq!(labels.as_ref().and_then(|labels| labels.get(label)), None, "{values}");
            }
        }
    }
}

#[test]
fn the_chart_calls_the_systems_objects_as_the_programs_do() {
    let Some(helm) = helm() else { return };
    let objects = render(helm, &[]).unwrap();
    for kind in ["Deployment", "Service", "ServiceAccount"] {
        for program in [VAULT, INJECTOR] {
            named(&objects, &format!("{kind} {program}"));
        }
    }
    named(&objects, &format!("MutatingWebhookConfiguration {INJECTOR}"));
    let ports = &named(&objects, &format!("Service {VAULT}"))["spec"]["ports"];
    assert!(ports.as_array().unwrap().iter().any(|port| port["port"] == VAULT_PORT), "{ports}");
    let secrets = |role: &str| {
        let rules = named(&objects, role)["rules"].as_array().unwrap();
        let of_secrets = rules.iter().find(|rule| rule["resources"] == json!(["secrets"]));
        of_secrets.unwrap()["resourceNames"].clone()
    };
    assert_eq!(secrets("Role vanta-cleanup"), json!(MADE_SECRETS));
    let own = json!([AUTHORITY_SECRET, INJECTOR_SECRET, VAULT_SECRET]);
    assert_eq!(secrets(&format!("Role {INJECTOR}")), own);
}
