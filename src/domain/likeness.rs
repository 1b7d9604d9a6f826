//! How alike two names, or a name and a domain, are: figures that say in what they agree and
//! differ, for the judgement of smart linking to weigh.

pub mod labels;
pub mod names;
pub(crate) mod words;

#[cfg(test)]
mod tests;
