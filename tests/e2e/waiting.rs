//! A pod whose grant is missing waits, says so, and starts by itself.

use std::time::{Duration, Instant};

use crate::support::pods::{IDLE, deployment, template};
use crate::support::shop::Shop;
use crate::support::{share, until};

#[test]
fn a_pod_of_another_account_waits_names_the_missing_grant_and_starts_when_it_is_applied() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("waiting", &[("APP_TOKEN", "t")]);
    for account in ["checkout", "intruder"] {
        shop.account(account);
    }
    shop.grant("checkout", "checkout", "APP_*");
    shop.policy(true);
    shop.apply(&deployment("web", template("intruder", Some("intruder"), IDLE)));

    let missing = format!("SecretAccess intruder for system:serviceaccount:{}:intruder", shop.name);
    let pod = until("the pod's events name the missing grant", || {
        let pod = shop.pod("web")?;
        let events = shop.events(&pod)?;
        if events.contains(&missing) { Ok(pod) } else { Err(events) }
    });
    until("the agent's log names the missing grant", || {
        let log = shop.log(&pod, "vanta-agent")?;
        if log.contains(&missing) { Ok(()) } else { Err(log) }
    });
    let app = &shop.pod("web").unwrap()["status"]["containerStatuses"][0];
    assert!(app["state"]["waiting"].is_object(), "it was started without its file: {app}");

    shop.grant("intruder", "intruder", "APP_*");
    let applied = Instant::now();
    let started = shop.ready("web");
    let waited = applied.elapsed();
    println!("the pod was ready {:.1} s after its grant was applied", waited.as_secs_f64());
    assert!(waited < Duration::from_secs(30), "it took {waited:?}");
    assert_eq!(started["metadata"]["uid"], pod["metadata"]["uid"], "it is another pod");
    assert_eq!(started["status"]["initContainerStatuses"][0]["restartCount"], 0);
}

#[test]
fn a_grant_without_a_policy_around_it_keeps_the_pod_waiting_and_its_status_says_so() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("policies", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.apply(&deployment("web", template("default", Some("app"), IDLE)));
    until("the status says that no policy covers it", || {
        let ready = shop.condition("app")?;
        let message = ready["message"].as_str().unwrap_or_default();
        let says = ready["status"] == "False" && message.contains("SecretPolicy");
        if says { Ok(()) } else { Err(ready.to_string()) }
    });
    until("the pod's events say so too", || {
        let events = shop.events(&shop.pod("web")?)?;
        if events.contains("no SecretPolicy") { Ok(()) } else { Err(events) }
    });
    shop.policy(true);
    shop.ready("web");
    until("the status says that it is granted, and how many keys match", || {
        let ready = shop.condition("app")?;
        let status = shop.access("app")?["status"].clone();
        let granted = ready["status"] == "True" && status["matchedKeys"] == 1;
        if granted { Ok(()) } else { Err(status.to_string()) }
    });
}
