#![no_main]

use ctr_fuzz::prepare_as;

libfuzzer_sys::fuzz_target!(|data: &[u8]| prepare_as("amazon-electronics-x1", &["train.csv", "test.csv"], data));
