//! Tables as Markdown, CSV and LaTeX.

pub(crate) mod csv;
pub(crate) mod latex;
pub(crate) mod markdown;
