#![no_main]

use ctr_fuzz::prepare_as;

libfuzzer_sys::fuzz_target!(|data: &[u8]| prepare_as("custom", &["reviews_X_5.json", "meta_X.json"], data));
