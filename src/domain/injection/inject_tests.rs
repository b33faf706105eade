//! What a pod gets, told pod by pod.

use serde_json::json;

use super::*;

pub(super) fn config() -> InjectionConfig {
    InjectionConfig {
        agent_image: "registry.example/vanta-agent:1".to_owned(),
        image_pull_policy: None,
        vault_address: "https://vanta-vault.vanta-system.svc:8443".to_owned(),
        traces: None,
    }
}

/// A pod that asks, with more annotations and with this spec.
pub(super) fn pod(annotations: &[(&str, &str)], spec: &Value) -> Value {
    let mut pod = json!({
        "metadata": {"generateName": "shop-", "annotations": {"vanta.dev/inject": "true"}},
        "spec": spec,
    });
    for (name, value) in annotations {
        pod["metadata"]["annotations"][format!("vanta.dev/{name}")] = json!(value);
    }
    pod
}

pub(super) fn app() -> Value {
    json!({"containers": [{"name": "app", "image": "app"}]})
}

pub(super) fn applied(pod: &Value, patch: &Patch) -> Value {
    let patch = serde_json::to_value(patch).unwrap();
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}

/// The pod with its agent.
fn injected(pod: &Value) -> Value {
    applied(pod, &inject(pod, &config()).unwrap().patch)
}

pub(super) fn refusal(pod: &Value) -> String {
    inject(pod, &config()).unwrap_err().to_string()
}

fn variable<'a>(pod: &'a Value, name: &str) -> Option<&'a str> {
    let variables = pod["spec"]["initContainers"][0]["env"].as_array().unwrap();
    variables.iter().find(|it| it["name"] == name).map(|it| it["value"].as_str().unwrap())
}

#[test]
fn a_pod_that_asks_gets_an_agent_a_folder_and_an_identity() {
    let expected = include_str!("../../../tests/fixtures/admission/injected.json");
    let expected: Value = serde_json::from_str(expected).unwrap();
    let injected = injected(&pod(&[("access", "checkout,shared")], &app()));
    assert_eq!(injected, expected, "{injected:#}");
}

#[test]
fn a_pod_that_does_not_ask_is_left_as_it_is() {
    for metadata in [
        json!({}),
        json!({"annotations": null}),
        json!({"annotations": {"vanta.dev/inject": "false", "vanta.dev/mode": "nonsense"}}),
        json!({"annotations": {"vanta.dev/access": "a"}}),
    ] {
        // What is wrong with it is no matter either.
        let pod = json!({"metadata": metadata, "spec": {"containers": 7, "hostNetwork": true}});
        let injection = inject(&pod, &config()).unwrap();
        assert!(injection.patch.is_empty() && !injection.asked, "{pod}");
    }
}

#[test]
fn the_agent_comes_before_the_app_s_own_init_containers_which_have_the_files_too() {
    let pod = injected(&pod(
        &[],
        &json!({
            "initContainers": [{"name": "migrate", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}],
            "containers": [{"name": "app"}],
        }),
    ));
    let names = ["vanta-agent", "migrate"].map(|name| json!(name));
    let init = pod["spec"]["initContainers"].as_array().unwrap();
    assert_eq!(init.iter().map(|it| it["name"].clone()).collect::<Vec<_>>(), names);
    let mount = json!({"name": "vanta-secrets", "mountPath": "/vanta/secrets", "readOnly": true});
    assert_eq!(init[1]["volumeMounts"], json!([{"name": "a", "mountPath": "/a"}, mount]));
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"], json!([mount]));
}

#[test]
fn only_the_named_containers_get_the_files() {
    let spec = json!({
        "initContainers": [{"name": "migrate"}],
        "containers": [{"name": "app"}, {"name": "metrics"}],
    });
    let pod = injected(&pod(&[("containers", "app, migrate")], &spec));
    assert!(pod["spec"]["containers"][0]["volumeMounts"].is_array());
    assert!(pod["spec"]["initContainers"][1]["volumeMounts"].is_array());
    assert_eq!(pod["spec"]["containers"][1], json!({"name": "metrics"}));
}

#[test]
fn a_container_that_gets_nothing_has_no_say_in_the_files_owner() {
    let spec = json!({"containers": [
        {"name": "app", "securityContext": {"runAsUser": 1000}},
        {"name": "metrics", "securityContext": {"runAsUser": 2000}},
    ]});
    let named = injected(&pod(&[("containers", "app")], &spec));
    assert_eq!(named["spec"]["initContainers"][0]["securityContext"]["runAsUser"], 1000);
    assert_eq!(variable(&named, "VANTA_FILE_MODE"), Some("0600"));
    assert_eq!(named["spec"].get("securityContext"), None);

    let all = injected(&pod(&[], &spec));
    assert_eq!(all["spec"]["initContainers"][0]["securityContext"]["runAsUser"], 65_532);
    assert_eq!(variable(&all, "VANTA_FILE_MODE"), Some("0440"));
    assert_eq!(all["spec"]["securityContext"], json!({"supplementalGroups": [65_532]}));
}

#[test]
fn the_shared_group_joins_those_that_the_pod_has() {
    for (context, expected) in [
        (json!(null), json!({"supplementalGroups": [65_532]})),
        (json!({"supplementalGroups": null}), json!({"supplementalGroups": [65_532]})),
        (
            json!({"runAsNonRoot": true, "supplementalGroups": [5]}),
            json!({"runAsNonRoot": true, "supplementalGroups": [5, 65_532]}),
        ),
        (json!({"fsGroup": 5}), json!({"fsGroup": 5})),
    ] {
        let mut spec = app();
        spec["securityContext"] = context;
        assert_eq!(injected(&pod(&[], &spec))["spec"]["securityContext"], expected);
    }
}

#[test]
fn in_init_mode_the_agent_ends_before_the_app_starts() {
    let pod = injected(&pod(&[("mode", "init"), ("start-up-budget", "2m")], &app()));
    let agent = &pod["spec"]["initContainers"][0];
    assert_eq!((agent.get("restartPolicy"), agent.get("startupProbe")), (None, None));
    assert_eq!(variable(&pod, "VANTA_AGENT_MODE"), Some("init"));
    assert_eq!(variable(&pod, "VANTA_START_UP_BUDGET"), Some("120"));
}

#[test]
fn what_the_annotations_do_not_say_is_the_agent_s_to_choose() {
    let pod = injected(&pod(&[("start-up-budget", "2m")], &app()));
    for name in ["VANTA_ACCESS", "VANTA_START_UP_BUDGET"] {
        assert_eq!(variable(&pod, name), None, "{name}");
    }
}

#[test]
fn the_second_call_changes_nothing_whatever_others_have_added_since() {
    let mut pod = injected(&pod(&[], &app()));
    assert!(inject(&pod, &config()).unwrap().patch.is_empty());
    let spec = &mut pod["spec"];
    // The API server's defaults, and its own admission.
    let agent = &mut spec["initContainers"][0];
    agent["terminationMessagePath"] = json!("/dev/termination-log");
    agent["imagePullPolicy"] = json!("Always");
    agent["image"] = json!("mirror.example/vanta-agent:1");
    agent["resources"]["limits"]["cpu"] = json!("1");
    agent["startupProbe"]["successThreshold"] = json!(1);
    // Another webhook's.
    agent["env"].as_array_mut().unwrap().insert(0, json!({"name": "HTTPS_PROXY", "value": "x"}));
    agent["volumeMounts"].as_array_mut().unwrap().push(json!({"name": "a", "mountPath": "/a"}));
    spec["volumes"][0]["emptyDir"]["sizeLimit"] = json!("4194304");
    spec["volumes"][1]["projected"]["defaultMode"] = json!(420);
    spec["containers"].as_array_mut().unwrap().push(json!({
        "name": "proxy", "securityContext": {"runAsUser": 1337},
    }));
    spec["initContainers"].as_array_mut().unwrap().insert(0, json!({"name": "proxy-init"}));
    let again = inject(&pod, &config()).unwrap();
    assert_eq!(again, Injection { asked: true, ..Injection::default() });
}

#[test]
fn what_another_has_broken_is_put_right_and_nothing_else() {
    let whole = injected(&pod(&[], &app()));
    let mut broken = whole.clone();
    let agent = &mut broken["spec"]["initContainers"][0];
    agent["securityContext"]["runAsUser"] = json!(0);
    agent["env"][0]["value"] = json!("https://elsewhere");
    agent["volumeMounts"].as_array_mut().unwrap().pop();
    broken["spec"]["volumes"].as_array_mut().unwrap().remove(1);
    let mended = injected(&broken);
    assert_eq!(mended["spec"]["initContainers"], whole["spec"]["initContainers"]);
    assert_eq!(mended["spec"]["containers"], whole["spec"]["containers"]);
    assert_eq!(mended["spec"]["volumes"].as_array().unwrap().len(), 3);
}

#[test]
fn an_agent_of_one_mode_becomes_one_of_the_other_with_its_annotation() {
    let sidecar = injected(&pod(&[], &app()));
    let annotations = [("mode", "init"), ("start-up-budget", "90"), ("access", "a")];
    let mut template = sidecar.clone();
    template["metadata"] = pod(&annotations, &app())["metadata"].clone();
    let init = injected(&template);
    let expected = injected(&pod(&annotations, &app()));
    let container = |pod: &Value, field: &str| pod["spec"]["initContainers"][0].get(field).cloned();
    for field in ["restartPolicy", "startupProbe"] {
        assert_eq!(container(&init, field), None);
    }
    assert_eq!(variable(&init, "VANTA_AGENT_MODE"), Some("init"));
    assert_eq!(variable(&init, "VANTA_START_UP_BUDGET"), Some("90"));
    let mut back = expected;
    back["metadata"] = sidecar["metadata"].clone();
    let back = injected(&back);
    assert_eq!(container(&back, "startupProbe"), container(&sidecar, "startupProbe"));
    assert_eq!(
        (variable(&back, "VANTA_ACCESS"), variable(&back, "VANTA_START_UP_BUDGET")),
        (None, None)
    );
}

#[test]
fn a_container_that_mounts_the_files_its_own_way_keeps_to_reading() {
    let mount = |more: Value| {
        let mut mount = json!({"name": "vanta-secrets", "mountPath": "/app/conf"});
        mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"containers": [{"name": "app", "volumeMounts": [mount]}]})
    };
    let own = injected(&pod(&[], &mount(json!({"readOnly": true}))));
    assert_eq!(own["spec"]["containers"][0]["volumeMounts"].as_array().unwrap().len(), 2);
    assert!(inject(&own, &config()).unwrap().patch.is_empty());
    assert_eq!(
        refusal(&pod(&[], &mount(json!({})))),
        "container app mounts volume vanta-secrets to write into it, and the agent alone writes there: set readOnly: true on the mount"
    );
}

#[test]
fn a_patch_can_be_moved_to_where_a_template_stands() {
    let template = pod(&[], &app());
    let deployment = json!({"spec": {"template": template}});
    let patch = inject(&template, &config()).unwrap().patch;
    assert_eq!(pod_pointer("Pod"), Some(""));
    let patched = applied(&deployment, &patch.clone().below(pod_pointer("Deployment").unwrap()));
    assert_eq!(patched["spec"]["template"], applied(&template, &patch));
    let written = serde_json::to_value(&patch).unwrap();
    assert_eq!(patch.operations().len(), written.as_array().unwrap().len());
    assert!(!patch.is_empty() && Patch::default().is_empty());
}

#[test]
fn an_agent_is_told_where_traces_go_and_told_no_more_once_they_go_nowhere() {
    let traces =
        TraceConfig { endpoint: "http://o:4318".to_owned(), ratio: Some("0.5".to_owned()) };
    let tracing = InjectionConfig { traces: Some(traces), ..config() };
    let plain = pod(&[], &app());
    let told = applied(&plain, &inject(&plain, &tracing).unwrap().patch);
    assert_eq!(variable(&told, "OTEL_EXPORTER_OTLP_ENDPOINT"), Some("http://o:4318"));
    assert_eq!(variable(&told, "OTEL_TRACES_SAMPLER_ARG"), Some("0.5"));
    assert_eq!(inject(&told, &tracing).unwrap().patch, Patch::default());
    assert_eq!(injected(&told), injected(&plain));
}
