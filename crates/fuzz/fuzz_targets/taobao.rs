#![no_main]

use ctr_fuzz::prepare_as;

libfuzzer_sys::fuzz_target!(|data: &[u8]| prepare_as("taobao-ad", &["raw_sample.csv", "ad_feature.csv", "user_profile.csv", "behavior_log.csv"], data));
