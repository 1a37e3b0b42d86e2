#![no_main]

use ctr_dataset_prep_fuzz::run;

libfuzzer_sys::fuzz_target!(|data: &[u8]| run("taobao-ad", &["raw_sample.csv", "ad_feature.csv", "user_profile.csv", "behavior_log.csv"], data));
