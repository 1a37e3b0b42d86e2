//! Buffers that a step hands on to the next one.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Free buffers of one lane. Matrices and gradients take theirs from here and give them back when they
/// are dropped, so that after the first steps a step allocates next to nothing and clears nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    /// By rising capacity.
    free: Rc<RefCell<Vec<Vec<f32>>>>,
}

impl Pool {
    /// A pool that begins with these buffers.
    pub fn with(free: Vec<Vec<f32>>) -> Self {
        let pool = Self::default();
        free.into_iter().for_each(|buffer| pool.give_back(buffer));
        pool
    }

    /// All free buffers, leaving none.
    pub fn drain(&self) -> Vec<Vec<f32>> {
        std::mem::take(&mut self.free.borrow_mut())
    }

    /// A buffer of `len` numbers that hold anything: whoever takes it writes all of it. (NaN in debug
    /// builds, so that a forgotten one shows.)
    pub fn take(&self, len: usize) -> Buffer {
        let mut values = self.take_vec(len);
        if cfg!(debug_assertions) {
            values.fill(f32::NAN);
        }
        Buffer { values, len, pool: self.clone() }
    }

    /// A buffer of `len` zeros.
    pub fn zeros(&self, len: usize) -> Buffer {
        let mut buffer = self.take(len);
        buffer.fill(0.0);
        buffer
    }

    /// Makes a vector a buffer of this pool.
    pub fn adopt(&self, values: Vec<f32>) -> Buffer {
        Buffer { len: values.len(), values, pool: self.clone() }
    }

    /// A vector of at least `len` numbers.
    fn take_vec(&self, len: usize) -> Vec<f32> {
        let mut free = self.free.borrow_mut();
        let fitting = free.partition_point(|buffer| buffer.capacity() < len);
        // A buffer many times too large stays for one who needs it.
        if free.get(fitting).is_some_and(|buffer| buffer.capacity() / 4 <= len.max(256)) {
            let mut values = free.remove(fitting);
            // Never shortened, so that only numbers that never were any are cleared.
            if values.len() < len {
                values.resize(len, 0.0);
            }
            values
        } else {
            // Takes the place of one of its kind that is too small: sizes differ from batch to batch, and with each new
            // largest a pool would otherwise keep one more buffer for good.
            if let Some(below) = fitting.checked_sub(1)
                && free[below].capacity() >= len / 4
            {
                free.remove(below);
            }
            drop(free);
            // Sizes follow the number of behaviors; some air lets the next batch fit in as well.
            let mut values = Vec::with_capacity(len + len / 4);
            values.resize(len, 0.0);
            values
        }
    }

    fn give_back(&self, values: Vec<f32>) {
        if values.capacity() > 0 {
            let mut free = self.free.borrow_mut();
            let place = free.partition_point(|buffer| buffer.capacity() < values.capacity());
            free.insert(place, values);
        }
    }
}

/// Numbers on loan from a [`Pool`].
#[derive(Debug)]
pub(crate) struct Buffer {
    /// `len` numbers, and perhaps some more of an earlier loan.
    values: Vec<f32>,
    len: usize,
    pool: Pool,
}

impl Buffer {
    /// The vector itself, which then returns to no pool.
    pub fn into_vec(mut self) -> Vec<f32> {
        self.values.truncate(self.len);
        std::mem::take(&mut self.values)
    }

    /// A copy in a buffer of the same pool.
    pub fn copy(&self) -> Self {
        let mut copy = self.pool.take(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.values));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_buffers_are_taken_again() {
        let pool = Pool::default();
        let first = pool.take(1000);
        let address = first.as_ptr();
        drop(first);
        let again = pool.take(900);
        assert_eq!((again.as_ptr(), again.len()), (address, 900));
        assert!(pool.take(900).as_ptr() != address);
        drop(again);
        assert_eq!(pool.drain().len(), 2);
    }

    #[test]
    fn needs_that_grow_replace_buffers_and_leave_none_behind() {
        let pool = Pool::default();
        for len in (1000..10_000).step_by(300) {
            drop((pool.take(len), pool.take(20)));
        }
        let capacities: Vec<usize> = pool.drain().iter().map(Vec::capacity).collect();
        assert!(matches!(capacities[..], [25, 9700..=12_125]), "{capacities:?}");
    }

    #[test]
    fn a_large_buffer_is_not_spent_on_a_small_need() {
        let pool = Pool::with(vec![vec![0.0; 1_000_000]]);
        assert!(pool.take(10).len() == 10);
        assert_eq!(pool.take(900_000).len(), 900_000);
        let capacities: Vec<usize> = pool.drain().iter().map(Vec::capacity).collect();
        assert_eq!(capacities.len(), 2);
    }
}
