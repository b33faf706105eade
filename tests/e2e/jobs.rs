//! Jobs and init mode: an agent that keeps no pod from ending.

use crate::support::pods::{job, pod, template};
use crate::support::share;
use crate::support::shop::Shop;

#[test]
fn a_job_completes_with_its_agent_beside_it() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("jobs", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    let script = ". /vanta/secrets/.env && test -n \"$APP_TOKEN\" && echo done";
    shop.apply(&job("batch", template("default", Some("app"), script)));
    let ended = shop.ended("batch");
    assert_eq!(ended["status"]["phase"], "Succeeded", "{}", ended["status"]);
    assert_eq!(shop.log(&ended, "app").unwrap(), "done\n");
}

#[test]
fn init_mode_writes_the_file_once_and_leaves_no_container_behind() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("init", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    let mut template = template("default", Some("app"), "test -s /vanta/secrets/.env && echo done");
    template["metadata"]["annotations"]["vanta.dev/mode"] = "init".into();
    template["spec"]["restartPolicy"] = "Never".into();
    shop.apply(&pod("once", template));
    let ended = shop.ended("once");
    assert_eq!(ended["status"]["phase"], "Succeeded", "{}", ended["status"]);
    let agent = &ended["status"]["initContainerStatuses"][0];
    assert_eq!(agent["name"], "vanta-agent");
    assert_eq!(agent["state"]["terminated"]["exitCode"], 0);
}

#[test]
fn init_mode_without_a_grant_ends_with_77_after_its_budget_and_says_what_is_missing() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("budget", &[("APP_TOKEN", "t")]);
    let mut template = template("default", Some("app"), "true");
    let annotations = &mut template["metadata"]["annotations"];
    annotations["vanta.dev/mode"] = "init".into();
    annotations["vanta.dev/start-up-budget"] = "3s".into();
    template["spec"]["restartPolicy"] = "Never".into();
    shop.apply(&pod("once", template));
    let ended = shop.ended("once");
    assert_eq!(ended["status"]["phase"], "Failed", "{}", ended["status"]);
    let terminated = &ended["status"]["initContainerStatuses"][0]["state"]["terminated"];
    assert_eq!(terminated["exitCode"], 77, "{terminated}");
    let message = terminated["message"].as_str().unwrap();
    assert!(message.contains("SecretAccess app"), "{message}");
}
