//! The one error type: a stable code, what was wrong, what is allowed, and the data of it.

use crate::domain::access::Denial;
use crate::domain::metering::LimitExceeded;
use crate::domain::text::{Malformed, shortened};
use crate::store::{Outcome, Refusal, StoreError};
use std::fmt::Display;
use time::OffsetDateTime;
use uuid::Uuid;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation was refused or failed. When it is returned, nothing has changed, except where
/// [`Error::outcome`] says that this is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An actor is needed and none is given, or a signature does not verify. Reserved: nothing here
    /// needs one yet.
    #[error("{0}")]
    Unauthorized(String),
    /// The customer may not use the feature now.
    #[error("{0}")]
    Denied(Box<Denial>),
    /// There is no such thing in this org. It makes no difference whether it exists in another.
    #[error("no such {noun}: `{key}`")]
    NotFound {
        /// What was looked for, in the singular.
        noun: &'static str,
        /// By what it was looked for, shortened.
        key: String,
    },
    /// The input is not acceptable; every fault of it is listed.
    #[error("{0}")]
    Invalid(Faults),
    /// Something that must be unique is held by another record.
    #[error("{field} `{value}` of the {noun} is taken by `{holder}`")]
    Taken {
        /// The kind of record.
        noun: &'static str,
        /// The field that must be unique.
        field: &'static str,
        /// The value asked for, shortened.
        value: String,
        /// The id of the record that has it.
        holder: String,
    },
    /// An idempotency key was used before, for something else.
    #[error("idempotency key `{key}` was used before with another {field}")]
    KeyReused {
        /// The key.
        key: String,
        /// The first field that differs.
        field: &'static str,
        /// The event that holds the key.
        event_id: Uuid,
    },
    /// The record was changed by someone else since it was read.
    #[error("the {noun} `{id}` is at version {found}, not {expected}")]
    Stale {
        /// The kind of record.
        noun: &'static str,
        /// The record.
        id: Uuid,
        /// The version that the caller expected.
        expected: i64,
        /// The version that is stored.
        found: i64,
    },
    /// The usage would go beyond a limit that rejects.
    #[error("{0}")]
    LimitExceeded(Box<LimitExceeded>),
    /// A checkout session is not complete.
    #[error("checkout session `{session}` is {status}, not complete")]
    CheckoutIncomplete {
        /// The session, shortened.
        session: String,
        /// What the billing gateway says of it.
        status: String,
    },
    /// The state machine of a noun does not allow the action.
    #[error("a {noun} that is {from} cannot {action}; allowed: {}", allowed.join(", "))]
    InvalidTransition {
        /// The kind of record.
        noun: &'static str,
        /// The state that it is in.
        from: &'static str,
        /// What was asked for.
        action: &'static str,
        /// What could be asked for instead.
        allowed: Vec<&'static str>,
    },
    /// One event of a batch was refused, and with it the whole batch.
    #[error("event {index} of the batch: {source}")]
    Batch {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// The record has as many of something as it can.
    #[error("there can be at most {most} {noun}")]
    TooMany {
        /// What there would be too many of, in the plural.
        noun: &'static str,
        /// How many there can be.
        most: usize,
    },
    /// It may be done again, but not yet.
    #[error("it is too soon for another {noun}: it is allowed from {allowed_at} on")]
    TooSoon {
        /// What there would be too soon, in the singular.
        noun: &'static str,
        /// From when on it is allowed.
        allowed_at: OffsetDateTime,
    },
    /// A rule of the business stands against it.
    #[error("{0}")]
    Rule(String),
    /// A sum does not fit into a quantity (±9.2 × 10¹² units).
    #[error("the {0} would exceed ±9.2 × 10¹² units")]
    Overflow(&'static str),
    /// The billing gateway could not be reached or answered nonsense.
    #[error("the billing gateway failed: {0}")]
    Gateway(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The stable code of an error, for hosts that answer over a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// 401: [`Error::Unauthorized`].
    Unauthorized,
    /// 403: [`Error::Denied`].
    Forbidden,
    /// 404: [`Error::NotFound`], or a store's file that is missing.
    NotFound,
    /// 400: [`Error::Invalid`].
    BadRequest,
    /// 409: [`Error::Taken`], [`Error::KeyReused`], [`Error::Stale`].
    Conflict,
    /// 412: [`Error::LimitExceeded`], [`Error::CheckoutIncomplete`].
    PreconditionFailed,
    /// 422: [`Error::InvalidTransition`], [`Error::TooMany`], [`Error::TooSoon`], [`Error::Rule`],
    /// [`Error::Overflow`].
    Unprocessable,
    /// 503: [`Error::Gateway`], or a store that is unavailable: try again.
    Unavailable,
    /// 500: a store that is broken, or a file that is no sound store.
    Internal,
}

impl ErrorCode {
    /// The code as a word: `PRECONDITION_FAILED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadRequest => "BAD_REQUEST",
            Self::Conflict => "CONFLICT",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::Unprocessable => "UNPROCESSABLE",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The HTTP status that says the same.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::BadRequest => 400,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::Unprocessable => 422,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Batch { source, .. } => source.code(),
            Self::Unauthorized(_) => ErrorCode::Unauthorized,
            Self::Denied(_) => ErrorCode::Forbidden,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::Invalid(_) => ErrorCode::BadRequest,
            Self::Taken { .. } | Self::KeyReused { .. } | Self::Stale { .. } => ErrorCode::Conflict,
            Self::LimitExceeded(_) | Self::CheckoutIncomplete { .. } => {
                ErrorCode::PreconditionFailed
            }
            Self::InvalidTransition { .. }
            | Self::TooMany { .. }
            | Self::TooSoon { .. }
            | Self::Rule(_)
            | Self::Overflow(_) => ErrorCode::Unprocessable,
            Self::Gateway(_) => ErrorCode::Unavailable,
            Self::Store(error) => store_code(error),
        }
    }

    /// Whether anything can have happened although an error was returned. Only a store that failed
    /// while it made a change durable cannot tell; then a retry with the same idempotency key is
    /// right.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Store(StoreError::Unavailable { outcome, .. }) => *outcome,
            _ => Outcome::NotDone,
        }
    }

    /// Whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.code(), ErrorCode::Unavailable)
    }

    /// Whether there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.code(), ErrorCode::NotFound)
    }

    /// Whether something is already taken, or was changed meanwhile.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.code(), ErrorCode::Conflict)
    }

    /// Whether a usage limit stands against it.
    #[must_use]
    pub fn is_limit_exceeded(&self) -> bool {
        match self {
            Self::Batch { source, .. } => source.is_limit_exceeded(),
            _ => matches!(self, Self::LimitExceeded(_)),
        }
    }

    /// Every fault of the input, if the input was at fault.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Invalid(faults) => &faults.0,
            Self::Batch { source, .. } => source.faults(),
            _ => &[],
        }
    }

    pub(crate) fn not_found(noun: &'static str, key: impl Display) -> Self {
        Self::NotFound { noun, key: shortened(&format!("{key}")) }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &str, rule: &'static str) -> Self {
        Self::Invalid(Faults(vec![Fault::new(field, Malformed::new(value, rule))]))
    }

    /// What a field that was parsed alone answers: `parse(text).map_err(Error::malformed("field"))`.
    pub(crate) fn malformed(field: &'static str) -> impl FnOnce(Malformed) -> Self {
        move |malformed| Self::Invalid(Faults(vec![Fault::new(field, malformed)]))
    }

    pub(crate) fn rule(rule: impl Into<String>) -> Self {
        Self::Rule(rule.into())
    }

    pub(crate) fn taken(
        noun: &'static str,
        field: &'static str,
        value: &str,
        holder: impl Display,
    ) -> Self {
        Self::Taken { noun, field, value: shortened(value), holder: format!("{holder}") }
    }
}

const fn store_code(error: &StoreError) -> ErrorCode {
    match error {
        StoreError::Conflict { .. } | StoreError::Refused { why: Refusal::Exists, .. } => {
            ErrorCode::Conflict
        }
        StoreError::Overflow { .. } => ErrorCode::Unprocessable,
        StoreError::Unavailable { .. } => ErrorCode::Unavailable,
        StoreError::Refused { why: Refusal::Missing, .. } => ErrorCode::NotFound,
        _ => ErrorCode::Internal,
    }
}

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The field, as a path: `email`, `contacts[3].email`.
    pub field: String,
    /// What was given, shortened.
    pub value: String,
    /// The rule that it breaks, as the end of a sentence: `must be …`.
    pub rule: &'static str,
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, malformed: Malformed) -> Self {
        Self { field: field.into(), value: malformed.value, rule: malformed.rule }
    }
}

/// Everything that is wrong with an input, at least one fault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(pub(crate) Vec<Fault>);

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, Fault { field, value, rule }) in self.0.iter().enumerate() {
            let joint = if place == 0 { "" } else { "; " };
            write!(f, "{joint}{field} `{value}` {rule}")?;
        }
        Ok(())
    }
}

impl Faults {
    /// Notes a fault.
    pub(crate) fn add(&mut self, field: impl Into<String>, value: &str, rule: &'static str) {
        self.0.push(Fault::new(field, Malformed::new(value, rule)));
    }

    /// The value of a field, or `None` with its fault noted.
    pub(crate) fn note<T>(&mut self, field: &str, parsed: Result<T, Malformed>) -> Option<T> {
        parsed.map_err(|malformed| self.0.push(Fault::new(field, malformed))).ok()
    }

    /// `Err` if any fault was noted.
    pub(crate) fn check(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}
