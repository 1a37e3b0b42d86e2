#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ctr_fuzz::open_with_manifest(data));
