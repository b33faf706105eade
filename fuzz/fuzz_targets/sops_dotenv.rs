#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vanta_fuzz::body("sops_dotenv")(data));
