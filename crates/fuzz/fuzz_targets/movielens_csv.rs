#![no_main]

use ctr_fuzz::prepare_as;

libfuzzer_sys::fuzz_target!(|data: &[u8]| prepare_as("movielens-1m", &["ratings.csv", "movies.csv"], data));
