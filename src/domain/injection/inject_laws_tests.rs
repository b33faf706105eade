//! The laws of injection, over small pods in which everything is likely to meet.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, json};

use super::tests::{applied, config};
use super::*;

/// Values that nobody of ours reads, which have to stay.
fn foreign() -> impl Strategy<Value = Value> {
    select(vec![json!(null), json!(1.5), json!("x"), json!([{"a": []}]), json!({"b": {"c": null}})])
}

fn security_context() -> impl Strategy<Value = Value> {
    let ids = || option::of(select(vec![0_i64, 1000, 1000, 2000]));
    (
        ids(),
        ids(),
        option::of(select(vec![json!(7)])),
        option::of(select(vec![json!(null), json!([]), json!([5]), json!([65_532])])),
    )
        .prop_map(|(user, group, volumes, supplemental)| {
            let mut context = Map::new();
            context.extend(user.map(|it| ("runAsUser".to_owned(), json!(it))));
            context.extend(group.map(|it| ("runAsGroup".to_owned(), json!(it))));
            context.extend(volumes.map(|it| ("fsGroup".to_owned(), it)));
            context.extend(supplemental.map(|it| ("supplementalGroups".to_owned(), it)));
            Value::Object(context)
        })
}

fn mount() -> impl Strategy<Value = Value> {
    let volume = select(vec!["data", "data", "data", "vanta-secrets", "vanta-identity"]);
    let path = select(vec!["/data", "/data", "/vanta/secrets", "/vanta", "/app"]);
    (volume, path, any::<bool>()).prop_map(
        |(name, path, read_only)| json!({"name": name, "mountPath": path, "readOnly": read_only}),
    )
}

fn container(prefix: &'static str) -> impl Strategy<Value = Value> {
    (option::of(security_context()), option::of(vec(mount(), 0..2)), foreign(), 0..2_u8).prop_map(
        move |(context, mounts, foreign, n)| {
            let mut container = json!({"name": format!("{prefix}{n}"), "image": "x", "f": foreign});
            if let Some(context) = context {
                container["securityContext"] = context;
            }
            if let Some(mounts) = mounts {
                container["volumeMounts"] = json!(mounts);
            }
            container
        },
    )
}

fn annotations() -> impl Strategy<Value = Value> {
    let one = |name: &'static str, values: &[&'static str]| {
        option::of(select(values.to_vec())).prop_map(move |value| Some((name, value?)))
    };
    (
        one("vanta.dev/access", &["a", "a,b"]),
        one("vanta.dev/containers", &["c0", "c0", "i0,c0"]),
        one("vanta.dev/mode", &["init", "sidecar"]),
        one("vanta.dev/start-up-budget", &["90s"]),
        one("vanta.dev/on-revoke", &["remove"]),
        one("other.dev/x", &["y"]),
        one("vanta.dev/unknown", &["y"]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| {
            let given: Map<String, Value> =
                [Some(("vanta.dev/inject", "true")), a, b, c, d, e, f, g]
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.to_owned(), json!(value)))
                    .collect();
            Value::Object(given)
        })
}

fn pods() -> impl Strategy<Value = Value> {
    (
        annotations(),
        option::of(vec(container("i"), 0..3)),
        vec(container("c"), 1..3),
        option::of(security_context()),
        option::of(select(vec![json!(null), json!([]), json!([{"name": "data", "emptyDir": {}}])])),
        foreign(),
    )
        .prop_map(|(annotations, init, containers, context, volumes, foreign)| {
            let mut pod = json!({
                "metadata": {"generateName": "x-", "annotations": annotations, "f": foreign},
                "spec": {"containers": containers, "f": foreign},
                "status": foreign,
            });
            if let Some(init) = init {
                pod["spec"]["initContainers"] = json!(init);
            }
            if let Some(context) = context {
                pod["spec"]["securityContext"] = context;
            }
            if let Some(volumes) = volumes {
                pod["spec"]["volumes"] = volumes;
            }
            pod
        })
}

/// What the API server and other webhooks do to a pod between two calls.
fn added_to_by_others(mut pod: Value) -> Value {
    let spec = &mut pod["spec"];
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["terminationMessagePath"] = json!("/dev/termination-log");
            container["imagePullPolicy"] = json!("Always");
            let other = json!({"name": "PROXY", "value": "x"});
            match container.get_mut("env").and_then(Value::as_array_mut) {
                Some(env) => env.insert(0, other),
                None => container["env"] = json!([other]),
            }
            let other = json!({"name": "token", "mountPath": "/var/run/other"});
            match container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                Some(mounts) => mounts.insert(0, other),
                None => container["volumeMounts"] = json!([other]),
            }
        }
    }
    if let Some(agent) = spec["initContainers"].as_array_mut() {
        agent.push(json!({"name": "mesh", "securityContext": {"runAsUser": 1337}}));
    }
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.insert(0, json!({"name": "token", "projected": {"defaultMode": 420}}));
    }
    spec["schedulerName"] = json!("default-scheduler");
    pod
}

/// The pod without what injection adds.
fn without_ours(mut pod: Value) -> Value {
    fn drop_empty(object: &mut Value, field: &str) {
        let is_empty = |value: &Value| {
            value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty)
        };
        if object.get(field).is_some_and(is_empty) {
            object.as_object_mut().unwrap().remove(field);
        }
    }
    let mount = mounts::wanted();
    let spec = &mut pod["spec"];
    if let Some(init) = spec.get_mut("initContainers").and_then(Value::as_array_mut) {
        init.retain(|container| container["name"] != "vanta-agent");
    }
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !OwnVolume::ALL.iter().any(|own| volume["name"] == own.name()));
    }
    for list in ["initContainers", "containers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                mounts.retain(|it| *it != mount);
            }
            drop_empty(container, "volumeMounts");
        }
        drop_empty(spec, list);
    }
    if let Some(context) = spec.get_mut("securityContext").filter(|it| it.is_object()) {
        if let Some(groups) = context.get_mut("supplementalGroups").and_then(Value::as_array_mut) {
            groups.retain(|group| *group != 65_532);
        }
        drop_empty(context, "supplementalGroups");
    }
    drop_empty(spec, "securityContext");
    drop_empty(spec, "volumes");
    pod
}

proptest! {
    #[test]
    fn a_second_call_changes_nothing(pod in pods()) {
        if let Ok(injection) = inject(&pod, &config()) {
            let patched = applied(&pod, &injection.patch);
            let again = inject(&patched, &config()).unwrap();
            prop_assert!(again.patch.is_empty(), "{:?}", again.patch);
            prop_assert_eq!(again.warnings, injection.warnings);
        }
    }

    #[test]
    fn a_second_call_changes_nothing_after_others_have_added_to_the_pod(pod in pods()) {
        if let Ok(injection) = inject(&pod, &config()) {
            let changed = added_to_by_others(applied(&pod, &injection.patch));
            let again = inject(&changed, &config()).unwrap();
            prop_assert!(again.patch.is_empty(), "{:?}", again.patch);
        }
    }

    #[test]
    fn a_pod_keeps_all_that_it_had(pod in pods()) {
        if let Ok(injection) = inject(&pod, &config()) {
            let patched = applied(&pod, &injection.patch);
            prop_assert_eq!(without_ours(patched), without_ours(pod));
        }
    }

    #[test]
    fn nothing_is_taken_away_and_all_that_is_added_is_ours(pod in pods()) {
        if let Ok(injection) = inject(&pod, &config()) {
            for operation in injection.patch.operations() {
                let text = serde_json::to_value(operation).unwrap();
                prop_assert_eq!(&text["op"], "add");
                prop_assert!(operation.path.starts_with("/spec/"), "{}", operation.path);
            }
        }
    }

    #[test]
    fn whoever_mounts_the_files_only_reads_them_and_can(pod in pods()) {
        if let Ok(injection) = inject(&pod, &config()) {
            let patched = applied(&pod, &injection.patch);
            let spec = &patched["spec"];
            let agent = &spec["initContainers"][0];
            prop_assert_eq!(&agent["name"], "vanta-agent");
            let owner = &agent["securityContext"]["runAsUser"];
            prop_assert_ne!(owner, &json!(0));
            let lists = [&spec["initContainers"], &spec["containers"]];
            for container in lists.iter().filter_map(|list| list.as_array()).flatten() {
                let mounts = container["volumeMounts"].as_array().into_iter().flatten();
                let mut of_files = mounts.filter(|mount| mount["name"] == "vanta-secrets");
                let Some(mount) = of_files.next().filter(|_| container != agent) else { continue };
                prop_assert_eq!(&mount["readOnly"], &json!(true));
                let mut mode = agent["env"].as_array().unwrap().iter();
                let mode = mode.find(|it| it["name"] == "VANTA_FILE_MODE").unwrap();
                if mode["value"] == "0600" {
                    let own = container.pointer("/securityContext/runAsUser");
                    let user = own.or_else(|| spec.pointer("/securityContext/runAsUser"));
                    prop_assert_eq!(user, Some(owner));
                } else {
                    let context = &spec["securityContext"];
                    let groups = context["supplementalGroups"].as_array();
                    let shared = groups.is_some_and(|it| it.contains(&json!(65_532)));
                    prop_assert!(context["fsGroup"].is_i64() || shared);
                }
            }
        }
    }
}
