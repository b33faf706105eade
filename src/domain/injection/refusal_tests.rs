//! What a pod cannot have, and what its author is told.

use serde_json::{Value, json};

use super::super::tests::{app, config, pod, refusal};
use super::super::{inject, warnings_of_workload};

#[test]
fn names_and_paths_that_the_agent_needs_are_refused_where_they_are_taken() {
    let mounts = |path: &str| json!({"containers": [{"name": "app", "volumeMounts": [{"name": "a", "mountPath": path}]}]});
    let with = |field: &str, value: Value| {
        let mut spec = app();
        spec[field] = value;
        spec
    };
    for (spec, expected) in [
        (mounts("/vanta/secrets/"), "container app mounts /vanta/secrets/, and /vanta/secrets is"),
        (mounts("/vanta"), "container app mounts /vanta, and"),
        (
            mounts("/vanta/secrets/sub"),
            "leave the container out with annotation vanta.dev/containers",
        ),
        (json!({"containers": [{"name": "vanta-agent"}]}), "the pod has a container vanta-agent"),
        (with("initContainers", json!([{"name": "vanta-agent"}])), "so give the container another"),
        (
            with("volumes", json!([{"name": "vanta-secrets", "emptyDir": {}}])),
            "volume vanta-secrets",
        ),
        (
            with("volumes", json!([{"name": "vanta-ca", "configMap": {"name": "x"}}])),
            "volume vanta-ca",
        ),
        (
            with("volumes", json!([{"name": "vanta-identity", "projected": {"sources": []}}])),
            "volume vanta-identity that is not what the agent needs",
        ),
        (
            json!({"containers": [{"name": "app", "volumeMounts": [{"name": "vanta-identity", "mountPath": "/x"}]}]}),
            "holds the agent's identity and is the agent's alone: remove the mount",
        ),
    ] {
        let refusal = refusal(&pod(&[], &spec));
        assert!(refusal.contains(expected), "{refusal}");
    }
    // Where a container is left out it may mount what it likes.
    let mut spec = mounts("/vanta");
    spec["containers"].as_array_mut().unwrap().push(json!({"name": "other"}));
    inject(&pod(&[("containers", "other")], &spec), &config()).unwrap();
}

#[test]
fn a_container_that_is_only_called_like_the_agent_is_not_taken_for_it() {
    for mount in [
        json!({"name": "vanta-secrets", "mountPath": "/x"}),
        json!({"name": "vanta-secrets", "mountPath": "/vanta/secrets", "readOnly": true}),
        json!({"name": "another", "mountPath": "/vanta/secrets"}),
    ] {
        let mut spec = app();
        spec["initContainers"] = json!([{"name": "vanta-agent", "volumeMounts": [mount]}]);
        let refusal = refusal(&pod(&[], &spec));
        assert!(refusal.starts_with("the pod has a container vanta-agent"), "{refusal}");
    }
}

#[test]
fn only_the_whole_of_the_files_at_their_own_place_is_what_the_agent_would_mount() {
    let with = |more: Value| {
        let mut mount =
            json!({"name": "vanta-secrets", "mountPath": "/vanta/secrets", "readOnly": true});
        mount.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pod(&[], &json!({"containers": [{"name": "app", "volumeMounts": [mount]}]}))
    };
    for other in [
        json!({"mountPath": "/vanta/secrets/sub"}),
        json!({"mountPath": "/vanta"}),
        json!({"subPath": "sub"}),
        json!({"subPathExpr": "$(NAME)"}),
    ] {
        let refusal = refusal(&with(other));
        assert!(refusal.starts_with("container app mounts /vanta"), "{refusal}");
    }
    inject(&with(json!({"subPath": "", "mountPath": "/vanta/secrets/"})), &config()).unwrap();
}

#[test]
fn the_log_calls_each_refusal_by_a_word_of_its_own() {
    let mounts = |mount: Value| json!({"containers": [{"name": "app", "volumeMounts": [mount]}]});
    let of = |field: &str, value: Value| {
        let mut spec = app();
        spec[field] = value;
        pod(&[], &spec)
    };
    for (pod, kind) in [
        (of("volumes", json!("x")), "malformed"),
        (pod(&[("inject", "yes")], &app()), "inject"),
        (pod(&[("mode", "x")], &app()), "annotation"),
        (pod(&[("containers", "web")], &app()), "no-such-container"),
        (of("initContainers", json!([{"name": "vanta-agent"}])), "container-taken"),
        (of("volumes", json!([{"name": "vanta-secrets", "emptyDir": {}}])), "volume-taken"),
        (of("containers", json!(vec![json!({"name": "a"}); 257])), "too-many-containers"),
        (pod(&[], &mounts(json!({"name": "a", "mountPath": "/vanta"}))), "mount-taken"),
        (
            pod(&[], &mounts(json!({"name": "vanta-secrets", "mountPath": "/vanta/secrets"}))),
            "writable-mount",
        ),
        (
            pod(&[], &mounts(json!({"name": "vanta-identity", "mountPath": "/x"}))),
            "identity-mounted",
        ),
        (of("hostNetwork", json!(true)), "node-name-servers"),
        (of("os", json!({"name": "windows"})), "windows"),
    ] {
        assert_eq!(inject(&pod, &config()).unwrap_err().kind(), kind, "{pod}");
    }
}

#[test]
fn a_container_that_is_not_there_cannot_be_named() {
    let spec = json!({"initContainers": [{"name": "migrate"}], "containers": [{"name": "app"}]});
    assert_eq!(
        refusal(&pod(&[("containers", "app,web")], &spec)),
        "annotation vanta.dev/containers names web, which the pod does not have: its containers are migrate, app"
    );
    assert!(refusal(&pod(&[("containers", "vanta-agent")], &spec)).contains("does not have"));
}

#[test]
fn a_refusal_is_short_and_repeats_no_secret_whatever_the_pod_s_author_wrote() {
    let long = "x".repeat(3_000_000);
    let mounts = |container: &str, volume: &str, path: &str| {
        json!({"containers": [{
            "name": container, "volumeMounts": [{"name": volume, "mountPath": path}],
        }]})
    };
    let below = format!("/vanta/secrets/{long}");
    for spec in [
        mounts(&long, "a", &below),
        mounts(&long, "vanta-secrets", "/x"),
        mounts(&long, "vanta-identity", "/x"),
        mounts("app", "a", "/vanta/secrets/AGE-SECRET-KEY-1hunter2"),
        mounts("vanta_client_hunter2", "a", "/vanta"),
    ] {
        let refusal = refusal(&pod(&[], &spec));
        assert!(refusal.len() < 400 && !refusal.contains("hunter2"), "{refusal}");
    }
    let many = vec![json!({"name": &long[..1000]}); 20];
    let refusal = refusal(&pod(&[("containers", "web")], &json!({"containers": many})));
    assert!(refusal.len() < 1000 && refusal.ends_with(" and 12 more"), "{refusal}");
}

#[test]
fn a_pod_of_very_many_containers_is_refused() {
    let containers = |many: usize| vec![json!({"name": "app"}); many];
    let most = json!({"initContainers": containers(56), "containers": containers(200)});
    inject(&pod(&[], &most), &config()).unwrap();
    let more = json!({"initContainers": containers(57), "containers": containers(200)});
    assert!(refusal(&pod(&[], &more)).starts_with("the pod has more than 256 containers"));
}

#[test]
fn a_pod_whose_name_servers_do_not_know_the_vault_is_refused() {
    for (spec, expected) in [
        (
            json!({"hostNetwork": true}),
            Some(
                "the pod has hostNetwork without dnsPolicy: ClusterFirstWithHostNet, so the pod asks the node's name servers, which do not know the vault: set dnsPolicy: ClusterFirstWithHostNet",
            ),
        ),
        (
            json!({"hostNetwork": true, "dnsPolicy": "ClusterFirst"}),
            Some("ClusterFirstWithHostNet"),
        ),
        (json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"}), None),
        (json!({"dnsPolicy": "Default"}), Some("set dnsPolicy: ClusterFirst")),
        (json!({"dnsPolicy": "ClusterFirst", "hostNetwork": false}), None),
    ] {
        let result = inject(&pod(&[], &spec), &config()).map_err(|error| error.to_string());
        match expected {
            Some(expected) => {
                assert!(result.as_ref().unwrap_err().contains(expected), "{result:?}");
            }
            None => drop(result.unwrap()),
        }
    }
}

#[test]
fn a_pod_that_no_agent_can_run_in_is_refused() {
    for spec in [
        json!({"os": {"name": "windows"}}),
        json!({"nodeSelector": {"kubernetes.io/os": "windows"}}),
    ] {
        assert!(refusal(&pod(&[], &spec)).starts_with("the pod is for Windows"));
    }
    let mut mirror = pod(&[], &app());
    mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = json!("x");
    assert!(refusal(&mirror).starts_with("a static pod has no service account"));
}

#[test]
fn what_is_no_pod_is_refused_by_its_field() {
    for (spec, expected) in [
        (json!(null), "spec is not an object: correct the pod"),
        (json!({"containers": {}}), "spec.containers is not a list"),
        (json!({"initContainers": ["x"]}), "spec.initContainers[0] is not a container with a name"),
        (
            json!({"containers": [{"name": "a", "volumeMounts": 1}]}),
            "spec.containers[0].volumeMounts is not a list",
        ),
        (json!({"volumes": "x"}), "spec.volumes is not a list"),
    ] {
        let refusal = refusal(&pod(&[], &spec));
        assert!(refusal.starts_with(expected), "{refusal}");
    }
}

#[test]
fn what_weakens_the_agent_is_warned_of() {
    let warnings = |spec: Value| inject(&pod(&[], &spec), &config()).unwrap().warnings;
    let shared = warnings(json!({"shareProcessNamespace": true}));
    assert!(shared[0].contains("identity token") && shared[0].len() <= 256, "{shared:?}");
    let own_names = warnings(json!({"dnsPolicy": "None"}));
    assert!(own_names[0].starts_with("dnsPolicy: None") && own_names[0].len() <= 256);
    assert_eq!(warnings(app()), Vec::<String>::new());
}

#[test]
fn the_author_of_a_workload_hears_what_its_pods_would_hear() {
    let template =
        |annotations: Value| json!({"metadata": {"annotations": annotations}, "spec": app()});
    let deployment = |annotations: Value| json!({"spec": {"template": template(annotations)}});
    let told = |kind: &str, object: &Value| warnings_of_workload(kind, object, &config());
    assert_eq!(
        told("Deployment", &deployment(json!({"vanta.dev/inject": "true"}))),
        Vec::<String>::new()
    );
    let misspelt = told("StatefulSet", &deployment(json!({"vanta.dev/injct": "true"})));
    assert!(misspelt[0].contains("did you mean vanta.dev/inject?"), "{misspelt:?}");
    let refused = told(
        "Deployment",
        &deployment(json!({
            "vanta.dev/inject": "True", "vanta.dev/acess": "x",
        })),
    );
    assert!(
        refused[0].starts_with("its pods will be refused: annotation vanta.dev/inject \"True\"")
    );
    assert!(refused[1].contains("did you mean vanta.dev/access?"), "{refused:?}");
    let cron = json!({
        "metadata": {"annotations": {"vanta.dev/inject": "true"}},
        "spec": {"jobTemplate": {"spec": {"template": template(json!({}))}}},
    });
    assert_eq!(
        told("CronJob", &cron),
        [
            "annotations vanta.dev/... of the CronJob itself have no effect: put them on its pods, under spec.jobTemplate.spec.template.metadata.annotations",
        ]
    );
    assert_eq!(told("Service", &cron), Vec::<String>::new());
}
