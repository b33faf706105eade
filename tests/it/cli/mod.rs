//! The command line client, as its users meet it.

mod administration;
mod audit;
mod dotenv_readers;
mod hostile;
mod reading;
mod real_vault;
mod running;
mod signals;
mod usage;
