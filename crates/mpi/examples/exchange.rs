//! How long exchanges take between the processes that `mpirun` starts: the latency and bandwidth of docs/scale.md.
//!
//!     mpirun -n 2 target/release/examples/exchange

use ctr_mpi::Session;
use ctr_nn::{Communicator, Error, Parcels, Result};
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> Result<()> {
    let session = Session::begin(&STOP)?;
    let ranks = session.ranks();
    let mut out = std::io::stdout().lock();
    let mut say = |text: String| {
        let said = if ranks.rank() == 0 { writeln!(out, "{text}") } else { Ok(()) };
        said.map_err(|error| Error::Rank(error.to_string()))
    };
    say(format!("{} ranks; microseconds by bytes from each rank to each other one", ranks.size()))?;
    say("bytes all_gather all_to_all".into())?;
    for words in [1usize, 256, 4_096, 65_536, 262_144, 1_048_576] {
        let mine = vec![1u32; words];
        let rounds = (1 << 22) / words.max(2_048);
        // Once to begin with, so that the memory is there.
        ranks.all_gather(&mine)?;
        let begun = Instant::now();
        for _ in 0..rounds {
            ranks.all_gather(&mine)?;
        }
        let gather = begun.elapsed().as_secs_f64() / rounds as f64;
        let begun = Instant::now();
        for _ in 0..rounds {
            let mut parcels = Parcels::default();
            (0..ranks.size()).for_each(|_| parcels.push(&mine));
            ranks.all_to_all(parcels)?;
        }
        let to_all = begun.elapsed().as_secs_f64() / rounds as f64;
        say(format!("{} {:.1} {:.1}", 4 * words, gather * 1e6, to_all * 1e6))?;
    }
    session.end();
    Ok(())
}
