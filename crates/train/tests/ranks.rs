//! Several ranks compute what one process computes, bit by bit.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/several.rs"]
mod several;
#[path = "common/shards.rs"]
mod shards;

use common::{MODELS, dataset, network};
use ctr_core::Protocol;
use ctr_nn::{OptimizerKind, Penalty, RowPenalties};
use ctr_train::TrainConfig;
use several::{Several, Tables, config, ended, folders, regularized};
use shards::{Fate, Shards};
use std::sync::Arc;

#[test]
fn every_model_has_the_bits_of_one_process_on_one_two_and_three_ranks() {
    let data = &dataset(Protocol::HeldOut);
    for model in MODELS {
        for (kind, batch_size) in
            [(OptimizerKind::Adam, 16), (OptimizerKind::Sgd, 40), (OptimizerKind::Adam, 300)]
        {
            let (config, build) = (&config(kind, batch_size), &|| regularized(model, data));
            let whole = Several { data, config, build, tables: Tables::Whole, shards: None };
            let expected = whole.alone();
            let mut sizes = vec![1, 2, 3];
            if model == "din" {
                // More ranks than lanes, and than rows of the smaller table.
                sizes.push(8);
            }
            for size in sizes {
                for tables in [Tables::Whole, Tables::Spread] {
                    let (_folder, all) = folders(size);
                    for outcome in (Several { tables, ..whole }).run(&all) {
                        let got = ended(outcome.unwrap());
                        assert_eq!(
                            got, expected,
                            "{model}, batches of {batch_size}, {size} ranks, {tables:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn tables_that_are_spread_refuse_a_regularizer_of_every_row() {
    let data = &dataset(Protocol::HeldOut);
    let build = &|| {
        let mut network = network("din", data, 5);
        let penalty = Penalty::Dense { lambda: 0.1 };
        network.penalties = RowPenalties::new(&network.weights, penalty, |_| true, &[]).unwrap();
        network
    };
    let (_folder, two) = folders(2);
    let config = &config(OptimizerKind::Sgd, 40);
    let run = Several { data, config, build, tables: Tables::Spread, shards: None };
    for outcome in run.run(&two) {
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("every row in every step"), "{message}");
    }
}

#[test]
fn each_rank_trains_on_its_own_shards_and_all_have_the_bits_of_one_process() {
    let data = &dataset(Protocol::HeldOut);
    // The last with ranks that have no shard at all.
    for (model, tables, count, sizes) in [
        ("din", Tables::Whole, 7, [2, 3]),
        ("din_dice", Tables::Spread, 7, [2, 3]),
        ("base_model", Tables::Spread, 3, [4, 8]),
    ] {
        let build = &|| regularized(model, data);
        let in_memory = &config(OptimizerKind::Adam, 40);
        let config = &TrainConfig { shuffle_buffer: 120, ..in_memory.clone() };
        let streamed = |size: usize, tables| {
            let (_folder, all) = folders(size);
            let shards: Vec<Arc<Shards>> =
                (0..size).map(|_| Shards::new(data, count, 3, Fate::Fine)).collect();
            let outcomes = Several { data, config, build, tables, shards: Some(&shards) }.run(&all);
            for (rank, shards) in shards.iter().enumerate() {
                let loaded = shards.loaded.lock().unwrap().concat();
                assert_eq!(loaded.is_empty(), rank >= count, "rank {rank} of {size}");
                assert!(loaded.iter().all(|shard| shard % size == rank), "{loaded:?}");
            }
            outcomes.into_iter().map(|outcome| ended(outcome.unwrap())).collect::<Vec<_>>()
        };
        let expected = streamed(1, Tables::Whole).remove(0);
        let in_memory = Several { data, config: in_memory, build, tables, shards: None }.alone();
        assert_ne!(expected, in_memory, "small windows are another order");
        for size in sizes {
            for got in streamed(size, tables) {
                assert_eq!(got, expected, "{model} on {size} ranks");
            }
        }
    }
}
