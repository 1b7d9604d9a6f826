//! Tasks: created once for an occasion, listed, done, given to somebody else.

use crate::domain::instant;
use crate::domain::task::{NewTask, Task, TaskFilter, TaskId, TaskStatus};
use crate::domain::text::Note;
use crate::domain::user::UserId;
use crate::error::{Error, Faults, Result};
use crate::ops::usage_periods::at_text;
use crate::page::{Cursor, Page};
use crate::store::query::{Op, Query};
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;
use time::OffsetDateTime;

const CUSTOMER: Col = <Task as Stored>::TABLE.col("customer_id");
const ASSIGNEE: Col = <Task as Stored>::TABLE.col("assignee");
const STATUS: Col = <Task as Stored>::TABLE.col("status");
const DUE_AT: Col = <Task as Stored>::TABLE.col("due_at");
const CREATED_AT: Col = <Task as Stored>::TABLE.col("created_at");

impl View<'_> {
    /// The task with this id.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewTask, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let new = NewTask::new(acme, "call", "Ask how it goes");
    /// let task = tenure.write(|tx| tx.create_task(&new))?;
    /// assert_eq!(tenure.read(|view| view.task(task.id))?, task);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn task(&self, id: TaskId) -> Result<Task> {
        self.require(id)
    }

    /// Tasks, newest first, a page at a time: those that the filter lets through.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewTask, TaskFilter, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let new = NewTask::new(acme, "call", "Ask how it goes");
    /// let task = tenure.write(|tx| tx.create_task(&new))?;
    /// let all = tenure.read(|view| view.tasks(&TaskFilter::of(acme), 10, None))?.items;
    /// assert_eq!(all, [task]);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn tasks(
        &self,
        filter: &TaskFilter,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Task>> {
        let mut query = Query::all().newest_by(CREATED_AT);
        if let Some(customer) = filter.customer {
            query = query.eq(CUSTOMER, &customer);
        }
        if let Some(user) = filter.assignee {
            query = query.eq(ASSIGNEE, &Some(user));
        }
        if let Some(status) = filter.status {
            query = query.eq(STATUS, &status);
        }
        self.page(query, limit, cursor)
    }

    /// Open tasks that are due before `until`, the first to be due first, a page at a time; those of
    /// one user if one is given. Tasks without a date are not among them.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NewTask, Tenure};
    /// use time::Duration;
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let due = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     let (hour, day) = (tx.now() + Duration::HOUR, tx.now() + Duration::DAY);
    ///     tx.create_task(&NewTask::new(acme, "call", "Say hello").due_at(hour))?;
    ///     tx.view().tasks_due(day, None, 10, None)
    /// })?;
    /// assert_eq!(due.items.len(), 1);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn tasks_due(
        &self,
        until: OffsetDateTime,
        assignee: Option<UserId>,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Page<Task>> {
        let query = Query::all().eq(STATUS, &TaskStatus::Open).oldest_by(DUE_AT);
        let mut query = query.filter(DUE_AT, Op::Lt, &Some(instant::utc(until)));
        if let Some(user) = assignee {
            query = query.eq(ASSIGNEE, &Some(user));
        }
        self.page(query, limit, cursor)
    }
}

impl Tx<'_> {
    /// Creates a task. Of one kind there is one for one occasion: creating it again returns the one
    /// that is there, as it is by now. It is assigned to the customer's CSM unless told otherwise.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{CustomerDraft, NewTask, TaskFilter, TaskStatus, Tenure};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let tasks = tenure.write(|tx| {
    ///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
    ///     let call = NewTask::new(acme, "call", "Ask how the launch went").occasion("launch");
    ///     let task = tx.create_task(&call)?;
    ///     assert_eq!(tx.create_task(&call)?, task);
    ///     tx.complete_task(task.id, Some("It went well"))?;
    ///     tx.view().tasks(&TaskFilter::of(acme), 10, None)
    /// })?;
    /// assert_eq!(tasks.items.len(), 1);
    /// assert_eq!(tasks.items[0].status, TaskStatus::Completed);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] with every fault.
    pub fn create_task(&mut self, new: &NewTask) -> Result<Task> {
        let customer = self.view().customer(new.customer)?;
        let mut faults = Faults::default();
        let checked = new.checked(&mut faults);
        if let Some(user) = new.assignee {
            self.check_assignee(user, &mut faults)?;
        }
        let (Some(checked), true) = (checked, faults.0.is_empty()) else {
            return Err(Error::Invalid(faults));
        };
        let id = match &checked.occasion {
            Some(occasion) => TaskId::of(customer.id, &checked.kind, occasion),
            None => self.fresh(),
        };
        if let Some(task) = self.get::<Task>(id)? {
            return Ok(task);
        }
        let now = self.now();
        let task = Task {
            id,
            customer_id: customer.id,
            kind: checked.kind,
            priority: new.priority,
            description: checked.description,
            due_at: new.due_at.map(instant::utc),
            assignee: new.assignee.or(customer.csm_id),
            status: TaskStatus::Open,
            occasion: checked.occasion,
            notes: None,
            completed_at: None,
            created_at: now,
            updated_at: now,
        };
        self.insert(&task)?;
        let data = json!({
            "kind": task.kind, "priority": task.priority, "dueAt": task.due_at.map(at_text),
            "assignee": task.assignee, "occasion": task.occasion,
        });
        self.announce("task.created", id, customer.id, data);
        Ok(task)
    }

    /// Marks a task as done, with what came of it. Doing so again changes nothing, unless there are
    /// other notes: then these are kept.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewTask, TaskStatus, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let new = NewTask::new(acme, "call", "Ask how it goes");
    /// let task = tenure.write(|tx| tx.create_task(&new))?;
    /// let task = tenure.write(|tx| tx.complete_task(task.id, Some("all is well")))?;
    /// assert_eq!(task.status, TaskStatus::Completed);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for notes of more than 10,000 characters.
    pub fn complete_task(&mut self, id: TaskId, notes: Option<&str>) -> Result<Task> {
        let notes = notes.map(Note::parse).transpose().map_err(Error::malformed("notes"))?;
        let mut task = self.require::<Task>(id)?;
        let is_news = task.status == TaskStatus::Open;
        if !is_news && (notes.is_none() || notes == task.notes) {
            return Ok(task);
        }
        let now = self.now();
        task.status = TaskStatus::Completed;
        task.completed_at = task.completed_at.or(Some(now));
        task.notes = notes.or(task.notes);
        task.updated_at = now;
        self.put(&task)?;
        if is_news {
            let data = json!({ "kind": task.kind, "occasion": task.occasion });
            self.announce("task.completed", id, task.customer_id, data);
        }
        Ok(task)
    }

    /// Gives an open task to somebody else, or to nobody.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{CustomerDraft, NewTask, Tenure, UserDraft};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// # let acme = tenure.write(|tx| tx.create_customer(&CustomerDraft::named("Acme")))?.id;
    /// let new = NewTask::new(acme, "call", "Ask how it goes");
    /// let task = tenure.write(|tx| tx.create_task(&new))?;
    /// let task = tenure.write(|tx| {
    ///     let mia = tx.register_user("mia", &UserDraft::default().name("Mia"))?;
    ///     tx.reassign_task(task.id, Some(mia.id))
    /// })?;
    /// assert!(task.assignee.is_some());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the user is not registered or has left;
    /// [`Error::InvalidTransition`] when the task is done.
    pub fn reassign_task(&mut self, id: TaskId, to: Option<UserId>) -> Result<Task> {
        let mut task = self.require::<Task>(id)?;
        let mut faults = Faults::default();
        if let Some(user) = to {
            self.check_assignee(user, &mut faults)?;
        }
        faults.check()?;
        if task.status == TaskStatus::Completed {
            let (noun, from, action) = ("task", task.status.as_str(), "reassign");
            return Err(Error::InvalidTransition { noun, from, action, allowed: Vec::new() });
        }
        if task.assignee != to {
            let from = std::mem::replace(&mut task.assignee, to);
            task.updated_at = self.now();
            self.put(&task)?;
            self.announce(
                "task.reassigned",
                id,
                task.customer_id,
                json!({ "from": from, "to": to }),
            );
        }
        Ok(task)
    }

    /// Gives every open task of one user to another. Returns how many there were.
    pub(crate) fn hand_over_tasks(&mut self, from: UserId, to: UserId) -> Result<usize> {
        let mut moved = 0_usize;
        // What is given away leaves the query, so the first page is always the next.
        loop {
            let open = Query::all().eq(ASSIGNEE, &Some(from)).eq(STATUS, &TaskStatus::Open);
            let tasks = self.view().find::<Task>(&open.limit(500))?;
            if tasks.is_empty() || from == to {
                break;
            }
            for task in tasks {
                self.reassign_task(task.id, Some(to))?;
                moved = moved.saturating_add(1);
            }
        }
        Ok(moved)
    }

    /// Whether a user has tasks to do.
    pub(crate) fn has_tasks(&self, user: UserId) -> Result<bool> {
        let open = Query::all().eq(ASSIGNEE, &Some(user)).eq(STATUS, &TaskStatus::Open);
        Ok(self.view().first::<Task>(open)?.is_some())
    }

    fn check_assignee(&self, user: UserId, faults: &mut Faults) -> Result<()> {
        if !self.works_here(user)? {
            faults.add(
                "assignee",
                &user.to_string(),
                "must be a user who is registered and active",
            );
        }
        Ok(())
    }
}
