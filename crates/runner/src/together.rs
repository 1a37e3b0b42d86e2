//! A run that several processes do together, as `mpirun` starts them.

use crate::job::Job;
use anyhow::{Result, bail};
use ctr_core::Workshop;
use ctr_nn::{Communicator, Partition};
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
    /// The real one.
    directory: PathBuf,
    /// Whether each process has some rows of the tables only.
    spreads_tables: bool,
}

impl Together {
    /// Joins the others, when a launcher started several processes. All must have been told the same run.
    ///
    /// # Errors
    /// When MPI does not begin or is not built in, or another process has another run.
    pub fn begin(
        job: &Job<'_>,
        directory: &Path,
        resume: bool,
        spreads_tables: bool,
    ) -> Result<Option<Self>> {
        if ctr_mpi::launched_rank().is_none() {
            if spreads_tables {
                tracing::warn!("--spread-tables is for several processes: this one has all rows");
            }
            return Ok(None);
        }
        let together = Self { spreads_tables, ..Self::join(directory)? };
        let run_id = job.run_id()?;
        let mut words: Vec<u32> = run_id.bytes().map(u32::from).collect();
        words.extend([resume, spreads_tables].map(u32::from));
        let all = together.ranks.all_gather(&words)?;
        if let Some(other) = all.iter().position(|theirs| theirs != words) {
            bail!(
                "rank {other} was told another run than rank {}: give all of them the same command, \
                 program and prepared data",
                together.ranks.rank()
            );
        }
        Ok(Some(together))
    }

    #[cfg(feature = "mpi")]
    fn join(directory: &Path) -> Result<Self> {
        let session = ctr_mpi::Session::begin(crate::interrupt::flag())?;
        let ranks = session.ranks();
        let first = ranks.rank() == 0;
        let own = (!first).then(|| Workshop::new(&std::env::temp_dir(), ".rank-")).transpose()?;
        Ok(Self { ranks, session, own, directory: directory.to_path_buf(), spreads_tables: false })
    }

    #[cfg(not(feature = "mpi"))]
    fn join(_: &Path) -> Result<Self> {
        bail!(
            "several processes were started together, but this program was built without MPI: build it with \
             `cargo build --release -p ctr-runner --features mpi`, or start one process"
        );
    }

    /// Whether this process is the one that writes and speaks.
    pub fn is_first(&self) -> bool {
        self.own.is_none()
    }

    /// Where this process keeps the run.
    pub fn directory(&self) -> &Path {
        self.own.as_ref().map_or(&self.directory, |own| own.path())
    }

    /// Whether the first process has the result already, so that nothing is left to do.
    ///
    /// # Errors
    /// When the others cannot be told, or the record there is another run's.
    pub fn is_finished(&self, job: &Job<'_>) -> Result<bool> {
        let finished = self.is_first() && job.finished(&self.directory)?.is_some();
        Ok(self.ranks.all_gather(&[u32::from(finished)])?.of(0) == [1])
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
