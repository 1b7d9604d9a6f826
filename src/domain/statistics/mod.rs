//! Statistics that figures are proved with: pure functions, each with the source of its formula.

pub mod normal;
