//! A pod as large as a question may be takes work that grows with its size, and no faster.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Map, Value, json};
use vanta::domain::grants::Grants;
use vanta::domain::injection::{InjectionConfig, inject, warnings_of_grants, warnings_of_workload};

/// How much larger the larger pod is.
const TIMES: usize = 8;

/// The processor's time that this thread has had, which no other thread's work adds to.
fn spent() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(microseconds.try_into().unwrap())
}

/// What it takes at least, of several times, to answer all that is asked of a pod.
fn work(pod: &Value) -> Duration {
    let config = InjectionConfig {
        agent_image: "a".to_owned(),
        image_pull_policy: None,
        vault_address: "https://v".to_owned(),
        traces: None,
    };
    let deployment = json!({"spec": {"template": pod}});
    let once = || {
        let before = spent();
        let _ = inject(pod, &config);
        let _ = warnings_of_workload("Deployment", &deployment, &config);
        let _ = warnings_of_grants(pod, "shop", &Grants::default());
        spent().saturating_sub(before)
    };
    (0..3).map(|_| once()).min().unwrap()
}

fn pod(annotations: &[(&str, String)], spec: Value) -> Value {
    let mut all = Map::from_iter([("vanta.dev/inject".to_owned(), json!("true"))]);
    all.extend(annotations.iter().map(|(name, value)| (format!("vanta.dev/{name}"), json!(value))));
    let mut pod = json!({"metadata": {"annotations": all}});
    pod["spec"] = spec;
    pod
}

fn list(count: usize, element: impl Fn(usize) -> Value) -> Value {
    (0..count).map(element).collect()
}

fn app(field: &str, value: Value) -> Value {
    let mut spec = json!({"containers": [{"name": "app"}]});
    spec["containers"][0][field] = value;
    spec
}

fn names(count: usize) -> String {
    (0..count).map(|n| format!("a{n}")).collect::<Vec<_>>().join(",")
}

/// The agent as somebody wrote it, with this besides.
fn agent(field: &str, value: Value) -> Value {
    let mount = json!({"name": "vanta-secrets", "mountPath": "/vanta/secrets"});
    let mut agent = json!({"name": "vanta-agent", "volumeMounts": [mount]});
    agent[field] = value;
    json!({"initContainers": [agent], "containers": [{"name": "app"}]})
}

fn mount(n: usize) -> Value {
    json!({"name": "vanta-secrets", "mountPath": format!("/{n}"), "readOnly": true})
}

/// What there is much of, how many make a large pod, and the pod of so many.
type Kind<'a> = (&'a str, usize, &'a dyn Fn(usize) -> Value);

#[test]
fn work_grows_with_the_pod_and_no_faster() {
    let unnamed = |n: usize| json!({"name": format!("x{n}")});
    let kinds: [Kind<'_>; 11] = [
        ("names", 500_000, &|n| pod(&[("access", names(n)), ("containers", names(n))], json!({}))),
        ("annotations", 50_000, &|n| {
            let mut pod = pod(&[], app("x", json!(1)));
            for n in 0..n {
                pod["metadata"]["annotations"][format!("vanta.dev/{n}")] = json!("");
            }
            pod
        }),
        ("containers", 60_000, &|n| pod(&[], json!({"containers": list(n, unnamed)}))),
        ("named containers", 60_000, &|n| {
            pod(&[("containers", names(64))], json!({"containers": list(n, unnamed)}))
        }),
        ("mounts", 40_000, &|n| pod(&[], app("volumeMounts", list(n, mount)))),
        ("mounts of many containers", 40_000, &|n| {
            let of_each = |_| list(n / 200, mount);
            let container = |c| json!({"name": format!("x{c}"), "volumeMounts": of_each(c)});
            pod(&[], json!({"containers": list(200, container)}))
        }),
        ("a path", 3_000_000, &|n| {
            pod(&[], app("volumeMounts", json!([{"name": "a", "mountPath": "/..".repeat(n / 3)}])))
        }),
        ("volumes", 60_000, &|n| {
            pod(&[], json!({"containers": [{"name": "app"}], "volumes": list(n, unnamed)}))
        }),
        ("variables", 60_000, &|n| pod(&[], app("env", list(n, unnamed)))),
        ("the agent's variables", 60_000, &|n| pod(&[], agent("env", list(n, unnamed)))),
        ("depth", 20_000, &|n| {
            let deep = |_| (0..50).fold(json!(1), |inner, _| json!([inner]));
            pod(&[], app("x", list(n / 10, deep)))
        }),
    ];
    for (kind, most, of) in kinds {
        let (small, large) = (work(&of(most / TIMES)), work(&of(most)));
        // Were it quadratic, it would be 64 times as much, and seconds; a little is too little to
        // compare, since memory that is new to the process takes time too.
        let allowed = (small * 4).max(Duration::from_millis(25)) * u32::try_from(TIMES).unwrap();
        assert!(large < allowed, "{kind}: {small:?}, and {large:?} for {TIMES} times as many");
    }
}
