#![no_main]

use ctr_dataset_prep_fuzz::run;

libfuzzer_sys::fuzz_target!(|data: &[u8]| run("custom", &["reviews_X_5.json", "meta_X.json"], data));
