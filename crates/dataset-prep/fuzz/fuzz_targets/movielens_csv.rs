#![no_main]

use ctr_dataset_prep_fuzz::run;

libfuzzer_sys::fuzz_target!(|data: &[u8]| run("movielens-1m", &["ratings.csv", "movies.csv"], data));
