//! A run that several processes do together, as `mpirun` starts them.

use crate::job::Job;
use anyhow::{Result, bail};
use ctr_core::{OneReader, Part, ShardError, ShardReaders, Workshop};
use ctr_nn::{Communicator, Partition, gather_bytes};
use ctr_train::hand_out;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The processes that do a run, and this one's part in it.
pub struct Together {
    ranks: Arc<dyn Communicator>,
    #[cfg(feature = "mpi")]
    session: ctr_mpi::Session,
    /// The run's directory for all but the first, who has the real one.
    own: Option<Workshop>,
    /// The real one, once it is known.
    directory: PathBuf,
    /// Whether each process has some rows of the tables only.
    spreads_tables: bool,
}

impl Together {
    /// Joins the others, when a launcher started several processes.
    ///
    /// # Errors
    /// When MPI does not begin or is not built in.
    pub fn join(spreads_tables: bool) -> Result<Option<Self>> {
        if ctr_mpi::launched_rank().is_none() {
            if spreads_tables {
                tracing::warn!("--spread-tables is for several processes: this one has all rows");
            }
            return Ok(None);
        }
        Ok(Some(Self { spreads_tables, ..Self::begin()? }))
    }

    #[cfg(feature = "mpi")]
    fn begin() -> Result<Self> {
        let session = ctr_mpi::Session::begin(crate::interrupt::flag())?;
        let ranks = session.ranks();
        let first = ranks.rank() == 0;
        let own = (!first).then(|| Workshop::new(&std::env::temp_dir(), ".rank-")).transpose()?;
        Ok(Self { ranks, session, own, directory: PathBuf::new(), spreads_tables: false })
    }

    #[cfg(not(feature = "mpi"))]
    fn begin() -> Result<Self> {
        bail!(
            "several processes were started together, but this program was built without MPI: build it with \
             `cargo build --release -p ctr-runner --features mpi`, or start one process; Slurm starts several that \
             have nothing to do with one another by `srun --mpi=none`"
        );
    }

    /// Sees to it that all have been told the same run, which the first is to keep in `directory`.
    ///
    /// # Errors
    /// When another process has another run, or is gone.
    pub fn meet(&mut self, job: &Job<'_>, directory: &Path, resume: bool) -> Result<()> {
        let mut words: Vec<u32> = job.run_id()?.bytes().map(u32::from).collect();
        words.extend([resume, self.spreads_tables].map(u32::from));
        let all = self.ranks.all_gather(&words)?;
        if let Some(other) = all.iter().position(|theirs| theirs != words) {
            bail!(
                "rank {other} was told another run than rank {}: give all of them the same command, \
                 program and prepared data",
                self.ranks.rank()
            );
        }
        self.directory = directory.to_path_buf();
        Ok(())
    }

    /// Whether this process is the one that writes and speaks.
    pub fn is_first(&self) -> bool {
        self.own.is_none()
    }

    /// Where this process keeps the run.
    pub fn directory(&self) -> &Path {
        self.own.as_ref().map_or(&self.directory, |own| own.path())
    }

    /// Tells the others whether there is something to do, or learns it from the first process, who has the lock and
    /// sees the record.
    ///
    /// # Errors
    /// When a process is gone.
    pub fn agree(&self, to_do: bool) -> Result<bool> {
        Ok(self.ranks.all_gather(&[u32::from(to_do)])?.of(0) == [1])
    }

    /// Gives all processes what the run goes on from.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a process is gone.
    pub fn hand_out(&self) -> Result<()> {
        Ok(hand_out(&*self.ranks, self.directory())?)
    }

    /// Builds a network, with all rows or some.
    pub fn build<R>(&self, build: impl FnOnce() -> R) -> R {
        if self.spreads_tables {
            Partition::build(self.ranks.rank(), self.ranks.size(), build)
        } else {
            build()
        }
    }

    /// The processes, for a network.
    pub fn ranks(&self) -> Arc<dyn Communicator> {
        self.ranks.clone()
    }

    /// Where a process other than the first leaves its state when one is gone.
    pub fn shared(&self) -> Option<&Path> {
        (!self.is_first()).then_some(&self.directory)
    }

    /// Waits for all others. A process that ends without it makes the launcher end them all.
    pub fn end(self) {
        #[cfg(feature = "mpi")]
        self.session.end();
    }
}

impl ShardReaders for Together {
    fn part(&self) -> Part {
        Part { index: self.ranks.rank(), of: self.ranks.size() }
    }

    fn share(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, ShardError> {
        Ok(gather_bytes(&*self.ranks, mine)?)
    }
}

/// The processes that read shards together: these, or this one alone.
pub fn readers(together: Option<&Together>) -> &dyn ShardReaders {
    together.map_or(&OneReader, |together| together)
}
