//! What is refused is told where it has to be mended.

use serde_json::Value;

use crate::support::kubectl::json;
use crate::support::pods::{IDLE, deployment, template};
use crate::support::shop::Shop;
use crate::support::vault::refused;
use crate::support::{share, until};

/// The `Refused` event of an object, as `kubectl describe` finds it.
fn event(shop: &Shop, uid: &str) -> Result<Value, String> {
    let selector = format!("involvedObject.uid={uid},reason=Refused");
    let events = json(&["-n", &shop.name, "get", "events", "--field-selector", &selector])?;
    events["items"].get(0).cloned().ok_or_else(|| "there is none".to_owned())
}

#[test]
fn a_refusal_is_an_event_of_the_secret_access_and_of_the_pod() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("events", &[("APP_TOKEN", "t")]);
    shop.account("checkout");
    shop.grant("checkout", "checkout", "APP_*");
    shop.apply(&deployment("web", template("checkout", None, IDLE)));
    // It waits, since there is no SecretPolicy.
    let pod = until("the pod is there", || shop.pod("web"));
    let name = pod["metadata"]["name"].as_str().unwrap();
    let bound = ["--audience", "vanta-vault", "--bound-object-kind", "Pod", "--bound-object-name"];
    let own = shop.identity("checkout", &[&bound[..], &[name]].concat());
    let error = shop.token(&own).map(drop).unwrap_err();
    refused(&error);
    let access = shop.access("checkout").unwrap();
    for uid in [&access["metadata"]["uid"], &pod["metadata"]["uid"]] {
        let event = until("it is told", || event(&shop, uid.as_str().unwrap()));
        assert_eq!(event["type"], "Warning");
        let message = event["message"].as_str().unwrap();
        assert!(message.contains(&shop.name) && message.contains("not-granted"), "{message}");
        assert!(!message.contains("APP_TOKEN"), "{message}");
    }
}
