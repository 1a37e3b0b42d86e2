#![doc = include_str!("../README.md")]

#[cfg(feature = "mpi")]
mod session;

#[cfg(feature = "mpi")]
pub use session::Session;

/// Where launchers say which process this is, and how many they started: Open MPI's `mpirun`, those that speak the
/// process management interface (MPICH, `srun --mpi=pmi2`), and `srun --mpi=pmix`. Slurm's own variables are those of
/// processes that may have nothing to do with one another.
const LAUNCHERS: [[&str; 2]; 3] = [
    ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
    ["PMI_RANK", "PMI_SIZE"],
    ["PMIX_RANK", "SLURM_STEP_NUM_TASKS"],
];

/// Whether this process speaks for all that do a run: the first of them, or one that is alone.
pub fn speaks() -> bool {
    launched_rank().is_none_or(|rank| rank == 0)
}

/// The number of this process among those that a launcher started together, from 0; none when it is alone.
pub fn launched_rank() -> Option<usize> {
    LAUNCHERS.iter().find_map(|names| {
        let [rank, size] = names.map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
        rank.filter(|_| size.is_some_and(|size| size > 1))
    })
}
