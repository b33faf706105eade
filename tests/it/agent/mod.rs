//! `vanta-agent` as a process, against the real vault in this one: only who a pod is is made up.

mod ending;
mod files;
mod freshness;
mod hostile;
mod pod;
mod restarts;
mod served;
mod starting;
mod traces;
mod weight;
mod withdrawal;
