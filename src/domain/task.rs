//! Tasks: what somebody is to do for a customer.

use super::customer::CustomerId;
use super::text::{Code, IdempotencyKey, Malformed, Note};
use super::user::UserId;
use crate::error::Faults;
use crate::record::{id, noun, words};
use time::OffsetDateTime;
use uuid::Uuid;

id! {
    /// Identifies a task.
    TaskId;
}

words! {
    /// How pressing a task is.
    pub enum TaskPriority {
        /// When there is nothing else to do.
        Low = "low",
        /// In its turn.
        Normal = "normal" | "medium",
        /// Before what is normal.
        High = "high",
        /// Before everything else.
        Urgent = "urgent",
    }
}

words! {
    /// Where a task stands.
    pub enum TaskStatus {
        /// To be done.
        Open = "open",
        /// Done.
        Completed = "completed" | "done",
    }
}

noun! {
    /// Something that somebody is to do for a customer.
    pub struct Task(TaskId), "task", "tasks", "success" {
        /// Identifies the task; follows from customer, kind and occasion if it has one.
        id: TaskId,
        /// For whom it is to be done.
        customer_id: CustomerId,
        /// What sort of task it is.
        kind: Code => ["nps_followup"],
        /// How pressing it is.
        priority: TaskPriority => ["high"],
        /// What is to be done.
        description: Note => ["Call them: 3 of 10"],
        /// By when.
        due_at: Option<OffsetDateTime>,
        /// Who is to do it.
        assignee: Option<UserId>,
        /// Where it stands.
        status: TaskStatus => ["open"],
        /// What it is about: of one kind there is one task for one occasion.
        occasion: Option<IdempotencyKey> => ["nps_response:0198c5c1-9a70-7c3b-b6f5-3f1b2c9d4e5f"],
        /// What came of it.
        notes: Option<Note>,
        /// When it was done.
        completed_at: Option<OffsetDateTime>,
        /// When it was created.
        created_at: OffsetDateTime,
        /// When it last changed.
        updated_at: OffsetDateTime,
    }
    relationships {
        customer: "customer" one "for whom it is to be done",
        assignee: "user" one "who is to do it",
    }
    actions { create => created, complete => completed, reassign => reassigned }
}

impl TaskId {
    /// The id of the task of a kind that a customer has on an occasion: derived, so that the same
    /// occasion has it once.
    #[must_use]
    pub fn of(customer: CustomerId, kind: &Code, occasion: &IdempotencyKey) -> Self {
        let name = format!("task\0{kind}\0{occasion}");
        Self::from(Uuid::new_v5(&customer.uuid(), name.as_bytes()))
    }
}

/// A task to be created.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "it is created when it is given to `create_task`"]
#[non_exhaustive]
pub struct NewTask {
    /// For whom it is to be done.
    pub customer: CustomerId,
    /// What sort of task it is: a code.
    pub kind: String,
    /// What is to be done: at most 10,000 characters.
    pub description: String,
    /// How pressing it is; normal unless told otherwise.
    pub priority: TaskPriority,
    /// By when.
    pub due_at: Option<OffsetDateTime>,
    /// Who is to do it; the customer's CSM unless told otherwise.
    pub assignee: Option<UserId>,
    /// What it is about; without it every call creates a task.
    pub occasion: Option<String>,
}

impl NewTask {
    /// A task of normal priority for a customer.
    pub fn new(
        customer: CustomerId,
        kind: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            customer,
            kind: kind.into(),
            description: description.into(),
            priority: TaskPriority::Normal,
            due_at: None,
            assignee: None,
            occasion: None,
        }
    }

    /// So pressing.
    pub const fn priority(mut self, priority: TaskPriority) -> Self {
        self.priority = priority;
        self
    }

    /// By then.
    pub const fn due_at(mut self, at: OffsetDateTime) -> Self {
        self.due_at = Some(at);
        self
    }

    /// For this user to do.
    pub const fn assignee(mut self, user: UserId) -> Self {
        self.assignee = Some(user);
        self
    }

    /// About this: creating it again creates none.
    pub fn occasion(mut self, occasion: impl Into<String>) -> Self {
        self.occasion = Some(occasion.into());
        self
    }
}

/// The texts of a new task, checked.
pub(crate) struct CheckedTask {
    pub(crate) kind: Code,
    pub(crate) description: Note,
    pub(crate) occasion: Option<IdempotencyKey>,
}

impl NewTask {
    /// Checks the texts, noting every fault.
    pub(crate) fn checked(&self, faults: &mut Faults) -> Option<CheckedTask> {
        let kind = faults.note("kind", Code::parse(&self.kind));
        let description = faults.note("description", Note::parse(&self.description));
        if self.description.trim().is_empty() {
            faults.add("description", &self.description, "is required");
        }
        if let Some(at) = self.due_at {
            super::instant::check_year("dueAt", at, faults);
        }
        let occasion: Option<Result<_, Malformed>> =
            self.occasion.as_deref().map(IdempotencyKey::parse);
        let occasion = match occasion {
            Some(parsed) => Some(faults.note("occasion", parsed)?),
            None => None,
        };
        Some(CheckedTask { kind: kind?, description: description?, occasion })
    }
}

/// Which tasks to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TaskFilter {
    /// Those for this customer.
    pub customer: Option<CustomerId>,
    /// Those that this user is to do.
    pub assignee: Option<UserId>,
    /// Those that stand there.
    pub status: Option<TaskStatus>,
}

impl TaskFilter {
    /// Those for a customer.
    #[must_use]
    pub fn of(customer: CustomerId) -> Self {
        Self { customer: Some(customer), ..Self::default() }
    }

    /// Those that a user is to do.
    #[must_use]
    pub const fn assigned_to(mut self, user: UserId) -> Self {
        self.assignee = Some(user);
        self
    }

    /// Of these, only those that stand there.
    #[must_use]
    pub const fn status(mut self, status: TaskStatus) -> Self {
        self.status = Some(status);
        self
    }
}
