//! A rank that is lost, or asks all to stop, at any moment: the run goes on from what is left, to the same bits.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/several.rs"]
mod several;
#[path = "common/shards.rs"]
mod shards;

use common::dataset;
use ctr_core::Protocol;
use ctr_nn::OptimizerKind;
use ctr_train::{CHECKPOINT_FILE, Error, MODEL_FILE, Outcome, TrainConfig, kept_step};
use several::{Several, Tables, config, ended, folders, regularized};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn ranks_stop_together_and_go_on_in_another_number() {
    let data = &dataset(Protocol::HeldOut);
    for (model, tables) in
        [("din", Tables::Whole), ("din_dice", Tables::Spread), ("pnn", Tables::Spread)]
    {
        let (config, build) = (&config(OptimizerKind::Adam, 40), &|| regularized(model, data));
        let run = Several { data, config, build, tables, shards: None };
        let (_folder, two) = folders(2);
        // The second rank is the one that is asked to stop.
        let stopped = run.watched(&two, &|rank, _, step, stop| {
            stop.store(rank == 1 && step == 5, Ordering::Relaxed);
        });
        for outcome in stopped {
            assert!(matches!(outcome.unwrap(), Outcome::Interrupted { step: 6 }), "{model}");
        }
        assert_eq!(kept_step(&two[0], Some("run")), Some(6), "{model}");
        let expected = run.alone();
        run.go_on(&two[0], 3).iter().for_each(|got| assert_eq!(got, &expected, "{model}"));
    }
}

#[test]
fn a_lost_rank_ends_the_run_with_a_checkpoint_of_the_last_step() {
    let data = &dataset(Protocol::HeldOut);
    // The first rank too, whose folder then has what the others left.
    for (model, lost) in [("din", 1), ("din_dice", 2), ("base_model", 0)] {
        let (config, build) = (&config(OptimizerKind::Adam, 40), &|| regularized(model, data));
        let run = Several { data, config, build, tables: Tables::Whole, shards: None };
        let (_folder, three) = folders(3);
        let outcomes = run.watched(&three, &|rank, ranks, step, _| {
            if rank == lost && step == 7 {
                ranks.die();
            }
        });
        for (rank, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                _ if rank == lost => {}
                Err(Error::RankLost { step: 7, kept: Some(7), reason, path }) => {
                    assert!(reason.contains(&format!("rank {lost}")), "{reason}");
                    assert!(path.starts_with(&three[0]), "{}", path.display());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kept_step(&three[0], Some("run")), Some(7), "{model}");
        let expected = run.alone();
        run.go_on(&three[0], 2).iter().for_each(|got| assert_eq!(got, &expected, "{model}"));
    }
}

#[test]
fn a_lost_rank_takes_its_rows_along_and_the_last_checkpoint_serves() {
    let data = &dataset(Protocol::HeldOut);
    let build = &|| regularized("din", data);
    let config = &TrainConfig { checkpoint_every_steps: 4, ..config(OptimizerKind::Adam, 40) };
    let run = Several { data, config, build, tables: Tables::Spread, shards: None };
    let (_folder, three) = folders(3);
    let outcomes = run.watched(&three, &|rank, ranks, step, _| {
        if rank == 1 && step == 7 {
            ranks.die();
        }
    });
    for outcome in [&outcomes[0], &outcomes[2]] {
        assert!(
            matches!(outcome, Err(Error::RankLostWithRows { step: 7, kept: Some(4), .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(kept_step(&three[0], Some("run")), Some(4));
    // Any rank alone goes on from there too.
    let expected = run.alone();
    for (size, tables) in [(1, Tables::Whole), (2, Tables::Spread)] {
        let run = Several { tables, ..run };
        run.go_on(&three[0], size).iter().for_each(|got| assert_eq!(got, &expected));
    }
}

#[test]
fn the_first_rank_lost_after_an_evaluation_leaves_the_chosen_weights_too() {
    let data = &dataset(Protocol::HeldOut);
    let build = &|| regularized("din", data);
    let config = &TrainConfig { epochs: 3, ..config(OptimizerKind::Adam, 40) };
    let run = Several { data, config, build, tables: Tables::Whole, shards: None };
    let (_folder, three) = folders(3);
    let later = data.train.rows().div_ceil(40) as u64 + 2;
    let outcomes = run.watched(&three, &|rank, ranks, step, _| {
        if rank == 0 && step == later {
            // As if it had died before it wrote what the evaluation chose.
            std::fs::remove_file(three[0].join(MODEL_FILE)).unwrap();
            // An older run of another name is no later state of this one.
            let mut other = std::fs::read(three[0].join(CHECKPOINT_FILE)).unwrap();
            let name = br#"run_id\":\"run\""#;
            let place = other.windows(name.len()).position(|part| part == name).unwrap();
            other[place + name.len() - 5] = b'R';
            std::fs::write(three[0].join(CHECKPOINT_FILE), other).unwrap();
            ranks.die();
        }
    });
    assert!(matches!(outcomes[1], Err(Error::RankLost { kept: Some(_), .. })), "{outcomes:?}");
    assert_eq!(kept_step(&three[0], Some("run")), Some(later));
    let weights = |folder: &Path| std::fs::read(folder.join(MODEL_FILE)).unwrap();
    assert_eq!(weights(&three[0]), weights(&three[1]));
    let expected = run.alone();
    run.go_on(&three[0], 2).iter().for_each(|got| assert_eq!(got, &expected));
}

/// Within steps, evaluations, files written together, and the end of the run.
#[test]
fn a_rank_lost_at_any_exchange_loses_no_more_than_it_says() {
    let data = &dataset(Protocol::HeldOut);
    for (model, tables) in [("din_dice", Tables::Whole), ("din", Tables::Spread)] {
        let build = &|| regularized(model, data);
        let config = &TrainConfig { checkpoint_every_steps: 3, ..config(OptimizerKind::Adam, 150) };
        let run = Several { data, config, build, tables, shards: None };
        let (_folder, three) = folders(3);
        let exchanges = AtomicU64::new(0);
        let steps = AtomicU64::new(0);
        let whole = run.watched(&three, &|_, ranks, step, _| {
            exchanges.fetch_max(ranks.exchanges.load(Ordering::Relaxed), Ordering::Relaxed);
            steps.fetch_max(step, Ordering::Relaxed);
        });
        let expected = run.alone();
        for outcome in whole {
            assert_eq!(ended(outcome.unwrap()), expected);
        }
        let (steps, mut died) = (steps.into_inner(), 0);
        // Some more than those until the last step: its evaluation, the files and the end.
        for last in 1.. {
            let victim = (last % 3) as usize;
            let (_folder, three) = folders(3);
            let outcomes = run.killed(&three, victim, last);
            if outcomes[victim].is_ok() {
                break;
            }
            died = last;
            for (rank, outcome) in outcomes.iter().enumerate().filter(|(rank, _)| *rank != victim) {
                let (step, kept) = match (outcome, tables) {
                    (Err(Error::RankLost { step, kept, .. }), Tables::Whole) => (*step, *kept),
                    (Err(Error::RankLostWithRows { step, kept, .. }), Tables::Spread) => {
                        (*step, *kept)
                    }
                    other => panic!("rank {rank}, rank {victim} lost at {last}: {other:?}"),
                };
                assert!(step <= steps);
                let least = match tables {
                    Tables::Whole => Some(step),
                    Tables::Spread => (step > 3).then_some(step - 3),
                };
                assert!(kept >= least, "{step}, {kept:?}, rank {victim} lost at {last}");
            }
            for got in run.go_on(&three[0], 1 + (last % 2) as usize) {
                assert_eq!(got, expected, "{model}, rank {victim} lost at {last}");
            }
        }
        let until_last_step = exchanges.into_inner();
        assert!(died > until_last_step, "{model}: {died} of {until_last_step}");
    }
}
