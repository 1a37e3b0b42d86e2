#![doc = include_str!("../README.md")]

mod error;
pub mod onnx;
pub mod tensorboard;
mod wire;

pub use error::{Error, Result};
