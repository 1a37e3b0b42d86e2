#![no_main]

use ctr_dataset_prep_fuzz::run;

libfuzzer_sys::fuzz_target!(|data: &[u8]| run("amazon-electronics-x1", &["train.csv", "test.csv"], data));
