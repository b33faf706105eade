//! Questions of a real API server, answered without a port.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;
use vanta::domain::grants::Grants;
use vanta::domain::injection::InjectionConfig;
use vanta::programs::injector::{Metrics, Webhooks, router};

/// A question of the fixtures.
macro_rules! question {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!(
            "../../fixtures/admission/",
            $name,
            ".json"
        )))
        .unwrap()
    };
}

struct Injector {
    router: Router,
    metrics: Arc<Metrics>,
    grants: watch::Sender<Option<Arc<Grants>>>,
}

impl Injector {
    fn new() -> Self {
        let metrics = Arc::new(Metrics::default());
        let config = InjectionConfig {
            agent_image: "localhost/vanta-agent:dev".to_owned(),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            vault_address: "https://vanta-vault.vanta-system.svc:8443".to_owned(),
            traces: None,
        };
        let (grants, receiver) = watch::channel(None);
        let webhooks = Webhooks::new(config, Arc::clone(&metrics), receiver);
        Self { router: router(webhooks), metrics, grants }
    }

    async fn send(&self, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(body.into()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The response to a question, with the form that every one has.
    async fn ask(&self, path: &str, question: &Value) -> Value {
        let (status, text) = self.send(path, question.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let mut review: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(review["kind"], "AdmissionReview");
        assert_eq!(review["response"]["uid"], question["request"]["uid"]);
        review["response"].take()
    }

    async fn mutate(&self, question: &Value) -> Value {
        self.ask("/mutate?timeout=5s", question).await
    }

    /// What the author of a workload is told.
    async fn warnings(&self, question: &Value) -> Vec<String> {
        let response = self.ask("/warn?timeout=5s", question).await;
        assert_eq!((&response["allowed"], response.get("patch")), (&json!(true), None));
        let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    }
}

/// The object of a question as the answer makes it.
fn patched(question: &Value, response: &Value) -> Value {
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["patchType"], "JSONPatch");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    let mut object = question["request"]["object"].clone();
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_pod_that_asks_gets_an_agent() {
    let question = question!("pod-create");
    let response = Injector::new().mutate(&question).await;
    let pod = patched(&question, &response);
    assert_eq!(response.get("warnings"), None);
    let agent = &pod["spec"]["initContainers"][0];
    assert_eq!(agent["image"], "localhost/vanta-agent:dev");
    assert_eq!(agent["imagePullPolicy"], "IfNotPresent");
    assert!(
        agent["env"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "VANTA_ACCESS", "value": "checkout,shared"}))
    );
    let volumes = names(&pod["spec"]["volumes"]);
    assert!(volumes[0].starts_with("kube-api-access-"), "{volumes:?}");
    assert_eq!(volumes[1..], ["vanta-secrets", "vanta-identity", "vanta-ca"]);
    let app = &pod["spec"]["containers"][0];
    assert_eq!(names(&app["volumeMounts"])[1..], ["vanta-secrets"]);
    let of_app = &question["request"]["object"]["spec"]["containers"][0];
    for field in ["image", "env", "resources", "livenessProbe", "ports"] {
        assert_eq!(app[field], of_app[field], "{field}");
    }
}

#[tokio::test]
async fn a_pod_of_a_replica_set_has_no_name_and_gets_its_agent() {
    let question = question!("pod-of-replicaset-create");
    assert_eq!(question["request"].get("name"), None);
    let pod = patched(&question, &Injector::new().mutate(&question).await);
    assert_eq!(names(&pod["spec"]["initContainers"]), ["vanta-agent", "migrate"]);
    let agent = &pod["spec"]["initContainers"][0];
    assert_eq!(agent["securityContext"]["runAsUser"], 1000);
    let containers = &pod["spec"]["containers"];
    assert!(names(&containers[0]["volumeMounts"]).contains(&"vanta-secrets"));
    assert!(!names(&containers[1]["volumeMounts"]).contains(&"vanta-secrets"));
}

#[tokio::test]
async fn a_pod_that_is_asked_about_again_is_left_as_it_is() {
    for question in [question!("pod-create-again"), question!("pod-of-replicaset-create-again")] {
        let injector = Injector::new();
        let uid = &question["request"]["uid"];
        assert_eq!(injector.mutate(&question).await, json!({"uid": uid, "allowed": true}));
        let counted = "reviews_total{webhook=\"Mutate\",outcome=\"Unchanged\"} 1";
        assert!(injector.metrics.encode().contains(counted), "{}", injector.metrics.encode());
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong_and_what_to_do() {
    let question = question!("pod-with-bad-annotation-dry-run");
    let response = Injector::new().mutate(&question).await;
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 400);
    assert_eq!(
        response["status"]["message"],
        "annotation vanta.dev/inject \"True\" is refused: use \"true\" for an agent and \"false\" for none, in lower case"
    );
}

#[tokio::test]
async fn what_is_not_the_creation_of_a_pod_is_let_through() {
    let changes: [fn(&mut Value); 6] = [
        |request| request["operation"] = json!("UPDATE"),
        |request| request["operation"] = json!("DELETE"),
        |request| request["object"] = json!(null),
        |request| request["subResource"] = json!("ephemeralcontainers"),
        |request| request["kind"]["kind"] = json!("PodTemplate"),
        |request| request["kind"]["group"] = json!("other.dev"),
    ];
    for change in changes {
        // It would be refused, were it looked at.
        let mut question = question!("pod-with-bad-annotation-dry-run");
        change(&mut question["request"]);
        let response = Injector::new().mutate(&question).await;
        assert_eq!(response["allowed"], true, "{question:#}");
        assert_eq!(response.get("patch"), None);
    }
}

#[tokio::test]
async fn the_author_of_a_workload_is_told_what_its_pods_would_be_told() {
    let injector = Injector::new();
    let told = injector.warnings(&question!("statefulset-create")).await;
    assert!(
        told[0].starts_with("its pods will be refused: annotation vanta.dev/inject"),
        "{told:?}"
    );
    assert!(told[1].contains("did you mean vanta.dev/access?"), "{told:?}");
    let told = injector.warnings(&question!("cronjob-create")).await;
    assert!(told[0].contains("set dnsPolicy: ClusterFirstWithHostNet"), "{told:?}");
    for warning in told {
        assert!(warning.len() <= 256, "the API server may cut it: {warning}");
    }
}

#[tokio::test]
async fn what_a_pod_will_wait_for_is_a_warning_once_the_grants_are_known() {
    let injector = Injector::new();
    let question = question!("pod-create");
    assert_eq!(injector.mutate(&question).await.get("warnings"), None);
    injector.grants.send_replace(Some(Arc::default()));
    let response = injector.mutate(&question).await;
    patched(&question, &response);
    let missing = |name: &str| {
        format!(
            "there is no SecretAccess {name} for the pod's service account default yet: the pod waits until it is applied"
        )
    };
    assert_eq!(response["warnings"], json!([missing("checkout"), missing("shared")]));
}

#[tokio::test]
async fn what_is_no_question_is_refused_without_repeating_it() {
    let injector = Injector::new();
    let mut other_version = question!("pod-create");
    other_version["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut no_request = question!("pod-create");
    no_request["request"] = json!(null);
    let texts = [
        "hunter2".to_owned(),
        String::new(),
        "{\"hunter2\": ".to_owned(),
        json!({"apiVersion": "hunter2", "kind": 7}).to_string(),
        other_version.to_string(),
        no_request.to_string(),
    ];
    for text in texts {
        let (status, said) = injector.send("/mutate", text).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        assert!(said.contains("AdmissionReview") && !said.contains("hunter2"), "{said}");
    }
    let (status, _) = injector.send("/mutate", " ".repeat(5 * 1024 * 1024)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = injector.send("/elsewhere", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(injector.metrics.encode().contains("outcome=\"Failed\"} 7"));
}
